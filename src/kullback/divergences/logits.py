"""A divergence on logits: nothing is normalised before the difference is taken, so near-equal logits keep their digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kullback._ops import Array, Namespace, ops
from kullback.divergences.simplex import halves, limit
from kullback.errors import DTypeError, InvalidInputError, ShapeError

if TYPE_CHECKING:
    from kullback.divergences.generator import FDivergence

# log-ratios above this are left out of the sum of exponentials, where they would overflow, and enter by their own mass
_FAR = {64: 300.0, 32: 40.0}


@dataclass(frozen=True)
class Pair:
    """Two softmax distributions and their log-ratio; `live` marks classes that both of them have (None: all)."""

    p: Array
    q: Array
    r: Array
    live: Array | None
    only_p: Array | None = None  # classes of p that q lacks
    only_q: Array | None = None

    @property
    def swapped(self) -> Pair:
        return Pair(self.q, self.p, -self.r, self.live, self.only_q, self.only_p)


def divergence(d: FDivergence, a: Array, b: Array) -> Array:
    """D_f(softmax(a)‖softmax(b)) over the last axis, with gradients in closed form."""
    xp = ops(a, b)

    def plain(x: Array, y: Array) -> Array:
        return _value(d, xp, compare(xp, x, y))

    def closed(x: Array, y: Array, need_x: bool, need_y: bool) -> tuple[Array, Array | None, Array | None]:
        pair = compare(xp, x, y)
        return (
            _value(d, xp, pair),
            _gradient(d.dual, xp, pair.swapped) if need_x else None,
            _gradient(d, xp, pair) if need_y else None,
        )

    return xp.with_gradient(plain, closed, a, b)


def compare(xp: Namespace, a: Array, b: Array) -> Pair:
    """p, q and r = log p − log q = (a − b) − log Σ q exp(a − b), the sum formed around the mean of a − b."""
    q = xp.softmax(b)
    gap = a - b
    far = _FAR[xp.precision(gap)]
    if xp.at_hand(gap):
        mean = xp.detach(xp.sum(q * gap, keepdims=True))
        centred = gap - mean
        # false where a class is masked or far, since NaN and inf compare so: the general form then
        if bool((xp.abs(centred) <= far).all()):
            r = centred - xp.log1p(xp.sum(q * xp.expm1(centred), keepdims=True))
            return Pair(q * xp.exp(r), q, r, None)
    return _compare_masked(xp, a, b, q, far)


def _compare_masked(xp: Namespace, a: Array, b: Array, q: Array, far: float) -> Pair:
    p = xp.softmax(a)
    live = xp.isfinite(a) & xp.isfinite(b)
    gap = xp.where(live, a, 0.0) - xp.where(live, b, 0.0)
    weight = xp.where(live, q, 0.0)
    share = xp.sum(weight, keepdims=True)
    mean = xp.detach(xp.sum(weight * gap, keepdims=True) / xp.where(share > 0, share, 1.0))
    centred = gap - mean
    near = live & (centred <= far)
    growth = xp.where(near, q * xp.expm1(xp.where(near, centred, 0.0)), -q)
    total = xp.sum(growth, keepdims=True)
    apart = xp.sum(xp.where(near, 0.0, p), keepdims=True)
    # where most of the mass of one is foreign to the other nothing is near, and the plain difference loses nothing
    close = (total > -0.5) & (apart < 0.5)
    shift = xp.log1p(xp.where(close, total, 0.0)) - xp.log1p(-xp.where(close, apart, 0.0))
    r = xp.where(close, centred - shift, gap - (xp.logsumexp(a) - xp.logsumexp(b)))
    only_p, only_q = xp.isfinite(a) & ~xp.isfinite(b), xp.isfinite(b) & ~xp.isfinite(a)
    return Pair(p, q, xp.where(live, r, 0.0), live, only_p, only_q)


def _value(d: FDivergence, xp: Namespace, pair: Pair) -> Array:
    less = pair.r < 0
    inside = xp.where(less, pair.q, pair.p) * halves(d, less, xp.where(less, pair.r, -pair.r))
    if pair.live is None:
        return xp.sum(inside)
    inside = xp.where(pair.live, inside, 0.0)
    return xp.sum(
        inside + limit(xp, pair.only_q, pair.q, d.at_zero) + limit(xp, pair.only_p, pair.p, d.at_infinity)
    )


def _gradient(d: FDivergence, xp: Namespace, pair: Pair) -> Array:
    """∂D/∂b = q (tilt − E_q tilt), q·tilt written as p (f°(1/t) − f'(t)) where t > 1 would overflow."""
    less = pair.r < 0
    u = xp.where(less, pair.r, -pair.r)
    above = pair.p * (d.dual._below(u) - d._slope(-u))
    tilted = xp.where(less, pair.q * d.dual._slope(-u), above)
    if pair.live is not None:
        tilted = xp.where(pair.live, tilted, 0.0)
        if d.at_zero != float("inf"):
            tilted = tilted + limit(xp, pair.only_q, pair.q, d.at_zero)
    return tilted - pair.q * xp.sum(tilted, keepdims=True)


def read(a: Array, b: Array, *, axis: int, validate: bool) -> tuple[Namespace, Array, Array]:
    """The two arrays as floats of one precision, classes last."""
    xp = ops(a, b)
    like = a if hasattr(a, "dtype") else b if hasattr(b, "dtype") else None
    a, b = (xp.asarray(x, like=like) for x in (a, b))
    for name, x in (("a", a), ("b", b)):
        if xp.kind(x) not in ("float", "integer"):
            raise DTypeError(f"`{name}` has dtype {xp.dtype_name(x)}; logits are real numbers: convert them to float")
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(f"`{name}` has shape {tuple(x.shape)}, which has no axis {axis}")
        if x.shape[axis] == 0:
            raise InvalidInputError(f"`{name}` has shape {tuple(x.shape)}: need at least one class along axis {axis}")
    if a.shape[axis] != b.shape[axis]:
        raise ShapeError(
            f"`a` has {a.shape[axis]} classes along axis {axis} and `b` has {b.shape[axis]} "
            f"(shapes {tuple(a.shape)} and {tuple(b.shape)}); pad the missing ones with -inf"
        )
    # half precision goes up before any subtraction; whole numbers are float64
    bits = max(64 if xp.kind(x) == "integer" or xp.precision(x) == 64 else 32 for x in (a, b))
    a, b = (xp.moveaxis(xp.to_float(x, bits), axis, -1) for x in (a, b))
    if validate:
        for name, x in (("a", a), ("b", b)):
            _check(xp, name, x)
    return xp, a, b


def _check(xp: Namespace, name: str, x: Array) -> None:
    if not xp.concrete(x):
        return
    if bool(xp.any(xp.isnan(x) | (x == float("inf")))):
        raise InvalidInputError(f"`{name}` has NaN or +inf entries; logits are finite, or -inf where a class is masked")
    if bool(xp.any(~xp.isfinite(xp.max(x)))):
        raise InvalidInputError(f"`{name}` has a row of -inf only: no class is left to carry its mass")
