r"""Taylor remainders without cancellation: the few functions from which near-equal distributions get their digits.

Every formula of `divergences/` is a sum of these, each of them non-negative, so that no difference of large terms is
ever taken where p is close to q.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

from kullback._ops import Array, ops

_LARGE = 42.0
RADIUS = 0.5  # beyond it the direct form loses at most two bits
_TERMS = {64: 15, 32: 7}
_EXP = tuple(1.0 / factorial(k + 2) for k in range(_TERMS[64]))
ENTROPY_RADIUS = 0.73  # in the log-ratio: s = tanh(r/2) stays below 0.35
_ENTROPY_TERMS = {64: 17, 32: 8}
_ENTROPY = tuple(1.0 / ((k + 1) * (2 * k + 1)) for k in range(_ENTROPY_TERMS[64]))


def by_size(x: Array, radius: float, near: Callable[[Array], Array], far: Callable[[Array], Array]) -> Array:
    """`near(x)` where |x| < radius and `far(x)` elsewhere; a form that no element needs is not computed.

    `far` must be finite inside the radius too, so that its untaken branch spoils no gradient.
    """
    xp = ops(x)
    size = xp.abs(x)
    if xp.at_hand(x):
        smallest, largest = xp.extremes(size)
        if largest < radius:
            return near(x)
        if smallest >= radius:
            return far(x)
    return xp.where(size < radius, near(xp.clip(x, -radius, radius)), far(x))


def exp_series(x: Array) -> Array:
    """ψ(x) = (eˣ − 1 − x)/x² by its series, for |x| < 1/2; elementwise, any shape."""
    xp = ops(x)
    return xp.polynomial(_EXP[: _TERMS[xp.precision(x)]], x)


def second_remainder(x: Array) -> Array:
    r"""$\psi(x) = (e^x - 1 - x)/x^2$, with $\psi(0) = 1/2$; elementwise, any shape.

    >>> import numpy as np
    >>> float(second_remainder(np.array(0.0)))
    0.5
    """
    xp = ops(x)
    return by_size(x, RADIUS, exp_series, lambda z: (xp.expm1(z) - z) / xp.maximum(z * z, RADIUS * RADIUS))


def tilted_second_remainder(x: Array, u: Array) -> Array:
    r"""$e^u \psi(x)$ for $u \le 0$ and $x + u \le 0$, where $\psi(x)$ alone may overflow; elementwise, any shape.

    >>> import numpy as np
    >>> float(tilted_second_remainder(np.array(800.0), np.array(-800.0)))
    1.5625e-06
    """
    xp = ops(x)
    large = x > _LARGE
    inside = xp.exp(u) * second_remainder(xp.where(large, 0.0, x))
    # beyond the cap 1 + x is below the last bit of exp(x)
    beyond = xp.where(large, x, 1.0)
    return xp.where(large, xp.exp(u + beyond) / (beyond * beyond), inside)


def exp_remainder(x: Array) -> Array:
    r"""$\varphi(x) = e^x - 1 - x \ge 0$; elementwise, any shape.

    >>> import numpy as np
    >>> float(exp_remainder(np.array(1e-9)))
    5.000000001666667e-19
    """
    xp = ops(x)
    return by_size(x, RADIUS, lambda z: z * z * exp_series(z), lambda z: xp.expm1(z) - z)


def growth_of_mass(mass: Array, other: Array, x: Array) -> Array:
    r"""$m\,(e^x - 1)$ where $m e^x$ is known as `other`: their difference, with the digits of x; elementwise.

    >>> import numpy as np
    >>> float(growth_of_mass(np.array(0.5), np.array(0.5), np.array(1e-20)))
    5e-21
    """
    xp = ops(x)
    z = xp.clip(x, -RADIUS, RADIUS)
    return xp.choose(xp.abs(x), RADIUS, mass * (z + z * z * exp_series(z)), other - mass)


def entropy_series(s_squared: Array) -> Array:
    r"""$[(1+s)\log(1+s) + (1-s)\log(1-s)]/s^2$ from s², for |s| ≤ tanh(ENTROPY_RADIUS/2); elementwise, any shape.

    >>> import numpy as np
    >>> float(entropy_series(np.array(0.0)))
    1.0
    """
    xp = ops(s_squared)
    return xp.polynomial(_ENTROPY[: _ENTROPY_TERMS[xp.precision(s_squared)]], s_squared)
