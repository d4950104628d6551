"""Products mass × member where the member grows like a power of the ratio, and one factor alone under- or overflows."""

from __future__ import annotations

from collections.abc import Callable

from kullback._ops import Array, Namespace

# eᵏˢ up to here, its square and its product with a mass are finite
_REACH = {64: 300.0, 32: 40.0}
_TINY = {64: 1e-290, 32: 1e-30}


def reach(xp: Namespace, x: Array, power: float = 0.0) -> float:
    """The size of the log-ratio up to which the ratio and its power stay finite."""
    return _REACH[xp.precision(x)] / (1.0 + power)


def weigh(
    xp: Namespace,
    mass: Array,
    log_mass: Array,
    member: Callable[[Array], Array],
    u: Array,
    power: Array | float,
) -> Array:
    """mass × member(u) for u ≤ 0 and a member ≥ 0 that grows like e^(−power·u).

    Taken through logarithms where it must be: e⁻⁵⁰⁰⁰ times e⁵⁰⁰⁰ is 1, not 0 times infinity. `power` is a number, or an
    array where it differs by element; a member of power 0 is bounded or logarithmic and overflows nowhere.
    """
    if isinstance(power, float) and power == 0.0:
        return mass * member(u)
    bits = xp.precision(u)
    power = xp.zeros_like(u) + power
    steep = power > 0
    limit = _REACH[bits] / xp.where(steep, power, 1.0)
    near = xp.where(steep & (u < -limit), -limit, u)
    y = member(near)
    through_logs = (y > 0) & ((u < near) | (mass < _TINY[bits]))
    product = xp.exp(log_mass + xp.log(xp.where(through_logs, y, 1.0)) + power * (near - u))
    return xp.where(through_logs, product, mass * y)
