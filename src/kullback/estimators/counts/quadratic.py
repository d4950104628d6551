"""The squared L2 distance of two laws on classes, whose bias and variance counts tell exactly."""

from __future__ import annotations

import math

from kullback.divergences import squared_l2 as noun
from kullback.estimators.counts import noncentral
from kullback.estimators.counts.tally import Counts
from kullback.estimators.method import Estimate

_FREEDOM = 0.5  # at least: samples of one class each show none, but unseen classes are always possible


def squared_l2(a: Counts, b: Counts) -> Estimate:
    r"""The plug-in value less $\frac{1 - \sum \hat p^2}{n - 1} + \frac{1 - \sum \hat q^2}{m - 1}$, which is unbiased.

    At equality it is a weighted sum of chi-squares, whose first two moments give the scale that the interval starts at.
    """
    n, m = float(a.sum()), float(b.sum())
    if min(n, m) < 2:
        return Estimate(
            math.nan, math.nan, distrust="one row in a sample shows no spread; more than 1 is needed"
        )
    p, q = a / n, b / m
    found = float(noun(a, b, counts=True))
    bias = (1.0 - float(p @ p)) / (n - 1.0) + (1.0 - float(q @ q)) / (m - 1.0)
    gap = p - q
    first = 4.0 * ((p @ gap**2 - (p @ gap) ** 2) / n + (q @ gap**2 - (q @ gap) ** 2) / m)
    shares = (a + b) / (n + m)
    both = 1.0 / n + 1.0 / m
    total = both * (1.0 - float(shares @ shares))
    squares = both**2 * float(shares @ shares - 2.0 * shares @ shares**2 + (shares @ shares) ** 2)
    unit = squares / total if total > 0 else 0.0
    value = found - bias
    if unit == 0.0:
        return Estimate(0.0, 0.0, notes=("both samples have one class, the same",))

    def interval(level: float) -> tuple[float, float]:
        scale, freedom = noncentral.matched(found, bias, max(float(first), 0.0), unit)
        freedom = max(freedom, _FREEDOM)
        sure = (1.0 + level) / 2.0
        low, high = (
            scale * limit(found / scale, freedom, sure)
            for limit in (noncentral.lower_limit, noncentral.upper_limit)
        )
        return min(low, value), max(high, value)

    error = math.sqrt(max(float(first) - 2.0 * squares, 0.0) + 2.0 * squares)
    return Estimate(value, error, interval=interval)
