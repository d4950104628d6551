"""Nearest neighbours by the compiled k-d tree, with the interface of `by_scipy`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import config

from kullback.estimators.trees import build, nearest, shells, within
from kullback.estimators.trees.by_scipy import Floats, Ints, Metric
from kullback.estimators.trees.strips import strips as _strips

_CROWD = 8 * build.WIDTH  # queries in one leaf from which it pays to bring these in an order of their own
Asked = tuple[Floats, Ints, Ints]
_ALONE = 30_000  # numbers in the queries below which a second thread costs more than it saves


class CompiledTree:
    """A k-d tree over points (n, d), in one metric; what it computes is in leaf order until it is returned."""

    def __init__(self, points: Floats, *, metric: Metric = "chebyshev") -> None:
        self._euclid = True if metric == "euclidean" else None  # None lets the compiler drop the squares
        self.rows, self._points, self._nodes, self._splits = build.build(points)
        self._blocks = build.pack(self._points)
        self._leaves: Ints = np.arange(len(points)) // build.WIDTH

    def neighbours(self, k: int, *, queries: Floats | None = None) -> tuple[Floats, Ints]:
        """Distances (m, k), ascending, and the rows of the k nearest points."""
        return self._nearest(k, self._asked(queries), self.rows, own=queries is None)

    def in_order(self, k: int) -> tuple[Floats, Ints]:
        """The neighbours of each point, points in the order of `rows` and numbered in it."""
        order = np.arange(len(self.rows))
        return self._nearest(k, (self._points, order, self._leaves), order, own=True)

    def kth(self, k: int) -> Floats:
        """The distance of each point from its k-th neighbour, points in the order of `rows`."""
        return self.in_order(k)[0][:, -1].copy()

    def _nearest(self, k: int, asked: Asked, named: Ints, *, own: bool) -> tuple[Floats, Ints]:
        distances = np.empty((len(asked[0]), k))
        places = np.empty(distances.shape, dtype=np.int64)

        def part(begin: int, end: int) -> None:
            nearest.neighbours(
                self._blocks, self._nodes, asked, own, self._euclid, begin, end, named, distances, places
            )

        in_threads(part, len(distances), asked[0].size)
        return distances, places

    def counts(self, radii: Floats, *, queries: Floats | None = None, strict: bool = True) -> Ints:
        """How many points lie closer to each query than its radius, or than its ascending radii (m, r)."""
        asked, rows, leaves = self._asked(queries)
        reach = self._compared(radii[rows] if strict else np.nextafter(radii[rows], np.inf))
        inside = np.empty(reach.shape, dtype=np.int64)
        tree = self._blocks, self._nodes

        def part(begin: int, end: int) -> None:
            if reach.ndim == 1:
                within.count(*tree, asked, leaves, reach, self._euclid, begin, end, inside)
            else:
                shells.counts(*tree, asked, reach, self._euclid, begin, end, inside)

        in_threads(part, len(asked), asked.size)
        return _placed(inside, rows)

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """The sums (n, c) that points get from all whose radii hold them; see `shells.spread`."""
        reach, given = self._compared(radii[self.rows]), amounts[self.rows]
        sums = np.zeros((len(reach), amounts.shape[2]))
        lazy = np.zeros((len(self._nodes[0]), amounts.shape[2]))
        shells.spread(self._points, self._blocks, self._nodes, reach, given, self._euclid, sums, lazy)
        shells.settle(self._nodes, sums, lazy)
        return _placed(sums, self.rows)

    def _asked(self, queries: Floats | None) -> Asked:
        """The queries in an order in which neighbours follow each other, with their rows and their leaves."""
        if queries is None:
            return self._points, self.rows, self._leaves
        asked = np.ascontiguousarray(queries, dtype=np.float64)
        rows, leaves = build.settle_in(self._nodes, self._splits, asked)
        borders = np.flatnonzero(np.diff(leaves, prepend=-1, append=-1))
        for i in np.flatnonzero(np.diff(borders) > _CROWD):
            crowd = rows[borders[i] : borders[i + 1]]
            crowd[:] = crowd[build.build(asked[crowd])[0]]
        return asked[rows], rows, leaves

    def _compared(self, radii: Floats) -> Floats:
        """The radii, or where distances are squared the least squares whose roots are not below them."""
        radii = np.ascontiguousarray(radii, dtype=np.float64)
        if not self._euclid:
            return radii
        radii = np.maximum(radii, 0.0)
        squares = radii * radii
        while (low := np.sqrt(squares) < radii).any():
            squares[low] = np.nextafter(squares[low], np.inf)
        while (high := (squares > 0) & (np.sqrt(np.nextafter(squares, 0.0)) >= radii)).any():
            squares[high] = np.nextafter(squares[high], 0.0)
        return squares


def strips(column: Floats, places: Ints, radii: Floats, *, strict: bool) -> Ints:
    """The runs (m, r, 2) of a sorted column within ascending radii (m, r) of its places (m,)."""
    bounds = np.empty((*radii.shape, 2), dtype=np.int64)

    def part(begin: int, end: int) -> None:
        _strips(column, places, radii, strict, begin, end, bounds)

    in_threads(part, len(places), radii.size)
    return bounds


def in_threads(part: Callable[[int, int], None], n: int, work: int) -> None:
    """Runs `part` over [0, n) in as many runs as threads pay; each writes its own rows, so the result is the same."""
    threads = 1 if work < _ALONE else config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
    if threads == 1:
        part(0, n)
        return
    cuts = np.linspace(0, n, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, cuts[:-1], cuts[1:]))


def _placed(values: np.ndarray, rows: Ints) -> np.ndarray:
    """Row i of `values` belongs to row `rows[i]`."""
    out = np.empty_like(values)
    out[rows] = values
    return out
