"""Divergences of discrete laws by summing over their points, with the mass left out as an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import combinations

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.integrand import contributions, reduced
from kullback.exact.law import Law, Support

_MOST = 4_000_000  # points
_MOST_VECTORS = 300_000  # of counts
_NEGLIGIBLE = 1e-18


def by_enumeration(d: Divergence, p: Law, q: Law) -> Answer:
    """The sum over all points of both supports; of an endless support, up to where nothing is left to add."""
    f, mapped = reduced(d)
    if p.parts and q.parts:
        return _on_grid(f, mapped, p, q)
    if _counts(p) and _counts(q):
        points = np.concatenate([_compositions(*total) for total in sorted(_counts(p) | _counts(q))])
        return _at_points(f, mapped, p.everywhere(points), q.everywhere(points))
    supports = [_support(law) for law in (p, q)]
    low, high = min(s.low for s in supports), max(s.high for s in supports)
    totals, points, last, ended = np.zeros(4), 0, math.inf, False
    for x in _blocks(low, high):
        rows = contributions(f, p.everywhere(x), q.everywhere(x))
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
    whole = ended or value == math.inf
    left = 0.0 if whole else last
    notes = () if whole else (f"points beyond {x[-1]:g} left out: they add at most {left:.3g}",)
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


def _on_grid(f: FDivergence, mapped: Callable[[float], float], p: Law, q: Law) -> Answer:
    """Over all combinations of the points of the parts, where there are finitely many."""
    axes = []
    for parts in zip(p.parts, q.parts, strict=True):
        ends = [_support(part) for part in parts]
        low, high = min(s.low for s in ends), max(s.high for s in ends)
        if not high - low < _MOST:
            raise UnsupportedPairError(
                f"a product with a part of {high - low + 1:g} points is not enumerated"
            )
        axes.append(np.arange(low, high + 1))
    points = math.prod(len(x) for x in axes)
    if points > _MOST:
        raise UnsupportedPairError(f"a product of {points} points is not enumerated, {_MOST} at most")
    log_p, log_q = (
        reduce(np.add.outer, [part.everywhere(x) for part, x in zip(law.parts, axes, strict=True)]).ravel()
        for law in (p, q)
    )
    return _at_points(f, mapped, log_p, log_q)


def _at_points(
    f: FDivergence, mapped: Callable[[float], float], log_p: np.ndarray, log_q: np.ndarray
) -> Answer:
    """The sum over all points of finite supports."""
    value, _, _, rounding = map(float, contributions(f, log_p, log_q).sum(axis=1))
    numbers = (value, max(value - rounding, 0.0), value + rounding) if value < math.inf else (math.inf,) * 3
    return Answer(*map(mapped, numbers), kind="enumeration", method=f"sum over {len(log_p)} points")


def _counts(law: Law) -> set[tuple[int, int]]:
    """How many draws of how many categories a law of vectors of counts has, none of any other law."""
    if law.family is None or law.family.rank != 1 or "total_count" not in law.parameters:
        return set()
    return {(int(law.parameters["total_count"]), law.size)}


def _compositions(total: int, categories: int) -> np.ndarray:
    """All vectors of counts with this sum: where the bars stand between the stars."""
    points = math.comb(total + categories - 1, total)
    if points > _MOST_VECTORS:
        raise UnsupportedPairError(f"{points} vectors of counts are not enumerated, {_MOST_VECTORS} at most")
    bars = list(combinations(range(total + categories - 1), categories - 1))
    ends = np.array(bars, dtype=float).reshape(points, categories - 1)
    edges = np.pad(ends, ((0, 0), (1, 1)), constant_values=((0.0, 0.0), (-1.0, total + categories - 1.0)))
    return np.diff(edges, axis=1) - 1.0


def _support(law: Law) -> Support:
    found = law.support
    if found is None or not found.discrete or not math.isfinite(found.low):
        raise UnsupportedPairError(
            f"enumeration needs discrete laws with a first point; {law.name} is not one"
        )
    return found
