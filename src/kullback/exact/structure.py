"""What two laws share, and what their supports alone decide."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kullback._ops import ops
from kullback.divergences import FDivergence, Noun, bhattacharyya, chernoff
from kullback.divergences.renyi import Renyi
from kullback.errors import ShapeError, UnsupportedPairError
from kullback.exact.law import Law, Support
from kullback.exact.mixture import MixtureLaw
from kullback.exact.registry import families


def aligned(d: Noun, p: Law, q: Law) -> tuple[Law, Law]:
    """The pair in its simplest form with the same divergence; raises where shapes or libraries do not fit."""
    p, q = _as_one_kind(p, q)
    if p.event != q.event and not (p.family and q.family and p.family.rank != q.family.rank):
        raise ShapeError(f"draws of `P` have shape {p.event} and draws of `Q` {q.event}; they must agree")
    if _category_count(p) != _category_count(q):
        raise ShapeError(
            f"`P` has {_category_count(p)} categories and `Q` {_category_count(q)}; they must agree"
        )
    try:
        np.broadcast_shapes(p.batch, q.batch)
    except ValueError:
        raise ShapeError(f"the batches {p.batch} of `P` and {q.batch} of `Q` do not broadcast") from None
    ops(*p.arrays, *q.arrays)
    p, q = _stripped(p, q) if blind_to_transforms(d) else (p, q)
    for law in (p, q):
        if law.transforms and law.event:
            raise UnsupportedPairError(
                f"{law.name} is a map of a law of several numbers, which can be answered only where the other law is "
                "the same map of another law and the divergence does not see it"
            )
    return p, q


def refuse_traced(d: Noun, p: Law, q: Law) -> None:
    """Raises where the numbers cannot be looked at, which everything but a closed form has to do."""
    for law in (p, q):
        if not all(ops(x).concrete(x) for x in law.arrays):
            raise UnsupportedPairError(
                f"{d.name} for {p.name}‖{q.name} has no closed form here, and parameters inside jit, grad or vmap have "
                "no values to integrate or draw with; call between outside, or use kullback.surrogate on draws"
            )


def _category_count(p: Law) -> int | None:
    p = p.components[0] if isinstance(p, MixtureLaw) else p
    if p.family is None or p.family.name != "categorical":
        return None
    return next(iter(p.parameters.values())).shape[-1]


def blind_to_transforms(d: Noun) -> bool:
    """Whether a shared invertible map of the variable leaves the divergence as it is."""
    return isinstance(d, (FDivergence, Renyi)) or d in (bhattacharyya, chernoff)


def _stripped(p: Law, q: Law) -> tuple[Law, Law]:
    """Without the outermost maps that both carry."""
    shared = 0
    for a, b in zip(reversed(p.transforms), reversed(q.transforms), strict=False):
        if a != b:
            break
        shared += 1
    if not shared:
        return p, q
    return (
        replace(p, transforms=p.transforms[: len(p.transforms) - shared]),
        replace(q, transforms=q.transforms[: len(q.transforms) - shared]),
    )


def _as_one_kind(p: Law, q: Law) -> tuple[Law, Law]:
    """Independent normal laws next to a multivariate normal one become multivariate too; products, parts."""
    for law, other in ((p, q), (q, p)):
        many = _WIDENED.get(law.family.name) if law.family is not None else None
        if many and other.inner is not None and other.axes == 1 and other.inner.name == "normal":
            wide = many(other.inner)
            return (p, wide) if law is p else (wide, q)
    if p.inner is not None and q.inner is not None and p.axes == q.axes:
        return p, q
    p, q = p.unrolled(), q.unrolled()
    for law, other in ((p, q), (q, p)):
        many = _WIDENED.get(law.family.name) if law.family is not None else None
        if many and other.parts and all(part.name == "normal" for part in other.parts):
            wide = many(_side_by_side(other.parts))
            return (p, wide) if law is p else (wide, q)
    return p, q


def _side_by_side(parts: tuple[Law, ...]) -> Law:
    arrays = [array for part in parts for array in part.arrays]
    xp, shape = ops(*arrays), np.broadcast_shapes(*(array.shape for array in arrays))
    rows = {
        name: xp.stack([xp.broadcast_to(part.parameters[name], shape) for part in parts], axis=-1)
        for name in parts[0].parameters
    }
    return replace(parts[0], parameters=rows)


def _as_multivariate_normal(inner: Law) -> Law:
    xp = inner.xp
    loc, scale = inner.parameters["loc"], inner.parameters["scale"]
    zero = 0.0 * (loc + scale)
    identity = xp.to_float(xp.asarray(np.eye(zero.shape[-1]), like=zero), xp.precision(zero))
    parameters = {"loc": loc + zero, "scale_tril": (scale + zero)[..., None] * identity}
    return Law(families()["multivariate_normal"], parameters, label="independent normal")


def _as_low_rank_normal(inner: Law) -> Law:
    loc, scale = inner.parameters["loc"], inner.parameters["scale"]
    zero = 0.0 * (loc + scale)
    parameters = {"loc": loc + zero, "cov_factor": zero[..., None], "cov_diag": scale * scale + zero}
    return Law(families()["low_rank_normal"], parameters, label="independent normal")


_WIDENED = {"multivariate_normal": _as_multivariate_normal, "low_rank_normal": _as_low_rank_normal}


def decided_by_support(f: FDivergence, p: Law, q: Law) -> tuple[float, str] | None:
    """The value where the supports alone tell it: mutually singular laws, or mass of p where q has none."""
    counts = [
        law.parameters["total_count"]
        for law in (p, q)
        if law.family and law.family.rank == 1 and "total_count" in law.parameters
    ]
    if len(counts) == 2 and bool(ops(*counts).any(counts[0] != counts[1])):
        return f.upper_bound, "the numbers of trials differ: no outcome is common"
    if p.parts and [x.event for x in p.parts] == [x.event for x in q.parts]:
        decided = [decided_by_support(f, x, y) for x, y in zip(p.parts, q.parts, strict=True)]
        # what decides for a part decides for the whole, with the same value: its upper bound
        return next((x for x in decided if x is not None), None)
    left, right = p.support, q.support
    if left is None or right is None:
        return None
    if left.discrete != right.discrete:
        return f.upper_bound, "one law is discrete and the other has a density: they share no mass"
    if _apart(left, right) or _apart(right, left):
        return f.upper_bound, "the supports do not meet"
    if f.at_infinity == math.inf and not right.covers(left):
        return math.inf, f"P has mass outside the support of Q, [{right.low:g}, {right.high:g}]"
    if f.at_zero == math.inf and not left.covers(right):
        return math.inf, f"Q has mass outside the support of P, [{left.low:g}, {left.high:g}]"
    return None


def _apart(left: Support, right: Support) -> bool:
    return left.high < right.low or (left.high == right.low and not left.discrete)
