"""What Stirling's formula leaves over: Binet's function and its derivative, and the negentropies made of them."""

from __future__ import annotations

import numpy as np

from kullback._ops import Array, ops

# B_2j / (2j (2j − 1)), the coefficients of Stirling's series in z^(1−2j)
STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
    43867 / 244188,
    -174611 / 125400,
)
SHIFT = 10.0  # from here on ten terms of Stirling's series are exact to the last bit


def binet(z: Array) -> Array:
    """log Γ(z) − (z − ½) log z + z − ½ log 2π > 0 for positive z, elementwise."""
    xp = ops(z)
    large, base, steps = _shifted(z)
    total = xp.sum((steps + 0.5) * xp.log1p(1.0 / steps) - 1.0)
    return xp.polynomial(STIRLING, 1.0 / (base * base)) / base + xp.where(large, 0.0, total)


def binet_slope(z: Array) -> Array:
    """ψ(z) − log z + 1/(2z) < 0, the derivative of `binet`, for positive z, elementwise."""
    xp = ops(z)
    large, base, steps = _shifted(z)
    total = xp.sum(xp.log1p(1.0 / steps) - 0.5 / steps - 0.5 / (steps + 1.0))
    slopes = tuple((1.0 - 2.0 * j) * c for j, c in enumerate(STIRLING, start=1))
    return xp.polynomial(slopes, 1.0 / (base * base)) / (base * base) + xp.where(large, 0.0, total)


def _shifted(z: Array) -> tuple[Array, Array, Array]:
    """Where z is large enough for the series; z moved until it is; and the steps on the way, along a new last axis."""
    xp = ops(z)
    large = z >= SHIFT
    steps = xp.where(large, 1.0, z)[..., None] + xp.asarray(np.arange(SHIFT), like=z)
    return large, xp.where(large, z, z + SHIFT), steps


def gamma_negentropy(a: Array) -> Array:
    """How far the gamma law of concentration a is from the normal law of its mean and variance, elementwise."""
    return 0.5 / a - binet(a) + (a - 1.0) * binet_slope(a)


def beta_negentropy(a: Array, b: Array) -> Array:
    """How far the beta law with these concentrations is from the normal law of its mean and variance, elementwise."""
    total = a + b
    xp = ops(total)
    parts = gamma_negentropy(a) + gamma_negentropy(b) - gamma_negentropy(total)
    return parts - 0.5 / total + binet_slope(total) - 0.5 * xp.log1p(1.0 / total)
