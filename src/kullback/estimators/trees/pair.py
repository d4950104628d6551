"""Two columns of normal scores, searched by compiled cells of ranks; the general way is a `Tree` and two margins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.trees.by_scipy import Floats, Ints
from kullback.estimators.trees.tree import compiled

_POINTS = 3  # a cell, on average
_CROWDED = 200  # points in the cell of a point, on average: beyond, cells cost more than a tree
_ROWS = 1 << 16  # searched at a time, so that memory does not grow with rows times neighbours


@dataclass(frozen=True)
class Deletions:
    """Over a grid of k: the digammas of both counts, added up over the rows, (K,), and weighted for each row, (n, c);
    the change of the weighted total with each row's deletion, (n, c); and the counts of other rows, (n, K, 2).
    """

    total: Floats
    own: Floats
    change: Floats
    counts: NDArray[np.integer]


class ScorePair:
    """The points `(column[i], column[places[i]])` of ascending scores, compared by the largest difference."""

    def __init__(self, column: Floats, places: Ints, cells: Any, side: int) -> None:
        self._column, self._places, self._cells, self._side = column, places, cells, side

    @classmethod
    def of(cls, column: Floats, places: Ints) -> ScorePair | None:
        """The pair, or None where a tree serves better: nothing is compiled, or the points crowd in few cells."""
        if not compiled(2 * len(column)):
            return None
        from kullback.estimators.trees import cells

        side = max(1, int(np.sqrt(_POINTS * len(column))))
        filled = cells.fill(column, places, side)
        sizes = np.diff(filled[0])
        return None if sizes @ sizes > _CROWDED * len(column) else cls(column, places, filled, side)

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self._column)

    def neighbours(self, k: int) -> tuple[Floats, Ints]:
        """Distances (n, k), ascending, and the rows of the k nearest points of each."""
        found = [(distances, near) for _, distances, near in self._blocks(k)]
        return np.concatenate([d for d, _ in found]), np.concatenate([near for _, near in found])

    def inside(self, k: int) -> Ints:
        """How many other rows (n, 2) are closer than the k-th neighbour in each column alone."""
        counts = np.empty((self.n, 2), dtype=np.int64)
        for rows, distances, _ in self._blocks(k):
            radii = distances[:, -1:].copy()
            for c, places in enumerate(self._margins(rows)):
                bounds = self._strips(places, radii)
                np.subtract(bounds[:, 0, 1], bounds[:, 0, 0] + 1, out=counts[rows, c])
        return counts

    def deletions(self, ks: tuple[int, ...], weights: Floats, psi: Floats) -> Deletions:
        """What each row gives to others over a grid of k, combined by `weights` (c, K), in one walk over the rows."""
        from kullback.estimators.trees import deletions

        wanted = sorted({*ks, *(k + 1 for k in ks)})
        grid = np.array([ks, [wanted.index(k) for k in ks], [wanted.index(k + 1) for k in ks]])
        n, size, each = self.n, len(ks), len(weights)
        total, own, change = np.zeros(size), np.zeros((n, each)), np.zeros((n, each))
        along, across = np.zeros((n + 1, each)), np.zeros((n + 1, each))
        counts = np.empty((n, size, 2), dtype=np.int32)
        sums = (total, own, change, along, across, counts)
        for rows, distances, near in self._blocks(ks[-1] + 1):
            radii = distances[:, [k - 1 for k in wanted]]
            strips = [self._strips(places, radii) for places in self._margins(rows)]
            found = (distances, near, *strips)
            deletions.hand_out((self._column, self._places), rows.start, found, grid, weights, psi, sums)
        change -= np.cumsum(along, axis=0)[:-1] + np.cumsum(across, axis=0)[self._places]
        return Deletions(total, own, change, counts)

    def _margins(self, rows: slice) -> tuple[Ints, Ints]:
        return np.arange(rows.start, rows.stop), self._places[rows]

    def _blocks(self, k: int) -> Iterator[tuple[slice, Floats, Ints]]:
        """Runs of rows with their neighbours: a column of cells holds rows that follow each other."""
        from kullback.estimators.trees import cells
        from kullback.estimators.trees.by_numba import in_threads

        columns = -(-self.n // self._side)
        step = max(1, _ROWS // self._side)
        for begin in range(0, columns, step):
            end = min(begin + step, columns)
            rows = slice(begin * self._side, min(end * self._side, self.n))
            distances = np.empty((rows.stop - rows.start, k))
            near = np.empty(distances.shape, dtype=np.int64)

            def part(
                first: int, behind: int, begin: int = begin, d: Floats = distances, to: Ints = near
            ) -> None:
                skipped = begin * self._side
                cells.nearest(
                    self._column, self._side, self._cells, begin + first, begin + behind, skipped, d, to
                )

            in_threads(part, end - begin, 2 * len(distances))
            yield rows, distances, near

    def _strips(self, places: Ints, radii: Floats) -> Ints:
        """The runs (m, r, 2) of the column within ascending radii (m, r) of its places (m,)."""
        from kullback.estimators.trees import cells
        from kullback.estimators.trees.by_numba import in_threads

        bounds = np.empty((*radii.shape, 2), dtype=np.int64)

        def part(begin: int, end: int) -> None:
            cells.strips(self._column, places, radii, begin, end, bounds)

        in_threads(part, len(places), radii.size)
        return bounds
