"""Von Mises laws of angles and von Mises–Fisher laws of directions in any dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import tilted
from kullback.exact.law import NON_NEGATIVE, REAL, Family, Support
from kullback.exact.registry import closed_form, family, geodesic, squared

_UNIT = 1e-6  # how far from 1 the length of a direction may be: that of single precision


class _VonMises:
    """SciPy's law on [−π, π), whatever its mode."""

    def __init__(self, loc: float, concentration: float) -> None:
        self._loc, self._concentration = loc, concentration

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        k = self._concentration
        return -2.0 * k * np.sin(0.5 * (x - self._loc)) ** 2 - _log_ring(k)

    def ppf(self, u: np.ndarray) -> np.ndarray:
        from scipy import stats

        # no quantiles at the cut, but where each stretch of mass begins and ends
        centred: Any = stats.vonmises(np.asarray(self._concentration))
        return np.sort(_wrapped(self._loc + centred.ppf(u)))

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        return _wrapped(self._loc + random_state.vonmises(0.0, self._concentration, size))


class _VonMisesFisher:
    """Log-density by the integral that the closed form uses, which holds in every dimension; draws of SciPy."""

    def __init__(self, direction: np.ndarray, concentration: float) -> None:
        self._direction, self._concentration = direction, concentration

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        m = self._direction.shape[-1] - 1
        # the area of the sphere one dimension below
        area = math.log(2.0) + 0.5 * m * math.log(math.pi) - math.lgamma(0.5 * m)
        k = np.asarray(self._concentration)
        gap = x - self._direction
        return -0.5 * k * np.sum(gap * gap, axis=-1) - float(tilted.log_total(k, m)) - area

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        from scipy import stats

        if self._concentration == 0:
            return stats.uniform_direction(len(self._direction)).rvs(size=size, random_state=random_state)
        made: Any = stats.vonmises_fisher
        law = made(self._direction, self._concentration)
        return np.asarray(law.rvs(size=size, random_state=random_state))


def _log_ring(concentration: float) -> float:
    """log ∫ e^(κ (cos x − 1)) dx over the circle."""
    from scipy import special

    return float(np.log(2.0 * math.pi * special.i0e(np.asarray(concentration))))


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return np.mod(angle + math.pi, 2.0 * math.pi) - math.pi


def _unit(label: str, p: Any) -> None:
    direction = p["direction"]
    if direction.shape[-1] < 2:
        raise ShapeError(f"{label}'s direction has {direction.shape[-1]} coordinates; it needs at least 2")
    length = np.sqrt(np.sum(direction * direction, axis=-1))
    if np.any(np.abs(length - 1.0) > _UNIT):
        worst = float(length.ravel()[np.argmax(np.abs(length - 1.0))])
        raise InvalidInputError(
            f"{label}'s direction has length {worst:g}; expected a unit vector: divide by it"
        )


VON_MISES = family(
    Family(
        "von_mises",
        {"loc": REAL, "concentration": NON_NEGATIVE},
        lambda _: Support(-math.pi, math.pi),
        lambda p: _VonMises(p["loc"], p["concentration"]),
    )
)
VON_MISES_FISHER = family(
    Family(
        "von_mises_fisher",
        {"direction": REAL, "concentration": NON_NEGATIVE},
        frozen=lambda p: _VonMisesFisher(p["direction"], p["concentration"]),
        rank=1,
        ranks={"direction": 1},
        joint=_unit,
    )
)


@closed_form("kl", VON_MISES, VON_MISES)
def von_mises(p: Any, q: Any) -> Array:
    """The remainder of log I₀ at κ_q, taken at κ_p, and 2 κ_q A(κ_p) sin²(½(μ_p − μ_q)) with A = I₁/I₀."""
    half = ops(p["loc"], q["loc"]).sin(0.5 * (p["loc"] - q["loc"]))
    return _apart(p["concentration"], q["concentration"], 2.0 * half * half, 1)


@closed_form("kl", VON_MISES_FISHER, VON_MISES_FISHER)
def von_mises_fisher(p: Any, q: Any) -> Array:
    """The remainder of the log-normaliser at κ_q, taken at κ_p, and ½ κ_q A(κ_p) ‖μ_p − μ_q‖², A the mean cosine."""
    gap = p["direction"] - q["direction"]
    turn = 0.5 * ops(gap).sum(gap * gap)
    return _apart(p["concentration"], q["concentration"], turn, p["direction"].shape[-1] - 1)


def _apart(x: Array, y: Array, turn: Array, m: int) -> Array:
    return tilted.excess(y, x, m) + y * tilted.cosine(x + 0.0 * turn, m).mean * turn


@geodesic(VON_MISES)
def between_von_mises(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Vectors of length κ in the direction μ mix."""
    xp = ops(p["loc"], q["loc"])
    angle = p["loc"] - q["loc"]
    mine, other = order * p["concentration"], (1.0 - order) * q["concentration"]
    along, across = mine * xp.cos(angle) + other, mine * xp.sin(angle)
    length, live = _length(along * along + across * across)
    turn = xp.atan2(xp.where(live, across, 0.0), xp.where(live, along, 1.0))
    return {"loc": q["loc"] + turn, "concentration": length}, length >= 0


@geodesic(VON_MISES_FISHER)
def between_von_mises_fishers(p: Any, q: Any, order: float) -> tuple[dict[str, Array], Array]:
    """Vectors of length κ in the direction μ mix."""
    a, b = p["direction"], q["direction"]
    xp = ops(a, b)
    mixed = order * p["concentration"][..., None] * a + (1.0 - order) * q["concentration"][..., None] * b
    length, live = _length(xp.sum(mixed * mixed))
    safe = xp.where(live, length, 1.0)[..., None]
    return {"direction": xp.where(live[..., None], mixed / safe, b), "concentration": length}, length >= 0


def _length(square: Array) -> tuple[Array, Array]:
    """The root, and where it is not 0, so that its gradient exists."""
    xp = ops(square)
    live = square > 0
    return xp.where(live, xp.sqrt(xp.where(live, square, 1.0)), 0.0), live


@squared(VON_MISES)
def von_mises_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """The concentration doubles."""
    return {**p, "concentration": 2.0 * p["concentration"]}, p["concentration"] >= 0


@squared(VON_MISES_FISHER)
def von_mises_fisher_squared(p: Any) -> tuple[dict[str, Array], Array]:
    """The concentration doubles."""
    return {**p, "concentration": 2.0 * p["concentration"]}, p["concentration"] >= 0
