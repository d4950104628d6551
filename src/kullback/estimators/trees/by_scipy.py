"""Nearest neighbours by SciPy's k-d tree: where numba is absent, and for samples too small to load it for."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Literal["chebyshev", "euclidean"]
_ORDER = {"chebyshev": np.inf, "euclidean": 2.0}
_BLOCK = 1 << 22  # distances at a time where all are needed
_HAIR = 1e-14  # relative: far more than the rounding of a square and its root


class ScipyTree:
    """A k-d tree over points (n, d), in one metric."""

    def __init__(self, points: Floats, *, metric: Metric = "chebyshev") -> None:
        self._points = np.ascontiguousarray(points, dtype=np.float64)
        self._metric: Metric = metric
        self._tree = KDTree(self._points)
        self.rows: Ints = np.arange(len(self._points))

    def in_order(self, k: int) -> tuple[Floats, Ints]:
        """The neighbours of each point, points in the order of `rows`."""
        return self.neighbours(k)

    def kth(self, k: int) -> Floats:
        """The distance of each point from its k-th neighbour."""
        return self.neighbours(k)[0][:, -1].copy()

    def neighbours(self, k: int, *, queries: Floats | None = None) -> tuple[Floats, Ints]:
        """Distances (m, k), ascending, and the rows of the k nearest points."""
        asked = self._points if queries is None else queries
        found = self._tree.query(asked, k=k + (queries is None), p=_ORDER[self._metric])
        distances = np.reshape(found[0], (len(asked), -1))  # SciPy drops the axis of a single neighbour
        rows = np.reshape(found[1], (len(asked), -1)).astype(np.int64)
        if queries is not None:
            return distances, rows
        mine = rows == np.arange(len(asked))[:, None]
        mine[:, -1] |= ~mine.any(axis=1)  # among many duplicates the point itself may not be listed
        shape = (len(asked), k)
        return distances[~mine].reshape(shape), rows[~mine].reshape(shape)

    def counts(self, radii: Floats, *, queries: Floats | None = None, strict: bool = True) -> Ints:
        """How many points lie closer to each query than its radius, or than its ascending radii (m, r)."""
        if radii.ndim == 2:
            each = [self.counts(radius, queries=queries, strict=strict) for radius in radii.T]
            return np.stack(each, axis=1)
        asked = self._points if queries is None else queries
        if self._metric == "euclidean":
            return self._by_squares(asked, radii, strict)
        reach = np.nextafter(radii, -np.inf) if strict else radii
        return np.where(reach < 0, 0, self._inside(asked, reach)).astype(np.int64)

    def _inside(self, asked: Floats, reach: Floats) -> Ints:
        found = self._tree.query_ball_point(
            asked, np.maximum(reach, 0.0), p=_ORDER[self._metric], return_length=True
        )
        return np.asarray(found, dtype=np.int64)

    def _by_squares(self, asked: Floats, radii: Floats, strict: bool) -> Ints:
        """Euclidean counts: SciPy compares squares, whose roots round, so what lies about the radius is asked for."""
        surely = np.where(radii > 0, self._inside(asked, radii * (1.0 - _HAIR)), 0)
        perhaps = np.where(radii >= 0, self._inside(asked, radii * (1.0 + _HAIR)), 0)
        for i in np.flatnonzero(surely < perhaps):
            ranks = list(range(int(surely[i]) + 1, int(perhaps[i]) + 1))
            distances = np.asarray(self._tree.query(asked[i], k=ranks)[0])  # type: ignore[arg-type]
            near = distances < radii[i] if strict else distances <= radii[i]
            surely[i] += int(near.sum())
        return surely

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """The sums (n, c) of what each point gets from all that hold it within their radii; every pair is looked at."""
        n = len(self._points)
        sums = np.zeros((n, amounts.shape[2]))
        step = max(1, _BLOCK // n)
        for begin in range(0, n, step):
            rows = np.arange(begin, min(begin + step, n))
            apart = np.abs(self._points[rows, None] - self._points)
            lengths = apart.max(-1) if self._metric == "chebyshev" else np.sqrt((apart**2).sum(-1))
            first = sum((lengths >= radius[:, None]).astype(np.int64) for radius in radii[rows].T)
            sums += amounts[rows[:, None], first].sum(axis=0)
        return sums


def strips(column: Floats, places: Ints, radii: Floats, *, strict: bool) -> Ints:
    """The runs (m, r, 2) of a sorted column within ascending radii (m, r) of its places (m,)."""
    centre = column[places][:, None]
    middle = places[:, None]
    low = np.searchsorted(column, centre - radii, side="right" if strict else "left")
    behind = np.searchsorted(column, centre + radii, side="left" if strict else "right")
    empty = (radii <= 0) if strict else (radii < 0)
    low, behind = np.minimum(low, middle), np.maximum(behind, middle + 1)

    def inside(place: Ints) -> NDArray[np.bool_]:
        apart = np.abs(column[np.clip(place, 0, len(column) - 1)] - centre)
        near = apart < radii if strict else apart <= radii
        return near & (place >= 0) & (place < len(column)) & ~empty

    # The sums above are rounded; what counts are the differences, so the ends move until these agree.
    while (wrong := ~inside(low) & (low < middle)).any():
        low += wrong
    while (wrong := ~inside(behind - 1) & (behind > middle + 1)).any():
        behind -= wrong
    while (more := inside(low - 1)).any():
        low -= more
    while (more := inside(behind)).any():
        behind += more
    return np.stack([np.where(empty, middle, low), np.where(empty, middle, behind)], axis=2)
