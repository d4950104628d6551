"""Where a column is cut: cells of equal mass in a sample pooled from both tables, heavy values on their own.

The pool keeps the two tables exchangeable under the hypothesis that they follow one law, so a permutation test on the
cells stays exact; and no outlier can stretch the cells, because only ranks place the edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kullback.tables.cells import DateCells, NumberCells
from kullback.tables.edge_names import DAY, offset

_SECOND = 1_000_000
_ROUND_UNITS = (DAY, 3600 * _SECOND, 60 * _SECOND, _SECOND)

Values = NDArray[np.floating] | NDArray[np.integer]


def cut_numbers(sample: Values, bins: int) -> NumberCells:
    """Cells of finite numbers, about `bins` of them; one each where there are at most so many distinct values.

    >>> cut_numbers(np.array([0, 0, 0, 0, 0, 1, 2, 3, 4, 5]), 4).edges
    (0, 1, 3)
    """
    if sample.dtype.kind in "iuO":  # objects are Python's integers, where signed and unsigned 64 bits meet
        return NumberCells(tuple(_edges(sample, bins, lambda value: value + 1)), integer=True)
    edges = _edges(sample.astype(np.float64), bins, lambda value: math.nextafter(value, math.inf))
    return NumberCells(tuple(edge for edge in edges if math.isfinite(edge)))


def cut_dates(sample: NDArray[np.integer], bins: int, *, daily: bool, zone: str | None) -> DateCells:
    """Cells of moments in microseconds since 1970; edges on round times, the roundest that keep them apart."""
    step = DAY if daily else 1
    edges = _edges(sample, bins, lambda value: value + step)
    has_atoms = any(high == low + step for low, high in pairwise(edges))
    return DateCells(tuple(edges if has_atoms else _on_round_times(edges, zone)), daily=daily, zone=zone)


def _edges(sample: Values, bins: int, after: Callable) -> list:
    """Strictly increasing: both ends of every atom, and between atoms the lower ends of cells of equal mass."""
    distinct, mass = np.unique(sample, return_counts=True)
    distinct = distinct + np.zeros((), distinct.dtype)  # −0.0 is 0.0
    heavy = np.ones(distinct.size, bool) if distinct.size <= bins else mass * bins > sample.size
    edges: set = set()
    start = 0
    for atom in [*np.flatnonzero(heavy).tolist(), distinct.size]:
        edges.update(_equal_mass(distinct[start:atom], mass[start:atom], bins, sample.size))
        if atom < distinct.size:
            (value,) = distinct[[atom]].tolist()
            edges.update((value, after(value)))
        start = atom + 1
    return sorted(edges)


def _equal_mass(distinct: Values, mass: NDArray[np.integer], bins: int, total: int) -> list:
    """Lower ends, all but the first, of cells that share out this run of values in proportion to its mass."""
    if distinct.size < 2:
        return []
    reached = np.cumsum(mass)
    parts = max(1, round(int(reached[-1]) * bins / total))
    targets = reached[-1] * np.arange(1, parts) / parts
    places = np.searchsorted(reached, targets, side="right")
    places = np.unique(places)
    return distinct[places[(places > 0) & (places < distinct.size)]].tolist()


def _on_round_times(edges: list[int], zone: str | None) -> list[int]:
    """Moved back to the full day, hour, minute or second on the clocks of the zone, the first that keeps them apart."""
    ahead = [offset(edge, zone) for edge in edges]
    for unit in _ROUND_UNITS:
        rounded = [(edge + by) // unit * unit - by for edge, by in zip(edges, ahead, strict=True)]
        if all(low < high for low, high in pairwise(rounded)):
            return rounded
    return edges
