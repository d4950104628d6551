"""The conjugate of a generator without a closed form: the slope inverted by bisection, then one exact Newton step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kullback._ops import Array, ops

if TYPE_CHECKING:
    from kullback.divergences.generator import FDivergence

_STEPS = 80  # halvings of a range of log-ratios: beyond the last bit of a float64
_WIDEST = {64: 700.0, 32: 87.0}
_REST = {64: 1e-10, 32: 1e-4}  # above what the spacing of log-ratios leaves of the bisection


def conjugate(d: FDivergence, u: Array) -> Array:
    """f*(u) = u t − f(t) at the t ≥ 0 whose slope is u; −f(0) where every slope is above u."""
    xp = ops(u)
    widest = _WIDEST[xp.precision(u)]
    target = xp.detach(u)
    low, high = _bracket(d, target, widest)
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        left = d._slope(middle) < target
        low, high = xp.where(left, middle, low), xp.where(left, high, middle)
    r = 0.5 * (low + high)
    flat = r < 0.999 - widest  # the supremum is taken at t = 0
    curvature = d._curvature(r)
    # a differentiable Newton step, t f''(t) dr = du, carries the gradients of u; its size is the bisection's rest
    smooth = (curvature > 0) & ~flat
    step = (u - d._slope(r)) * xp.exp(xp.where(flat, 0.0, r)) / xp.where(smooth, curvature, 1.0)
    # a longer one shows a kink, or a slope that is rounding only, far out where t is nearly 0
    smooth = smooth & (xp.abs(step) < _REST[xp.precision(u)])
    r = xp.where(flat, 0.0, r + xp.where(smooth, step, 0.0))
    return xp.where(flat, -d.at_zero, u * xp.exp(r) - d._value(r))


def _bracket(d: FDivergence, target: Array, widest: float) -> tuple[Array, Array]:
    """Log-ratios between which the slope passes the target, from 1 outwards.

    A slope is not asked for farther out than it must be: the formula of a user may overflow there.
    """
    xp = ops(target)
    low, high = xp.zeros_like(target), xp.zeros_like(target)
    edge = 0.5
    while edge < widest:
        edge = min(2.0 * edge, widest)
        low = xp.where(d._slope(low) < target, low, -edge)
        high = xp.where(d._slope(high) > target, high, edge)
    return low, high
