"""Pairs of two families of counts."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback.divergences.kullback_leibler import exp_growth
from kullback.exact.families.discrete import BERNOULLI, BINOMIAL, POISSON, chance
from kullback.exact.registry import closed_form
from kullback.exact.remainders import excess


@closed_form("kl", BERNOULLI, POISSON)
def bernoulli_poisson(p: Any, q: Any) -> Array:
    """k(1 − p, e^(−λ)) + k(p, λe^(−λ)) and the mass of the Poisson law at two and more."""
    x, rate = chance(p), q["rate"]
    xp = ops(x, rate)
    x, rate = x + 0.0 * rate, rate + 0.0 * x
    none = xp.exp(-rate)
    return excess(1.0 - x, none) + excess(x, rate * none) + exp_growth(-rate)


@closed_form("kl", POISSON, BINOMIAL)
def poisson_binomial(p: Any, q: Any) -> Array:
    """Infinite, unless the rate is 0: then −n log(1 − p)."""
    rate, x = p["rate"], chance(q)
    xp = ops(rate, x)
    with xp.quiet():
        return xp.where(rate == 0, -q["total_count"] * xp.log1p(-x) + 0.0 * rate, math.inf)


@closed_form("kl", POISSON, BERNOULLI)
def poisson_bernoulli(p: Any, q: Any) -> Array:
    """The binomial form with one trial."""
    return poisson_binomial(p, {**q, "total_count": 1.0})
