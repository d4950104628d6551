"""The door: probability vectors, counts and labelled masses, checked before any work starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from kullback._ops import Array, Namespace, ops
from kullback.divergences import alignment, simplex
from kullback.errors import DTypeError, InvalidInputError, ShapeError

Missing = Literal["zero", "drop"] | None

# how far from 1 the masses may sum, by the bits of what came
_TOLERANCE = {64: 1e-6, 32: 1e-4, 16: 2e-2, 8: 2e-2}
# whole numbers up to here are exact in a float of that many bits
_LARGEST_COUNT = {64: 2**53, 32: 2**24}


@dataclass(frozen=True)
class Masses:
    """Two arrays with their categories last, and the double-length totals to divide by (empty: used as given)."""

    xp: Namespace
    p: Array
    q: Array
    totals: tuple[Array, ...] = ()

    def arrays(self) -> tuple[Array, ...]:
        """What the terms are computed from."""
        return (self.p, self.q, *self.totals)

    def probabilities(self) -> tuple[Array, Array]:
        """The two vectors, divided by their totals where these are not 1."""
        if not self.totals:
            return self.p, self.q
        return self.p / self.totals[0], self.q / self.totals[2]


def masses(
    p: Any,
    q: Any,
    *,
    axis: int = -1,
    normalize: bool = False,
    counts: bool = False,
    by_label: bool = False,
    missing: Missing = None,
    validate: bool = True,
) -> Masses:
    """Both inputs as float arrays of one library, checked: what came, what was expected and what to do."""
    if missing not in (None, "zero", "drop"):
        raise InvalidInputError(f"`missing` is {missing!r}; expected 'zero', 'drop' or None")
    if normalize and counts:
        raise InvalidInputError(
            "counts=True already divides by the totals; pass normalize=True for other masses"
        )
    p, q = alignment.vectors(p, q, by_label=by_label, missing=missing)
    xp = ops(p, q)
    like = p if hasattr(p, "dtype") else q if hasattr(q, "dtype") else None
    p, q = (xp.asarray(x, like=like) for x in (p, q))
    for name, x in (("p", p), ("q", q)):
        _check_kind(xp, name, x, counts)
    tolerance = max(_TOLERANCE[_bits(xp, x)] for x in (p, q))
    bits = 64 if counts else max(max(32, _bits(xp, x)) for x in (p, q))
    p, q = (xp.to_float(x, bits) for x in (p, q))
    p, q = events_last(xp, p, q, axis)
    if missing is not None:
        p, q = _without_missing(xp, p, q, missing)
    if validate and xp.concrete(p) and xp.concrete(q):
        with xp.quiet():  # what overflows is reported as an error, not warned about first
            for name, x in (("p", p), ("q", q)):
                _check_values(xp, name, x, None if normalize or counts else tolerance, counts)
    if not (normalize or counts):
        return Masses(xp, p, q)
    p, q = (x if counts else _scaled(xp, x) for x in (p, q))
    return Masses(xp, p, q, (*simplex.exact_sum(xp, p), *simplex.exact_sum(xp, q)))


def _bits(xp: Namespace, x: Array) -> int:
    return xp.precision(x) if xp.kind(x) == "float" else 64


def _check_kind(xp: Namespace, name: str, x: Array, counts: bool) -> None:
    kind = xp.kind(x)
    if kind == "other":
        raise DTypeError(
            f"`{name}` has dtype {xp.dtype_name(x)}; masses are real numbers: convert them to float"
        )
    if kind == "bool" and not counts:
        raise DTypeError(f"`{name}` is boolean; pass counts=True if its entries count something")
    if x.ndim == 0:
        raise ShapeError(f"`{name}` is a single number; expected a vector of masses, one per category")


def events_last(
    xp: Namespace, x: Array, y: Array, axis: int, names: tuple[str, str] = ("p", "q")
) -> tuple[Array, Array]:
    """Both arrays with the event axis last and the batch axes broadcast; the event axis never broadcasts."""
    shapes = f"`{names[0]}` has shape {tuple(x.shape)}, `{names[1]}` has shape {tuple(y.shape)}"
    from_end = axis - max(x.ndim, y.ndim) if axis >= 0 else axis
    if not all(-array.ndim <= from_end < 0 for array in (x, y)):
        raise ShapeError(f"{shapes}: there is no axis {axis} in both")
    if x.shape[from_end] != y.shape[from_end]:
        raise ShapeError(
            f"{shapes}: {x.shape[from_end]} and {y.shape[from_end]} categories along axis {axis}, which never "
            "broadcast; align them first (by_label=True does it for labelled masses, -inf for logits)"
        )
    if x.shape[from_end] == 0:
        raise InvalidInputError(f"{shapes}: need at least one category along axis {axis}")
    x, y = (xp.moveaxis(array, from_end, -1) for array in (x, y))
    batch = []
    for m, n in zip(_padded(x.shape, y.ndim), _padded(y.shape, x.ndim), strict=True):
        if m != n and 1 not in (m, n):
            raise ShapeError(f"{shapes}: the axes beside the categories do not broadcast")
        batch.append(n if m == 1 else m)
    return xp.broadcast_to(x, tuple(batch)), xp.broadcast_to(y, tuple(batch))


def _padded(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    return (1,) * (ndim - len(shape)) + tuple(shape)


def _without_missing(xp: Namespace, p: Array, q: Array, missing: Missing) -> tuple[Array, Array]:
    gone_p, gone_q = xp.isnan(p), xp.isnan(q)
    if missing == "drop":
        gone_p = gone_q = gone_p | gone_q
    return xp.where(gone_p, 0.0, p), xp.where(gone_q, 0.0, q)


def _check_values(xp: Namespace, name: str, x: Array, tolerance: float | None, counts: bool) -> None:
    x = xp.detach(x)
    total = xp.sum(x)
    # one comparison per defect on the fast way; the place is looked up only when there is something to report
    if bool(xp.any(~(xp.isfinite(total) & (total > 0)))) or xp.extremes(x)[0] < 0:
        _report_defect(xp, name, x)
    if counts:
        if bool(xp.any(x != xp.round(x))):
            at = _first(xp, x != xp.round(x))
            raise InvalidInputError(
                f"`{name}`[{at[0]}] is {at[1](x)}, not a whole number; pass normalize=True instead"
            )
        if bool(xp.any(total > _LARGEST_COUNT[xp.precision(x)])):
            raise InvalidInputError(
                f"`{name}` counts {xp.extremes(total)[1]:.3g} in all, beyond what {xp.dtype_name(x)} holds exactly; "
                "pass normalize=True with float64 masses"
            )
    elif tolerance is not None and bool(xp.any(xp.abs(total - 1.0) > tolerance)):
        sums = xp.to_numpy(total).reshape(-1)
        worst = float(sums[abs(sums - 1.0).argmax()])
        allowed = f"{tolerance:.0e}".replace("e-0", "e-")
        raise InvalidInputError(
            f"`{name}` sums to {worst:.6g}, not 1 (tolerance {allowed}); pass normalize=True or counts=True"
        )


def _report_defect(xp: Namespace, name: str, x: Array) -> None:
    size = math.prod(x.shape)
    for bad, what in ((xp.isnan(x), "NaN"), (xp.isinf(x), "infinite")):
        if bool(xp.any(bad)):
            index, _ = _first(xp, bad)
            number = int(xp.to_numpy(bad).sum())
            remedy = "; pass missing='zero' or missing='drop' if it is a gap" if what == "NaN" else ""
            raise InvalidInputError(f"`{name}`[{index}] is {what} ({number} of {size} entries){remedy}")
    if bool(xp.any(x < 0)):
        index, pick = _first(xp, x < 0)
        raise InvalidInputError(f"`{name}`[{index}] is {pick(x):.6g}; a mass is never negative")
    if bool(xp.any(xp.isinf(xp.sum(x)))):
        raise InvalidInputError(
            f"the masses of `{name}` overflow when summed; divide them by their largest first"
        )
    raise InvalidInputError(f"`{name}`: the total mass is 0, so there is no distribution to compare")


def _first(xp: Namespace, bad: Array) -> tuple[str, Any]:
    """The first place where `bad` is true, written as an index, and how to pick the entry there."""
    found = tuple(int(i[0]) for i in xp.to_numpy(bad).nonzero())
    return ", ".join(map(str, found)), lambda x: float(xp.to_numpy(x)[found])


def _scaled(xp: Namespace, x: Array) -> Array:
    """Divided by a power of two near the largest mass: exact, and products neither over- nor underflow."""
    return x / xp.power_of_two(xp.detach(xp.max(x, keepdims=True)))
