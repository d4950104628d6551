"""A divergence on probability vectors: the log-ratio without cancellation, the terms, the limits at zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kullback._ops import Array, Namespace, ops
from kullback.divergences.growth import reach, weigh

if TYPE_CHECKING:
    from kullback.divergences.generator import FDivergence


def terms(d: FDivergence, p: Array, q: Array, *totals: Array) -> Array:
    """q f(p/q) elementwise, every one of them non-negative; `totals` are the double-length sums to divide by."""
    xp = ops(p, q)
    if xp.at_hand(p) and xp.extremes(p)[0] > 0 and xp.extremes(q)[0] > 0:
        return _live_terms(d, xp, p, q, totals)
    live = (p > 0) & (q > 0)
    inside = _live_terms(d, xp, xp.where(live, p, 1.0), xp.where(live, q, 1.0), totals)
    if totals:
        p, q = p / totals[0], q / totals[2]
    return (
        xp.where(live, inside, 0.0)
        + limit(xp, (p == 0) & (q > 0), q, d.at_zero)
        + limit(xp, (q == 0) & (p > 0), p, d.at_infinity)
    )


def _live_terms(d: FDivergence, xp: Namespace, p: Array, q: Array, totals: tuple[Array, ...]) -> Array:
    less, small, large, gap = _compare(xp, p, q, totals)
    ratio = gap / small
    size = xp.log1p(ratio)
    # a ratio beyond the largest number: the logarithms' difference is then large, and exact enough
    beyond = xp.isinf(ratio)
    if not xp.at_hand(p) or bool(xp.any(beyond)):
        size = xp.where(beyond, xp.log(large) - xp.log(small), xp.log1p(xp.where(beyond, 0.0, ratio)))
    r = xp.where(less, -size, size)
    if totals:
        p, q = p / totals[0], q / totals[2]
    if d.steepness == 0 or (xp.at_hand(size) and xp.extremes(size)[1] < reach(xp, size, d.steepness)):
        return d._term(p, q, r)
    below, above = xp.sides(r)
    return weigh(xp, q, xp.log(q), d._below, below, d.power_at_zero) + weigh(
        xp, p, xp.log(p), d.dual._below, above, d.dual.power_at_zero
    )


def _compare(
    xp: Namespace, p: Array, q: Array, totals: tuple[Array, ...]
) -> tuple[Array, Array, Array, Array]:
    """Whether p < q, the smaller, the larger, and their gap, exact to rounding however close the two are."""
    if not totals:
        less = p < q
        small, large = xp.ordered(less, p, q)
        return less, small, large, large - small
    p_total, p_rest, q_total, q_rest = totals
    left, left_rest = _product(xp, p, q_total)
    right, right_rest = _product(xp, q, p_total)
    gap = (left - right) + ((left_rest - right_rest) + (p * q_rest - q * p_rest))
    less = gap < 0
    small, large = xp.ordered(less, left, right)
    return less, small, large, xp.where(less, -gap, gap)


def limit(xp: Namespace, where: Array, mass: Array, price: float) -> Array:
    """mass × price where the other side has no mass; an infinite price is a constant, without a gradient."""
    if price == math.inf:
        return xp.where(where, xp.zeros_like(mass) + price, 0.0)
    return xp.where(where, mass, 0.0) * price


def entropy(d: FDivergence, p: Array) -> Array:
    """Σ p (f°(p) + f(0)(1 − p)), which is H_f(p) with every term non-negative."""
    xp = ops(p)
    live = p > 0
    safe = xp.where(live, p, 1.0)
    inside = xp.where(live, safe * d.dual._below(xp.log(safe)), 0.0)
    if d.at_zero == 0:
        return xp.sum(inside)
    return xp.sum(inside + limit(xp, live & (p < 1), safe * (1.0 - safe), d.at_zero))


def exact_sum(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """Σ x over the last axis in twice the precision, as a rounded sum and its rest (kept axis)."""
    high, low = x, xp.zeros_like(x)
    while high.shape[-1] > 1:
        half = high.shape[-1] // 2
        odd_high, odd_low = high[..., 2 * half :], low[..., 2 * half :]
        left, right = high[..., :half], high[..., half : 2 * half]
        total = left + right
        shift = total - left
        rest = (left - (total - shift)) + (right - shift)
        low = low[..., :half] + low[..., half : 2 * half] + rest
        high = total
        if odd_high.shape[-1]:
            high, low = xp.concat([high, odd_high], axis=-1), xp.concat([low, odd_low], axis=-1)
    return high, low


def _product(xp: Namespace, x: Array, y: Array) -> tuple[Array, Array]:
    """x·y and its rounding error, by Dekker's splitting: exact where nothing over- or underflows."""
    splitter = float((1 << 27) + 1) if xp.precision(x) == 64 else float((1 << 12) + 1)

    def split(z: Array) -> tuple[Array, Array]:
        wide = splitter * z
        head = wide - (wide - z)
        return head, z - head

    product = x * y
    x_head, x_tail = split(x)
    y_head, y_tail = split(y)
    rest = ((x_head * y_head - product) + x_head * y_tail + x_tail * y_head) + x_tail * y_tail
    return product, rest


def finish(xp: Namespace, total: Array, kept_axis: int | None) -> Array:
    """The result in the caller's shape: the reduced axis back as 1 where it is kept, a float where nothing is left."""
    if kept_axis is not None:
        return xp.expand_dims(total, axis=kept_axis)
    return plain(xp, total)


def plain(xp: Namespace, total: Array) -> Array:
    """A Python float in place of NumPy's zero-dimensional array; other libraries keep theirs, gradients included."""
    return float(total) if xp.NAME == "numpy" and total.ndim == 0 else total
