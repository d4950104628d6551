"""Bernoulli, categorical, binomial, multinomial, geometric, negative binomial and Poisson laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kullback._ops import Array, ops
from kullback.divergences import Divergence, FDivergence, kl
from kullback.errors import UnsupportedPairError
from kullback.exact.law import (
    LOGIT,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_PROBABILITY,
    PROBABILITY,
    WHOLE,
    Family,
    Support,
)
from kullback.exact.registry import closed_form, family, geodesic
from kullback.exact.remainders import excess, log_ratio


def _probs(p: Any) -> Any:
    import numpy as np

    return p["probs"] if "probs" in p else 1.0 / (1.0 + np.exp(-p["logits"]))


def _shares(p: Any) -> Any:
    from scipy import special

    return p["probs"] / p["probs"].sum() if "probs" in p else special.softmax(p["logits"])


def _bernoulli(p: Any) -> Any:
    from scipy import stats

    return stats.bernoulli(_probs(p))


def _categorical(p: Any) -> Any:
    import numpy as np
    from scipy import stats

    shares = _shares(p)
    return stats.rv_discrete(values=(np.arange(len(shares)), shares))()


def _binomial(p: Any) -> Any:
    from scipy import stats

    return stats.binom(int(p["total_count"]), _probs(p))


def _multinomial(p: Any) -> Any:
    from scipy import stats

    return stats.multinomial(p["total_count"], _shares(p))


def _one_hot(p: Any) -> Any:
    return _multinomial({**p, "total_count": 1})


def _geometric(p: Any) -> Any:
    from scipy import stats

    return stats.geom(p["probs"], loc=-1)


def _negative_binomial(p: Any) -> Any:
    from scipy import stats

    return stats.nbinom(p["total_count"], p["probs"])


def _poisson(p: Any) -> Any:
    from scipy import stats

    return stats.poisson(p["rate"])


def _held(p: Any) -> Support:
    """From the first to the last category with mass."""
    import numpy as np

    live = np.flatnonzero(_shares(p) > 0)
    return Support(float(live[0]), float(live[-1]), discrete=True)


def _trials(p: Any) -> Support:
    n, chance = p.get("total_count", 1.0), _probs(p)
    return Support(n if chance == 1 else 0.0, 0.0 if chance == 0 else n, discrete=True)


def _waiting(p: Any) -> Support:
    return Support(0.0, 0.0 if p["probs"] == 1 else math.inf, discrete=True)


def _arrivals(p: Any) -> Support:
    return Support(0.0, 0.0 if p["rate"] == 0 else math.inf, discrete=True)


_CHANCE = {"probs": PROBABILITY, "logits": LOGIT}
_CHANCES = {"probs": NON_NEGATIVE, "logits": LOGIT}
_VECTOR = {"probs": 1, "logits": 1}
BERNOULLI = family(Family("bernoulli", _CHANCE, _trials, _bernoulli))
CATEGORICAL = family(Family("categorical", _CHANCES, _held, _categorical, ranks=_VECTOR))
BINOMIAL = family(Family("binomial", {"total_count": WHOLE, **_CHANCE}, _trials, _binomial))
MULTINOMIAL = family(
    Family("multinomial", {"total_count": WHOLE, **_CHANCES}, frozen=_multinomial, rank=1, ranks=_VECTOR)
)
ONE_HOT = family(Family("one_hot_categorical", _CHANCES, frozen=_one_hot, rank=1, ranks=_VECTOR))
GEOMETRIC = family(Family("geometric", {"probs": POSITIVE_PROBABILITY}, _waiting, _geometric))
NEGATIVE_BINOMIAL = family(
    Family(
        "negative_binomial",
        {"total_count": POSITIVE, "probs": POSITIVE_PROBABILITY},
        _waiting,
        _negative_binomial,
    )
)
POISSON = family(Family("poisson", {"rate": NON_NEGATIVE}, _arrivals, _poisson))


@closed_form("any", BERNOULLI, BERNOULLI)
def bernoulli(d: Divergence, p: Any, q: Any) -> Array:
    """Both classes, whose differences of mass are p − q and q − p to the last bit."""
    if "logits" in p and "logits" in q:
        return d.of_logits(_two_logits(p["logits"]), _two_logits(q["logits"]))
    x, y = (chance(side) for side in (p, q))
    if not isinstance(d, FDivergence):
        return d(_two_masses(x), _two_masses(y))
    return _two_classes(d, x, y)


@closed_form("any", CATEGORICAL, CATEGORICAL)
def categorical(d: Divergence, p: Any, q: Any) -> Array:
    """The divergence of the vectors themselves."""
    if "logits" in p and "logits" in q:
        return d.of_logits(p["logits"], q["logits"])
    x, y = (s["probs"] if "probs" in s else ops(s["logits"]).softmax(s["logits"]) for s in (p, q))
    return d(x, y, normalize=True)


@closed_form("any", ONE_HOT, ONE_HOT)
def one_hot_categorical(d: Divergence, p: Any, q: Any) -> Array:
    """The divergence of the vectors of chances."""
    return categorical(d, p, q)


@closed_form("kl", BINOMIAL, BINOMIAL)
def binomial(p: Any, q: Any) -> Array:
    """n times the divergence of one trial, for equal n."""
    return _same_count(p, q) * bernoulli(kl, p, q)


@closed_form("renyi", BINOMIAL, BINOMIAL)
def binomial_renyi(p: Any, q: Any, order: float) -> Array:
    """n times the divergence of one trial, for equal n."""
    return _same_count(p, q) * renyi_from(lambda d: bernoulli(d, p, q), order)


@closed_form("kl", MULTINOMIAL, MULTINOMIAL)
def multinomial(p: Any, q: Any) -> Array:
    """n times the divergence of one trial, for equal n."""
    return _same_count(p, q) * categorical(kl, p, q)


@closed_form("renyi", MULTINOMIAL, MULTINOMIAL)
def multinomial_renyi(p: Any, q: Any, order: float) -> Array:
    """n times the divergence of one trial, for equal n."""
    return _same_count(p, q) * renyi_from(lambda d: categorical(d, p, q), order)


@closed_form("kl", GEOMETRIC, GEOMETRIC)
def geometric(p: Any, q: Any) -> Array:
    """The divergence of one trial over the chance of p: the expected number of trials times it."""
    return _two_classes(kl, p["probs"], q["probs"]) / p["probs"]


@geodesic(GEOMETRIC)
def between_geometrics(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Logarithms of the chance to go on mix."""
    x, y = p["probs"], q["probs"]
    xp = ops(x, y)
    with xp.quiet():
        mixed = -xp.expm1(order * xp.log1p(-x) + (1.0 - order) * xp.log1p(-y))
    mixed = xp.where(x == y, x, mixed)
    exists = mixed > 0
    return {"probs": xp.where(exists, mixed, x)}, exists


