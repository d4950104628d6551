"""Cells too small to say much by themselves: which ones, and with whom they are joined.

Joining cells can only lower an f-divergence, so what is shown on joined cells holds for the column as it is. Which
cells join depends on the pooled rows alone, except where a cell without rows on one side makes the divergence
infinite: there no finite number of rows can bound it from above, and only the lower end is at stake.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence

Counts = NDArray[np.int64]

# rows per cell that the smaller table should have; below it, intervals lose their coverage
LEAST_EXPECTED = 5


def joined(a: Counts, b: Counts) -> tuple[Counts, Counts]:
    """Neighbouring small cells joined until the smaller table can expect five rows in each; large ones stay alone.

    >>> joined(np.array([90, 2, 3, 5]), np.array([90, 3, 2, 5]))[0].tolist()
    [90, 5, 5]
    """
    n, m = a.sum(), b.sum()
    expected = (a + b) * (min(n, m) / (n + m))
    if expected.min() >= LEAST_EXPECTED:
        return a, b
    home = np.arange(a.size)
    waiting: list[int] = []
    last = None
    for cell in range(a.size):
        if expected[cell] >= LEAST_EXPECTED:
            continue
        waiting.append(cell)
        home[cell] = waiting[0]
        if expected[waiting].sum() >= LEAST_EXPECTED:
            last, waiting = waiting[0], []
    if waiting:
        home[waiting] = last if last is not None else _nearest(waiting[-1], home, waiting)
    return _summed(a, home), _summed(b, home)


def supported(measure: FDivergence, a: Counts, b: Counts) -> tuple[Counts, Counts]:
    """Cells that make the divergence infinite, joined with the smallest cell that has rows on both sides."""
    if measure.bounded:
        return a, b
    home = np.arange(a.size)
    for price, empty in ((measure.at_infinity, (b == 0) & (a > 0)), (measure.at_zero, (a == 0) & (b > 0))):
        if math.isfinite(price) or not empty.any():
            continue
        both = np.flatnonzero((a > 0) & (b > 0) & (home == np.arange(a.size)) & _untouched(home))
        partners = both if both.size else np.flatnonzero(~empty)
        home[empty] = home[partners[np.argmin((a + b)[partners])]]
    return _summed(a, home), _summed(b, home)


def _untouched(home: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells that nobody has joined yet, so that cells lacking on opposite sides do not meet and cancel."""
    return np.bincount(home, minlength=home.size) == 1


def _nearest(cell: int, home: NDArray[np.intp], waiting: list[int]) -> int:
    others = np.setdiff1d(np.arange(home.size), waiting)
    return int(others[np.argmin(np.abs(others - cell))]) if others.size else waiting[0]


def _summed(counts: Counts, home: NDArray[np.intp]) -> Counts:
    _, place = np.unique(home, return_inverse=True)
    return np.bincount(place, weights=counts).astype(np.int64)
