r"""The noncentral chi-square law with k degrees of freedom: limits for its noncentrality λ, and the λ that shows.

Two samples of n and m rows have $2 D_f / f''(1) \cdot nm/(n+m) \sim \chi'^2_{k}(\lambda)$ near equality, with k + 1
cells. So a limit for λ is a limit for a divergence.
"""

from __future__ import annotations

import math

from scipy.special import chdtri, chndtr, chndtrinc, ndtri

# The scale of the law, in units of its value at equality, that an interval assumes at least. On nearly disjoint
# supports the spread that a sample shows goes to 0, though with ten rows a side nobody knows them disjoint.
_LEAST_SCALE = 0.3
# beyond it the normal limit of the square root is as exact and does not slow down with x
_LARGE = 1e5


def lower_limit(x: float, dof: float, confidence: float) -> float:
    r"""The λ below which x would be too large: $P(\chi'^2_k(\lambda) \le x) = $ confidence; 0 where none is."""
    return _noncentrality(x, dof, confidence)


def upper_limit(x: float, dof: float, confidence: float) -> float:
    r"""The λ above which x would be too small, $P(\chi'^2_k(\lambda) \le x) = 1 - $ confidence.

    An x below what equal laws give on average counts as that average. Luck with one sample must not make the limit
    tighter than samples of this size can.
    """
    return _noncentrality(max(x, dof), dof, 1.0 - confidence)


def matched(found: float, bias: float, variance: float, at_equality: float) -> tuple[float, float]:
    r"""Scale c and freedom k of the law $c\,\chi'^2_k(\lambda)$ of an estimate `found` of cλ with these moments.

    $$c = \frac{V}{4 \hat D}, \qquad k = \frac{B}{c}; \qquad \text{at equality } \hat D \approx c_0 \chi'^2_k(0).$$
    """
    # equal counts have no spread to measure
    scale = variance / (4.0 * found) if found > 0 else at_equality
    scale = max(scale, _LEAST_SCALE * at_equality)
    return scale, bias / scale


def shown(dof: float, level: float, power: float) -> float:
    """The λ at which a chi-square test of this level rejects with this probability.

    >>> round(shown(1, 0.05, 0.8), 3)
    7.849
    """
    return _noncentrality(float(chdtri(dof, level)), dof, 1.0 - power)


def _noncentrality(x: float, dof: float, probability: float) -> float:
    """λ with P(χ'² ≤ x) = probability; 0 where even λ = 0 has less."""
    if x > _LARGE:
        return max(0.0, (math.sqrt(x) - float(ndtri(probability))) ** 2 - (dof - 1.0))
    if float(chndtr(x, dof, 0.0)) <= probability:
        return 0.0
    return float(chndtrinc(x, dof, probability))