@closed_form("kl", NEGATIVE_BINOMIAL, NEGATIVE_BINOMIAL)
def negative_binomial(p: Any, q: Any) -> Array:
    """r times the geometric form, for equal r."""
    return _same_count(p, q) * geometric(p, q)


@closed_form("kl", POISSON, POISSON)
def poisson(p: Any, q: Any) -> Array:
    """k(λ_p, λ_q) = λ_p log(λ_p/λ_q) − λ_p + λ_q."""
    return excess(p["rate"], q["rate"])


@geodesic(POISSON)
def between_poissons(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Logarithms of the rates mix."""
    x, y = p["rate"], q["rate"]
    xp = ops(x, y)
    none = (x == 0) | (y == 0)
    safe_x, safe_y = (xp.where(none, 1.0, z) for z in (x, y))
    mixed = xp.exp(order * xp.log(safe_x) + (1.0 - order) * xp.log(safe_y))
    exists = ~((y == 0) & (x > 0)) if order > 1 else ~(none & ~none)
    return {"rate": xp.where(none, 0.0, mixed)}, exists


def renyi_from(of: Callable[[FDivergence], Array], order: float) -> Array:
    """The Rényi divergence of an order from the alpha divergence of the same."""
    from kullback.divergences import alpha

    if order == 1:
        return of(kl)
    value = of(alpha(order))
    xp = ops(value)
    with xp.quiet():
        return xp.log1p(xp.asarray(order * (order - 1.0) * value)) / (order - 1.0)


def _two_classes(d: FDivergence, x: Array, y: Array) -> Array:
    xp = ops(x, y)
    live = (x > 0) & (y > 0) & (x < 1) & (y < 1)
    safe_x, safe_y = (xp.where(live, z, 0.5 + 0.0 * (x + y)) for z in (x, y))
    total = 0.0
    with xp.quiet():
        for p, q, gap in ((safe_x, safe_y, safe_x - safe_y), (1.0 - safe_x, 1.0 - safe_y, safe_y - safe_x)):
            below, above = xp.sides(log_ratio(p, q, gap))
            total = total + q * d.value(below) + p * d.dual.value(above)
    if not xp.concrete(live) or bool(xp.any(~live)):
        total = xp.where(live, total, xp.asarray(d(_two_masses(x), _two_masses(y))))
    return total


def _two_masses(x: Array) -> Array:
    return ops(x).stack([1.0 - x, x], axis=-1)


def _two_logits(x: Array) -> Array:
    xp = ops(x)
    # of an infinite logit the other class is the impossible one
    zero = xp.zeros_like(x)
    sure = x == math.inf
    return xp.stack([xp.where(sure, -math.inf, zero), xp.where(sure, 0.0, x)], axis=-1)


def chance(side: Any) -> Array:
    """The chance of success, from itself or its logit."""
    if "probs" in side:
        return side["probs"]
    return ops(side["logits"]).softmax(_two_logits(side["logits"]))[..., 1]


def _same_count(p: Any, q: Any) -> Array:
    n, m = p["total_count"], q["total_count"]
    xp = ops(n, m)
    if not xp.concrete(n) or not xp.concrete(m):
        # nothing can be raised inside a trace
        return xp.where(n == m, n, math.nan)
    if bool(xp.any(n != m)):
        raise UnsupportedPairError(
            "a closed form exists for equal total_count only; unequal ones are enumerated, or pass "
            'kind="monte-carlo"'
        )
    return n
