"""Chernoff information: the largest of (1 − a) times the Rényi divergences, however these are found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kullback.answer import Answer
from kullback.divergences import renyi
from kullback.divergences.chernoff import Chernoff
from kullback.errors import UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import Closed, closed
from kullback.exact.enumeration import by_enumeration
from kullback.exact.law import Law, to_numpy
from kullback.exact.quadrature import by_quadrature

_CLOSE = 1e-9  # an error of the order enters squared
_END = 1e-13  # an order as good as the end itself, where supports differ


def along(d: Chernoff, p: Law, q: Law) -> Closed | None:
    """From the Rényi divergences in closed form; the gradient is the one with the order held fixed."""
    if p.batch or q.batch or closed(renyi(0.5), p, q) is None:
        return None
    order = _best(lambda a: float(to_numpy(_closed(a, p, q).value)))
    found = _closed(order, p, q)
    return Closed((1.0 - order) * found.value, f"{d.name}, {found.method}", _attained(order))


def _attained(order: float) -> tuple[str, ...]:
    return (f"attained at a = {order:.6g}",)


def _closed(order: float, p: Law, q: Law) -> Closed:
    found = closed(renyi(order), p, q)
    if found is None:
        raise UnsupportedPairError(f"no closed form of renyi({order:g})")
    return found


def _exactly(d: Chernoff, p: Law, q: Law) -> Answer:
    found = along(d, p, q)
    if found is None:
        raise UnsupportedPairError("no closed form is registered")
    value = float(found.value)
    return Answer(value, value, value, method=found.method, notes=found.notes)


def _by(way: Callable[..., Answer]) -> Callable[[Chernoff, Law, Law], Answer]:
    def best(d: Chernoff, p: Law, q: Law) -> Answer:
        order = _best(lambda a: way(renyi(a), p, q).value)
        found, rest = way(renyi(order), p, q), 1.0 - order
        notes = (*_attained(order), *found.notes)
        low, value, high = (rest * x for x in (found.low, found.value, found.high))
        return Answer(value, low, high, kind=found.kind, method=f"{d.name}, {found.method}", notes=notes)

    return best


def _best(renyi_at: Callable[[float], float]) -> float:
    """The order a at which (1 − a) R_a, a concave function of it, is largest; nearly an end where that is one."""
    from scipy.optimize import minimize_scalar

    def exponent(a: float) -> float:
        return (1.0 - a) * renyi_at(float(a))

    if exponent(0.5) == math.inf:
        return 0.5
    options: Any = {"xatol": _CLOSE}
    found: Any = minimize_scalar(lambda a: -exponent(a), bounds=(0.0, 1.0), method="bounded", options=options)
    return max((float(found.x), _END, 1.0 - _END), key=exponent)


answered(
    lambda d: isinstance(d, Chernoff),
    Answers(
        along,
        {"exact": _exactly, "enumeration": _by(by_enumeration), "quadrature": _by(by_quadrature)},
    ),
)
