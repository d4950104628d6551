"""Wishart and inverse Wishart laws, and a mean and a covariance drawn together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.errors import InvalidInputError
from kullback.exact.families.normal import TRIANGULAR, between_multivariate_normals
from kullback.exact.law import POSITIVE, REAL, Family
from kullback.exact.registry import closed_form, family, geodesic
from kullback.exact.remainders import log_ratio
from kullback.exact.scatter import log_diagonal_ratio, scatter_excess
from kullback.exact.triangular import factor, solve, transpose


class _Scatter:
    """What Wishart and inverse Wishart laws share: a log-density of either of a matrix and draws of SciPy."""

    def __init__(self, df: float, scale_tril: np.ndarray) -> None:
        self.df, self.lower = df, scale_tril
        self.d = len(scale_tril)
        # ½ df log of the determinant of the scale
        self.volume = df * float(np.sum(np.log(np.diag(scale_tril))))

    @property
    def constant(self) -> float:
        gammas = sum(math.lgamma(0.5 * (self.df - i)) for i in range(self.d))
        area = 0.25 * self.d * (self.d - 1) * math.log(math.pi)
        return 0.5 * self.df * self.d * math.log(2.0) + gammas + area

    def drawn(self, name: str, size: int, random_state: Any) -> np.ndarray:
        from scipy import stats

        law = getattr(stats, name)(self.df, self.lower @ self.lower.T)
        return np.asarray(law.rvs(size=size, random_state=random_state)).reshape(size, self.d, self.d)


class _Wishart(_Scatter):
    def logpdf(self, x: np.ndarray) -> np.ndarray:
        trace = np.trace(np.linalg.solve(self.lower @ self.lower.T, x), axis1=-2, axis2=-1)
        power = 0.5 * (self.df - self.d - 1.0)
        return power * np.linalg.slogdet(x)[1] - 0.5 * trace - self.volume - self.constant

    def rvs(self, *, size: int, random_state: Any) -> np.ndarray:
        return self.drawn("wishart", size, random_state)


class _InverseWishart(_Scatter):
    def logpdf(self, x: np.ndarray) -> np.ndarray:
        trace = np.trace(np.linalg.solve(x, self.lower @ self.lower.T), axis1=-2, axis2=-1)
        power = 0.5 * (self.df + self.d + 1.0)
        return self.volume - power * np.linalg.slogdet(x)[1] - 0.5 * trace - self.constant

    def rvs(self, *, size: int, random_state: Any) -> np.ndarray:
        return self.drawn("invwishart", size, random_state)


class _NormalInverseWishart:
    """Events of shape (d + 1, d): the mean, and the covariance below it."""

    def __init__(self, p: Any) -> None:
        self.loc, self.share = p["loc"], p["precision_scale"]
        self.scatter = _InverseWishart(p["df"], p["scale_tril"])

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        covariance, gap = x[..., 1:, :], x[..., 0, :] - self.loc
        square = np.sum(gap * np.linalg.solve(covariance, gap[..., None])[..., 0], axis=-1)
        volume = np.linalg.slogdet(covariance)[1] + len(self.loc) * math.log(2.0 * math.pi / self.share)
        return self.scatter.logpdf(covariance) - 0.5 * (volume + self.share * square)

    def rvs(self, *, size: int, random_state: Any) -> np.ndarray:
        covariance = self.scatter.rvs(size=size, random_state=random_state)
        noise = random_state.standard_normal((size, len(self.loc), 1)) / math.sqrt(self.share)
        loc = self.loc + (np.linalg.cholesky(covariance) @ noise)[..., 0]
        return np.concatenate([loc[:, None, :], covariance], axis=1)


def _enough(label: str, p: Any) -> None:
    d, df = p["scale_tril"].shape[-1], p["df"]
    if np.any(df <= d - 1):
        raise InvalidInputError(
            f"{label}'s df is {float(np.min(df)):g}; for matrices of {d} rows expected more than {d - 1}"
        )


def _square(p: Any) -> tuple[int, ...]:
    return tuple(p["scale_tril"].shape[-2:])


def _below_mean(p: Any) -> tuple[int, ...]:
    d = p["scale_tril"].shape[-1]
    return d + 1, d


_PARAMETERS = {"df": POSITIVE, "scale_tril": TRIANGULAR}
WISHART = family(
    Family(
        "wishart",
        _PARAMETERS,
        frozen=lambda p: _Wishart(p["df"], p["scale_tril"]),
        rank=2,
        ranks={"scale_tril": 2},
        shape=_square,
        joint=_enough,
    )
)
INVERSE_WISHART = family(
    Family(
        "inverse_wishart",
        _PARAMETERS,
        frozen=lambda p: _InverseWishart(p["df"], p["scale_tril"]),
        rank=2,
        ranks={"scale_tril": 2},
        shape=_square,
        joint=_enough,
    )
)
NORMAL_INVERSE_WISHART = family(
    Family(
        "normal_inverse_wishart",
        {"loc": REAL, "precision_scale": POSITIVE, **_PARAMETERS},
        frozen=_NormalInverseWishart,
        rank=2,
        ranks={"loc": 1, "scale_tril": 2},
        shape=_below_mean,
        joint=_enough,
    )
)


@closed_form("kl", WISHART, WISHART)
def wishart(p: Any, q: Any) -> Array:
    """Σ k(½n_q, ½n_p λ_j) over the eigenvalues of V_q⁻¹V_p, and the remainders of log Γ at ½(n_q − i) beyond them."""
    change = solve(q["scale_tril"], p["scale_tril"] - q["scale_tril"])
    return _scatter(p, q, change, log_diagonal_ratio(p["scale_tril"], q["scale_tril"]))


@closed_form("kl", INVERSE_WISHART, INVERSE_WISHART)
def inverse_wishart(p: Any, q: Any) -> Array:
    """The Wishart form for the inverse scale matrices."""
    change = solve(p["scale_tril"], q["scale_tril"] - p["scale_tril"])
    return _scatter(p, q, change, log_diagonal_ratio(q["scale_tril"], p["scale_tril"]))


def _scatter(p: Any, q: Any, change: Array, log_on: Array) -> Array:
    a, b = 0.5 * p["df"], 0.5 * q["df"]
    zero = 0.0 * (a + b)
    return scatter_excess(a + zero, b + zero, 0.5 * (q["df"] - p["df"]) + zero, change, log_on)


@closed_form("kl", NORMAL_INVERSE_WISHART, NORMAL_INVERSE_WISHART)
def normal_inverse_wishart(p: Any, q: Any) -> Array:
    """The inverse Wishart form, ½d(ρ − 1 − log ρ) with ρ = λ_q/λ_p, and ½ λ_q n_p ‖L_p⁻¹(μ_p − μ_q)‖²."""
    xp = ops(p["loc"], q["loc"])
    a, b = p["precision_scale"], q["precision_scale"]
    shift = solve(p["scale_tril"], (p["loc"] - q["loc"])[..., None])[..., 0]
    widths = p["loc"].shape[-1] * exp_remainder(log_ratio(b, a, b - a))
    return inverse_wishart(p, q) + 0.5 * (widths + b * p["df"] * xp.sum(shift * shift))


@geodesic(WISHART)
def between_wisharts(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Degrees of freedom and inverse scale matrices mix."""
    still = ops(p["scale_tril"]).zeros_like(p["scale_tril"][..., 0])
    first, second = ({"loc": still, "scale_tril": s["scale_tril"]} for s in (p, q))
    middle, exists = between_multivariate_normals(first, second, order)
    return _kept(p, q, order, middle["scale_tril"], exists)


