"""Total variation: half the sum of absolute differences."""

from __future__ import annotations

from dataclasses import dataclass

from kullback._ops import Array, ops
from kullback.divergences.generator import FDivergence


@dataclass(frozen=True, repr=False)
class TotalVariation(FDivergence):
    r"""Total variation, $\tfrac12 \sum_i |p_i - q_i|$: (1 + TV)/2 is the best accuracy of telling p from q.

    $$f(t) = \tfrac12 |t - 1|, \qquad f(e^r) = \tfrac12 |e^r - 1|,
    \qquad f^*(u) = \max(u, -\tfrac12),\ u \le \tfrac12.$$

    A metric between 0 and 1. Its generator has a kink at 1: no f''(1), a curvature that is 0 wherever it exists, and 0
    for the slope at 1. Source: [liese2006].

    >>> import kullback as kb
    >>> kb.total_variation([0.5, 0.5], [0.25, 0.75])
    0.25
    """

    aliases = ("tv", "tvd", "statistical_distance")
    symmetric = True
    conjugate_closed = True
    name = "total_variation"
    formula = r"\tfrac12 |t - 1|"
    at_zero = 0.5
    at_infinity = 0.5
    curvature_at_one = None
    metric_root = 1.0

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        return -0.5 * ops(u).expm1(u)

    def _slope(self, r: Array) -> Array:
        return 0.5 * ops(r).sign(r)

    def _curvature(self, r: Array) -> Array:
        return ops(r).zeros_like(r)

    def _conjugate(self, u: Array) -> Array:
        return ops(u).maximum(u, -0.5)


total_variation = TotalVariation()
