"""Nearest neighbours by SciPy's k-d tree."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
Metric = Literal["chebyshev", "euclidean"]
_ORDER = {"chebyshev": np.inf, "euclidean": 2.0}


class Tree:
    """A k-d tree over points (n, d), in one metric."""

    def __init__(self, points: Floats, *, metric: Metric = "chebyshev") -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.metric: Metric = metric
        self._tree = KDTree(self.points)

    def neighbours(self, k: int, *, queries: Floats | None = None) -> tuple[Floats, NDArray[np.int64]]:
        """Distances (m, k), ascending, and the rows of the k nearest points.

        Without `queries` each point asks for itself and is not its own neighbour; a duplicate of it is, at distance 0.
        """
        asked = self.points if queries is None else queries
        found = self._tree.query(asked, k=k + (queries is None), p=_ORDER[self.metric])
        distances = np.reshape(found[0], (len(asked), -1))  # SciPy drops the axis of a single neighbour
        rows = np.reshape(found[1], (len(asked), -1)).astype(np.int64)
        if queries is not None:
            return distances, rows
        mine = rows == np.arange(len(asked))[:, None]
        mine[:, -1] |= ~mine.any(axis=1)  # among many duplicates the point itself may not be listed
        shape = (len(asked), k)
        return distances[~mine].reshape(shape), rows[~mine].reshape(shape)

    def counts(
        self, radii: Floats, *, queries: Floats | None = None, strict: bool = True
    ) -> NDArray[np.int64]:
        """How many points lie closer to each query than its radius (`strict`), or at most as far.

        Without `queries` each point asks for itself, and counts itself.
        """
        asked = self.points if queries is None else queries
        reach = np.nextafter(radii, -np.inf) if strict else radii
        inside = self._tree.query_ball_point(
            asked, np.maximum(reach, 0.0), p=_ORDER[self.metric], return_length=True
        )
        return np.where(reach < 0, 0, np.asarray(inside)).astype(np.int64)
