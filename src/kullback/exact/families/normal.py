"""Normal laws in one and in many dimensions, and their half."""

from __future__ import annotations

from typing import Any

from kullback._ops import Array, ops
from kullback.exact.law import HALF_LINE, LINE, POSITIVE, REAL, Domain, Family
from kullback.exact.registry import closed_form, family, geodesic, squared
from kullback.exact.remainders import ratio_excess
from kullback.exact.triangular import diagonal, solve, transpose, upper_factor


def _one(p: Any) -> Any:
    from scipy import stats

    return stats.norm(p["loc"], p["scale"])


def _half(p: Any) -> Any:
    from scipy import stats

    return stats.halfnorm(scale=p["scale"])


def _many(p: Any) -> Any:
    from scipy import stats

    covariance: Any = stats.Covariance.from_cholesky(p["scale_tril"])
    return stats.multivariate_normal(p["loc"], covariance)


def _triangular(x: Any) -> Any:
    import numpy as np

    d = x.shape[-1]
    below, on = np.tri(d, k=-1, dtype=bool), np.eye(d, dtype=bool)
    return np.isfinite(x) & np.where(on, x > 0, np.where(below, True, x == 0))


TRIANGULAR = Domain("a lower-triangular matrix with a positive diagonal", _triangular)
NORMAL = family(Family("normal", {"loc": REAL, "scale": POSITIVE}, lambda _: LINE, _one))
HALF_NORMAL = family(Family("half_normal", {"scale": POSITIVE}, lambda _: HALF_LINE, _half))
MULTIVARIATE_NORMAL = family(
    Family(
        "multivariate_normal",
        {"loc": REAL, "scale_tril": TRIANGULAR},
        frozen=_many,
        rank=1,
        ranks={"loc": 1, "scale_tril": 2},
    )
)


@closed_form("kl", NORMAL, NORMAL)
def normal(p: Any, q: Any) -> Array:
    """½e² + e − log(1 + e) + ½((μ_p − μ_q)/σ_q)² with e = (σ_p − σ_q)/σ_q."""
    shift = (p["loc"] - q["loc"]) / q["scale"]
    return half_normal(p, q) + 0.5 * shift * shift


@closed_form("kl", HALF_NORMAL, HALF_NORMAL)
def half_normal(p: Any, q: Any) -> Array:
    """½e² + e − log(1 + e) with e = (σ_p − σ_q)/σ_q."""
    growth = (p["scale"] - q["scale"]) / q["scale"]
    return 0.5 * growth * growth + ratio_excess(p["scale"], q["scale"])


@geodesic(NORMAL)
def between_normals(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Precisions and precision-weighted means mix."""
    middle, exists = between_half_normals(p, q, order)
    # a share of the way from q to p, in the precision of p relative to the mixed one
    share = order * (middle["scale"] / p["scale"]) ** 2
    loc = q["loc"] + share * (p["loc"] - q["loc"])
    return {"loc": loc, "scale": middle["scale"]}, exists


@geodesic(HALF_NORMAL)
def between_half_normals(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Precisions mix."""
    xp = ops(p["scale"], q["scale"])
    ratio = q["scale"] / p["scale"]
    # 1 + a (ρ² − 1), with the difference formed from the scales
    grown = 1.0 + order * (q["scale"] - p["scale"]) / p["scale"] * (1.0 + ratio)
    exists = grown > 0
    return {"scale": q["scale"] / xp.sqrt(xp.where(exists, grown, 1.0))}, exists


@squared(NORMAL)
def normal_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """The variance halves."""
    return {"loc": p["loc"], "scale": p["scale"] / 2**0.5}, p["scale"] > 0


@closed_form("kl", MULTIVARIATE_NORMAL, MULTIVARIATE_NORMAL)
def multivariate_normal(p: Any, q: Any) -> Array:
    """½‖E‖² + Σ (E_ii − log(1 + E_ii)) + ½‖L_q⁻¹(μ_p − μ_q)‖² with E = L_q⁻¹(L_p − L_q)."""
    xp = ops(p["loc"], q["loc"])
    change = solve(q["scale_tril"], p["scale_tril"] - q["scale_tril"])
    shift = solve(q["scale_tril"], (p["loc"] - q["loc"])[..., None])[..., 0]
    volumes = ratio_excess(diagonal(p["scale_tril"]), diagonal(q["scale_tril"]))
    return 0.5 * xp.sum(xp.sum(change * change)) + xp.sum(volumes + 0.5 * shift * shift)


@geodesic(MULTIVARIATE_NORMAL)
def between_multivariate_normals(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Precisions and precision-weighted means mix, in the coordinates in which q is standard."""
    xp = ops(p["loc"], q["loc"])
    inverse = solve(p["scale_tril"], q["scale_tril"])
    precision = transpose(inverse) @ inverse
    identity = solve(q["scale_tril"], q["scale_tril"])
    upper, exists = upper_factor(order * precision + (1.0 - order) * identity)
    shift = solve(q["scale_tril"], (p["loc"] - q["loc"])[..., None])
    lower = transpose(upper)
    middle = _solve_upper(upper, order * (precision @ shift))
    loc = q["loc"] + (q["scale_tril"] @ solve(lower, middle))[..., 0]
    root = solve(lower, xp.zeros_like(lower) + identity)
    return {"loc": loc, "scale_tril": q["scale_tril"] @ root}, exists


def _solve_upper(upper: Array, right: Array) -> Array:
    """U⁻¹ B for upper-triangular U: the lower-triangular case in reversed order."""
    import numpy as np

    xp = ops(upper)
    turn = xp.to_float(xp.asarray(np.eye(upper.shape[-1])[::-1].copy(), like=upper), xp.precision(upper))
    return turn @ solve(turn @ upper @ turn, turn @ right)


@squared(MULTIVARIATE_NORMAL)
def multivariate_normal_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """The covariance halves."""
    good = diagonal(p["scale_tril"])[..., 0] > 0
    return {"loc": p["loc"], "scale_tril": p["scale_tril"] / 2**0.5}, good
