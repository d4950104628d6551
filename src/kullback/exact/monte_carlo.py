"""A divergence from log-densities at sampled points: a number with an interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from kullback._ops import Array, ops
from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence, alpha, bhattacharyya, kl
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.exact.control_variates import SIGMAS, Draws, Estimator, Mean, regressed
from kullback.exact.pareto import as_logs, effective_size, normalised, pareto_k, term_k

_HEAVY = 0.7  # the tail index above which an average and its error are noise
_DOUBTFUL = 0.5  # the one above which the variance is infinite
_ROUNDING = 1e-6  # of the mean ratio, for densities in single precision


def sampled(
    d: Divergence,
    log_p: Array,
    log_q: Array,
    *,
    drawn_from: Literal["p", "q"],
    estimator: Estimator = regressed,
    level: float = 0.95,
    log_weights: Array | None = None,
) -> Answer:
    r"""The divergence of p from q by Monte Carlo, from both log-densities at points drawn from one of them.

    $$\hat D = \frac1n \sum_i \left[g(t_i) - \lambda (t_i - 1)\right], \qquad E[t] = 1,$$

    where g = f and t = p/q for draws of q, $g(t) = t f(1/t)$ and t = q/p for draws of p. λ is regressed unless another
    `estimator` of `kullback.exact` is given: `k1`, `k2`, `k3`, `fixed(λ)`. `log_p` and `log_q` have shape (n,), in
    nats, of NumPy, torch or JAX, normalised; −inf is a density of 0. `log_weights`, unnormalised, turn draws of a third
    law into draws of the one that `drawn_from` names. `d` is an f-divergence, or `renyi(a)` or `bhattacharyya`, which
    are maps of one.

    The interval is Student's at `level`. There is none, low = −inf and high = inf, with the reason in the notes, where
    the ratios or the terms have a tail index (Pareto k) above 0.7, or where the ratios do not average to 1. The notes
    also tell effective sample size and k. Raises `InvalidInputError`, `ShapeError`, `DTypeError`, or
    `UnsupportedPairError` for a divergence that is no average over draws. The number has no gradient; see `surrogate`.
    Source: [owen2013], [schulman2020], [vehtari2024].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> answer = kb.sampled(kb.kl, -x**2 / 2, -(x - 0.5)**2 / 2, drawn_from="p")  # exact value 1/8
    >>> answer.low < 0.125 < answer.high, round(answer.value, 2)
    (True, 0.13)
    """
    if not 0.0 < level < 1.0:
        raise InvalidInputError(
            f"level must lie between 0 and 1, got {level!r}; 0.95 gives the usual interval"
        )
    order = 0.5 if d == bhattacharyya else getattr(d, "order", None)
    if isinstance(d, FDivergence):
        return _answer(d, log_p, log_q, drawn_from, estimator, level, log_weights)
    if order is None or order in (0.0, math.inf):
        raise UnsupportedPairError(
            f"{d.name} is no average over draws of one law; sampled takes every f-divergence, renyi(a) for a strictly "
            "between 0 and infinity, and bhattacharyya"
        )
    if order == 1.0:
        return _answer(kl, log_p, log_q, drawn_from, estimator, level, log_weights)
    f, scale = alpha(order), 0.5 if d == bhattacharyya else 1.0
    inner = _answer(f, log_p, log_q, drawn_from, estimator, level, log_weights)
    if inner.value == math.inf and inner.low < math.inf:
        draws, _, _ = drawn(f, log_p, log_q, drawn_from, log_weights)
        value = scale * _log_mean(draws, order if drawn_from == "q" else 1.0 - order) / (order - 1.0)
        return replace(
            inner, value=value, unit="nats", notes=(*inner.notes, "average of powers in logarithms")
        )
    return _mapped(inner, order, scale)


def _log_mean(draws: Draws, power: float) -> float:
    """log E[t^power], where the average itself is beyond the largest number."""
    logs = power * draws.values(draws.s) + np.log(draws.weights)
    return float(np.logaddexp.reduce(logs))


def _answer(
    d: FDivergence,
    log_p: Array,
    log_q: Array,
    drawn_from: str,
    estimator: Estimator,
    level: float,
    log_weights: Array | None,
) -> Answer:
    draws, n, notes = drawn(d, log_p, log_q, drawn_from, log_weights)
    with np.errstate(all="ignore"):
        s = draws.values(draws.s)
        method = f"{estimator.name}, drawn from {drawn_from}"
        empty = int(np.sum(s == -math.inf))
        if empty and draws.g.at_zero == math.inf:
            other = "q" if drawn_from == "p" else "p"
            notes = (
                *notes,
                f"infinite: the density of {other} is 0 at {empty} of {n} points drawn from {drawn_from}",
            )
            return Answer(math.inf, math.inf, math.inf, level, "monte-carlo", method, n, d.unit, notes)
        mean = estimator.mean(draws)
        told, reason = _trust(draws, s, mean, estimator)
    notes = (*notes, *mean.notes, *told)
    if reason:
        low, high, notes = -math.inf, math.inf, (*notes, f"no interval: {reason}")
    else:
        half = float(stdtrit(mean.freedom, 0.5 + 0.5 * level)) * mean.error
        low, high = mean.value - half, mean.value + half
        notes = (*notes, f"standard error {mean.error:.3g}")
    return Answer(mean.value, low, high, level, "monte-carlo", method, n, d.unit, notes)


def drawn(
    d: FDivergence, log_p: Array, log_q: Array, drawn_from: str, log_weights: Array | None
) -> tuple[Draws, int, tuple[str, ...]]:
    """The draws as one law sees them, how many came, and notes on their weights."""
    if drawn_from not in ("p", "q"):
        raise InvalidInputError(
            f'drawn_from is {drawn_from!r}; say which law the points were drawn from, "p" or "q"'
        )
    arrays = {"log_p": as_logs(log_p, "log_p"), "log_q": as_logs(log_q, "log_q")}
    if log_weights is not None:
        arrays["log_weights"] = as_logs(log_weights, "log_weights")
    n = len(arrays["log_p"])
    for name, x in arrays.items():
        if len(x) != n:
            raise ShapeError(
                f"`log_p` has {n} draws and `{name}` {len(x)}; both densities at the same points"
            )
    weights = arrays.get("log_weights", np.zeros(n))
    live = weights > -math.inf
    own = f"log_{drawn_from}"
    absent = live & (arrays[own] == -math.inf)
    if absent.any():
        i = int(np.argmax(absent))
        raise InvalidInputError(
            f"`{own}`[{i}] is -inf, but no point of density 0 can be drawn from {drawn_from} ({int(absent.sum())} of "
            f'{n} draws); is drawn_from="{drawn_from}" right?'
        )
    if live.sum() < 3:
        raise InvalidInputError(f"need at least 3 draws with a weight, got {int(live.sum())} of {n}")
    weights = weights[live]
    notes = () if log_weights is None else (f"weights: {_tail(weights, n)}",)
    g, s = (
        (d, arrays["log_p"] - arrays["log_q"])
        if drawn_from == "q"
        else (d.dual, arrays["log_q"] - arrays["log_p"])
    )
    xp = ops(log_p, log_q)
    # a generator of the user's may know no library but the caller's
    native = xp.to_float(xp.asarray(s[live]), 64) if xp.GRADIENTS else s[live]
    return Draws(g, native, normalised(weights), log_weights is not None), n, notes


def _trust(draws: Draws, s: np.ndarray, mean: Mean, estimator: Estimator) -> tuple[tuple[str, ...], str]:
    """What the tails say in words, and why there should be no interval, if so."""
    base = np.log(draws.weights)
    index = {"ratios": _index(s + base), "terms": term_k(draws.weights * mean.terms, s)}
    if draws.weighted:
        index["weights"] = _index(base)
    of_ratios = index["ratios"]
    notes = [f"ratios: {_tail(s + base, len(s), index['ratios'])}", f"terms: Pareto k {index['terms']:.2f}"]
    if not estimator.uses_ratio(draws.g):
        del index["ratios"]
    worst = max(index, key=lambda name: -math.inf if math.isnan(index[name]) else index[name])
    if index[worst] > _HEAVY:
        return tuple(notes), (
            f"the {worst} have Pareto k {index[worst]:.2f} above {_HEAVY}: rare draws that are not here would "
            "decide the average"
        )
    if not math.isfinite(mean.value):
        return tuple(notes), "the average is beyond the largest number"
    if not math.isfinite(mean.error):
        return tuple(notes), "one draw alone decides the control variate's coefficient"
    if index[worst] > _DOUBTFUL:
        notes.append(f"Pareto k of the {worst} is above {_DOUBTFUL}: the interval may be too short")
    if any(math.isnan(k) for k in index.values()):
        notes.append("too few draws stand out to judge the tails")
    t = np.exp(s)
    level = float(np.sum(draws.weights * t))
    error = math.sqrt(float(np.sum((draws.weights * (t - level)) ** 2)))
    if abs(level - 1.0) > SIGMAS * error + _ROUNDING and of_ratios <= _HEAVY:
        return tuple(notes), (
            f"the ratios average to {level:.4g} ± {error:.2g}, not 1: a density is not normalised, the points were "
            "drawn from another law, or the other law has mass where none can be drawn"
        )
    return tuple(notes), ""


def _index(log_x: np.ndarray) -> float:
    """Pareto k of ratios given by logarithms; ratios that are all 0 have no tail."""
    return -math.inf if np.all(log_x == -math.inf) else pareto_k(log_x)


def _tail(log_x: np.ndarray, n: int, index: float | None = None) -> str:
    k = _index(log_x) if index is None else index
    return f"effective sample size {effective_size(log_x):.4g} of {n}, Pareto k {k:.2f}"


def _mapped(inner: Answer, order: float, scale: float) -> Answer:
    """Rényi from the alpha divergence of the same order: an increasing map, which takes the interval's ends along."""
    rest = order - 1.0

    def image(x: float) -> float:
        growth = order * rest * x
        if growth <= -1.0:
            return -math.inf if order > 1.0 else math.inf
        return scale * math.log1p(growth) / rest

    low, value, high = (image(x) for x in (inner.low, inner.value, inner.high))
    return Answer(
        value, low, high, inner.level, inner.kind, inner.method, inner.n,
        notes=(*inner.notes, f"by way of alpha({order:g})"),
    )  # fmt: skip
