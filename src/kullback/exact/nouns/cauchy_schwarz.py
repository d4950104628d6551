"""The Cauchy–Schwarz divergence beyond its closed forms: the angle from sums or integrals of products."""

from __future__ import annotations

import math
from collections.abc import Callable

from kullback.answer import Answer
from kullback.divergences.cauchy_schwarz import CauchySchwarz
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import angle_of_densities
from kullback.exact.law import Law
from kullback.exact.squares import Squares, integrated, summed


def _by(squares: Callable[[Law, Law], Squares], kind: str) -> Callable[[CauchySchwarz, Law, Law], Answer]:
    def way(d: CauchySchwarz, p: Law, q: Law) -> Answer:
        found = squares(p, q)
        value, error = _angle(found)
        low, high = max(value - error, 0.0), value + error
        return Answer(value, low, high, kind=kind, method=found.method, unit=d.unit)

    return way


def _angle(found: Squares) -> tuple[float, float]:
    """The value, from the part of p − q across q where that is small, and what it may be off by."""
    (gap, along, pp, qq, pq), off = map(float, found.totals), [float(x) for x in found.errors]
    sine = (gap - along * along / qq) / pp
    if sine < 0.5:
        moved = (off[0] + 2.0 * abs(along) / qq * off[1] + (along / qq) ** 2 * off[3]) / pp + sine * off[
            2
        ] / pp
        return -math.log1p(-sine), moved / (1.0 - sine)
    if pq <= 0.0:
        return math.inf, 0.0
    return math.log(pp) + math.log(qq) - 2.0 * math.log(pq), off[2] / pp + off[3] / qq + 2.0 * off[4] / pq


answered(
    lambda d: isinstance(d, CauchySchwarz),
    Answers(
        lambda _, p, q: angle_of_densities(p, q),
        {"enumeration": _by(summed, "enumeration"), "quadrature": _by(integrated, "quadrature")},
    ),
)
