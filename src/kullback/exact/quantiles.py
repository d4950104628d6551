"""Quantiles of two laws against each other, from both tails, and the integral of their distance."""

from __future__ import annotations

import itertools
import math

import numpy as np

from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.integral import integral
from kullback.exact.law import Law
from kullback.exact.panels import Panel

_EPSILON = float(np.finfo(float).eps)
_STEPS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
_FARTHEST = 690.0  # −log of the smallest mass of a tail that is looked at
_RESOLVED = 32.0  # the same where a tail is known only by one minus its mass
_FLAT = 1e-3  # the decay, in log u, below which a tail is taken for one without a moment


def moved(order: float, p: Law, q: Law) -> tuple[float, float, int]:
    """∫ |F⁻¹(u) − G⁻¹(u)|^order du, infinity included, what it may be off by, and the points that it took.

    The tails are followed in log u. Raises `UnsupportedPairError` for laws whose quantiles are not known, and
    `ConvergenceError` where a tail is so slow that what lies beyond all numbers exceeds what was found.
    """
    tails = [_tail(order, p, q, upper) for upper in (False, True)]
    total, error, beyond = (sum(tail[i] for tail in tails) for i in (0, 1, 2))
    if math.isfinite(total) and beyond > total:
        raise ConvergenceError(f"the moments of order {order:g} of {p.name} and {q.name} converge too slowly")
    return total, error + beyond, sum(tail[3] for tail in tails)


def _tail(order: float, p: Law, q: Law, upper: bool) -> tuple[float, float, float, int]:
    """The integral over one half of u, its error, what lies beyond the last point, and how many there were."""

    def rows(u: np.ndarray) -> np.ndarray:
        x, y = (quantile(law, u, upper) for law in (p, q))
        gap = np.abs(x - y)
        off = 8.0 * _EPSILON * (np.abs(x) + np.abs(y))
        return np.stack([[gap**order], [order * off * (gap + off) ** (order - 1.0)]])

    end = _end(p, q, upper)
    marks = [*(s for s in _STEPS if s < end), end]
    pieces = [Panel(a, b, "in", 0.0, 0.5) for a, b in itertools.pairwise(marks)]
    with np.errstate(all="ignore"):
        last = np.array([0.5 * math.exp(-0.5 * end), 0.5 * math.exp(-end)])
        share = rows(last)[0, 0] * last
    if not np.isfinite(share).all():
        return math.inf, math.inf, 0.0, 0
    found = integral(rows, pieces)
    total, error = float(found.totals[0]), float(found.errors[0])
    if share[1] == 0.0:
        return total, error, 0.0, found.points
    decay = math.log(share[0] / share[1]) / (0.5 * end) if share[0] > 0 else 0.0
    if decay >= _FLAT:
        return total, error, float(share[1]) / decay, found.points
    if share[1] > _EPSILON * total:
        return math.inf, math.inf, 0.0, 0
    return total, error, 0.0, found.points


def _end(p: Law, q: Law, upper: bool) -> float:
    """How far into the tail, in −log u, the quantiles of both are numbers."""
    grid = np.concatenate([np.arange(8.0, _RESOLVED + 1.0, 4.0), np.arange(40.0, _FARTHEST + 1.0, 10.0)])
    ends = [law.support.high if upper else law.support.low for law in (p, q) if law.support]
    if not all(_both_tails(law) for law in (p, q)) or all(math.isfinite(end) for end in ends):
        # a bounded tail holds no more than its mass
        grid = grid[grid <= _RESOLVED]
    with np.errstate(all="ignore"):
        found = [np.isfinite(quantile(law, 0.5 * np.exp(-grid), upper)) for law in (p, q)]
    good = np.logical_and.accumulate(found[0] & found[1])
    if not good.any():
        raise UnsupportedPairError(f"the quantiles of {p.name} and {q.name} are not numbers")
    return float(grid[good][-1])


def _both_tails(law: Law) -> bool:
    return law.quantiles is None and law.family is not None and hasattr(law.frozen, "isf")


def quantile(law: Law, u: np.ndarray, upper: bool) -> np.ndarray:
    """The number with mass u below it, or above it; small u keep their digits in either tail."""
    if not _both_tails(law):
        found = law.quantile(1.0 - u if upper else u)
        if found is None:
            raise UnsupportedPairError(f"the quantiles of {law.name} are not known")
        return found
    falling = sum(not t.increasing for t in law.transforms) % 2 == 1
    base = law.frozen
    x = np.asarray((base.isf if upper != falling else base.ppf)(u), dtype=float)
    for t in law.transforms:
        x = t.forward(x)
    return x
