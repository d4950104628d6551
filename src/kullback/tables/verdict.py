"""From numbers to a verdict: evidence and size, each on its own axis, and an honest third answer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.answer import Answer
from kullback.divergences import FDivergence
from kullback.tables import noncentral, sparse, statistics
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
    measure: FDivergence, a: Counts, b: Counts, divergence: Answer, *, alpha: float, min_effect: float
) -> int | None:
    r"""About how many rows in each table would settle the verdict, if the estimate is right; `None` where none would.

    The interval has the variance $2kc^2/s^2 + 4cD/s$ in tables s times as long; s is such that it no longer reaches
    from the estimate to `min_effect`, that a drift of the estimated size is shown four times in five, and that the
    smaller table can expect five rows in every cell.
    """
    effect = min(max(divergence.value, 0.0), measure.upper_bound)
    gap = abs(effect - min_effect)
    if gap == 0 or not math.isfinite(divergence.value):
        return None
    factors = [_by_interval(measure, a, b, divergence, effect, gap)]
    if effect > min_effect:
        factors.append(detectable(measure, a, b, alpha=alpha) / effect)
    if sparse.joined(a, b)[0].size < a.size:
        n, m = int(a.sum()), int(b.sum())
        factors.append(sparse.LEAST_EXPECTED / float((a + b).min() * min(n, m) / (n + m)))
    rows = 2.0 / _spread(a, b) * max(1.0, *factors)
    return _rounded_up(rows) if math.isfinite(rows) else None


def _by_interval(
    measure: FDivergence, a: Counts, b: Counts, divergence: Answer, effect: float, gap: float
) -> float:
    if measure.curvature_at_one is None:
        return ((divergence.high - divergence.low) / 2 / gap) ** 2
    scale, dof = statistics.law(measure, *sparse.supported(measure, *sparse.joined(a, b)))
    reach = (gap / float(ndtri((1 + divergence.level) / 2))) ** 2
    at_equality, growing = 2 * dof * scale**2, 4 * scale * effect
    # 1/s solves at_equality/s² + growing/s = reach; written so that a small reach does not cancel
    return (growing + math.sqrt(growing**2 + 4 * at_equality * reach)) / (2 * reach)


def _spread(a: Counts, b: Counts) -> float:
    return 1.0 / int(a.sum()) + 1.0 / int(b.sum())


def _rounded_up(rows: float) -> int:
    """Two digits: more would pretend to know the effect."""
    unit = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(rows / unit) * unit
