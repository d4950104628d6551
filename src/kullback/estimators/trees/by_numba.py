"""Nearest neighbours by the compiled k-d tree, with the interface of `by_scipy`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import config

from kullback.estimators.trees import kernels, plane
from kullback.estimators.trees.by_scipy import Floats, Ints, Metric
from kullback.estimators.trees.strips import strips as _strips

_LEAF = 32
_ALONE = 30_000  # numbers in the queries below which a second thread costs more than it saves


class CompiledTree:
    """A k-d tree over points (n, d), in one metric; what it computes is in leaf order until it is returned."""

    def __init__(self, points: Floats, *, metric: Metric = "chebyshev") -> None:
        self._euclid = True if metric == "euclidean" else None  # None lets the compiler drop the squares
        self._leaves = np.array(points, dtype=np.float64, order="C")
        self.rows = np.arange(len(points))
        self._nodes = kernels.build(self._leaves, self.rows, _LEAF)

    def neighbours(self, k: int, *, queries: Floats | None = None) -> tuple[Floats, Ints]:
        """Distances (m, k), ascending, and the rows of the k nearest points."""
        asked, rows = self._asked(queries)
        distances, places = self._nearest(asked, k, queries is None)
        return _placed(distances, rows), _placed(self.rows[places], rows)

    def in_order(self, k: int) -> tuple[Floats, Ints]:
        """The neighbours of each point, points in the order of `rows` and numbered in it."""
        return self._nearest(self._leaves, k, True)

    def kth(self, k: int) -> Floats:
        """The distance of each point from its k-th neighbour, points in the order of `rows`."""
        if self._leaves.shape[1] != 2 or self._euclid:
            return self.in_order(k)[0][:, -1].copy()
        distances = np.empty(len(self._leaves))

        def part(begin: int, end: int) -> None:
            plane.kth(self._leaves, self._nodes, k, begin, end, distances)

        in_threads(part, len(self._leaves), self._leaves.size)
        return distances

    def _nearest(self, asked: Floats, k: int, own: bool) -> tuple[Floats, Ints]:
        distances = np.empty((len(asked), k))
        places = np.empty((len(asked), k), dtype=np.int64)

        def part(begin: int, end: int) -> None:
            kernels.neighbours(
                self._leaves, self._nodes, asked, own, self._euclid, begin, end, distances, places
            )

        in_threads(part, len(asked), asked.size)
        return distances, places

    def counts(self, radii: Floats, *, queries: Floats | None = None, strict: bool = True) -> Ints:
        """How many points lie closer to each query than its radius, or than its ascending radii (m, r)."""
        asked, rows = self._asked(queries)
        reach = np.ascontiguousarray(radii[rows], dtype=np.float64)
        reach = reach if strict else np.nextafter(reach, np.inf)
        inside = np.empty(reach.shape, dtype=np.int64)
        kernel = kernels.count if reach.ndim == 1 else kernels.counts

        def part(begin: int, end: int) -> None:
            kernel(self._leaves, self._nodes, asked, reach, self._euclid, begin, end, inside)

        in_threads(part, len(asked), asked.size)
        return _placed(inside, rows)

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """The sums (n, c) that points get from all whose radii hold them; see `kernels.spread`."""
        reach, given = radii[self.rows], amounts[self.rows]
        sums = np.zeros((len(reach), amounts.shape[2]))
        lazy = np.zeros((len(self._nodes[0]), amounts.shape[2]))
        kernels.spread(self._leaves, self._nodes, reach, given, self._euclid, sums, lazy)
        kernels.settle(self._nodes, sums, lazy)
        return _placed(sums, self.rows)

    def _asked(self, queries: Floats | None) -> tuple[Floats, Ints]:
        """The queries in an order in which neighbours follow each other, and their rows."""
        if queries is None:
            return self._leaves, self.rows
        leaf = np.empty(len(queries), dtype=np.int64)
        asked = np.ascontiguousarray(queries, dtype=np.float64)
        kernels.homes(self._nodes, asked, leaf)
        rows = np.argsort(leaf, kind="stable")
        return asked[rows], rows


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
