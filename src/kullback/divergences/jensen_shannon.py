"""Jensen–Shannon and its skewed form: relative entropies to a mixture of the two."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from kullback._ops import Array, ops
from kullback._ops.remainders import ENTROPY_RADIUS, by_size, entropy_series, exp_remainder
from kullback.divergences.generator import FDivergence
from kullback.divergences.kullback_leibler import exp_growth
from kullback.errors import InvalidInputError

_WIDEST = {64: 600.0, 32: 80.0}  # how far exp stays within the floats, with room for a weight


@dataclass(frozen=True, repr=False)
class JensenShannon(FDivergence):
    r"""The Jensen–Shannon divergence, $\tfrac12 D(p \| m) + \tfrac12 D(q \| m)$ with $m = (p + q)/2$, at most log 2.

    $$f(t) = \tfrac12\left[t \log t - (t + 1) \log \tfrac{t + 1}{2}\right]
    = \tfrac{1 + t}{4}\, h\!\left(\tfrac{t-1}{t+1}\right),
    \qquad f^*(u) = -\tfrac12 \log(2 - e^{2u}),\ u < \tfrac12 \log 2,$$

    with h(s) = (1+s) log(1+s) + (1−s) log(1−s). In nats; its square root is a metric. Source: [lin1991].

    >>> import kullback as kb
    >>> kb.js([1.0, 0.0], [0.0, 1.0], base=2)
    1.0
    """

    aliases = ("jensen_shannon", "jsd")
    symmetric = True
    name = "js"
    unit = "nats"
    formula = r"\tfrac12\left[t \log t - (t + 1) \log \tfrac{t + 1}{2}\right]"
    at_zero = 0.5 * math.log(2.0)
    at_infinity = 0.5 * math.log(2.0)
    curvature_at_one = 0.25
    metric_root = 0.5

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        xp = ops(u)

        def near(z: Array) -> Array:
            x = xp.expm1(z)
            s = x / (2.0 + x)
            return 0.25 * x * s * entropy_series(s * s)

        def far(z: Array) -> Array:
            x = xp.expm1(z)
            return 0.5 * (z * (1.0 + x) - (2.0 + x) * xp.log1p(0.5 * x))

        return by_size(u, ENTROPY_RADIUS, near, far)

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        xp = ops(r)
        log_m = _log_half(r) - xp.sides(-r)[0]
        return 0.5 * p * (r - log_m), -0.5 * q * log_m

    def _slope(self, r: Array) -> Array:
        # ½ log(2t/(t + 1)), as log t − log((t + 1)/2) below 1 and as −log((1 + 1/t)/2) above
        xp = ops(r)
        return 0.5 * (xp.sides(r)[0] - _log_half(r))

    def _link(self, r: Array) -> Array:
        return 0.5 * ops(r).log_sigmoid(r)

    def _curvature(self, r: Array) -> Array:
        return 0.5 / (1.0 + ops(r).exp(-r))

    def _conjugate(self, u: Array) -> Array:
        xp = ops(u)
        return -0.5 * xp.log1p(-xp.expm1(2.0 * u))


@dataclass(frozen=True, repr=False)
class SkewJensenShannon(FDivergence):
    r"""The skewed Jensen–Shannon divergence, $\beta D(p \| m) + (1 - \beta) D(q \| m)$, $m = \beta p + (1 - \beta) q$.

    $$f(t) = \beta t \log t - (\beta t + 1 - \beta) \log(\beta t + 1 - \beta),$$
    $$f^*(u) = -(1 - \beta) \log \frac{1 - \beta e^{u/\beta}}{1 - \beta},\ u < -\beta \log \beta.$$

    In nats, at most the entropy of a coin of bias β; f''(1) = β(1−β), so `normalised()` is what stays apart from 0 as
    β → 0 (kl) or 1 (reverse_kl). `skew_js(0.5)` is `js`. Source: [lin1991], [nielsen2020].

    >>> import kullback as kb
    >>> round(kb.skew_js(0.1)([0.5, 0.5], [0.25, 0.75]), 6)
    0.012752
    """

    beta: float
    # 1 − beta, carried along so that the dual of the dual is this one to the last bit
    rest: float = field(compare=False)

    unit = "nats"

    @property
    def name(self) -> str:
        return f"skew_js({self.beta:.12g})"

    @property
    def formula(self) -> str:
        return (
            rf"\beta t \log t - (\beta t + 1 - \beta) \log(\beta t + 1 - \beta),\quad \beta = {self.beta:g}"
        )

    @property
    def dual(self) -> FDivergence:
        return SkewJensenShannon(self.rest, self.beta)

    @property
    def at_zero(self) -> float:
        # log(1 − beta), from whichever of the two is small
        return -self.rest * (math.log1p(-self.beta) if self.beta < 0.5 else math.log(self.rest))

    @property
    def curvature_at_one(self) -> float:
        return self.beta * self.rest

    def _below(self, u: Array) -> Array:
        # two relative entropies against the mixture m, each a remainder of its own log-ratio, so nothing cancels
        xp, beta = ops(u), self.beta
        log_m = _log_mixture(u, beta, self.rest)
        to_p = _log_share(u, beta, self.rest)
        return xp.exp(log_m) * (beta * exp_growth(to_p) + self.rest * _growth_above(-log_m))

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        # the smaller of the two logarithms first: the other is its distance from r
        if self.beta <= 0.5:
            log_m = _log_mixture(r, self.beta, self.rest)
            return self.beta * p * (r - log_m), -self.rest * q * log_m
        to_p = -_log_mixture(-r, self.rest, self.beta)
        return self.beta * p * to_p, self.rest * q * (to_p - r)

    def _slope(self, r: Array) -> Array:
        return self.beta * _log_share(r, self.beta, self.rest)

    def _link(self, r: Array) -> Array:
        # t/(βt + 1 − β) is 1/β of the share of p in the mixture, whose log-odds are r + log(β/(1 − β))
        return self.beta * ops(r).log_sigmoid(r + math.log(self.beta / self.rest))

    def _curvature(self, r: Array) -> Array:
        return self.beta * self.rest / (self.beta + self.rest * ops(r).exp(-r))

    def _conjugate(self, u: Array) -> Array:
        xp, beta, rest = ops(u), self.beta, self.rest
        return -rest * xp.log1p(-beta / rest * xp.expm1(u / beta))


def _log_half(r: Array) -> Array:
    """log((1 + e^−|r|) / 2)."""
    xp = ops(r)
    return xp.log1p_half(0.5 * xp.expm1(xp.folded(r < 0, r)))


def _log_share(r: Array, beta: float, rest: float) -> Array:
    """log(t / (βt + 1 − β)) with rest = 1 − β, accurate to the last bits near t = 1 and without overflow."""
    xp = ops(r)
    widest = _WIDEST[xp.precision(r)]
    above = -_log_mixture(xp.minimum(-r, widest), rest, beta)
    if xp.at_hand(r) and xp.extremes(r)[0] >= -widest:
        return above
    return xp.where(r >= -widest, above, r - _log_mixture(xp.minimum(r, -widest), beta, rest))


def _log_mixture(x: Array, weight: float, rest: float) -> Array:
    """log(weight eˣ + rest) with weight + rest = 1: the sum near 1 by its distance, a small one by its terms."""
    xp = ops(x)
    growth = weight * xp.expm1(x)
    if weight <= 0.5:
        return xp.log1p_above(growth)
    near = xp.log1p_above(xp.maximum(growth, -0.5))
    return xp.choose(-growth, 0.5, near, xp.log(weight * xp.exp(x) + rest))


def _growth_above(r: Array) -> Array:
    """t log t − t + 1 at t = eʳ for the r ≥ 0 that a mixture weight bounds."""
    return ops(r).exp(r) * exp_remainder(-r)


def skew_js(beta: float) -> FDivergence:
    """The skewed Jensen–Shannon divergence with weight `beta` of p in the mixture, 0 < beta < 1.

    $$f(t) = β t log t − (β t + 1 − β) log(β t + 1 − β)$$

    Raises `InvalidInputError` outside (0, 1), where the divergence vanishes. Source: [lin1991].

    >>> skew_js(0.5)
    js
    """
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 < beta < 1:
        raise InvalidInputError(
            f"skew_js needs 0 < beta < 1, got {beta!r}; the limits of its normalised() are kl (0) and reverse_kl (1)"
        )
    return js if beta == 0.5 else SkewJensenShannon(float(beta), 1.0 - float(beta))


@dataclass(frozen=True, repr=False)
class GAN(FDivergence):
    r"""The divergence that the original adversarial loss minimises, in standard form: twice `js`, at most 2 log 2.

    $$f(t) = t \log t - (t + 1) \log \tfrac{t + 1}{2}, \qquad f^*(u) = -\log(2 - e^u),\ u < \log 2.$$

    The saturating loss at its best discriminator is this minus 2 log 2. In nats.
    Source: [goodfellow2014], [nowozin2016].

    >>> import kullback as kb
    >>> kb.gan([1.0, 0.0], [0.0, 1.0], base=2)
    2.0
    """

    aliases = ("adversarial",)
    symmetric = True
    name = "gan"
    unit = "nats"
    formula = r"t \log t - (t + 1) \log \tfrac{t + 1}{2}"
    at_zero = math.log(2.0)
    at_infinity = math.log(2.0)
    curvature_at_one = 0.5
    metric_root = 0.5

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        return 2.0 * js._below(u)

    def _slope(self, r: Array) -> Array:
        return 2.0 * js._slope(r)

    def _link(self, r: Array) -> Array:
        return ops(r).log_sigmoid(r)

    def _curvature(self, r: Array) -> Array:
        return 2.0 * js._curvature(r)

    def _conjugate(self, u: Array) -> Array:
        return 2.0 * js._conjugate(0.5 * u)


js = JensenShannon()
gan = GAN()

FAMILIES = {"skew_js": (skew_js, (0.1, 0.9))}
