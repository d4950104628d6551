"""Columns for linear models of the log-ratio: one-hot codes, squares and products, and Gaussian bumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist

from kullback.estimators.ratios.rows import Floats, Mask, Rows

_BUMPS = 50
_ROWS_PER_FEATURE = 10  # products of columns are left out where there are fewer rows than this for each
_SOME = 500  # rows that tell the median distance


@dataclass(frozen=True)
class Design:
    """Which columns a linear model gets.

    `bent` takes the inverse hyperbolic sine of each value first, which tames heavy tails and leaves the ratio of the
    densities what it was. `width` is the bumps', in median distances; 0 for none.
    """

    bent: bool = False
    width: float = 0.0

    def features(self, p: Rows, q: Rows, rng: np.random.Generator) -> tuple[Callable[[Rows], Floats], Mask]:
        """A constant and the columns, in units of their spread over these rows, and which of them are bumps."""
        pooled = self._bent(np.concatenate([p.values, q.values]))
        products = pooled.shape[1] * (pooled.shape[1] + 3) / 2 * _ROWS_PER_FEATURE <= len(pooled)
        bumps = self._bumps(pooled, rng)

        def raw(rows: Rows) -> Floats:
            x = self._bent(rows.values)
            return np.column_stack([bumps(x), x, _squares(x, products), _hot(rows, x, len(pooled))])

        both = np.concatenate([raw(p), raw(q)])
        centre, spread = both.mean(axis=0), both.std(axis=0)
        live = spread > 1e-12 * np.abs(both).max(axis=0, initial=0.0)

        def features(rows: Rows) -> Floats:
            scaled = (raw(rows)[:, live] - centre[live]) / spread[live]
            return np.column_stack([np.ones(rows.n), scaled])

        is_bump = np.arange(len(live)) < bumps(pooled[:1]).shape[1]
        return features, np.concatenate([[False], is_bump[live]])

    def _bent(self, values: Floats) -> Floats:
        return np.arcsinh(values) if self.bent else values

    def _bumps(self, pooled: Floats, rng: np.random.Generator) -> Callable[[Floats], Floats]:
        number = min(_BUMPS, len(pooled) // _ROWS_PER_FEATURE) if self.width and pooled.shape[1] else 0
        order = rng.permutation(len(pooled))
        reach = self.width * median_distance(pooled[order[:_SOME]])
        if number == 0 or reach == 0.0:
            return lambda x: np.empty((len(x), 0))
        centres = pooled[order[:number]]
        return lambda x: gaussians(x, centres, reach)


PLAIN = Design()


def gaussians(x: Floats, centres: Floats, width: float) -> Floats:
    r"""$e^{-|x_i - c_j|^2 / (2 w^2)}$, shape (rows, centres)."""
    return np.exp(-0.5 * cdist(x / width, centres / width, "sqeuclidean"))


def median_distance(rows: Floats) -> float:
    """The median of the positive distances between rows; 0 where all are equal."""
    distances = pdist(rows)
    distances = distances[distances > 0]
    return float(np.median(distances)) if distances.size else 0.0


def _squares(x: Floats, products: bool) -> Floats:
    if not products:
        return x * x
    i, j = np.triu_indices(x.shape[1])
    return x[:, i] * x[:, j]


def _hot(rows: Rows, x: Floats, trained: int) -> Floats:
    """A column for each class and, where the rows suffice, the continuous ones within it."""
    if rows.codes is None:
        return np.empty((rows.n, 0))
    hot = np.eye(rows.classes)[rows.codes]
    if hot.shape[1] * x.shape[1] * _ROWS_PER_FEATURE > trained:
        return hot
    return np.column_stack([hot, (hot[:, :, None] * x[:, None, :]).reshape(rows.n, -1)])
