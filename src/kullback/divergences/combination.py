"""Weighted sums of divergences: mixtures, symmetrised and rescaled forms are f-divergences again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array
from kullback.divergences.generator import FDivergence
from kullback.errors import InvalidInputError


@dataclass(frozen=True, repr=False)
class Combination(FDivergence):
    r"""$f = \sum_k w_k f_k$ with positive weights; written as `0.3 * kb.kl + 0.7 * kb.reverse_kl`.

    >>> import kullback as kb
    >>> both = kb.kl + kb.reverse_kl
    >>> round(both([0.5, 0.5], [0.25, 0.75]) - kb.jeffreys([0.5, 0.5], [0.25, 0.75]), 12)
    0.0
    """

    parts: tuple[tuple[float, FDivergence], ...]

    @property
    def name(self) -> str:
        return " + ".join(d.name if w == 1 else f"{w:g} {d.name}" for w, d in self.parts)

    @property
    def formula(self) -> str:
        return " + ".join(rf"{w:g} \left[{d.formula}\right]" for w, d in self.parts)

    @property
    def unit(self) -> str:
        """That of the parts, where they have one in common."""
        units = {d.unit for _, d in self.parts}
        return units.pop() if len(units) == 1 else ""

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        return self.dual == self

    @property
    def dual(self) -> FDivergence:
        return weighted(tuple((w, d.dual) for w, d in self.parts))

    @property
    def at_zero(self) -> float:
        return sum(w * d.at_zero for w, d in self.parts)

    @property
    def power_at_zero(self) -> float:
        return max(d.power_at_zero for _, d in self.parts)

    @property
    def curvature_at_one(self) -> float | None:
        scales = [d.curvature_at_one for _, d in self.parts]
        return (
            None if None in scales else sum(w * s for (w, _), s in zip(self.parts, scales, strict=True) if s)
        )

    @property
    def metric_root(self) -> float | None:
        return self.parts[0][1].metric_root if len(self.parts) == 1 else None

    @property
    def conjugate_closed(self) -> bool:  # type: ignore[override]
        return len(self.parts) == 1 and self.parts[0][1].conjugate_closed

    def _below(self, u: Array) -> Array:
        return sum(w * d._below(u) for w, d in self.parts)

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        # by the parts, some of which know a shorter way, and without the dual, whose order of parts no tracer can sort
        both = [(w, *d._both(p, q, r)) for w, d in self.parts]
        return sum(w * push for w, push, _ in both), sum(w * pull for w, _, pull in both)

    def _slope(self, r: Array) -> Array:
        return sum(w * d._slope(r) for w, d in self.parts)

    def _link(self, r: Array) -> Array:
        return sum(w * d._link(r) for w, d in self.parts)

    def _curvature(self, r: Array) -> Array:
        return sum(w * d._curvature(r) for w, d in self.parts)

    def _conjugate(self, u: Array) -> Array:
        if len(self.parts) > 1:
            return super()._conjugate(u)
        ((weight, d),) = self.parts
        return weight * d._conjugate(u / weight)


def weighted(parts: tuple[tuple[float, FDivergence], ...]) -> FDivergence:
    """The sum of the weighted parts, equal ones merged, in an order of its own so that equal sums are equal objects."""
    total: dict[FDivergence, float] = {}
    for weight, d in parts:
        if not 0 < weight < math.inf:
            raise InvalidInputError(
                f"the weight of {d.name} is {weight:g}; only positive multiples stay convex"
            )
        for inner, part in d.parts if isinstance(d, Combination) else ((1.0, d),):
            total[part] = total.get(part, 0.0) + weight * inner
    if list(total.values()) == [1.0]:
        return next(iter(total))
    return Combination(
        tuple(sorted(((w, d) for d, w in total.items()), key=lambda part: (part[1].name, part[0])))
    )
