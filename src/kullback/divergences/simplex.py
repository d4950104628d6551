"""A divergence on probability vectors: the log-ratio without cancellation, the terms, the limits at zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kullback._ops import Array, Namespace, ops
from kullback.divergences.growth import reach, weigh

if TYPE_CHECKING:
    from kullback.divergences.generator import FDivergence


def divergence(d: FDivergence, xp: Namespace, p: Array, q: Array, *totals: Array) -> Array:
    """Σ q f(p/q) over the last axis, whose gradients are written out: f'(p/q) and f(t) − t f'(t) at t = p/q.

    The tape of the value would divide by small masses what the value had rounded before.
    """
    if not xp.GRADIENTS:
        return xp.by_rows(lambda *block: xp.sum(terms(d, *block)), p, q, *totals)

    def sums(x: Array, y: Array) -> tuple[Array, ...]:
        return (*exact_sum(xp, x), *exact_sum(xp, y)) if totals else ()

    def plain(x: Array, y: Array) -> Array:
        return xp.sum(terms(d, x, y, *sums(x, y)))

    def closed(x: Array, y: Array, need_x: bool, need_y: bool) -> tuple[Array, Array | None, Array | None]:
        made = sums(x, y)
        value = xp.sum(terms(d, x, y, *made))
        if not (need_x or need_y):
            return value, None, None
        to_x, to_y = _gradients(d, xp, x, y, made)
        return value, to_x if need_x else None, to_y if need_y else None

    return xp.with_gradient(plain, closed, p, q)


def _gradients(
    d: FDivergence, xp: Namespace, p: Array, q: Array, totals: tuple[Array, ...]
) -> tuple[Array, Array]:
    """The slope towards p and the tilt towards q; where a limit is infinite there is none to follow, and 0 stands."""
    live = (p != 0) & (q != 0)
    r = log_ratio(xp, xp.where(live, p, 1.0), xp.where(live, q, 1.0), totals)[1]
    both = []
    for mass, other, member, price, total in (
        (p, q, d._slope(r), d.at_infinity, totals[:1]),
        (q, p, d.dual._slope(-r), d.at_zero, totals[2:3]),
    ):
        gradient = xp.where(live, member, 0.0)
        if price < math.inf:
            gradient = gradient + xp.where((mass != 0) & (other == 0), xp.zeros_like(mass) + price, 0.0)
        if total:
            gradient = (gradient - xp.sum(mass / total[0] * gradient, keepdims=True)) / total[0]
        both.append(gradient)
    return both[0], both[1]


def terms(d: FDivergence, p: Array, q: Array, *totals: Array) -> Array:
    """q f(p/q) elementwise, every one of them non-negative; `totals` are the double-length sums to divide by."""
    xp = ops(p, q)
    if xp.at_hand(p) and xp.extremes(p)[0] > 0 and xp.extremes(q)[0] > 0:
        return _live_terms(d, xp, p, q, totals)
    # not "greater than": a NaN that nobody looked for is to come out at the other end
    live = (p != 0) & (q != 0)
    inside = _live_terms(d, xp, xp.where(live, p, 1.0), xp.where(live, q, 1.0), totals)
    if totals:
        p, q = p / totals[0], q / totals[2]
    total = (
        xp.where(live, inside, 0.0)
        + limit(xp, (p == 0) & (q != 0), q, d.at_zero)
        + limit(xp, (q == 0) & (p != 0), p, d.at_infinity)
    )
    # a mass that is no number is not one of the zeros that contribute nothing
    return xp.where(xp.isnan(p) | xp.isnan(q), math.nan, total)


def _live_terms(d: FDivergence, xp: Namespace, p: Array, q: Array, totals: tuple[Array, ...]) -> Array:
    size, r = log_ratio(xp, p, q, totals)
    if totals:
        p, q = p / totals[0], q / totals[2]
    if d.steepness == 0 or (xp.at_hand(size) and xp.extremes(size)[1] < reach(xp, size, d.steepness)):
        return d._term(p, q, r)
    below, above = xp.sides(r)
    return weigh(xp, q, xp.log(q), d._below, below, d.power_at_zero) + weigh(
        xp, p, xp.log(p), d.dual._below, above, d.dual.power_at_zero
    )


def log_ratio(xp: Namespace, p: Array, q: Array, totals: tuple[Array, ...]) -> tuple[Array, Array]:
    """|r| and r = log p − log q, to the last bit however close the two are."""
    less, small, large, gap = _compare(xp, p, q, totals)
    ratio = gap / small
    size = xp.log1p(ratio)
    # a ratio beyond the largest number: the logarithms' difference is then large, and exact enough
    beyond = xp.isinf(ratio)
    if not xp.at_hand(p) or bool(xp.any(beyond)):
        size = xp.where(beyond, xp.log(large) - xp.log(small), xp.log1p(xp.where(beyond, 0.0, ratio)))
    return size, xp.where(less, -size, size)


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


def difference(xp: Namespace, p: Array, q: Array, *totals: Array) -> Array:
    """p − q as shares of their totals, with the digits that dividing first would round away."""
    less, _, _, gap = _compare(xp, p, q, totals)
    signed = xp.where(less, -gap, gap)
    return signed / (totals[0] * totals[2]) if totals else signed


def limit(xp: Namespace, where: Array, mass: Array, price: float) -> Array:
    """mass × price where the other side has no mass; an infinite price is a constant, without a gradient."""
    if price == math.inf:
        return xp.where(where, xp.zeros_like(mass) + price, 0.0)
    return xp.where(where, mass, 0.0) * price


def entropy(d: FDivergence, p: Array) -> Array:
    """Σ p (f°(p) + f(0)(1 − p)), which is H_f(p) with every term non-negative."""
    xp = ops(p)
    live = p != 0
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
