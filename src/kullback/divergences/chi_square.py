"""The two chi-square divergences, and the one of Le Cam between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, ops
from kullback.divergences.generator import FDivergence, Interval


@dataclass(frozen=True, repr=False)
class PearsonChiSquare(FDivergence):
    r"""Pearson's chi-square divergence, $\sum_i (p_i - q_i)^2 / q_i$: the variance of p/q under q.

    $$f(t) = (t - 1)^2, \qquad f(e^r) = (e^r - 1)^2, \qquad
    f^*(u) = u + u^2/4 \text{ for } u \ge -2,\ -1 \text{ below.}$$

    Infinite where p has mass that q lacks. Source: [pearson1900], [liese2006].

    >>> import kullback as kb
    >>> round(kb.pearson_chi2([0.5, 0.5], [0.25, 0.75]), 6)
    0.333333
    """

    aliases = ("chi2", "chi_square", "pearson")
    name = "pearson_chi2"
    formula = r"(t - 1)^2"
    at_zero = 1.0
    at_infinity = math.inf
    curvature_at_one = 2.0
    conjugate_domain = Interval(-math.inf, math.inf)

    @property
    def dual(self) -> FDivergence:
        return neyman_chi2

    def _below(self, u: Array) -> Array:
        root = ops(u).expm1(u)
        return root * root

    def _slope(self, r: Array) -> Array:
        return 2.0 * ops(r).expm1(r)

    def _curvature(self, r: Array) -> Array:
        return 2.0 * ops(r).exp(2.0 * r)

    def _conjugate(self, u: Array) -> Array:
        xp = ops(u)
        return xp.where(u >= -2.0, u + 0.25 * u * u, -1.0)


@dataclass(frozen=True, repr=False)
class NeymanChiSquare(FDivergence):
    r"""Neyman's chi-square divergence, $\sum_i (p_i - q_i)^2 / p_i$: Pearson's with its arguments exchanged.

    $$f(t) = \frac{(t - 1)^2}{t}, \qquad f(e^r) = (e^{r/2} - e^{-r/2})^2, \qquad f^*(u) = 2 - 2\sqrt{1 - u},\ u \le 1.$$

    Infinite where q has mass that p lacks. Source: [neyman1949], [liese2006].

    >>> import kullback as kb
    >>> round(kb.neyman_chi2([0.25, 0.75], [0.5, 0.5]), 6)
    0.333333
    """

    aliases = ("neyman",)
    conjugate_closed = True
    name = "neyman_chi2"
    formula = r"\frac{(t - 1)^2}{t}"
    at_zero = math.inf
    at_infinity = 1.0
    power_at_zero = 1.0
    curvature_at_one = 2.0

    @property
    def dual(self) -> FDivergence:
        return pearson_chi2

    def _below(self, u: Array) -> Array:
        xp = ops(u)
        return xp.expm1(u) * -xp.expm1(-u)

    def _slope(self, r: Array) -> Array:
        return -ops(r).expm1(-2.0 * r)

    def _curvature(self, r: Array) -> Array:
        return 2.0 * ops(r).exp(-r)

    def _conjugate(self, u: Array) -> Array:
        root = ops(u).sqrt(1.0 - u)
        return 2.0 * u / (1.0 + root)


@dataclass(frozen=True, repr=False)
class LeCam(FDivergence):
    r"""The divergence of Vincze and Le Cam, $\tfrac12 \sum_i (p_i - q_i)^2 / (p_i + q_i)$, between 0 and 1.

    $$f(t) = \frac{(t - 1)^2}{2 (t + 1)}, \qquad
    f^*(u) = 2 - u - 2 \sqrt{1 - 2u} \text{ for } -\tfrac32 \le u \le \tfrac12,\ -\tfrac12 \text{ below.}$$

    Its square root is a metric; also called triangular discrimination. Source: [lecam1986], [liese2006].

    >>> import kullback as kb
    >>> kb.le_cam([1.0, 0.0], [0.0, 1.0])
    1.0
    """

    aliases = ("vincze_le_cam", "triangular_discrimination")
    symmetric = True
    conjugate_closed = True
    name = "le_cam"
    formula = r"\frac{(t - 1)^2}{2 (t + 1)}"
    at_zero = 0.5
    at_infinity = 0.5
    curvature_at_one = 0.5
    metric_root = 0.5

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        xp = ops(u)
        x = xp.expm1(u)
        return x * x / (2.0 * (2.0 + x))

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        # s = tanh(r/2) changes its sign with r, so that one serves both; within reach its exponential is quicker
        x = ops(r).expm1(r)
        s = x / (x + 2.0)
        half = 0.5 * s
        return p * (half * (2.0 - s)), -q * (half * (2.0 + s))

    def _slope(self, r: Array) -> Array:
        # 1/2 − 2/(1 + t)² = (t − 1)(t + 3) / (2 (1 + t)²), written in s = (t − 1)/(t + 1)
        s = ops(r).tanh(0.5 * r)
        return 0.5 * s * (2.0 - s)

    def _curvature(self, r: Array) -> Array:
        xp = ops(r)
        share = 1.0 / (1.0 + xp.exp(-r))
        return 4.0 * share * share / (1.0 + xp.exp(r))

    def _conjugate(self, u: Array) -> Array:
        xp = ops(u)
        inside = u >= -1.5
        root = xp.sqrt(1.0 - 2.0 * xp.where(inside, u, 0.0))
        return xp.where(inside, u * (3.0 - root) / (1.0 + root), -0.5)


pearson_chi2 = PearsonChiSquare()
neyman_chi2 = NeymanChiSquare()
le_cam = LeCam()
