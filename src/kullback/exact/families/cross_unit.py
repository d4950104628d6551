"""Pairs of two families, the second one on an interval: uniform, beta and continuous Bernoulli laws."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback.exact import langevin
from kullback.exact.families.continuous_bernoulli import CONTINUOUS_BERNOULLI, logit
from kullback.exact.families.gamma import BETA, beta
from kullback.exact.families.location_scale import UNIFORM
from kullback.exact.registry import closed_form


def beta_flat(p: Any) -> Array:
    """The divergence of a beta law from the uniform one on [0, 1]: its entropy, negated."""
    return beta(p, {name: 0.0 * value + 1.0 for name, value in p.items()})


def mean_log(low: Array, high: Array) -> Array:
    """The mean of log x over [low, high], 0 ≤ low < high, elementwise."""
    xp = ops(low, high)
    inside = low > 0
    start = xp.where(inside, low, high)
    ratio = (high - start) / start
    # near equality log(1 + x)/x by its own digits; at low = 0 the term is not there
    share = xp.where(inside, xp.log1p(ratio) / xp.where(inside, ratio, 1.0), 0.0)
    return xp.log(high) - 1.0 + share


def _within(p: Any, low: Array, high: Array) -> tuple[Any, Array, Array]:
    """Where a uniform law lies in [low, high]; its ends there, and others elsewhere."""
    xp = ops(*p.values(), low, high)
    inside = (p["low"] >= low) & (p["high"] <= high)
    return inside, xp.where(inside, p["low"], low), xp.where(inside, p["high"], high)


def _zero_to_one(p: Any) -> tuple[Array, Array]:
    zero = 0.0 * (p["low"] + p["high"])
    return zero, zero + 1.0


def _onto_uniform(against_unit: Array, q: Any) -> Array:
    """The divergence from the uniform law on [0, 1], and the logarithm of the width of the one that covers it."""
    xp = ops(against_unit, *q.values())
    covered = (q["low"] <= 0) & (q["high"] >= 1)
    width = xp.where(covered, q["high"] - q["low"], 1.0)
    return xp.where(covered, against_unit + xp.log(width), math.inf)


@closed_form("kl", BETA, UNIFORM)
def beta_uniform(p: Any, q: Any) -> Array:
    """The divergence from the uniform law on [0, 1] and log(high − low); infinite unless [0, 1] is covered."""
    return _onto_uniform(beta_flat(p), q)


@closed_form("kl", CONTINUOUS_BERNOULLI, UNIFORM)
def continuous_bernoulli_uniform(p: Any, q: Any) -> Array:
    """The divergence from the uniform law on [0, 1] and log(high − low); infinite unless [0, 1] is covered."""
    return _onto_uniform(langevin.legendre(0.5 * logit(p)), q)


@closed_form("kl", BETA, CONTINUOUS_BERNOULLI)
def beta_continuous_bernoulli(p: Any, q: Any) -> Array:
    """The divergence from the uniform law, and L(y) − 2y(E x − ½) with y half the logit, L(y) = log(sinh y/y)."""
    half = 0.5 * logit(q)
    a, b = p["concentration1"], p["concentration0"]
    return beta_flat(p) + langevin.log_sinhc(half) - half * ((a - b) / (a + b))


@closed_form("kl", UNIFORM, CONTINUOUS_BERNOULLI)
def uniform_continuous_bernoulli(p: Any, q: Any) -> Array:
    """−log(high − low) + L(y) − y(low + high − 1) with y half the logit; infinite with mass outside [0, 1]."""
    inside, low, high = _within(p, *_zero_to_one(p))
    half = 0.5 * logit(q)
    xp = ops(low, half)
    value = langevin.log_sinhc(half) - half * (low - (1.0 - high)) - xp.log(high - low)
    return xp.where(inside, value, math.inf)


@closed_form("kl", UNIFORM, BETA)
def uniform_beta(p: Any, q: Any) -> Array:
    """KL of the uniform law on [0, 1], − log w − (a − 1) E(1 + log x) − (b − 1) E(1 + log(1 − x)), w = high − low."""
    inside, low, high = _within(p, *_zero_to_one(p))
    a, b = q["concentration1"], q["concentration0"]
    xp = ops(low, a, b)
    flat = {name: 0.0 * value + 1.0 for name, value in q.items()}
    value = beta(flat, q) - xp.log(high - low) - (a - 1.0) * (1.0 + mean_log(low, high))
    value = value - (b - 1.0) * (1.0 + mean_log(1.0 - high, 1.0 - low))
    return xp.where(inside, value, math.inf)
