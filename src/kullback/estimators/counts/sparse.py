"""Cells too small to say much by themselves: which ones, and with whom they are joined.

Joining cells can only lower an f-divergence, so what is shown on joined cells holds for the column as it is. Which
cells join depends on the pooled rows alone, except where a cell without rows on one side makes the divergence
infinite: there no finite number of rows can bound it from above, and only the lower end is at stake.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

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


def pooled(a: Counts, b: Counts, *, least: float = LEAST_EXPECTED) -> tuple[Counts, Counts]:
    """Small cells of as many pooled rows made one, in an order that neither names nor the division of rows decides.

    For cells without an order of their own. To join them by anything else that counts tell would be to sort them by
    what is to be measured.

    >>> pooled(np.array([2, 90, 0, 1]), np.array([0, 90, 2, 4]))[0].tolist()
    [2, 1, 90]
    """
    n, m = a.sum(), b.sum()
    total = a + b
    small = total * (min(n, m) / (n + m)) < least
    _, group = np.unique(total[small], return_inverse=True)
    order = np.lexsort((a[~small], total[~small]))

    def made_one(x: Counts) -> Counts:
        return np.append(np.bincount(group, weights=x[small]).astype(np.int64), x[~small][order])

    return made_one(a), made_one(b)


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


def lacking_bound(measure: FDivergence, a: Counts, b: Counts, confidence: float) -> float:
    r"""What a single cell without rows in the other table shows by itself: a lower limit that is finite.

    $$D_f \ge q\, f(p/q) + (1-q)\, f\Big(\frac{1-p}{1-q}\Big), \qquad p \ge p_\text{low},\ q \le q_\text{high}$$

    with the limits of Clopper and Pearson for the shares of that cell, for all cells at once with `confidence`.

    >>> from kullback.divergences import kl
    >>> round(lacking_bound(kl, np.array([900, 100]), np.array([1000, 0]), 0.975), 3)
    0.142
    """
    tail = (1 - confidence) / 2 / a.size
    found = 0.0
    for price, held, lacked, swap in ((measure.at_infinity, a, b, False), (measure.at_zero, b, a, True)):
        rows = held[lacked == 0]
        if math.isfinite(price) or not rows.size or not rows.max():
            continue
        most, total = int(rows.max()), int(held.sum())
        share, at_most = float(betaincinv(most, total - most + 1, tail)), 1 - tail ** (1 / int(lacked.sum()))
        if share > at_most:
            p, q = (at_most, share) if swap else (share, at_most)
            found = max(found, float(measure([p, 1 - p], [q, 1 - q])))
    return found


def _untouched(home: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells that nobody has joined yet, so that cells lacking on opposite sides do not meet and cancel."""
    return np.bincount(home, minlength=home.size) == 1


def _nearest(cell: int, home: NDArray[np.intp], waiting: list[int]) -> int:
    others = np.setdiff1d(np.arange(home.size), waiting)
    return int(others[np.argmin(np.abs(others - cell))]) if others.size else waiting[0]


def _summed(counts: Counts, home: NDArray[np.intp]) -> Counts:
    _, place = np.unique(home, return_inverse=True)
    return np.bincount(place, weights=counts).astype(np.int64)
