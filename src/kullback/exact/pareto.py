"""How heavy the tail of importance ratios is, and how many equally weighted draws they are worth."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array, ops
from kullback.errors import DTypeError, InvalidInputError, ShapeError

_FEWEST = 5  # exceedances, below which a tail says nothing
_PRIOR_DRAWS, _PRIOR_INDEX = 10.0, 0.5  # a weak pull of short tails towards 1/2


def pareto_k(log_ratios: Array) -> float:
    r"""The tail index $\hat k$ of importance ratios: moments of order below $1/\hat k$ are finite.

    A generalised Pareto law is fitted to the largest $\min(n/5,\ 3\sqrt n)$ of the n ratios, given as logarithms
    (unnormalised, shape (n,)), and drawn slightly towards 1/2. Up to 0.5 the variance is finite; above 0.7 no average
    over the ratios can be trusted. `-inf` where the largest ratio is an atom, so that the tail is bounded; `nan` where
    fewer than five ratios stand out, too few to judge. Raises `ShapeError` unless the array is one-dimensional,
    `InvalidInputError` on NaN and +inf. Source: [vehtari2024], [zhang2009].

    >>> import numpy as np
    >>> pareto_k(np.zeros(1000))
    -inf
    """
    log_ratios = as_logs(log_ratios, "log_ratios")
    tail = _largest(log_ratios)
    excess = np.exp(tail - tail[-1]) - np.exp(tail[0] - tail[-1])
    if len(tail) > _FEWEST and tail[-_FEWEST] > tail[0] and excess[-_FEWEST] == 0:
        return math.inf  # a few ratios tower so far above the others that these vanish beside them
    return _shrunk(excess)


def term_k(terms: np.ndarray, s: np.ndarray) -> float:
    """The heavier tail index of a function of the log-ratio s, towards s > 0 and towards s < 0; as `pareto_k`.

    Each side by itself: where a bounded end and a heavy one meet in one tail, no Pareto law fits it.
    """
    if not np.all(np.isfinite(terms)):
        return math.inf
    tails = [_largest(np.where(side, np.abs(terms), 0.0)) for side in (s > 0, s < 0)]
    indices = [k for k in (_shrunk(tail - tail[0]) for tail in tails) if not math.isnan(k)]
    return max(indices) if indices else math.nan


def _largest(x: np.ndarray) -> np.ndarray:
    """The tail in ascending order, after the threshold that it exceeds."""
    length = math.ceil(min(0.2 * len(x), 3.0 * math.sqrt(len(x))))
    return np.sort(x)[-length - 1 :]


def _shrunk(excess: np.ndarray) -> float:
    if len(excess) <= _FEWEST:
        return math.nan
    above = excess[excess > 0]
    if len(above) == 0:
        return -math.inf
    if len(above) < _FEWEST:
        return math.nan
    weight = len(above) / (len(above) + _PRIOR_DRAWS)
    return weight * tail_index(above) + (1.0 - weight) * _PRIOR_INDEX


def tail_index(excesses: Array) -> float:
    r"""The shape k of the generalised Pareto law, $P(X > x) = (1 + kx/\sigma)^{-1/k}$, fitted to positive draws.

    The likelihood is profiled over the scale and averaged over a weak prior: nearly as efficient as maximum likelihood,
    and it always exists. `excesses` has shape (n,), n ≥ 5. Raises `InvalidInputError` for fewer, or for draws that are
    not positive and finite. Source: [zhang2009].

    >>> import numpy as np
    >>> uniform = (np.arange(1000) + 0.5) / 1000
    >>> round(tail_index(uniform), 1)
    -1.0
    """
    x = np.sort(np.asarray(excesses, dtype=np.float64).ravel())
    n = len(x)
    if n < _FEWEST or not (x[0] > 0 and math.isfinite(x[-1])):
        raise InvalidInputError(
            f"tail_index needs at least {_FEWEST} positive finite excesses, got {n} "
            "of them; pass what exceeds the threshold, minus the threshold"
        )
    x = x / x[-1]
    size = 30 + int(math.sqrt(n))
    steps = 1.0 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))
    with np.errstate(over="ignore"):
        points = 1.0 + np.maximum(steps / (3.0 * x[int(n / 4 + 0.5) - 1]), -1e300)
    points = points[points != 0.0]
    shapes = np.mean(np.log1p(-points[:, None] * x), axis=1)
    likelihoods = n * (np.log(-points / shapes) - shapes - 1.0)
    weights = np.exp(likelihoods - np.max(likelihoods))
    point = float(np.sum(points * weights) / np.sum(weights))
    return float(np.mean(np.log1p(-point * x)))


def effective_size(log_weights: Array) -> float:
    r"""How many equally weighted draws the weights are worth, $(\sum_i w_i)^2 / \sum_i w_i^2$, between 1 and n.

    Its expectation is about $n / (1 + \chi^2)$ with the chi-square divergence of target from proposal. `log_weights`
    are logarithms, unnormalised, shape (n,). Raises `InvalidInputError` on NaN, +inf, and where every weight is 0.
    Source: [kong1992].

    >>> import numpy as np
    >>> effective_size(np.log([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    w = normalised(as_logs(log_weights, "log_weights"))
    return 1.0 / float(np.sum(w * w))


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1, from unnormalised logarithms."""
    w = np.exp(log_weights - np.max(log_weights))
    return w / np.sum(w)


def as_logs(x: Array, name: str) -> np.ndarray:
    """Log-densities or log-weights of draws as float64 on the host; −inf is a density of 0, NaN and +inf raise."""
    xp = ops(x)
    x = xp.asarray(x)
    if xp.kind(x) not in ("float", "integer"):
        raise DTypeError(f"`{name}` holds {xp.dtype_name(x)}; pass logarithms as floating-point numbers")
    out = np.asarray(xp.to_numpy(xp.detach(xp.to_float(x, 64))), dtype=np.float64)
    if out.ndim != 1:
        raise ShapeError(
            f"`{name}` has shape {tuple(out.shape)}; pass one number a draw, shape (n,), "
            "summed over the parts of a draw (tokens, coordinates)"
        )
    if out.size == 0:
        raise InvalidInputError(f"`{name}` is empty: there are no draws to average over")
    wrong = np.isnan(out) | (out == math.inf)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InvalidInputError(
            f"`{name}`[{i}] is {out[i]} ({int(wrong.sum())} of {out.size} draws); the logarithm of a density is a "
            "number, or -inf where the density is 0"
        )
    if np.all(out == -math.inf):
        raise InvalidInputError(f"`{name}` is -inf at every draw: no draw has any mass")
    return out
