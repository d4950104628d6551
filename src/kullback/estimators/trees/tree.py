"""The k-d tree that callers see: compiled where that pays and numba is there, SciPy's where not, with equal results."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from kullback.errors import InvalidInputError
from kullback.estimators.trees import by_scipy
from kullback.estimators.trees.by_scipy import Floats, Ints, Metric, ScipyTree

_WORTH_LOADING = 5_000  # numbers in the points above which loading numba (half a second, once) pays


@cache
def _installed() -> bool:
    return find_spec("numba") is not None


def compiled(size: int) -> bool:
    """Whether `size` numbers are searched by compiled code: once numba is loaded, always."""
    return _installed() and (size >= _WORTH_LOADING or "numba" in sys.modules)


def expect(searches: int, size: int) -> None:
    """Says that as many trees of `size` numbers each are to come: where that is worth it, loads the compiled ones now.

    Each alone may be too small for that. Where numba is not installed nothing happens.
    """
    if searches * size >= _WORTH_LOADING and _installed():
        import_module("numba")


class Tree:
    """A k-d tree over points (n, d), in one metric.

    Distances and counts are exact: a distance is compared as it is computed, so that a point at the very radius is
    never counted as closer. Equal points are no special case. `rows` is the order in which the tree keeps the points.
    """

    def __init__(self, points: Floats, *, metric: Metric = "chebyshev") -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.metric: Metric = metric
        self._engine = (
            self._compiled() if compiled(self.points.size) else ScipyTree(self.points, metric=metric)
        )
        self.rows: Ints = self._engine.rows

    def neighbours(self, k: int, *, queries: Floats | None = None) -> tuple[Floats, Ints]:
        """Distances (m, k), ascending, and the rows of the k nearest points.

        Without `queries` each point asks for itself and is not its own neighbour; a duplicate of it is, at distance 0.
        """
        self._enough(k, queries is None)
        return self._engine.neighbours(k, queries=queries)

    def in_order(self, k: int) -> tuple[Floats, Ints]:
        """The neighbours of the points for each other, in the order of `rows`: entry i is about row `rows[i]`.

        Neighbours are numbered in that order too. What lies together there lies together in memory.
        """
        self._enough(k, True)
        return self._engine.in_order(k)

    def kth(self, k: int) -> Floats:
        """The distance (n,) of each point from its k-th neighbour, in the order of `rows`; the cheapest search."""
        self._enough(k, True)
        return self._engine.kth(k)

    def counts(self, radii: Floats, *, queries: Floats | None = None, strict: bool = True) -> Ints:
        """How many points lie closer to each query than its radius (`strict`), or at most as far.

        `radii` is (m,), or (m, r) ascending in each row: one descent then answers all. Without `queries` each point
        asks for itself, and counts itself.
        """
        return self._engine.counts(radii, queries=queries, strict=strict)

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """Hands out amounts: each point gives to all that are closer to it than its radii, itself among them.

        `radii` (n, r) ascend. A point inside point i's radii from the t-th on gets `amounts[i, t]` of (n, r + 1, c),
        whose last entry, for points beyond all radii, is 0. Returns what each point got, (n, c).
        """
        return self._engine.spread(radii, amounts)

    def _enough(self, k: int, own: bool) -> None:
        others = len(self.points) - own
        if not 1 <= k <= others:
            raise InvalidInputError(
                f"k must lie between 1 and {others}, the other points there are; got {k!r}"
            )

    def _compiled(self) -> Any:
        from kullback.estimators.trees.by_numba import CompiledTree

        return CompiledTree(self.points, metric=self.metric)


def strips(column: Floats, places: Ints, radii: Floats, *, strict: bool) -> Ints:
    """The runs (m, r, 2), [first, behind), of a sorted column within ascending radii (m, r) of its places (m,)."""
    if compiled(column.size):
        from kullback.estimators.trees import by_numba

        return by_numba.strips(column, places, radii, strict=strict)
    return by_scipy.strips(column, places, radii, strict=strict)
