"""Weibull, Gumbel, Pareto and inverse Gaussian laws."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.exact.law import HALF_LINE, LINE, POSITIVE, REAL, Family, Support
from kullback.exact.registry import closed_form, family
from kullback.exact.remainders import log_gamma_excess, log_ratio, ratio_excess

_PSI_OF_TWO = 0.42278433509846713939  # 1 − Euler's constant


def _weibull(p: Any) -> Any:
    from scipy import stats

    return stats.weibull_min(p["concentration"], scale=p["scale"])


def _gumbel(p: Any) -> Any:
    from scipy import stats

    return stats.gumbel_r(p["loc"], p["scale"])


def _pareto(p: Any) -> Any:
    from scipy import stats

    return stats.pareto(p["alpha"], scale=p["scale"])


def _log_pareto(x: Any, p: Any) -> Any:
    import numpy as np

    return math.log(p["alpha"]) + p["alpha"] * math.log(p["scale"]) - (p["alpha"] + 1.0) * np.log(x)


def _inverse_gaussian(p: Any) -> Any:
    from scipy import stats

    return stats.invgauss(p["mean"] / p["shape"], scale=p["shape"])


WEIBULL = family(
    Family("weibull", {"concentration": POSITIVE, "scale": POSITIVE}, lambda _: HALF_LINE, _weibull)
)
GUMBEL = family(Family("gumbel", {"loc": REAL, "scale": POSITIVE}, lambda _: LINE, _gumbel))
PARETO = family(
    Family(
        "pareto",
        {"scale": POSITIVE, "alpha": POSITIVE},
        lambda p: Support(p["scale"], math.inf),
        _pareto,
        _log_pareto,
    )
)
INVERSE_GAUSSIAN = family(
    Family("inverse_gaussian", {"mean": POSITIVE, "shape": POSITIVE}, lambda _: HALF_LINE, _inverse_gaussian)
)


@closed_form("kl", WEIBULL, WEIBULL)
def weibull(p: Any, q: Any) -> Array:
    """φ(log t + log Γ(1 + ρ)) and the remainder of log Γ at ρ = k_q/k_p, with t = (λ_p/λ_q)^k_q."""
    k, other = q["concentration"], p["concentration"]
    log_t = k * log_ratio(p["scale"], q["scale"], p["scale"] - q["scale"])
    return _of_powers(k / other, (k - other) / other, log_t)


@closed_form("kl", GUMBEL, GUMBEL)
def gumbel(p: Any, q: Any) -> Array:
    """The Weibull form: e^(−x) of a Gumbel law is a Weibull law with concentration 1/scale."""
    change = (p["scale"] - q["scale"]) / q["scale"]
    return _of_powers(p["scale"] / q["scale"], change, (q["loc"] - p["loc"]) / q["scale"])


def _of_powers(ratio: Array, change: Array, log_t: Array) -> Array:
    """The divergence of E from the law whose power `ratio`, times t, is E: E standard exponential."""
    one = 0.0 * ratio + 1.0
    log_gamma = log_gamma_excess(1.0 + ratio, 1.0 + one, change) + _PSI_OF_TWO * change
    return exp_remainder(log_t + log_gamma) + log_gamma_excess(ratio, one, change)


@closed_form("kl", PARETO, PARETO)
def pareto(p: Any, q: Any) -> Array:
    """ρ − 1 − log ρ + α_q log(m_p/m_q) with ρ = α_q/α_p; infinite where m_p < m_q."""
    xp = ops(*p.values(), *q.values())
    inside = p["scale"] >= q["scale"]
    m = xp.where(inside, p["scale"], q["scale"])
    value = ratio_excess(q["alpha"], p["alpha"]) + q["alpha"] * log_ratio(m, q["scale"], m - q["scale"])
    return xp.where(inside, value, math.inf)


@closed_form("kl", INVERSE_GAUSSIAN, INVERSE_GAUSSIAN)
def inverse_gaussian(p: Any, q: Any) -> Array:
    """½ (ρ − 1 − log ρ) + ½ λ_q (μ_p − μ_q)²/(μ_p μ_q²) with ρ = λ_q/λ_p."""
    gap = (p["mean"] - q["mean"]) / q["mean"]
    return 0.5 * (ratio_excess(q["shape"], p["shape"]) + q["shape"] / p["mean"] * gap * gap)