@geodesic(INVERSE_WISHART)
def between_inverse_wisharts(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Degrees of freedom and scale matrices mix."""
    root, exists = factor(_mixed_scatter(p, q, order))
    return _kept(p, q, order, q["scale_tril"] @ root, exists)


@geodesic(NORMAL_INVERSE_WISHART)
def between_normal_inverse_wisharts(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Degrees of freedom, precision scales, weighted means and scale matrices about their mean mix."""
    xp = ops(p["loc"], q["loc"])
    a, b = order * p["precision_scale"], (1.0 - order) * q["precision_scale"]
    good = a + b > 0
    share = xp.where(good, a + b, 1.0)
    gap = p["loc"] - q["loc"]
    shift = solve(q["scale_tril"], gap[..., None])
    spread = (a * b / share)[..., None, None] * (shift @ transpose(shift))
    root, exists = factor(_mixed_scatter(p, q, order) + spread)
    middle, exists = _kept(p, q, order, q["scale_tril"] @ root, exists & good)
    middle["loc"] = q["loc"] + (a / share)[..., None] * gap
    middle["precision_scale"] = xp.where(exists, share, q["precision_scale"])
    return middle, exists


def _mixed_scatter(p: Any, q: Any, order: float) -> Array:
    """a Ψ_p + (1 − a) Ψ_q in the coordinates in which Ψ_q is the identity."""
    whitened = solve(q["scale_tril"], p["scale_tril"])
    identity = solve(q["scale_tril"], q["scale_tril"])
    return order * (whitened @ transpose(whitened)) + (1.0 - order) * identity


def _kept(p: Any, q: Any, order: float, lower: Array, exists: Array) -> tuple[dict[str, Array], Array]:
    xp = ops(lower)
    df = order * p["df"] + (1.0 - order) * q["df"]
    exists = exists & (df > lower.shape[-1] - 1)
    tril = xp.where(exists[..., None, None], lower, q["scale_tril"])
    return {"df": xp.where(exists, df, q["df"]), "scale_tril": tril}, exists
