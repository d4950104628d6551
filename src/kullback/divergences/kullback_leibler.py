"""Kullback–Leibler and its direct relatives: all of them are the remainder φ(x) = eˣ − 1 − x at ±r."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, ops
from kullback._ops.remainders import RADIUS, by_size, exp_remainder, exp_series, growth_of_mass
from kullback.divergences.generator import FDivergence, Interval


@dataclass(frozen=True, repr=False)
class KullbackLeibler(FDivergence):
    r"""Relative entropy, $D(p \| q) = \sum_i p_i \log(p_i / q_i)$, the expected extra code length for p by q's code.

    $$f(t) = t \log t - t + 1, \qquad f(e^r) = e^r \varphi(-r), \qquad f^*(u) = e^u - 1.$$

    In nats. Infinite where p has mass that q lacks. Source: [kullback1951].

    >>> import kullback as kb
    >>> round(kb.kl([0.5, 0.5], [0.25, 0.75]), 6)
    0.143841
    """

    aliases = ("kullback_leibler", "relative_entropy", "forward_kl")
    balanced = True
    name = "kl"
    unit = "nats"
    formula = r"t \log t - t + 1"
    at_zero = 1.0
    at_infinity = math.inf
    curvature_at_one = 1.0

    @property
    def dual(self) -> FDivergence:
        return reverse_kl

    def _below(self, u: Array) -> Array:
        return exp_growth(u)

    def _term(self, p: Array, q: Array, r: Array) -> Array:
        return _remainder(p, q, -r)

    def _pull(self, p: Array, q: Array, r: Array, gap: Array | None) -> Array:
        if gap is not None:
            return -gap
        return -growth_of_mass(q, p, r)

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        return p * r, -q * ops(r).expm1(r)

    def _slope(self, r: Array) -> Array:
        return r

    def _curvature(self, r: Array) -> Array:
        return ops(r).exp(r)

    def _conjugate(self, u: Array) -> Array:
        return ops(u).expm1(u)


@dataclass(frozen=True, repr=False)
class ReverseKullbackLeibler(FDivergence):
    r"""Relative entropy with its arguments exchanged, $\sum_i q_i \log(q_i / p_i)$: mode-seeking in q.

    $$f(t) = -\log t + t - 1, \qquad f(e^r) = \varphi(r), \qquad f^*(u) = -\log(1 - u),\ u < 1.$$

    In nats. Infinite where q has mass that p lacks. Source: [kullback1951].

    >>> import kullback as kb
    >>> round(kb.reverse_kl([0.25, 0.75], [0.5, 0.5]), 6)
    0.143841
    """

    aliases = ("reverse_kullback_leibler", "burg")
    name = "reverse_kl"
    unit = "nats"
    formula = r"-\log t + t - 1"
    at_zero = math.inf
    at_infinity = 1.0
    curvature_at_one = 1.0

    @property
    def dual(self) -> FDivergence:
        return kl

    def _below(self, u: Array) -> Array:
        return exp_remainder(u)

    def _term(self, p: Array, q: Array, r: Array) -> Array:
        return _remainder(q, p, r)

    def _pull(self, p: Array, q: Array, r: Array, gap: Array | None) -> Array:  # noqa: ARG002
        return -q * r

    def _slope(self, r: Array) -> Array:
        return -ops(r).expm1(-r)

    def _curvature(self, r: Array) -> Array:
        return ops(r).zeros_like(r) + 1.0

    def _conjugate(self, u: Array) -> Array:
        return -ops(u).log1p(-u)


@dataclass(frozen=True, repr=False)
class Jeffreys(FDivergence):
    r"""The sum of both relative entropies, $\sum_i (p_i - q_i) \log(p_i / q_i)$; the population stability index.

    $$f(t) = (t - 1) \log t, \qquad f(e^r) = r\,(e^r - 1).$$

    In nats. Infinite where either side lacks mass. Source: [jeffreys1946].

    >>> import kullback as kb
    >>> round(kb.jeffreys([0.5, 0.5], [0.25, 0.75]), 6)
    0.274653
    """

    aliases = ("psi", "population_stability_index", "j_divergence", "symmetric_kl")
    symmetric = True
    name = "jeffreys"
    unit = "nats"
    formula = r"(t - 1) \log t"
    at_zero = math.inf
    at_infinity = math.inf
    curvature_at_one = 2.0
    conjugate_domain = Interval(-math.inf, math.inf)

    @property
    def dual(self) -> FDivergence:
        return self

    def _below(self, u: Array) -> Array:
        return u * ops(u).expm1(u)

    def _slope(self, r: Array) -> Array:
        return r - ops(r).expm1(-r)

    def _curvature(self, r: Array) -> Array:
        return ops(r).exp(r) + 1.0


def exp_growth(u: Array) -> Array:
    """t log t − t + 1 at t = eᵘ for u ≤ 0: eᵘ φ(−u), whose factor φ alone would overflow."""
    xp = ops(u)
    return by_size(
        u, RADIUS, lambda z: xp.exp(z) * z * z * exp_series(-z), lambda z: z * xp.exp(z) - xp.expm1(z)
    )


def _remainder(mass: Array, other: Array, x: Array) -> Array:
    """mass φ(x), where other = mass eˣ: both halves of the divergence in one, without an exponential."""
    xp = ops(x)

    def near() -> Array:
        z = xp.clip(x, -RADIUS, RADIUS)
        return mass * (z * z * exp_series(z))

    def far() -> Array:
        return (other - mass) - mass * x

    size = xp.abs(x)
    if xp.at_hand(x):
        smallest, largest = xp.extremes(size)
        if largest < RADIUS:
            return near()
        if smallest >= RADIUS:
            return far()
    return xp.choose(size, RADIUS, near(), far())


kl = KullbackLeibler()
reverse_kl = ReverseKullbackLeibler()
jeffreys = Jeffreys()
