"""The squared Hellinger distance."""

from __future__ import annotations

from dataclasses import dataclass

from kullback._ops import Array, ops
from kullback.divergences.generator import FDivergence


@dataclass(frozen=True, repr=False)
class SquaredHellinger(FDivergence):
    r"""The squared Hellinger distance in its unhalved form, $\sum_i (\sqrt{p_i} - \sqrt{q_i})^2$, between 0 and 2.

    $$f(t) = (\sqrt t - 1)^2, \qquad f(e^r) = (e^{r/2} - 1)^2, \qquad f^*(u) = \frac{u}{1 - u},\ u < 1.$$

    Its square root is a metric; 2 − 2 BC with the Bhattacharyya coefficient BC. Source: [hellinger1909], [liese2006].

    >>> import kullback as kb
    >>> kb.squared_hellinger([1.0, 0.0], [0.0, 1.0])
    2.0
    """

    aliases = ("hellinger", "hellinger_squared")
    symmetric = True
    name = "squared_hellinger"
    formula = r"(\sqrt t - 1)^2"
    at_zero = 1.0
    at_infinity = 1.0
    curvature_at_one = 0.5
    metric_root = 0.5

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        root = ops(u).expm1(0.5 * u)
        return root * root

    def _slope(self, r: Array) -> Array:
        return -ops(r).expm1(-0.5 * r)

    def _curvature(self, r: Array) -> Array:
        return 0.5 * ops(r).exp(0.5 * r)

    def _conjugate(self, u: Array) -> Array:
        return u / (1.0 - u)


squared_hellinger = SquaredHellinger()
