"""A divergence on logits: the difference is taken before anything is normalised, so near-equal logits keep digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kullback._ops import Array, Namespace, ops
from kullback._ops.remainders import growth_of_mass
from kullback.divergences.growth import reach, weigh
from kullback.divergences.masses import events_last
from kullback.divergences.simplex import limit
from kullback.errors import DTypeError, InvalidInputError

if TYPE_CHECKING:
    from kullback.divergences.generator import FDivergence


@dataclass(frozen=True)
class Pair:
    """Two softmax distributions and their log-ratio r; the masks are None where every class is live in both."""

    p: Array
    q: Array
    r: Array
    gap: Array | None = None  # p − q with the digits of r, where it came for nothing
    log_p: Array | None = None
    log_q: Array | None = None
    live: Array | None = None
    only_p: Array | None = None
    only_q: Array | None = None


def divergence(d: FDivergence, a: Array, b: Array, xp: Namespace = None) -> Array:
    """D_f(softmax(a)‖softmax(b)) over the last axis, with gradients in closed form."""
    xp = ops(a, b) if xp is None else xp

    def plain(x: Array, y: Array) -> Array:
        return closed(x, y, False, False)[0]

    def closed(x: Array, y: Array, need_x: bool, need_y: bool) -> tuple[Array, Array | None, Array | None]:
        return _value_and_gradients(d, xp, compare(xp, x, y, d.steepness), need_x, need_y)

    return xp.with_gradient(plain, closed, a, b)


def compare(xp: Namespace, a: Array, b: Array, steepness: float = 0.0) -> Pair:
    """p, q and r = log p − log q = (a − b) − log Σ q exp(a − b), the sum formed around the mean of a − b."""
    far = reach(xp, a, steepness)
    if xp.at_hand(a):
        gap, q = a - b, xp.softmax(b)
        centred = gap - xp.detach(xp.sum(q * gap, keepdims=True))
        smallest, largest = xp.extremes(centred)
        # false where a class is masked or far, since NaN and inf compare so: the general form then
        if -far < smallest and largest < far:
            growth = q * xp.expm1(centred)
            total = xp.sum(growth, keepdims=True)
            gap = (growth - q * total) * (1.0 / (1.0 + total))
            return Pair(xp.softmax(a), q, centred - xp.log1p(total), gap)
    return _compare_masked(xp, a, b)


def _compare_masked(xp: Namespace, a: Array, b: Array) -> Pair:
    """The same with classes masked or far: r from the two log-sum-exps, then made to fit Σ q eʳ = Σ p exactly.

    What rounding leaves in the log-sum-exps is one constant of a row, and that sum shows it.
    """
    e_p, p_total, p_top = _exponentials(xp, a)
    e_q, q_total, q_top = _exponentials(xp, b)
    p, q = e_p / p_total, e_q / q_total
    has_p, has_q = xp.isfinite(a), xp.isfinite(b)
    live = has_p & has_q
    shift = (p_top - q_top) + xp.log(p_total / q_total)
    rough = xp.where(live, xp.where(live, a, 0.0) - xp.where(live, b, 0.0) - shift, 0.0)
    total = xp.sum(xp.where(live, growth_of_mass(q, p, rough), -q), keepdims=True)
    apart = xp.sum(xp.where(live, 0.0, p), keepdims=True)
    # where most of the mass of one is foreign to the other, r is large and its last bit does not matter
    close = (total > -0.5) & (apart < 0.5)
    rest = xp.log1p(xp.where(close, total, 0.0)) - xp.log1p(-xp.where(close, apart, 0.0))
    log_p = xp.where(has_p, a, 0.0) - p_top - xp.log(p_total)
    log_q = xp.where(has_q, b, 0.0) - q_top - xp.log(q_total)
    r = xp.where(live, rough - rest, 0.0)
    return Pair(p, q, r, None, log_p, log_q, live, has_p & ~has_q, has_q & ~has_p)


def _exponentials(xp: Namespace, x: Array) -> tuple[Array, Array, Array]:
    """exp(x − max x), their sum, and the maximum (0 where no class is finite)."""
    top = xp.max(x, keepdims=True)
    top = xp.detach(xp.where(xp.isfinite(top), top, 0.0))
    e = xp.exp(x - top)
    return e, xp.sum(e, keepdims=True), top


def difference(xp: Namespace, pair: Pair) -> Array:
    """p − q, with all the digits that r has."""
    if pair.gap is not None:
        return pair.gap
    gap = growth_of_mass(pair.q, pair.p, pair.r)
    return gap if pair.live is None else xp.where(pair.live, gap, pair.p - pair.q)


def _value_and_gradients(
    d: FDivergence, xp: Namespace, pair: Pair, need_p: bool, need_q: bool
) -> tuple[Array, Array | None, Array | None]:
    """D, ∂D/∂a = p (slope − E_p slope) and ∂D/∂b = q (tilt − E_q tilt)."""
    if pair.live is not None and d.steepness > 0:
        return _steep(d, xp, pair, need_p, need_q)
    p, q, r = pair.p, pair.q, pair.r
    value = _total(xp, pair, d._term(p, q, r), d)
    to_p = to_q = None
    if need_p:
        part = d.dual._pull(q, p, -r, None if pair.gap is None else -pair.gap)
        to_p = _centred(xp, pair, part, p, pair.only_p, d.at_infinity, d.dual.balanced)
    if need_q:
        to_q = _centred(xp, pair, d._pull(p, q, r, pair.gap), q, pair.only_q, d.at_zero, d.balanced)
    return value, to_p, to_q


def _steep(d: FDivergence, xp: Namespace, pair: Pair, need_p: bool, need_q: bool) -> Any:
    """The same for a generator that grows like a power, whose products with the masses are taken through logarithms."""
    dual = d.dual
    below, above = xp.sides(pair.r)

    def q_times(member: Callable[[Array], Array]) -> Array:
        return weigh(xp, pair.q, pair.log_q, member, below, d.power_at_zero)

    def p_times(member: Callable[[Array], Array]) -> Array:
        return weigh(xp, pair.p, pair.log_p, member, above, dual.power_at_zero)

    value = _total(xp, pair, q_times(d._below) + p_times(dual._below), d)
    to_p = to_q = None
    if need_q:
        part = q_times(lambda u: dual._slope(-u)) - p_times(lambda u: d._slope(-u) - dual._below(u))
        to_q = _centred(xp, pair, part, pair.q, pair.only_q, d.at_zero)
    if need_p:
        part = p_times(lambda u: d._slope(-u)) - q_times(lambda u: dual._slope(-u) - d._below(u))
        to_p = _centred(xp, pair, part, pair.p, pair.only_p, d.at_infinity)
    return value, to_p, to_q


def _total(xp: Namespace, pair: Pair, inside: Array, d: FDivergence) -> Array:
    if pair.live is None:
        return xp.sum(inside)
    inside = xp.where(pair.live, inside, 0.0)
    total = xp.sum(
        inside + limit(xp, pair.only_q, pair.q, d.at_zero) + limit(xp, pair.only_p, pair.p, d.at_infinity)
    )
    # a row without classes has NaN for masses, which the masks above have hidden
    return total + 0.0 * (pair.p[..., 0] + pair.q[..., 0])


def _centred(
    xp: Namespace,
    pair: Pair,
    part: Array,
    mass: Array,
    only: Array | None,
    price: float,
    balanced: bool = False,
) -> Array:
    """part − mass Σ part; where the other side has no class the member is at its limit, left out if infinite."""
    if pair.live is None:
        return part if balanced else _without_mean(xp, part, mass, xp.sum(part, keepdims=True))
    part = xp.where(pair.live, part, 0.0)
    if price < math.inf:
        part = part + limit(xp, only, mass, price)
    if balanced:
        # Σ (mass − other mass) over the classes that count is what the other has where this has nothing
        foreign = pair.only_p if only is pair.only_q else pair.only_q
        other = pair.p if only is pair.only_q else pair.q
        return part - mass * xp.sum(xp.where(foreign, other, 0.0), keepdims=True)
    total = xp.sum(part, keepdims=True)
    # a row whose gradient overflows has none that could be followed
    return xp.where(xp.isinf(total), 0.0, _without_mean(xp, part, mass, total))


def _without_mean(xp: Namespace, part: Array, mass: Array, total: Array) -> Array:
    """part − mass × total, twice: rounding leaves something of a sum that is 0, where one class has nearly all mass."""
    part = part - mass * total
    return part - mass * xp.sum(part, keepdims=True)


def read(a: Array, b: Array, *, axis: int, validate: bool) -> tuple[Namespace, Array, Array]:
    """The two arrays as floats of one precision, classes last."""
    xp = ops(a, b)
    like = a if hasattr(a, "dtype") else b if hasattr(b, "dtype") else None
    a, b = (xp.asarray(x, like=like) for x in (a, b))
    for name, x in (("a", a), ("b", b)):
        if xp.kind(x) not in ("float", "integer"):
            raise DTypeError(
                f"`{name}` has dtype {xp.dtype_name(x)}; logits are real numbers: convert them to float"
            )
    # half precision goes up before any subtraction; whole numbers are float64
    bits = max(64 if xp.kind(x) == "integer" or xp.precision(x) == 64 else 32 for x in (a, b))
    a, b = (xp.to_float(x, bits) for x in (a, b))
    a, b = events_last(xp, a, b, axis, ("a", "b"))
    if validate:
        for name, x in (("a", a), ("b", b)):
            _check(xp, name, x)
    return xp, a, b


def _check(xp: Namespace, name: str, x: Array) -> None:
    if not xp.concrete(x):
        return
    if bool(xp.any(xp.isnan(x) | (x == float("inf")))):
        raise InvalidInputError(
            f"`{name}` has NaN or +inf entries; logits are finite, or -inf where a class is masked"
        )
    if bool(xp.any(~xp.isfinite(xp.max(x)))):
        raise InvalidInputError(f"`{name}` has a row of -inf only: no class is left to carry its mass")
