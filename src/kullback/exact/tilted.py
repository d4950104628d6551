r"""The cosine between a random direction and its mode: moments and remainders of a tilted law on (−1, 1).

With m = d − 1 and c = tanh u, the cosine c of a von Mises–Fisher law of concentration κ in d dimensions has a density
proportional to $e^{\kappa \tanh u} / \cosh^m u$ in u. It is analytic and has one mode, at which its curvature lies
between m and 2m whatever κ is, so that one grid around the mode serves every κ, and the trapezoidal rule on it errs by
less than rounding. Every sum has terms of one sign, where Bessel functions would overflow or cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.exact.remainders import log_ratio, ratio_excess

_DEPTH = 42.0  # −log of what is left out relative to the mode
_NEAR = 0.1  # a remainder below which one law's grid resolves the other


@dataclass(frozen=True)
class Cosine:
    """The law for one concentration: its mode, T = tanh u, and what the grid around the mode holds."""

    tanh: Array
    squared_sech: Array  # 1 − T²
    offsets: Array  # c − T
    log_weights: Array  # of the grid, relative to the mode
    total: Array  # what they add up to
    mean: Array  # of c, which is Φ'(κ)
    shift: Array  # of c − T


@cache
def _grid(m: int) -> tuple[np.ndarray, float]:
    reach = math.acosh(1.0 + math.expm1(_DEPTH / m))
    count = math.ceil(reach * math.sqrt(m + 8.0) / 0.36)
    return reach / count * np.arange(-count, count + 1), reach / count


def cosine(kappa: Array, m: int) -> Cosine:
    """The law of the cosine for concentrations κ ≥ 0 of any shape."""
    xp = ops(kappa)
    size = kappa + float(m)
    root = size * xp.sqrt((m / size) ** 2 + 4.0 * (kappa / size) ** 2)
    tanh, squared_sech = 2.0 * kappa / (m + root), 2.0 * m / (m + root)
    x, _ = _grid(m)
    sinh, half, up, down = (
        xp.to_float(xp.asarray(part, like=kappa), 64)
        for part in (np.sinh(x), 2.0 * np.sinh(0.5 * x) ** 2, 0.5 * np.exp(x), 0.5 * np.exp(-x))
    )
    t, y = tanh[..., None], squared_sech[..., None]
    # cosh x + T sinh x, whose terms have one sign
    top = up * (1.0 + t) + down * (y / (1.0 + t))
    log_top = log_ratio(top, xp.zeros_like(top) + 1.0, t * sinh + half)
    log_weights = -m * (half / top + exp_remainder(-log_top))
    weights, offsets = xp.exp(log_weights), sinh * y / top
    total = xp.sum(weights)
    # Stein's identity κ E[1 − c²] = m E[c], a sum of positive terms
    mean = kappa * squared_sech / m * xp.sum(weights / (top * top)) / total
    return Cosine(tanh, squared_sech, offsets, log_weights, total, mean, xp.sum(weights * offsets) / total)


def excess(y: Array, x: Array, m: int) -> Array:
    r"""$\Phi(y) - \Phi(x) - \Phi'(x)(y - x) \ge 0$ for $\Phi(\kappa) = \log \int e^{\kappa c}$, elementwise."""
    xp = ops(y, x)
    y, x = y + 0.0 * x, x + 0.0 * y
    first, second, h = cosine(x, m), cosine(y, m), y - x
    modes = _mode_excess(second, first, m)
    close = modes < _NEAR
    tilt = xp.where(close, h, 0.0)[..., None] * (first.offsets - first.shift[..., None])
    gain = xp.sum(_weighted_remainder(first.log_weights, tilt)) / first.total
    far = modes + xp.log(second.total / first.total) - first.shift * h
    return xp.where(close, xp.log1p(gain), far)


def _weighted_remainder(log_weight: Array, x: Array) -> Array:
    """w (eˣ − 1 − x), also where the exponential alone would overflow."""
    xp = ops(x)
    weight, small = xp.exp(log_weight), x < 1.0
    near = weight * exp_remainder(xp.where(small, x, 0.0))
    return xp.where(small, near, xp.exp(xp.minimum(log_weight + x, 0.0)) - weight * (1.0 + x))


def _mode_excess(second: Cosine, first: Cosine, m: int) -> Array:
    """The remainder of the maximum of the exponent, κT + ½m log(1 − T²), which is the whole up to O(1)."""
    xp = ops(first.tanh)
    a, b = first.squared_sech, second.squared_sech
    shift = xp.where(
        first.tanh < 0.5, second.tanh - first.tanh, a / (1.0 + first.tanh) - b / (1.0 + second.tanh)
    )
    return 0.5 * m * (ratio_excess(a, b) + shift * shift / b)


def log_total(kappa: Array, m: int) -> Array:
    r"""$\log \int e^{\kappa (c - 1)} (1 - c^2)^{m/2 - 1} dc$ over (−1, 1), for concentrations of any shape."""
    found = cosine(kappa, m)
    below = found.squared_sech / (1.0 + found.tanh)
    return (
        ops(kappa).log(_grid(m)[1] * found.total)
        - kappa * below
        + 0.5 * m * ops(kappa).log(found.squared_sech)
    )
