"""One divergence of two count vectors: the estimate without its bias, and an interval. Rows are never seen here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.divergences import FDivergence, total_variation
from kullback.errors import UnsupportedPairError
from kullback.estimators.counts import noncentral, sparse
from kullback.estimators.counts.variation import estimate_variation

Counts = NDArray[np.int64]
Masses = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """The first-order bias of the plug-in divergence and its variance."""

    bias: float
    variance: float


def estimate(measure: FDivergence, a: Counts, b: Counts, level: float, *, hidden: float = 0.0) -> Answer:
    r"""The divergence of the laws behind two count vectors, corrected for bias, with an interval.

    $$c = \frac{V}{4 \hat D}, \quad k = \frac{B}{c}, \quad \hat D / c \sim \chi'^2_k(\lambda), \quad D = c \lambda$$

    $\hat D$ is the plug-in value, B its bias and V its variance (jackknife for bounded measures, second-order
    expansion for the others). At equality this is the exact chi-square limit; far from it, the normal one. Cells
    with less than five expected rows are joined first: `value` and `low` are those of the joined cells. What the
    small cells add to the plug-in value is not taken off again: it goes on top of `high`, because the plug-in value
    is too large on average. `hidden`, what these cells cannot show, goes there too.

    A divergence that is infinite on these counts has the value and the upper end +inf; the lower end is finite: the
    larger of what the joined cells show and of `sparse.lacking_bound`.
    Total variation, which is not smooth at equality, has an interval of its own. Raises `UnsupportedPairError` for
    other measures with a kink at 1.

    >>> from kullback.divergences import js
    >>> answer = estimate(js, np.array([500, 500]), np.array([400, 600]), 0.95)
    >>> round(answer.value, 5), round(answer.low, 5), round(answer.high, 5)
    (0.00481, 0.00161, 0.01041)
    """
    whole = plugin(measure, a, b)
    few_a, few_b = sparse.joined(a, b)
    smooth = not isinstance(measure, type(total_variation))
    if smooth:
        few_a, few_b = sparse.supported(measure, few_a, few_b)
    part = whole if few_a.size == a.size else plugin(measure, few_a, few_b)
    if not smooth:
        return estimate_variation(few_a, few_b, level, added=whole - part + hidden)
    scale, dof = law(measure, few_a, few_b, part)
    confidence = (1.0 + level) / 2.0
    value = part - scale * dof if math.isfinite(whole) else math.inf
    if math.isfinite(whole):
        low = scale * noncentral.lower_limit(part / scale, dof, confidence)
    else:  # two bounds, each half as likely to fail
        sure = (1.0 + confidence) / 2.0
        shown = scale * noncentral.lower_limit(part / scale, dof, sure)
        low = max(shown, sparse.lacking_bound(measure, *sparse.joined(a, b), sure))
    high = scale * noncentral.upper_limit(part / scale, dof, confidence) + (whole - part) + hidden
    limit = measure.upper_bound
    n = int(a.sum() + b.sum())
    method = "counts, bias-corrected, noncentral chi-square"
    # an estimate below 0 is what the data said; its interval then starts there
    ends = min(low, value, limit), min(max(low, high), limit)
    return Answer(value, *ends, level=level, kind="estimate", method=method, n=n, unit=measure.unit)


def plugin(measure: FDivergence, a: Counts, b: Counts) -> float:
    """The divergence of the observed shares; exactly 0 for proportional counts."""
    return float(measure(a, b, counts=True))


def check_smooth(measure: FDivergence) -> None:
    """Refuse a measure whose law at equality is no chi-square, except total variation."""
    if not measure.curvature_at_one and not isinstance(measure, type(total_variation)):
        what = "a kink" if measure.curvature_at_one is None else "no curvature"
        raise UnsupportedPairError(
            f"{measure.name} has {what} at 1, and tables have no verdict by it; "
            "use total_variation itself or a smooth measure such as js, squared_hellinger or kl"
        )


def law(measure: FDivergence, a: Counts, b: Counts, found: float) -> tuple[float, float]:
    """Scale c and degrees of freedom k with which the plug-in divergence `found` is c·χ'²_k(λ), the divergence c·λ."""
    n, m = int(a.sum()), int(b.sum())
    at_equality = _curvature(measure) / 2.0 * (1.0 / n + 1.0 / m)
    moments = jackknife(measure, a, b) if measure.bounded else expansion(measure, a, b)
    scale, dof = noncentral.matched(found, moments.bias, moments.variance, at_equality)
    # a single cell shows no freedom, but unseen cells are always possible
    return scale, max(dof, 1.0 if a.size <= 2 else 0.5)


