"""Divergences of discrete laws by summing over their points, with the mass left out as an interval."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Divergence
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.integrand import contributions, reduced
from kullback.exact.law import Law, Support

_MOST = 4_000_000  # points
_NEGLIGIBLE = 1e-18


def by_enumeration(d: Divergence, p: Law, q: Law) -> Answer:
    """The sum over all points of both supports; of an endless support, up to where nothing is left to add."""
    f, mapped = reduced(d)
    supports = [_support(law) for law in (p, q)]
    low, high = min(s.low for s in supports), max(s.high for s in supports)
    totals, points, last, ended = np.zeros(4), 0, math.inf, False
    for x in _blocks(low, high):
        rows = contributions(f, _on(p, supports[0], x), _on(q, supports[1], x))
        with np.errstate(over="ignore"):
            block = rows.sum(axis=1)
        totals, points, last = totals + block, points + len(x), float(block[0])
        ended = x[-1] == high
        if totals[0] == math.inf or ended:
            break
        if max(1.0 - totals[1], 1.0 - totals[2]) < 1e-11 and last <= _NEGLIGIBLE * totals[0]:
            break
    else:
        raise ConvergenceError(
            f"{points} points were summed and {max(1 - totals[1], 1 - totals[2]):.3g} of the mass is left; "
            'pass kind="monte-carlo"'
        )
    value, rounding = float(totals[0]), float(totals[3])
    left = 0.0 if ended or value == math.inf else last
    notes = (
        ()
        if ended or value == math.inf
        else (f"points beyond {x[-1]:g} left out: they add at most {left:.3g}",)
    )
    ends = [max(value - rounding, 0.0), value + rounding + left]
    return Answer(
        mapped(value),
        mapped(ends[0]) if value < math.inf else math.inf,
        mapped(ends[1]) if value < math.inf else math.inf,
        kind="enumeration",
        method=f"sum over {points} points",
        notes=notes,
    )


def _blocks(low: float, high: float) -> Iterator[np.ndarray]:
    start, size = low, 1024
    while start <= high and start - low < _MOST:
        stop = min(start + size, high + 1)
        yield np.arange(start, stop, dtype=float)
        start, size = stop, 2 * size


def _on(p: Law, support: Support, x: np.ndarray) -> np.ndarray:
    inside = (x >= support.low) & (x <= support.high)
    found = np.full(x.shape, -math.inf)
    with np.errstate(all="ignore"):
        found[inside] = p.log_density()(x[inside])
    return found


def _support(law: Law) -> Support:
    found = law.support
    if found is None or not found.discrete or not math.isfinite(found.low):
        raise UnsupportedPairError(
            f"enumeration needs discrete laws with a first point; {law.name} is not one"
        )
    return found
