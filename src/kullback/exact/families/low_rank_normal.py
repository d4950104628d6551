"""Normal laws in many dimensions whose covariance is a diagonal and a product of thin matrices, D + W Wᵀ.

No matrix of d rows and d columns is formed: the cost is that of d r² for r columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.exact.law import POSITIVE, REAL, Family
from kullback.exact.registry import closed_form, family
from kullback.exact.remainders import ratio_excess
from kullback.exact.triangular import diagonal, factor, solve, transpose

_NEAR = 0.01  # a divergence below which the integral along the segment is exact to rounding
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


class _LowRank:
    def __init__(self, p: Any) -> None:
        self._loc, self._factor, self._noise = p["loc"], p["cov_factor"], p["cov_diag"]

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        root = np.sqrt(self._noise)
        z, thin = (x - self._loc) / root, self._factor / root[:, None]
        inner = np.eye(thin.shape[1]) + thin.T @ thin
        along = np.linalg.solve(inner, (z @ thin)[..., None])[..., 0]
        square = np.sum((z - along @ thin.T) ** 2, axis=-1) + np.sum(along**2, axis=-1)
        volume = np.sum(np.log(self._noise)) + np.linalg.slogdet(inner)[1]
        return -0.5 * (square + volume + z.shape[-1] * math.log(2.0 * math.pi))

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        d, r = self._factor.shape
        own, shared = random_state.standard_normal((size, d)), random_state.standard_normal((size, r))
        return self._loc + np.sqrt(self._noise) * own + shared @ self._factor.T


def _dense(p: Any) -> dict[str, Array]:
    thin, noise = p["cov_factor"], p["cov_diag"]
    covariance = thin @ transpose(thin) + noise[..., None] * _identity(noise, noise.shape[-1])
    return {"loc": p["loc"], "scale_tril": factor(covariance)[0]}


LOW_RANK_NORMAL = family(
    Family(
        "low_rank_normal",
        {"loc": REAL, "cov_factor": REAL, "cov_diag": POSITIVE},
        frozen=_LowRank,
        rank=1,
        ranks={"loc": 1, "cov_factor": 2, "cov_diag": 1},
        wider={"multivariate_normal": _dense},
        shape=lambda p: (int(p["cov_diag"].shape[-1]),),
    )
)


@closed_form("kl", LOW_RANK_NORMAL, LOW_RANK_NORMAL)
def low_rank_normal(p: Any, q: Any) -> Array:
    """The multivariate normal form by Woodbury's identity, and along the segment of covariances where both are near."""
    xp = ops(p["loc"], q["loc"])
    root = xp.sqrt(q["cov_diag"])
    first, second = _same_width(p["cov_factor"], q["cov_factor"])
    mine, other, change = (x / root[..., None] for x in (first, second, first - second))
    growth = (p["cov_diag"] - q["cov_diag"]) / q["cov_diag"]
    # thin matrices are set side by side, which needs one batch for all
    batch = 0.0 * (change + growth[..., None])
    mine, other, change = (x + batch for x in (mine, other, change))
    inner, _ = factor(_gram(other))
    shift = ((p["loc"] - q["loc"]) / root)[..., None]
    far = _far(p, q, mine, other, inner)
    near = far < _NEAR
    if not xp.concrete(near) or bool(xp.any(near)):
        segment = _segment(growth, mine, other, change)
        far = xp.where(near, segment, far)
    return far + 0.5 * _square(shift, other, inner)


def _far(p: Any, q: Any, mine: Array, other: Array, inner: Array) -> Array:
    """½(tr(Σ_q⁻¹Σ_p) − d − log|Σ_q⁻¹Σ_p|), in coordinates in which the diagonal of q is 1."""
    xp = ops(mine, other)
    thin = _unmixed(other, inner)
    ratios = p["cov_diag"] / q["cov_diag"]
    own, _ = factor(_gram(p["cov_factor"] / xp.sqrt(p["cov_diag"])[..., None]))
    volumes = xp.sum(xp.log(diagonal(inner))) - xp.sum(xp.log(diagonal(own)))
    noise = xp.sum(ratio_excess(p["cov_diag"], q["cov_diag"]) - ratios * xp.sum(thin * thin))
    return 0.5 * (noise + _square(mine, other, inner)) + volumes


def _square(x: Array, thin: Array, inner: Array) -> Array:
    """tr(Xᵀ(1 + V Vᵀ)⁻¹X) = ‖X − V C‖² + ‖C‖² with C = (1 + VᵀV)⁻¹VᵀX, given the factor of 1 + VᵀV."""
    xp = ops(x, thin)
    small = solve(inner, _identity(inner, inner.shape[-1]) + 0.0 * inner)
    along = transpose(small) @ (small @ (transpose(thin) @ x))
    rest = x - thin @ along
    return xp.sum(xp.sum(rest * rest)) + xp.sum(xp.sum(along * along))


def _segment(growth: Array, mine: Array, other: Array, change: Array) -> Array:
    r"""$\frac12 \int_0^1 (1 - t) \operatorname{tr}((\Sigma_t^{-1} \Delta)^2) dt$ with Δ = Σ_p − Σ_q, no large terms."""
    total = 0.0
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        t = 0.5 * (node + 1.0)
        total = total + 0.25 * weight * (1.0 - t) * _curvature(t, growth, mine, other, change)
    return total


def _curvature(t: float, growth: Array, mine: Array, other: Array, change: Array) -> Array:
    """tr((Σ⁻¹Δ)²) at Σ = 1 + t·growth + F Fᵀ, where Σ⁻¹Δ is a diagonal and a product of thin matrices P Qᵀ."""
    xp = ops(growth, mine)
    noise = (1.0 + t * growth)[..., None]
    between = xp.concat([math.sqrt(t) * mine, math.sqrt(1.0 - t) * other], axis=-1)
    inner, _ = factor(_gram(between / xp.sqrt(noise)))
    thin = _unmixed(between / noise, inner)
    left = xp.concat([change, other], axis=-1)
    left = left / noise - thin @ (transpose(thin) @ left)
    left = xp.concat([-thin, left], axis=-1)
    right = xp.concat([growth[..., None] * thin, mine, change], axis=-1)
    on = growth[..., None] / noise
    small = transpose(right) @ left
    diagonals = xp.sum((on * on)[..., 0]) + 2.0 * xp.sum(xp.sum(on * left * right))
    return diagonals + xp.sum(xp.sum(small * transpose(small)))


def _gram(thin: Array) -> Array:
    """1 + VᵀV."""
    return _identity(thin, thin.shape[-1]) + transpose(thin) @ thin


def _identity(like: Array, n: int) -> Array:
    xp = ops(like)
    return xp.to_float(xp.asarray(np.eye(n), like=like), 64)


def _unmixed(thin: Array, lower: Array) -> Array:
    """V L⁻ᵀ, by the inverse of the small factor: the thin matrix is read once."""
    return thin @ transpose(solve(lower, _identity(lower, lower.shape[-1]) + 0.0 * lower))


def _same_width(first: Array, second: Array) -> tuple[Array, Array]:
    """Both with as many columns as the wider one: a column of zeros changes no covariance."""
    xp = ops(first, second)
    a, b = first.shape[-1], second.shape[-1]
    if a == b:
        return first, second
    if a > b:
        return first, xp.concat([second, 0.0 * first[..., : a - b]], axis=-1)
    return xp.concat([first, 0.0 * second[..., : b - a]], axis=-1), second