def standard_error(measure: FDivergence, a: Counts, b: Counts) -> float:
    """The standard deviation of the estimate, at least that of equal laws for a measure that is smooth there.

    Infinite where the divergence is: no number of standard errors reaches back from +inf.
    """
    found = plugin(measure, a, b)
    if not math.isfinite(found):
        return math.inf
    if not measure.curvature_at_one:
        return math.sqrt(jackknife(measure, a, b).variance)
    scale, dof = law(measure, a, b, found)
    return math.sqrt(2.0 * scale**2 * dof + 4.0 * scale * max(found - scale * dof, 0.0))


def jackknife(measure: FDivergence, a: Counts, b: Counts) -> Moments:
    r"""Bias and variance from leaving out one row at a time, at the cost of three evaluations a table.

    $$B = \textstyle\sum_{\text{tables}} (n-1)(\bar D_{-} - \hat D), \qquad
      V = \textstyle\sum_{\text{tables}} (n-1) \operatorname{var}(D_{-})$$

    All rows of a cell leave the same counts behind, so that there are as many values $D_-$ as cells.
    """
    p, q = a / a.sum(), b / b.sum()
    found = float(terms(measure, p, q).sum())
    bias = variance = 0.0
    for counts, other, of in (
        (a, q, lambda x, y: terms(measure, x, y)),
        (b, p, lambda x, y: terms(measure, y, x)),
    ):
        rows = int(counts.sum())
        if rows < 2:
            continue
        kept = of(counts / (rows - 1), other)
        left_out = kept.sum() - kept + of(np.maximum(counts - 1, 0) / (rows - 1), other)
        weight = counts / rows
        mean = float(weight @ left_out)
        bias += (rows - 1) * (mean - found)
        variance += (rows - 1) * float(weight @ (left_out - mean) ** 2)
    return Moments(bias, variance)


def expansion(measure: FDivergence, a: Counts, b: Counts) -> Moments:
    r"""Bias and variance from the derivatives of f, at the shares with half a row added to every cell.

    $$B = \tfrac12 \sum_i t_i^2 f''(t_i) \Big[ \frac{q_i}{p_i} \frac{1 - p_i}{n} + \frac{1 - q_i}{m} \Big], \qquad
      V = \frac{\operatorname{Var}_p f'(t)}{n} + \frac{\operatorname{Var}_q (f(t) - t f'(t))}{m}$$

    For measures whose value without a row can be infinite, where the jackknife has nothing to say.
    """
    n, m = int(a.sum()), int(b.sum())
    p, q = smoothed(a), smoothed(b)
    r = np.log(p) - np.log(q)
    bias = 0.5 * float((measure.curvature(r) * (q / p * (1 - p) / n + (1 - q) / m)).sum())
    slope, tilt = measure.slope(r), measure.tilt(r)
    variance = float(p @ (slope - p @ slope) ** 2) / n + float(q @ (tilt - q @ tilt) ** 2) / m
    return Moments(bias, variance)


def smoothed(counts: Counts, *, prior: float = 0.5) -> Masses:
    r"""Shares with `prior` rows added to every cell, $(n_i + s) / (n + Ks)$; ½ is Jeffreys' prior.

    >>> smoothed(np.array([0, 1])).tolist()
    [0.25, 0.75]
    """
    return (counts + prior) / (counts.sum() + prior * counts.size)


def terms(measure: FDivergence, p: Masses, q: Masses) -> Masses:
    """q f(p/q) by cell for masses that, without a row, do not sum to 1."""
    return np.asarray(measure.terms(p, q, validate=False))


def _curvature(measure: FDivergence) -> float:
    check_smooth(measure)
    assert measure.curvature_at_one is not None
    return measure.curvature_at_one
