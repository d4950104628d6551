"""Normal laws on a flat of fewer dimensions than their space: comparable only where both lie on the same flat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Noun
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.exact.integrand import reduced
from kullback.exact.law import Law
from kullback.exact.registry import families

Degenerate = Literal["pseudo"]
_EPSILON = float(np.finfo(float).eps)
_SAME = 1e-9  # of the spread: how far a flat may be off another one and count as the same
_ILL = 1e8  # condition number of a covariance from which on a note tells it


@dataclass(frozen=True, eq=False)
class DegenerateNormal(Law):
    """A normal law around `mean` with `spread` standard deviations along the rows of `directions`, and none across."""

    mean: np.ndarray | None = None
    directions: np.ndarray | None = None
    spread: np.ndarray | None = None
    lowest: float = 0.0

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of the space around the flat."""
        return () if self.mean is None else self.mean.shape

    def across(self, x: np.ndarray) -> np.ndarray:
        """What of the vectors in the last axis is not along the flat."""
        along = self.directions
        return x - x @ along.T @ along  # type: ignore[union-attr]


def normal_law(mean: np.ndarray, covariance: np.ndarray) -> Law:
    """The normal law with this covariance, degenerate where double precision finds no variance in some direction.

    Raises `InvalidInputError` for a matrix that is not symmetric or has a negative eigenvalue.
    """
    gap, size = (float(np.max(np.abs(x))) for x in (covariance - covariance.T, covariance))
    if gap > 1e-10 * size:
        raise InvalidInputError(
            f"multivariate_normal's covariance is not symmetric: entries differ by {gap:g}"
        )
    symmetric = 0.5 * (covariance + covariance.T)
    variances, axes = np.linalg.eigh(symmetric)
    lowest, floor = float(variances[0]), _EPSILON * float(variances[-1])
    if lowest < -len(variances) * floor:
        raise InvalidInputError(
            f"multivariate_normal's covariance is not positive definite: its smallest eigenvalue is {lowest:g}"
        )
    if lowest > floor:
        lower = np.linalg.cholesky(symmetric)
        known = families()["multivariate_normal"]
        return Law(known, {"loc": mean, "scale_tril": lower}, label="multivariate_normal")
    live = variances > len(variances) * floor
    return DegenerateNormal(
        None,
        {},
        label="degenerate multivariate_normal",
        mean=mean,
        directions=axes.T[live],
        spread=np.sqrt(variances[live]),
        lowest=lowest,
    )


def on_flats(
    d: Noun, p: Law, q: Law, degenerate: Degenerate | None, one: Callable[[Noun, Law, Law], Answer]
) -> Answer:
    """The divergence where a law is degenerate: on the flat that both share, else the largest that there is."""
    if degenerate != "pseudo":
        lowest, name = next((x.lowest, n) for x, n in ((p, "P"), (q, "Q")) if isinstance(x, DegenerateNormal))
        raise InvalidInputError(
            f"the covariance of `{name}` is not positive definite: its smallest eigenvalue is {lowest:g}; drop the "
            'directions without variance, add some to the diagonal, or pass degenerate="pseudo" to compare laws on '
            "the flat that they share"
        )
    if p.event != q.event or not all(_normal(x) for x in (p, q)):
        raise UnsupportedPairError(
            f"{p.name}‖{q.name}: a degenerate normal law is compared with normal ones only"
        )
    if isinstance(p, DegenerateNormal) and isinstance(q, DegenerateNormal) and _same_flat(p, q):
        answer = one(d, _within(p, p), _within(q, p))
        rank = 0 if p.spread is None else len(p.spread)
        note = f"both laws lie on one flat of dimension {rank} of {p.event[0]}: the divergence of their densities there"
        return replace(answer, notes=(*answer.notes, note))
    f, mapped = reduced(d)
    value = mapped(f.upper_bound)
    return Answer(
        value,
        value,
        value,
        method="support",
        unit=d.unit,
        notes=("the laws lie on different flats: they share no mass",),
    )


def _normal(law: Law) -> bool:
    known = law.family is not None and law.family.name == "multivariate_normal"
    return known or isinstance(law, DegenerateNormal)


def _same_flat(p: DegenerateNormal, q: DegenerateNormal) -> bool:
    if p.directions is None or q.directions is None or p.mean is None or q.mean is None or p.spread is None:
        return False
    if len(p.directions) != len(q.directions):
        return False
    size = max(float(np.max(p.spread, initial=0.0)), float(np.max(np.abs([p.mean, q.mean]))))
    apart = np.linalg.norm(p.across(q.mean - p.mean))
    return bool(np.linalg.norm(p.across(q.directions)) <= _SAME and apart <= _SAME * size)


def _within(law: DegenerateNormal, frame: DegenerateNormal) -> Law:
    """The law in the coordinates of `frame`, in which nothing is degenerate."""
    axes, own = frame.directions, law.directions
    if axes is None or own is None or law.spread is None or law.mean is None or frame.mean is None:
        raise AssertionError("a degenerate law without directions")
    root = (axes @ own.T) * law.spread
    lower = np.linalg.qr(root.T)[1].T
    lower = lower * np.where(np.diagonal(lower) < 0, -1.0, 1.0)
    parameters = {"loc": axes @ (law.mean - frame.mean), "scale_tril": np.tril(lower)}
    return Law(families()["multivariate_normal"], parameters, label="multivariate_normal")


def condition_notes(p: Law, q: Law) -> tuple[str, ...]:
    """A word on covariances so ill-conditioned that rounding of their entries may show in the value."""
    notes = []
    for law, name in ((p, "P"), (q, "Q")):
        factors = [x for key, x in law.parameters.items() if key.startswith("scale_tril")]
        if law.family is None or law.family.rank == 0 or not all(map(law.xp.concrete, factors)):
            continue
        whole = [np.asarray(law.xp.to_numpy(law.xp.detach(factor)), dtype=float) for factor in factors]
        numbers = [float(np.max(np.linalg.cond(factor), initial=0.0)) ** 2 for factor in whole]
        worst = max(numbers, default=0.0)
        if worst > _ILL:
            digits = max(0, math.floor(-math.log10(_EPSILON * worst)))
            what = "covariance" if law.family.rank == 1 else "scale matrix"
            notes.append(
                f"the {what} of {name} has condition number {worst:.2g}: of entries known to double precision it "
                f"keeps about {digits} digits"
            )
    return tuple(notes)
