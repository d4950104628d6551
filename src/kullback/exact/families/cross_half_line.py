"""Pairs of two families, the second one on a half-line: gamma, exponential and Pareto laws."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback.exact import langevin
from kullback.exact.binet import binet, binet_slope
from kullback.exact.families.continuous_bernoulli import CONTINUOUS_BERNOULLI, logit
from kullback.exact.families.cross_unit import beta_flat, mean_log
from kullback.exact.families.gamma import BETA, EXPONENTIAL, GAMMA
from kullback.exact.families.lifetimes import PARETO
from kullback.exact.families.location_scale import UNIFORM
from kullback.exact.registry import closed_form
from kullback.exact.remainders import excess, ratio_excess

_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)


def _onto_gamma(mean: Array, log_gap: Array, relative_entropy: Array, q: Any) -> Array:
    """From E x, E log(x/E x) and the entropy of x/E x; an exponential law is read as a gamma law."""
    c, t = q["concentration"], q["rate"] * mean
    xp = ops(c, t)
    c = c + xp.zeros_like(t)
    normaliser = binet(c) + _HALF_LOG_TAU - 0.5 * xp.log(c)
    return excess(c, t + xp.zeros_like(c)) + normaliser - (c - 1.0) * log_gap - relative_entropy


@closed_form("kl", BETA, GAMMA)
def beta_gamma(p: Any, q: Any) -> Array:
    """k(c, dm) + log Γ(c) − c log c + c − (c − 1) E log(x/m) − H(x/m) with m = E x and d the rate."""
    zero = 0.0 * (p["concentration1"] + p["concentration0"])
    a, b = p["concentration1"] + zero, p["concentration0"] + zero
    total = a + b
    xp = ops(total)
    mean = a / total
    log_gap = binet_slope(a) - 0.5 / a - binet_slope(total) + 0.5 / total
    return _onto_gamma(mean, log_gap, -beta_flat(p) - xp.log(mean), q)


@closed_form("kl", UNIFORM, GAMMA)
def uniform_gamma(p: Any, q: Any) -> Array:
    """As for a beta law; infinite where the uniform law has mass below 0."""
    xp = ops(*p.values(), *q.values())
    inside = (p["low"] >= 0) & (p["high"] > 0)
    low, high = xp.where(inside, p["low"], 0.0), xp.where(inside, p["high"], 1.0)
    mean = low + 0.5 * (high - low)
    log_gap = mean_log(low, high) - xp.log(mean)
    return xp.where(inside, _onto_gamma(mean, log_gap, xp.log((high - low) / mean), q), math.inf)


@closed_form("kl", PARETO, GAMMA)
def pareto_gamma(p: Any, q: Any) -> Array:
    """As for a beta law; infinite for α ≤ 1, where the mean is."""
    alpha = p["alpha"] + 0.0 * p["scale"]
    xp = ops(alpha)
    exists = alpha > 1.0
    a = xp.where(exists, alpha, 2.0)
    rest = xp.log1p(-1.0 / a)
    entropy = 1.0 + 1.0 / a + rest - xp.log(a)
    return xp.where(exists, _onto_gamma(p["scale"] * a / (a - 1.0), 1.0 / a + rest, entropy, q), math.inf)


@closed_form("kl", CONTINUOUS_BERNOULLI, EXPONENTIAL)
def continuous_bernoulli_exponential(p: Any, q: Any) -> Array:
    """dm − 1 − log(dm) + 1 + log m − H with m = E x and d the rate."""
    half = 0.5 * logit(p)
    mean = langevin.tilted_mean(half)
    shape = 1.0 + ops(mean).log(mean) + langevin.legendre(half)
    return ratio_excess(q["rate"] * mean, 1.0 + 0.0 * q["rate"]) + shape


@closed_form("kl", UNIFORM, PARETO)
def uniform_pareto(p: Any, q: Any) -> Array:
    """ατ − 1 − log(ατ) + 1 + τ + log(mτ/w) with τ = E log(x/m), w the width; infinite with mass below the scale m."""
    xp = ops(*p.values(), *q.values())
    inside = p["low"] >= q["scale"]
    m = q["scale"] + 0.0 * p["low"]
    low, high = xp.where(inside, p["low"], m), xp.where(inside, p["high"], m + 1.0)
    excess_log = mean_log(low / m, high / m)
    value = ratio_excess(q["alpha"] * excess_log, 1.0 + 0.0 * excess_log) + 1.0 + excess_log
    return xp.where(inside, value + xp.log(m / (high - low) * excess_log), math.inf)
