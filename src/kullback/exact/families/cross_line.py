"""Pairs of two families, the second one on the whole line: normal, Laplace and Gumbel laws.

Each goes through the member q* of the second family that has the expected statistics of p, because the divergence adds
up over it, KL(p‖q) = KL(p‖q*) + KL(q*‖q): the first part depends on the shape of p alone.
"""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.exact import langevin
from kullback.exact.binet import beta_negentropy, gamma_negentropy
from kullback.exact.families.continuous_bernoulli import CONTINUOUS_BERNOULLI, logit
from kullback.exact.families.gamma import BETA, GAMMA
from kullback.exact.families.lifetimes import GUMBEL, PARETO
from kullback.exact.families.location_scale import LAPLACE, UNIFORM
from kullback.exact.families.normal import NORMAL
from kullback.exact.families.normal import normal as normal_normal
from kullback.exact.registry import closed_form
from kullback.exact.remainders import ratio_excess

_EULER = 0.57721566490153286061
_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)


def _to_normal(negentropy: Array, mean: Array, scale: Array, q: Any) -> Array:
    return negentropy + normal_normal({"loc": mean, "scale": scale}, q)


@closed_form("kl", UNIFORM, NORMAL)
def uniform_normal(p: Any, q: Any) -> Array:
    """½ log(πe/6), and the divergence of the normal law of the same mean and variance."""
    width = p["high"] - p["low"]
    return _to_normal(
        0.5 * math.log(math.pi * math.e / 6.0), p["low"] + 0.5 * width, width / math.sqrt(12.0), q
    )


@closed_form("kl", GAMMA, NORMAL)
def gamma_normal(p: Any, q: Any) -> Array:
    """The negentropy of the gamma law, and the divergence of the normal law of the same mean and variance."""
    a, rate = p["concentration"] + 0.0 * p["rate"], p["rate"]
    return _to_normal(gamma_negentropy(a), a / rate, ops(a).sqrt(a) / rate, q)


@closed_form("kl", BETA, NORMAL)
def beta_normal(p: Any, q: Any) -> Array:
    """The negentropy of the beta law, and the divergence of the normal law of the same mean and variance."""
    zero = 0.0 * (p["concentration1"] + p["concentration0"])
    a, b = p["concentration1"] + zero, p["concentration0"] + zero
    xp, total = ops(a, b), a + b
    scale = xp.sqrt(a / total * (b / total) / (total + 1.0))
    return _to_normal(beta_negentropy(a, b), a / total, scale, q)


@closed_form("kl", CONTINUOUS_BERNOULLI, NORMAL)
def continuous_bernoulli_normal(p: Any, q: Any) -> Array:
    """The negentropy of the law, and the divergence of the normal law of the same mean and variance."""
    half = 0.5 * logit(p)
    xp = ops(half)
    variance = 0.25 * langevin.curvature(half)
    negentropy = langevin.legendre(half) + _HALF_LOG_TAU + 0.5 + 0.5 * xp.log(variance)
    return _to_normal(negentropy, langevin.tilted_mean(half), xp.sqrt(variance), q)


@closed_form("kl", LAPLACE, NORMAL)
def laplace_normal(p: Any, q: Any) -> Array:
    """½ (log π − 1), and the divergence of the normal law of the same mean and variance."""
    return _to_normal(0.5 * (math.log(math.pi) - 1.0), p["loc"], math.sqrt(2.0) * p["scale"], q)


@closed_form("kl", GUMBEL, NORMAL)
def gumbel_normal(p: Any, q: Any) -> Array:
    """½ log(π³e/3) − γ − 1, and the divergence of the normal law of the same mean and variance."""
    negentropy = 0.5 * (math.log(math.pi**3 / 3.0) - 1.0) - _EULER
    return _to_normal(negentropy, p["loc"] + _EULER * p["scale"], math.pi / math.sqrt(6.0) * p["scale"], q)


@closed_form("kl", PARETO, NORMAL)
def pareto_normal(p: Any, q: Any) -> Array:
    """The negentropy of the law, and that of the normal law of equal mean and variance; infinite for α ≤ 2."""
    alpha = p["alpha"] + 0.0 * p["scale"]
    xp = ops(alpha)
    exists = alpha > 2.0
    a = xp.where(exists, alpha, 3.0)
    mean, scale = p["scale"] * a / (a - 1.0), p["scale"] / (a - 1.0) * xp.sqrt(a / (a - 2.0))
    negentropy = _HALF_LOG_TAU - 0.5 - 1.0 / a - xp.log1p(-1.0 / a) - 0.5 * xp.log1p(-2.0 / a)
    return xp.where(exists, _to_normal(negentropy, mean, scale, q), math.inf)


@closed_form("kl", NORMAL, LAPLACE)
def normal_laplace(p: Any, q: Any) -> Array:
    """ρ − 1 − log ρ with ρ = E|x − μ_q|/b_q, log(E|x − μ_q|/σ_p) and ½ log(2e/π)."""
    shift = (p["loc"] - q["loc"]) / p["scale"]
    xp = ops(shift)
    away = math.sqrt(2.0 / math.pi) * xp.exp(-0.5 * shift * shift) + shift * xp.erf(shift / math.sqrt(2.0))
    return ratio_excess(p["scale"] * away, q["scale"]) + xp.log(away) + 0.5 * math.log(2.0 * math.e / math.pi)


def _to_gumbel(mean: Array, cumulant: Array, rest: Array, q: Any) -> Array:
    """φ((μ − E x)/β + K) and the rest, 1 + K + log β − H, with K = log E exp(−(x − E x)/β)."""
    return exp_remainder((q["loc"] - mean) / q["scale"] + cumulant) + rest


@closed_form("kl", NORMAL, GUMBEL)
def normal_gumbel(p: Any, q: Any) -> Array:
    """φ((μ_q − μ_p)/β + ½ρ²) + ½ (ρ² − 1 − log ρ²) + 1 − ½ log 2π with ρ = σ/β."""
    ratio = p["scale"] / q["scale"]
    gap = (p["scale"] - q["scale"]) / q["scale"]
    rest = 0.5 * gap * gap + ratio_excess(p["scale"], q["scale"]) + 1.0 - _HALF_LOG_TAU
    return _to_gumbel(p["loc"], 0.5 * ratio * ratio, rest, q)


@closed_form("kl", GAMMA, GUMBEL)
def gamma_gumbel(p: Any, q: Any) -> Array:
    """φ((μ − a/b)/β + K) + K − log(ρ√a) + ½ − ½ log 2π + J(a) with K = a(ρ − log(1 + ρ)), ρ = 1/(bβ)."""
    a, ratio = p["concentration"] + 0.0 * p["rate"], 1.0 / (p["rate"] * q["scale"])
    xp = ops(a, ratio)
    cumulant = a * exp_remainder(xp.log1p(ratio))
    rest = cumulant - xp.log(ratio * xp.sqrt(a)) + 0.5 - _HALF_LOG_TAU + gamma_negentropy(a)
    return _to_gumbel(a / p["rate"], cumulant, rest, q)


@closed_form("kl", UNIFORM, GUMBEL)
def uniform_gumbel(p: Any, q: Any) -> Array:
    """φ((μ − m)/β + L(w/2)) + 1 + L(w/2) − log w with w = (high − low)/β, L(x) = log(sinh x/x)."""
    width = p["high"] - p["low"]
    ratio = width / q["scale"]
    xp = ops(ratio)
    cumulant = langevin.log_sinhc(0.5 * ratio)
    return _to_gumbel(p["low"] + 0.5 * width, cumulant, 1.0 + cumulant - xp.log(ratio), q)
