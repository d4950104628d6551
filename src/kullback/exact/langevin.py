r"""log(sinh x / x), the log-normaliser of exponential tilts of the uniform law on [−1, 1], and what follows from it."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder, tilted_second_remainder
from kullback.exact.remainders import log_ratio

_SMALL = 1.25  # up to here by the series, whose radius is π
_NEAR = 0.6  # from here on the parts of the excess of two close points cancel by three bits at most
_TERMS = 26


def _logarithm_of_series() -> tuple[float, ...]:
    """c_1, c_2, ... of log(sinh x / x) = Σ c_k x^2k, from those of sinh x / x."""
    s = [Fraction(1, factorial(2 * k + 1)) for k in range(_TERMS + 1)]
    c = [Fraction(0)]
    for k in range(1, _TERMS + 1):
        c.append(s[k] - sum((j * c[j] * s[k - j] for j in range(1, k)), Fraction(0)) / k)
    return tuple(float(x) for x in c[1:])


_LOG = _logarithm_of_series()


def _square_differences() -> np.ndarray:
    """C with Σ c_k [y^2k − x^2k − 2k x^(2k−1) (y − x)] = (y − x)² Σ C_ij x^i y^j."""
    found = np.zeros((2 * _TERMS - 1, 2 * _TERMS - 1))
    for k, c in enumerate(_LOG, start=1):
        for i in range(2 * k - 1):
            found[i, 2 * k - 2 - i] = c * (i + 1)
    return found


_DIFFERENCES = _square_differences()


def log_sinhc(x: Array) -> Array:
    """log(sinh x / x) ≥ 0, even, elementwise."""
    square, a = _split(x)
    xp = ops(x)
    large = a - xp.log(2.0 * a) + xp.log1p(-xp.exp(-2.0 * a))
    return _by_size(x, square * xp.polynomial(_LOG, square), large)


def slope(x: Array) -> Array:
    """coth x − 1/x, the derivative of `log_sinhc`: Langevin's function, odd, elementwise."""
    square, a = _split(x)
    xp = ops(x)
    small = x * xp.polynomial(tuple(2 * k * c for k, c in enumerate(_LOG, start=1)), square)
    large = 1.0 / xp.tanh(a) - 1.0 / a
    return _by_size(x, small, xp.where(x < 0, -large, large))


def curvature(x: Array) -> Array:
    """1/x² − 1/sinh² x, the second derivative of `log_sinhc`, elementwise."""
    square, a = _split(x)
    xp = ops(x)
    small = xp.polynomial(tuple(2 * k * (2 * k - 1) * c for k, c in enumerate(_LOG, start=1)), square)
    rest = xp.expm1(-2.0 * a)
    return _by_size(x, small, 1.0 / (a * a) - 4.0 * xp.exp(-2.0 * a) / (rest * rest))


def tilted_mean(x: Array) -> Array:
    """The mean of the uniform law on [0, 1] tilted by e^(2xt): (1 + L'(x))/2, with its digits at both ends."""
    _, a = _split(x)
    xp = ops(x)
    # the distance from the nearer end
    away = 0.5 / a + xp.exp(-2.0 * a) / xp.expm1(-2.0 * a)
    return _by_size(x, 0.5 + 0.5 * slope(x), xp.where(x < 0, away, 1.0 - away))


def legendre(x: Array) -> Array:
    """x L'(x) − L(x) ≥ 0 with L = `log_sinhc`: the divergence of the law tilted by x from the uniform one."""
    square, a = _split(x)
    xp = ops(x)
    small = square * xp.polynomial(tuple((2 * k - 1) * c for k, c in enumerate(_LOG, start=1)), square)
    decay = xp.exp(-2.0 * a)
    large = xp.log(2.0 * a) - 1.0 - xp.log1p(-decay) - 2.0 * a * decay / xp.expm1(-2.0 * a)
    return _by_size(x, small, large)


def log_sinhc_excess(y: Array, x: Array, h: Array) -> Array:
    """L(y) − L(x) − L'(x)(y − x) ≥ 0 with L = `log_sinhc`, elementwise, with y = x + h."""
    xp = ops(y, x, h)
    y, x, h = y + 0.0 * x, x + 0.0 * y, h + 0.0 * (x + y)
    with xp.quiet():
        size_y, size_x = (xp.where(z < 0, -z, z) for z in (y, x))
        lower = xp.where(size_y < size_x, size_y, size_x)
        small = (size_y < _SMALL) & (size_x < _SMALL)
        side = x * y > 0
        alike = side & ((lower >= 1.0) | ((lower >= _NEAR) & (xp.abs(h) < 0.5 * size_x)))
        far = log_sinhc(y) - slope(x) * y + legendre(x)
        close = _series(xp.where(small, y, 0.0), xp.where(small, x, 0.0), xp.where(small, h, 0.0))
        turned = xp.where(x < 0, -h, h)
        tails = _tails(
            xp.where(alike, size_y, 1.0), xp.where(alike, size_x, 1.0), xp.where(alike, turned, 0.0)
        )
        return xp.where(small, close, xp.where(alike, tails, far))


def _series(y: Array, x: Array, h: Array) -> Array:
    xp = ops(y)
    powers = xp.asarray(np.arange(2.0 * _TERMS - 1.0), like=y)
    mixed = (x[..., None] ** powers) @ xp.asarray(_DIFFERENCES, like=y)
    return h * h * xp.sum(mixed * y[..., None] ** powers)


def _tails(y: Array, x: Array, h: Array) -> Array:
    """The excess of −log x less those of x − log(2x) and log(1 − e^(−2x)), for positive points away from 0."""
    xp = ops(y)
    whole = -xp.expm1(-2.0 * x)
    up, down = xp.where(h > 0, h, 0.0), xp.where(h > 0, 0.0, h)
    # (1 − e^(−2y))/(1 − e^(−2x)) − 1, from the smaller of the two exponentials
    growth = (
        xp.where(h > 0, -xp.exp(-2.0 * x) * xp.expm1(-2.0 * up), xp.exp(-2.0 * y) * xp.expm1(2.0 * down))
        / whole
    )
    bent = 4.0 * h * h * tilted_second_remainder(-2.0 * h, -2.0 * x) / whole
    return exp_remainder(log_ratio(y, x, h)) - exp_remainder(xp.log1p(growth)) - bent


def _split(x: Array) -> tuple[Array, Array]:
    """x² where the series serves, else 0; |x| where it does not, else a number that no formula minds."""
    xp = ops(x)
    small = xp.abs(x) < _SMALL
    inner = xp.where(small, x, 0.0)
    return inner * inner, xp.where(small, 2.0, xp.where(x < 0, -x, x))


def _by_size(x: Array, small: Array, large: Array) -> Array:
    xp = ops(x)
    return xp.where(xp.abs(x) < _SMALL, small, large)
