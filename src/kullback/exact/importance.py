"""Adaptive importance sampling: many expectations from one set of draws of a mixture of normal laws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import stdtrit

from kullback.answer import Answer
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact.pareto import as_logs, effective_size, pareto_k
from kullback.exact.proposals import NormalMixture, fitted, log_sum

LIMIT = 0.7  # the tail index above which an average and its error are noise
_DEFENSIVE = 0.1  # the share that the first proposal keeps, so that weights stay bounded where it covered


def expectations(
    functions: Callable[[np.ndarray], np.ndarray],
    log_density: Callable[[np.ndarray], np.ndarray],
    proposal: NormalMixture,
    *,
    n: int = 4000,
    rounds: int = 4,
    normalised: bool = True,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Answer, ...]:
    r"""The expectations $E_f[\varphi_j(X)]$ of J functions under one density f, from the same draws, one answer each.

    $$\hat I_j = \frac1n \sum_i \left[\frac{f(x_i)}{g(x_i)} \varphi_j(x_i)
    - \sum_k \beta_{jk} \left(\frac{g_k(x_i)}{g(x_i)} - 1\right)\right], \qquad g = \sum_k a_k g_k.$$

    Over `rounds` of n draws the mixture g adapts by moment matching: one normal law for f and one for each
    $f |\varphi_j|$, beside `proposal`, which keeps a tenth. The estimate is of n fresh draws of the last mixture, with
    its components, whose integrals are known to be 1, as control variates, β regressed: the variance is at most that of
    the best component, divided by its share. `functions` takes points of shape (n, d) and returns (n, J) or (n,);
    `log_density` returns (n,), normalised; with `normalised=False` the same weighted mean of 1 divides.

    An answer has no interval, with the reason in its notes, where the weighted terms have a Pareto k above 0.7, or
    where no draw found a function different from 0. Raises `InvalidInputError` and `ShapeError` on what cannot be used.
    Source: [owen2000], [cappe2008].

    >>> import numpy as np
    >>> wide = NormalMixture.normal([0.0], [[4.0]])
    >>> log_f = lambda x: -0.5 * (x[:, 0] - 1.0) ** 2
    >>> mean, square = expectations(lambda x: np.hstack([x, x**2]), log_f, wide, normalised=False)
    >>> round(mean.value, 1), round(square.value, 1)  # exact: 1 and 2
    (1.0, 2.0)
    """
    if n < 50 or rounds < 0:
        raise InvalidInputError(
            f"expectations needs n >= 50 draws and rounds >= 0, got n={n}, rounds={rounds}"
        )
    if not 0.0 < level < 1.0:
        raise InvalidInputError(f"level must lie between 0 and 1, got {level!r}")
    rng = np.random.default_rng(seed)
    mixture = proposal
    for _ in range(rounds):
        x = mixture.draw(n, rng)
        mixture = _adapted(x, *_looked_at(functions, log_density, x), mixture, proposal, normalised)
    x = mixture.draw(n, rng)
    log_f, values = _looked_at(functions, log_density, x)
    return weighted_means(
        log_f, values, mixture, x, normalised, level, f"adaptive importance sampling, {rounds} rounds"
    )


def _looked_at(
    functions: Callable[[np.ndarray], np.ndarray],
    log_density: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Both functions at the points, checked."""
    log_f = as_logs(log_density(x.copy()), "log_density(x)")
    values = np.asarray(functions(x.copy()), dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if len(log_f) != len(x) or values.ndim != 2 or len(values) != len(x):
        raise ShapeError(
            f"for points of shape {x.shape}, log_density returned {log_f.shape} and functions {values.shape}; "
            f"expected ({len(x)},) and ({len(x)}, J)"
        )
    # a function may be infinite or undefined where f has no mass
    values = np.where((log_f > -math.inf)[:, None], values, 0.0)
    if not np.all(np.isfinite(values)):
        i, j = (int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise InvalidInputError(
            f"function {j} is {values[i, j]} at the point {x[i].tolist()}; expected finite numbers"
        )
    return log_f, values


def _adapted(
    x: np.ndarray,
    log_f: np.ndarray,
    values: np.ndarray,
    mixture: NormalMixture,
    first: NormalMixture,
    normalised: bool,
) -> NormalMixture:
    """The first proposal, and normal laws with the moments of f and of each f |φ|, as these draws show them."""
    log_w = log_f - mixture.log_density(x)
    if not normalised:
        # a ratio is moved by the distance from its value, not from 0
        w = np.exp(log_w - np.max(log_w))
        values = values - (w @ values) / np.sum(w)
    with np.errstate(divide="ignore"):
        targets = [log_w, *(log_w + np.log(np.abs(values.T)))]
    laws = [fitted(x, t) for t in targets if np.max(t) > -math.inf]
    together = NormalMixture(
        np.concatenate([law.means for law in laws]),
        np.concatenate([law.factors for law in laws]),
        np.full(len(laws), 1.0 / len(laws)),
    )
    return together.joined(first, _DEFENSIVE)


def weighted_means(
    log_f: np.ndarray,
    values: np.ndarray,
    mixture: NormalMixture,
    x: np.ndarray,
    normalised: bool,
    level: float,
    method: str,
) -> tuple[Answer, ...]:
    """The mean of each column of `values` under f, from draws x of the mixture, its components as control variates."""
    parts = mixture.log_components(x)
    log_g = log_sum(parts, mixture.shares)
    log_w = log_f - log_g
    scale = max(0.0, float(np.max(log_w))) if normalised else float(np.max(log_w))
    w = np.exp(log_w - scale)
    fit = _intercept(np.expm1(parts[:, 1:] - log_g[:, None]))
    # the mean of the weights, which divides where the constant of f is not known
    total, total_moves = (math.exp(-scale), 0.0) if normalised else fit(w)
    quantile = float(stdtrit(len(x) - parts.shape[1], 0.5 + 0.5 * level))
    size, index = effective_size(log_w), pareto_k(log_w)
    answers = []
    for y in values.T:
        top, moves = fit(w * y)
        value = top / total
        reason, note = _doubt(log_w, y, None if normalised else value)
        error = math.sqrt(float(np.sum(((moves - value * total_moves) / total) ** 2)))
        half = math.inf if reason else quantile * error
        notes = (
            f"weights: effective sample size {size:.4g} of {len(x)}, Pareto k {index:.2f}",
            note,
            f"no interval: {reason}" if reason else f"standard error {error:.3g}",
        )
        answers.append(
            Answer(
                value, value - half, value + half, level, "monte-carlo", method, len(x), unit="", notes=notes
            )
        )
    return tuple(answers)


def _intercept(controls: np.ndarray) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Fits of terms to the controls: the value at 0, and what leaving each draw out would move it by.

    All components but one: Σ a_k (g_k/g − 1) = 0, so that the last says nothing new.
    """
    design = np.column_stack([np.ones(len(controls)), controls])
    at_one = np.linalg.pinv(design)[0]
    leverage = np.sum(np.linalg.svd(design, full_matrices=False)[0] ** 2, axis=1)
    rest = np.maximum(1.0 - leverage, 1e-12)

    def fit(y: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
        return float(coefficients[0]), at_one * (y - design @ coefficients) / rest

    return fit


def _doubt(log_w: np.ndarray, y: np.ndarray, centre: float | None) -> tuple[str, str]:
    """Why this mean deserves no interval, if so, and the tail index of what it is a mean of."""
    if not y.any():
        return "no draw found the function different from 0", "terms: none"
    with np.errstate(divide="ignore"):
        terms = log_w + np.log(np.abs(y if centre is None else y - centre))
    index = pareto_k(terms) if np.max(terms) > -math.inf else -math.inf
    if centre is not None:
        index = max(index, pareto_k(log_w))
    note = f"terms: Pareto k {index:.2f}"
    return (
        f"Pareto k {index:.2f} is above {LIMIT}: rare draws that are not here would decide"
        if index > LIMIT
        else ""
    ), note
