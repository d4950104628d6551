"""One variable of a joint sample: how many rows lie within reach of each in it, and what they hand each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kullback.estimators.trees.by_scipy import Floats, Ints
from kullback.estimators.trees.tree import Tree, strips


@dataclass(frozen=True)
class SortedColumn:
    """One column in ascending order and the place of each row in it; sorted once, it serves many searches."""

    values: Floats
    places: Ints

    @classmethod
    def of(cls, column: Floats) -> SortedColumn:
        """A column of any order."""
        order = np.argsort(column, kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return cls(column[order], places)

    def take(self, rows: Ints) -> SortedColumn:
        """The same column for rows in another order."""
        return SortedColumn(self.values, self.places[rows])

    def counts(self, radii: Floats, *, strict: bool = True) -> Ints:
        """How many rows lie closer to each row than its ascending radii (n, r), itself among them."""
        bounds = strips(self.values, self.places, radii, strict=strict)
        return bounds[:, :, 1] - bounds[:, :, 0]

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """As `Tree.spread`: differences where the runs begin and end, summed up once."""
        bounds = strips(self.values, self.places, radii, strict=True)
        n = len(self.values)
        sums = np.empty((len(self.places), amounts.shape[2]))
        for c in range(amounts.shape[2]):
            steps = (amounts[:, :-1, c] - amounts[:, 1:, c]).ravel()
            rise = np.bincount(bounds[:, :, 0].ravel(), weights=steps, minlength=n + 1)
            fall = np.bincount(bounds[:, :, 1].ravel(), weights=steps, minlength=n + 1)
            sums[:, c] = np.cumsum(rise - fall)[self.places]
        return sums

    def apart(self, rows: Ints, others: Ints) -> Floats:
        """The distances of rows from others."""
        return np.abs(self.values[self.places[rows]] - self.values[self.places[others]])


@dataclass(frozen=True)
class Block:
    """Several columns, compared by the largest difference."""

    tree: Tree

    @classmethod
    def of(cls, columns: Floats) -> Block:
        """Columns (n, d)."""
        return cls(Tree(columns))

    def counts(self, radii: Floats, *, strict: bool = True) -> Ints:
        """As `SortedColumn.counts`."""
        return (
            self.tree.counts(radii[:, 0], strict=strict)[:, None]
            if radii.shape[1] == 1
            else (self.tree.counts(radii, strict=strict))
        )

    def spread(self, radii: Floats, amounts: Floats) -> Floats:
        """As `Tree.spread`."""
        return self.tree.spread(radii, amounts)

    def apart(self, rows: Ints, others: Ints) -> Floats:
        """The distances of rows from others."""
        return np.abs(self.tree.points[rows] - self.tree.points[others]).max(axis=1)


Margin = SortedColumn | Block
