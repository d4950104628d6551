"""Laplace, Cauchy, half-Cauchy, logistic and Student laws, and uniform ones."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.divergences import Divergence, FDivergence
from kullback.errors import UnsupportedPairError
from kullback.exact.law import HALF_LINE, LINE, POSITIVE, REAL, Family, Support
from kullback.exact.registry import closed_form, family
from kullback.exact.remainders import ratio_excess


def _laplace(p: Any) -> Any:
    from scipy import stats

    return stats.laplace(p["loc"], p["scale"])


def _cauchy(p: Any) -> Any:
    from scipy import stats

    return stats.cauchy(p["loc"], p["scale"])


def _half_cauchy(p: Any) -> Any:
    from scipy import stats

    return stats.halfcauchy(scale=p["scale"])


def _logistic(p: Any) -> Any:
    from scipy import stats

    return stats.logistic(p["loc"], p["scale"])


def _student(p: Any) -> Any:
    from scipy import stats

    return stats.t(p["df"], p["loc"], p["scale"])


def _uniform(p: Any) -> Any:
    from scipy import stats

    return stats.uniform(p["low"], p["high"] - p["low"])


def _log_laplace(x: Any, p: Any) -> Any:
    return -abs(x - p["loc"]) / p["scale"] - math.log(2.0 * p["scale"])


def _log_cauchy(x: Any, p: Any) -> Any:
    import numpy as np

    # the logarithm of a hypotenuse, whose square would overflow
    return -2.0 * np.log(np.hypot(1.0, (x - p["loc"]) / p["scale"])) - math.log(math.pi * p["scale"])


def _log_half_cauchy(x: Any, p: Any) -> Any:
    return _log_cauchy(x, {"loc": 0.0, **p}) + math.log(2.0)


_PLACE = {"loc": REAL, "scale": POSITIVE}
LAPLACE = family(Family("laplace", _PLACE, lambda _: LINE, _laplace, _log_laplace))
CAUCHY = family(Family("cauchy", _PLACE, lambda _: LINE, _cauchy, _log_cauchy))
HALF_CAUCHY = family(
    Family("half_cauchy", {"scale": POSITIVE}, lambda _: HALF_LINE, _half_cauchy, _log_half_cauchy)
)
LOGISTIC = family(Family("logistic", _PLACE, lambda _: LINE, _logistic))
STUDENT = family(Family("student_t", {"df": POSITIVE, **_PLACE}, lambda _: LINE, _student))
UNIFORM = family(
    Family("uniform", {"low": REAL, "high": REAL}, lambda p: Support(p["low"], p["high"]), _uniform)
)


@closed_form("kl", LAPLACE, LAPLACE)
def laplace(p: Any, q: Any) -> Array:
    """ρ − 1 − log ρ + ρ φ(−|μ_p − μ_q|/b_p) with ρ = b_p/b_q and φ(x) = eˣ − 1 − x."""
    xp = ops(*p.values(), *q.values())
    shift = xp.abs(p["loc"] - q["loc"]) / p["scale"]
    return ratio_excess(p["scale"], q["scale"]) + p["scale"] / q["scale"] * exp_remainder(-shift)


@closed_form("kl", CAUCHY, CAUCHY)
def cauchy(p: Any, q: Any) -> Array:
    """log(1 + ((γ_p − γ_q)² + (μ_p − μ_q)²)/(4 γ_p γ_q))."""
    xp = ops(*p.values(), *q.values())
    shift, change = p["loc"] - q["loc"], p["scale"] - q["scale"]
    return xp.log1p(
        0.25 * (change / p["scale"] * (change / q["scale"]) + shift / p["scale"] * (shift / q["scale"]))
    )


@closed_form("kl", HALF_CAUCHY, HALF_CAUCHY)
def half_cauchy(p: Any, q: Any) -> Array:
    """The Cauchy form: either half of two Cauchy laws around 0 holds half of their divergence."""
    zero = 0.0 * (p["scale"] + q["scale"])
    return cauchy({"loc": zero, **p}, {"loc": zero, **q})


@closed_form("any", UNIFORM, UNIFORM)
def uniform(d: Divergence, p: Any, q: Any) -> Array:
    """The masses of the overlap and of what either law has to itself: both densities are constant there."""
    if not isinstance(d, FDivergence):
        raise UnsupportedPairError(f"{d.name} depends on the lengths of the cells, not on their masses alone")
    xp = ops(*p.values(), *q.values())
    zero = 0.0 * (p["low"] + q["low"])
    low_p, high_p, low_q, high_q = (x + zero for x in (p["low"], p["high"], q["low"], q["high"]))
    start, stop = xp.where(low_p > low_q, low_p, low_q), xp.where(high_p < high_q, high_p, high_q)
    overlap = xp.where(stop > start, stop - start, 0.0)
    shares = []
    for low, high in ((low_p, high_p), (low_q, high_q)):
        alone = xp.where(overlap > 0, (start - low) + (high - stop), high - low)
        shares.append((overlap / (high - low), alone / (high - low)))
    left = xp.stack([shares[0][0], shares[0][1], zero], axis=-1)
    right = xp.stack([shares[1][0], zero, shares[1][1]], axis=-1)
    return d(left, right)
