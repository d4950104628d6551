"""Wasserstein distances of laws: closed forms by location and scale, Bures, atoms and quantiles on the line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.answer import Answer
from kullback.divergences.kernels import distance
from kullback.divergences.wasserstein import Wasserstein
from kullback.errors import UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.bures import squared_bures
from kullback.exact.closed import Closed
from kullback.exact.lattice import atoms
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.quantiles import moved
from kullback.exact.registry import shared

_EULER = 0.57721566490153286061


@dataclass(frozen=True)
class Move:
    """How Q is P moved: X_p − X_q = place + size·Z for the same Z of that mean and variance, where `holds`."""

    place: Array
    size: Array
    mean: Array
    variance: Array
    holds: Array | None = None  # everywhere


def _placed(mean: float, variance: float) -> Callable[[Any, Any], Move]:
    def move(p: Any, q: Any) -> Move:
        place, size = p["loc"] - q["loc"], p["scale"] - q["scale"]
        return Move(place, size, mean, variance)

    return move


def _scaled(mean: float, variance: float) -> Callable[[Any, Any], Move]:
    def move(p: Any, q: Any) -> Move:
        size = p["scale"] - q["scale"]
        return Move(0.0 * size, size, mean, variance)

    return move


def _student(p: Any, q: Any) -> Move:
    df = p["df"] + 0.0 * q["df"]
    some = df > 2.0
    variance = ops(df).where(some, df / ops(df).where(some, df - 2.0, 1.0), math.inf)
    return replace(_placed(0.0, 1.0)(p, q), variance=variance, holds=p["df"] == q["df"])


def _uniform(p: Any, q: Any) -> Move:
    place = p["low"] - q["low"]
    size = (p["high"] - q["high"]) - place
    return Move(place, size, 0.5, 1.0 / 12.0)


def _of_rates(p: Any, q: Any) -> Move:
    """Of an exponential law, or of gamma laws with the same concentration, which is its mean and its variance."""
    size = (q["rate"] - p["rate"]) / p["rate"] / q["rate"]
    if "concentration" not in p:
        return Move(0.0 * size, size, 1.0, 1.0)
    a = p["concentration"]
    return Move(0.0 * size, size, a, a, (a == q["concentration"]))


_MOVES: dict[str, Callable[[Any, Any], Move]] = {
    "normal": _placed(0.0, 1.0),
    "laplace": _placed(0.0, 2.0),
    "cauchy": _placed(0.0, math.inf),
    "logistic": _placed(0.0, math.pi**2 / 3.0),
    "gumbel": _placed(_EULER, math.pi**2 / 6.0),
    "student_t": _student,
    "uniform": _uniform,
    "half_normal": _scaled(math.sqrt(2.0 / math.pi), 1.0 - 2.0 / math.pi),
    "exponential": _of_rates,
    "gamma": _of_rates,
}


def closed(d: Wasserstein, p: Law, q: Law) -> Closed | None:
    """Shifts, order 2 by mean and spread of the move, order 1 where only the scale of a positive law changes."""
    if p.inner is not None and q.inner is not None and p.axes == q.axes:
        return _product(d, p, q)
    if d.order == 2 and p.event and q.event:
        return _bures(p, q)
    found = shared(_MOVES, p, q)
    if found is None:
        return None
    move = found[0](found[1].parameters, found[2].parameters)
    xp = ops(move.size)
    if not xp.concrete(move.size) and d.order != 2:
        return None
    if move.holds is not None and bool(xp.any(~move.holds)):
        return None
    label = f"quantiles of {found[1].name} laws, location and scale"
    if d.order == 2:
        shift = move.place + move.size * move.mean
        # a law without a variance may be moved as a whole
        zero = xp.zeros_like(move.size)
        variance = xp.where(move.size == 0, zero, zero + move.variance)
        return Closed(distance(shift * shift + move.size * move.size * variance), label)
    if not bool(xp.any(move.size != 0)):
        return Closed(xp.abs(move.place), label)
    if d.order == 1 and found[1].name in ("exponential", "gamma", "half_normal"):
        return Closed(xp.abs(move.size) * move.mean, label)
    return None


def _bures(p: Law, q: Law) -> Closed | None:
    left, right = normals(p), normals(q)
    if left is None or right is None or left.size > 1 or right.size > 1:
        return None
    xp = ops(left.loc, right.loc)
    shift = (left.loc - right.loc)[..., 0, :]
    square = squared_bures(left.scale_tril[..., 0, :, :], right.scale_tril[..., 0, :, :])
    return Closed(distance(xp.sum(shift * shift) + square), "normal laws, means and Bures distance")


def _product(d: Wasserstein, p: Law, q: Law) -> Closed | None:
    """Squares of independent coordinates add, at order 2."""
    part = closed(d, p.inner, q.inner) if d.order == 2 and p.inner and q.inner else None
    if part is None:
        return None
    square = part.value * part.value
    for _ in range(p.axes):
        square = ops(square).sum(square)
    return Closed(distance(square), f"squares of independent coordinates; {part.method}")


def by_atoms(d: Wasserstein, p: Law, q: Law) -> Answer:
    """Discrete laws on the line, whose atoms are merged; rounding and the tail left out make the interval."""
    _on_the_line(d, p, q)
    found = atoms(p, q, moment=d.order + 1.0)
    value = float(d(found.p, found.q, positions=found.x, validate=False))
    centre = float(np.sum(found.p * found.x))
    off = float(np.sum(found.rounding * (2.0 * np.abs(found.x - centre)) ** d.order)) + found.left
    return _rooted(d, value**d.order, off, "enumeration", f"sum over {len(found.x)} points", value)


def by_quantiles(d: Wasserstein, p: Law, q: Law) -> Answer:
    """Any two laws on the line, by the integral of the distance of their quantiles."""
    if d.order == 2 and p.parts and q.parts and [x.event for x in p.parts] == [x.event for x in q.parts]:
        return _of_parts(d, p, q)
    _on_the_line(d, p, q)
    power, error, points = moved(d.order, p, q)
    if power == math.inf:
        note = ("infinite: the moment of that order does not exist",)
        return Answer(power, power, power, kind="quadrature", method="adaptive", unit=d.unit, notes=note)
    return _rooted(d, power, error, "quadrature", f"adaptive, {points} points")


def _of_parts(d: Wasserstein, p: Law, q: Law) -> Answer:
    found = []
    for x, y in zip(p.parts, q.parts, strict=True):
        form = closed(d, x, y)
        found.append(by_quantiles(d, x, y) if form is None else Answer.exact(float(form.value)))
    low, value, high = (
        math.sqrt(sum(getattr(a, end) ** 2 for a in found)) for end in ("low", "value", "high")
    )
    return Answer(value, low, high, kind="quadrature", method="squares of coordinates", unit=d.unit)


def _on_the_line(d: Wasserstein, p: Law, q: Law) -> None:
    for law in (p, q):
        if law.size != 1:
            raise UnsupportedPairError(
                f"{d.name} of {law.name} in {law.size} dimensions is known for order 2 of normal laws only; draw from "
                "both and call it on the draws, with weights 1/n and their places as positions"
            )


def _rooted(
    d: Wasserstein, power: float, error: float, kind: str, method: str, value: float | None = None
) -> Answer:
    """The root of an integral that may be off by `error`."""
    root = power ** (1.0 / d.order) if value is None else value
    low, high = max(power - error, 0.0) ** (1.0 / d.order), (power + error) ** (1.0 / d.order)
    return Answer(root, min(low, root), max(high, root), kind=kind, method=method, unit=d.unit)


answered(
    lambda d: isinstance(d, Wasserstein),
    Answers(closed, {"enumeration": by_atoms, "quadrature": by_quantiles}),
)
