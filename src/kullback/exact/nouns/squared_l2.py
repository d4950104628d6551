"""The squared L2 distance: in closed form for normal laws and their mixtures, else by sums and integrals."""

from __future__ import annotations

from collections.abc import Callable

from kullback.answer import Answer
from kullback.divergences.squared_l2 import SquaredL2
from kullback.errors import UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import Closed
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.overlap import squared_gap
from kullback.exact.squares import Squares, integrated, summed


def closed(d: SquaredL2, p: Law, q: Law) -> Closed | None:
    """Of normal laws and mixtures of them."""
    if normals(p) is None or normals(q) is None:
        return None
    return Closed(squared_gap(p, q), f"{d.name} of normal laws and their mixtures")


def _by(squares: Callable[[Law, Law], Squares], kind: str) -> Callable[[SquaredL2, Law, Law], Answer]:
    def way(d: SquaredL2, p: Law, q: Law) -> Answer:
        if p.support and q.support and p.support.discrete != q.support.discrete:
            raise UnsupportedPairError(
                "one law is discrete and the other has a density: no square compares them"
            )
        found = squares(p, q)
        value, error = float(found.totals[0]), float(found.errors[0])
        return Answer(
            value, max(value - error, 0.0), value + error, kind=kind, method=found.method, unit=d.unit
        )

    return way


answered(
    lambda d: isinstance(d, SquaredL2),
    Answers(closed, {"enumeration": _by(summed, "enumeration"), "quadrature": _by(integrated, "quadrature")}),
)
