"""From numbers to a verdict: evidence and size, each on its own axis, and an honest third answer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.divergences import FDivergence
from kullback.estimators.counts import noncentral, sparse, statistics
from kullback.tables.report import Verdict

Counts = NDArray[np.int64]

# the chance of showing a drift that "detectable" and "rows needed" promise; the usual convention
POWER = 0.8


def judge(divergence: Answer, q_value: float, *, alpha: float, min_effect: float) -> Verdict:
    r"""Drift where it is proven and large enough, the same where it is at most negligible, else open.

    $$\text{drift}: q \le \alpha \text{ and } \text{low} \ge \varepsilon; \qquad
      \text{same}: \text{high} < \varepsilon; \qquad \text{can't tell}: \text{otherwise}$$

    With many rows a drift can be proven and yet be smaller than ε: that is the same. With few, an interval reaches
    from 0 to beyond ε: that is open, whatever the estimate.

    >>> judge(Answer(0.02, 0.01, 0.03), 0.001, alpha=0.05, min_effect=0.007)
    <Verdict.DRIFT: 'drift'>
    """
    if q_value <= alpha and divergence.low >= min_effect:
        return Verdict.DRIFT
    return Verdict.SAME if divergence.high < min_effect else Verdict.CANT_TELL


def detectable(measure: FDivergence, a: Counts, b: Counts, *, alpha: float) -> float:
    r"""The smallest divergence that a test at level α would show four times in five, with this many rows and cells.

    $$D = \frac{f''(1)}{2} \Big(\frac1n + \frac1m\Big) \lambda, \qquad
      P(\chi'^2_{K-1}(\lambda) > \chi^2_{K-1,\,1-\alpha}) = 0.8$$

    For total variation $\tfrac12 \sqrt{(1/n + 1/m) \lambda}$, the most that a chi-square distance allows. +inf where
    it is beyond what the measure can be.

    >>> from kullback.divergences import js
    >>> round(detectable(js, np.array([500, 500]), np.array([500, 500]), alpha=0.05), 5)
    0.00196
    """
    spread = _spread(a, b) * noncentral.shown(max(1, a.size - 1), alpha, POWER)
    curvature = measure.curvature_at_one
    found = 0.5 * math.sqrt(spread) if curvature is None else 0.5 * curvature * spread
    return found if found <= measure.upper_bound else math.inf


def rows_needed(
    measure: FDivergence,
    a: Counts,
    b: Counts,
    divergence: Answer,
    *,
    alpha: float,
    min_effect: float,
    cells: int,
) -> int | None:
    r"""About how many rows in each table would settle the verdict, if the estimate is right; `None` where none would.

    The number at which the interval around the estimate leaves `min_effect` out, at which a drift of the estimated
    size is shown four times in five, and at which the smaller table can expect five rows in every cell. `cells` is
    how many cells tables of that size would have.
    """
    effect = min(max(divergence.value, 0.0), measure.upper_bound)
    if effect == min_effect or not math.isfinite(divergence.value):
        return None
    factors = [_by_interval(measure, a, b, divergence, effect, min_effect, cells)]
    if effect > min_effect:
        factors.append(detectable(measure, a, b, alpha=alpha) / effect)
    if sparse.joined(a, b)[0].size < a.size:
        n, m = int(a.sum()), int(b.sum())
        factors.append(sparse.LEAST_EXPECTED / float((a + b).min() * min(n, m) / (n + m)))
    rows = 2.0 / _spread(a, b) * max(1.0, *factors)
    return _rounded_up(rows) if math.isfinite(rows) else None


def _by_interval(
    measure: FDivergence,
    a: Counts,
    b: Counts,
    divergence: Answer,
    effect: float,
    min_effect: float,
    cells: int,
) -> float:
    """How many times as long the tables must be for the interval around `effect` to leave `min_effect` out."""
    if measure.curvature_at_one is None:
        reach = effect - divergence.low if effect > min_effect else divergence.high - effect
        return (reach / (effect - min_effect)) ** 2
    few = sparse.supported(measure, *sparse.joined(a, b))
    scale, dof = statistics.law(measure, *few, statistics.plugin(measure, *few))
    dof = max(dof, cells - 1.0)
    confidence = (1 + divergence.level) / 2

    def leaves_out(times: float) -> bool:
        expected = effect * times / scale + dof
        if effect > min_effect:
            return scale / times * noncentral.lower_limit(expected, dof, confidence) > min_effect
        return scale / times * noncentral.upper_limit(expected, dof, confidence) < min_effect

    return _smallest(leaves_out)


def _smallest(holds: Callable[[float], bool]) -> float:
    """The smallest factor, to a hundredth of itself, for which a property holds that larger ones keep."""
    high = 1.0
    while not holds(high):
        high *= 4.0
        if high > 1e12:
            return math.inf
    low = high / 4.0
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _spread(a: Counts, b: Counts) -> float:
    return 1.0 / int(a.sum()) + 1.0 / int(b.sum())


def _rounded_up(rows: float) -> int:
    """Two digits: more would pretend to know the effect."""
    unit = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(rows / unit) * unit
