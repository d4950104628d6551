"""Gamma, exponential, beta and Dirichlet laws: remainders of log Γ."""

from __future__ import annotations

from typing import Any

from kullback._ops import Array, ops
from kullback.exact.law import HALF_LINE, POSITIVE, UNIT, Family
from kullback.exact.registry import closed_form, family, geodesic, squared
from kullback.exact.remainders import excess_at, log_ratio, ratio_excess, stirling_excess


def _gamma(p: Any) -> Any:
    from scipy import stats

    return stats.gamma(p["concentration"], scale=1.0 / p["rate"])


def _exponential(p: Any) -> Any:
    from scipy import stats

    return stats.expon(scale=1.0 / p["rate"])


def _beta(p: Any) -> Any:
    from scipy import stats

    return stats.beta(p["concentration1"], p["concentration0"])


class _Dirichlet:
    """SciPy's law, with points along the first axis as everywhere else."""

    def __init__(self, concentration: Any) -> None:
        from scipy import stats

        self._law = stats.dirichlet(concentration)

    def logpdf(self, x: Any) -> Any:
        return self._law.logpdf(x.T)

    def rvs(self, *, size: int, random_state: Any) -> Any:
        return self._law.rvs(size=size, random_state=random_state)


GAMMA = family(Family("gamma", {"concentration": POSITIVE, "rate": POSITIVE}, lambda _: HALF_LINE, _gamma))
EXPONENTIAL = family(
    Family(
        "exponential",
        {"rate": POSITIVE},
        lambda _: HALF_LINE,
        _exponential,
        wider={
            "gamma": lambda p: {"concentration": 0.0 * p["rate"] + 1.0, "rate": p["rate"]},
            "weibull": lambda p: {"concentration": 0.0 * p["rate"] + 1.0, "scale": 1.0 / p["rate"]},
        },
    )
)
BETA = family(Family("beta", {"concentration1": POSITIVE, "concentration0": POSITIVE}, lambda _: UNIT, _beta))
DIRICHLET = family(
    Family(
        "dirichlet",
        {"concentration": POSITIVE},
        frozen=lambda p: _Dirichlet(p["concentration"]),
        rank=1,
        ranks={"concentration": 1},
    )
)


@closed_form("kl", GAMMA, GAMMA)
def gamma(p: Any, q: Any) -> Array:
    """k(a_q, a_p b_q/b_p) and the Stirling part of the remainder of log Γ at a_q, taken at a_p."""
    a, b, gap = q["concentration"], p["concentration"], q["concentration"] - p["concentration"]
    turn = log_ratio(q["rate"], p["rate"], q["rate"] - p["rate"])
    means = excess_at(b * (q["rate"] / p["rate"]), log_ratio(a, b, gap) - turn)
    return means + stirling_excess(a, b, gap)


@geodesic(GAMMA)
def between_gammas(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Concentrations and rates mix."""
    return _mix(p, q, order)


@squared(GAMMA)
def gamma_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """Concentration 2a − 1, rate 2b."""
    doubled, exists = _doubled(p["concentration"])
    return {"concentration": doubled, "rate": 2.0 * p["rate"]}, exists


@closed_form("kl", EXPONENTIAL, EXPONENTIAL)
def exponential(p: Any, q: Any) -> Array:
    """ρ − 1 − log ρ with ρ = b_q/b_p."""
    return ratio_excess(q["rate"], p["rate"])


@geodesic(EXPONENTIAL)
def between_exponentials(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Rates mix."""
    return _mix(p, q, order)


@closed_form("kl", DIRICHLET, DIRICHLET)
def dirichlet(p: Any, q: Any) -> Array:
    """Σ k(β_i, α_i B/A) and the Stirling parts of log Γ at the β_i, less that at their sum B."""
    alpha, beta = p["concentration"], q["concentration"]
    xp = ops(alpha, beta)
    gaps = beta - alpha
    # the sum of the differences, which the difference of the sums would round away
    whole_p, whole_q, gap = (xp.sum(x, keepdims=True) for x in (alpha, beta, gaps))
    gap = gap + xp.zeros_like(whole_p + whole_q)
    turn = log_ratio(whole_q, whole_p, gap)
    parts = excess_at(alpha * (whole_q / whole_p), log_ratio(beta, alpha, gaps) - turn)
    parts = parts + stirling_excess(beta, alpha, gaps)
    return xp.sum(parts) - stirling_excess(whole_q, whole_p, gap)[..., 0]


@geodesic(DIRICHLET)
def between_dirichlets(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Concentrations mix."""
    alpha, beta = p["concentration"], q["concentration"]
    xp = ops(alpha, beta)
    mixed = order * alpha + (1.0 - order) * beta
    exists = ~(xp.max(xp.where(mixed > 0, 0.0, xp.zeros_like(mixed) + 1.0)) > 0)
    return {"concentration": xp.where(exists[..., None], mixed, alpha)}, exists


@squared(DIRICHLET)
def dirichlet_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """Concentrations 2α − 1."""
    alpha = p["concentration"]
    xp = ops(alpha)
    exists = ~(xp.max(xp.where(alpha > 0.5, 0.0, xp.zeros_like(alpha) + 1.0)) > 0)
    return {"concentration": xp.where(exists[..., None], 2.0 * alpha - 1.0, alpha)}, exists


@closed_form("kl", BETA, BETA)
def beta(p: Any, q: Any) -> Array:
    """The Dirichlet form with two concentrations."""
    return dirichlet(_as_dirichlet(p), _as_dirichlet(q))


@geodesic(BETA)
def between_betas(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Concentrations mix."""
    return _mix(p, q, order)


@squared(BETA)
def beta_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """Concentrations 2α − 1."""
    first, first_good = _doubled(p["concentration1"])
    second, second_good = _doubled(p["concentration0"])
    return {"concentration1": first, "concentration0": second}, first_good & second_good


def _as_dirichlet(p: Any) -> dict[str, Array]:
    a, b = p["concentration1"], p["concentration0"]
    xp = ops(a, b)
    return {"concentration": xp.stack([a + 0.0 * b, b + 0.0 * a], axis=-1)}


def _mix(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Every parameter mixes, and each has to stay positive."""
    xp = ops(*p.values(), *q.values())
    mixed = {name: order * p[name] + (1.0 - order) * q[name] for name in p}
    exists = True
    for value in mixed.values():
        exists = (value > 0) & exists
    return {name: xp.where(exists, value, p[name]) for name, value in mixed.items()}, exists


def _doubled(a: Array) -> tuple[Array, Array]:
    exists = a > 0.5
    return ops(a).where(exists, 2.0 * a - 1.0, a), exists
