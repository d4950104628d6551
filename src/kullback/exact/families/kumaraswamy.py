r"""Kumaraswamy laws on (0, 1): powers of beta laws, and their divergence to beta laws.

In $t = -\log(1 - x^a)$ a Kumaraswamy law is exponential with rate b. The expectations that have no finite form are
integrals over log t of functions that are analytic in a strip around the line and vanish at both ends: the trapezoidal
rule is exact to rounding, and its terms k(p, q) = p log(p/q) − p + q are non-negative. (The power series of log(1 − x)
needs millions of terms where b is small.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.divergences import kl
from kullback.errors import UnsupportedPairError
from kullback.exact.binet import binet
from kullback.exact.families.gamma import BETA
from kullback.exact.law import POSITIVE, UNIT, Family, to_numpy
from kullback.exact.registry import closed_form, family
from kullback.exact.remainders import log_ratio, ratio_excess

_STEP = 0.12  # of the trapezoidal rule, in log t: the nearest singularity is at distance π/2
_DEPTH = 42.0  # −log of what is left out
_MOST = 1_000_000  # points
_FLAT = 36.0  # t beyond which e^(−t) is below rounding


class _Kumaraswamy:
    """SciPy has no such law."""

    def __init__(self, a: float, b: float) -> None:
        self._a, self._b = a, b

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        log_x = np.log(x)
        rest = np.log(-np.expm1(self._a * log_x))
        return math.log(self._a) + math.log(self._b) + (self._a - 1.0) * log_x + (self._b - 1.0) * rest

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return (-np.expm1(np.log1p(-u) / self._b)) ** (1.0 / self._a)

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))


KUMARASWAMY = family(
    Family(
        "kumaraswamy",
        {"concentration1": POSITIVE, "concentration0": POSITIVE},
        lambda _: UNIT,
        lambda p: _Kumaraswamy(p["concentration1"], p["concentration0"]),
    )
)


@closed_form("kl", KUMARASWAMY, KUMARASWAMY)
def kumaraswamy(p: Any, q: Any) -> Array:
    """ρ − 1 − log ρ with ρ = b_q/b_p for equal a; else the integral of k(p, q) over log t."""
    a, b = p["concentration1"], p["concentration0"]
    c, d = q["concentration1"], q["concentration0"]
    xp = ops(a, b, c, d)
    # with equal a the short form has no derivative by a
    if not xp.GRADIENTS and not bool(xp.any(xp.asarray(a != c))):
        return ratio_excess(d, b)
    log_power = log_ratio(c, a, c - a)
    return _integral(
        b, _Other(c / a, (c - a) / a, log_power, (c - a) / a, log_ratio(b, d, b - d) - log_power, d)
    )


@closed_form("kl", KUMARASWAMY, BETA)
def kumaraswamy_beta(p: Any, q: Any) -> Array:
    """The integral of k(p, q) over log t, t = −log(1 − xᵃ)."""
    a, b = p["concentration1"], p["concentration0"]
    alpha, beta = q["concentration1"], q["concentration0"]
    xp = ops(a, b, alpha, beta)
    level = xp.log(a) + xp.log(b) + log_beta(alpha, beta)
    return _integral(b, _Other(1.0 / a, (1.0 - a) / a, -xp.log(a), (alpha - a) / a, level, beta))


@dataclass(frozen=True)
class _Other:
    """The second law in y = xᵃ: its density is proportional to y^rise (1 − y^power)^(shape − 1)."""

    power: Array
    power_change: Array  # power − 1
    log_power: Array
    rise: Array
    level: Array  # the logarithm of b over its constant
    shape: Array


def _integral(b: Array, other: _Other) -> Array:
    xp = ops(b, other.shape)
    zero = 0.0 * (b + other.power + other.rise + other.shape)
    b, at = (b + zero)[..., None], _Other(*((x + zero)[..., None] for x in vars(other).values()))
    if not xp.concrete(zero):
        raise UnsupportedPairError(
            "the points of the integral over log t depend on the values: not inside a trace"
        )
    low, step, count = _grid(b[..., 0], other, zero)
    s = low[..., None] + step[..., None] * xp.asarray(np.arange(count + 1.0), like=zero)
    t = xp.exp(s)
    early = xp.minimum(t, _FLAT)
    # from _FLAT on y is 1 to the last bit
    tiny = xp.clip(t, 1e-300, 0.5)
    log_y = xp.where(t < 0.5, s + xp.log(-xp.expm1(-tiny) / tiny), xp.log1p(-xp.exp(-xp.maximum(t, 0.5))))
    bracket = xp.where(t < _FLAT, _log_bracket(log_y, early, at), at.log_power)
    r = at.level - at.rise * log_y - (b - at.shape) * t - (at.shape - 1.0) * bracket
    log_p = xp.log(b) + s - b * t
    above = xp.exp(log_p) * exp_remainder(-xp.maximum(r, 0.0))
    below = xp.exp(log_p - xp.minimum(r, 0.0)) * kl.value(xp.minimum(r, 0.0))
    return step * xp.sum(above + below)


def _log_bracket(log_y: Array, t: Array, at: _Other) -> Array:
    """log((1 − y^power)/(1 − y)), which vanishes where the power is 1."""
    xp = ops(log_y)
    growth, y = at.power_change * log_y, xp.exp(log_y)
    gap = xp.where(growth < 1.0, y * xp.expm1(xp.minimum(growth, 1.0)), xp.exp(at.power * log_y) - y)
    change = -gap * xp.exp(t)
    near = xp.abs(change) < 0.5
    small = -xp.expm1(xp.where(near, -1.0, at.power * log_y))
    return xp.where(near, xp.log1p(xp.where(near, change, 0.0)), xp.log(small) + t)


def _grid(b: Array, other: _Other, zero: Array) -> tuple[Array, Array, int]:
    """From where both laws have left nothing to where they leave nothing, in steps that the singularities allow."""
    first, power, rise, shape, level = (
        to_numpy(x + zero) for x in (b, other.log_power, other.rise, other.shape, other.level)
    )
    constant = np.log(first) - level
    heights = (0.0, np.log(first), constant, constant + (shape - 1.0) * power)
    depth = _DEPTH + np.maximum.reduce(np.broadcast_arrays(*heights))
    low = -depth / np.minimum(1.0, 1.0 + rise)
    high = np.log(depth / np.minimum(first, shape))
    # 1 − y^power has zeros near the line where the power is large
    angle = np.arctan2(0.5 * math.pi, np.maximum(power - math.log(4.0), 0.0))
    count = int(np.max(np.ceil((high - low) / (_STEP * angle / (0.5 * math.pi)))))
    if not 0 < count < _MOST:
        raise UnsupportedPairError(f"the integral over log t would take {count} points, {_MOST} at most")
    xp = ops(zero)
    return xp.asarray(low, like=zero), xp.asarray((high - low) / count, like=zero), count


def log_beta(a: Array, b: Array) -> Array:
    """log B(a, b) of positive numbers, elementwise."""
    xp = ops(a, b)
    parts = [(z - 0.5) * xp.log(z) + binet(z) for z in (a + 0.0 * b, b + 0.0 * a, a + b)]
    return parts[0] + parts[1] - parts[2] + 0.5 * math.log(2.0 * math.pi)
