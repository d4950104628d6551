"""Balls about points that reach their neighbours, by their log-measure: what every nearest-neighbour estimate reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError
from kullback.estimators.neighbour_jackknife import columns
from kullback.estimators.neighbour_reference import Reference
from kullback.estimators.neighbour_ties import atomic, log_distances
from kullback.estimators.samples import Sample
from kullback.estimators.trees import Tree
from kullback.wording import several

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Balls:
    """The balls of n points: `reach` (n, orders) their log-measures at `columns(ks)`, `rows` the neighbours.

    `bent` (n,) is by how much the smallest ball has more than its volume, in logarithms: what a reference adds there.
    """

    reach: Floats
    rows: Rows
    tied: float  # the share of points that equal their nearest neighbour
    atomic: bool
    bent: Floats

    def busiest(self, k: int) -> float:
        """The largest share of the points that have one and the same point among their k nearest."""
        return float(np.bincount(self.rows[:, :k].ravel()).max()) / len(self.rows)


def balls(
    tree: Tree, ks: tuple[int, ...], *, reference: Reference | None, queries: Floats | None = None
) -> Balls:
    """The balls about the tree's own points, or about `queries`, up to one neighbour more than the largest k.

    Their measure is the reference's over its density at the centre, or the volume where there is no reference.
    """
    points = tree.points if queries is None else queries
    d = points.shape[1]
    distances, rows = tree.neighbours(max(ks) + 1, queries=queries)
    tied = float((distances[:, 0] == 0).mean())
    if atomic(distances):
        return Balls(distances, rows, tied, True, np.zeros(len(points)))
    logs = log_distances(distances, d)[:, np.array(columns(ks)) - 1]
    volumes = d * (np.log(2.0) + logs)
    reach = volumes if reference is None else reference.log_boxes(points, np.exp(logs))
    return Balls(reach, rows, tied, False, reach[:, 0] - volumes[:, 0])


def rotated(points: Floats, axes: Floats) -> Floats:
    """points·axes, added up column by column: equal rows stay equal, which matrix products do not promise."""
    out = np.zeros((len(points), axes.shape[1]))
    for column, row in zip(points.T, axes, strict=True):
        out += column[:, None] * row
    return out


def levelled(*samples: Sample) -> tuple[list[Floats], Floats]:
    """The values with each column divided by its own power of 2, so that squares stay in range, and the exponents."""
    reach = np.max([np.abs(s.values).max(axis=0) for s in samples], axis=0)
    exponents = np.where(reach > 0, np.frexp(reach)[1], 0)
    return [np.ldexp(s.values, -exponents) for s in samples], exponents


def checked(k: int | None, name: str) -> None:
    """Refuses an order of neighbours that is none."""
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
        raise InvalidInputError(
            f"{name} got k={k!r}; expected a whole number from 1 on, or None, which weighs several against each other"
        )


def enough(s: Sample, k: int | None) -> None:
    """Refuses fewer rows than neighbours, axes and the jackknife need."""
    least = max(4, s.dimension + 2, 0 if k is None else k + 2)
    if s.n < least:
        raise InvalidInputError(
            f"`{s.name}` has {several(s.n, 'row')} of {several(s.dimension, 'column')}; neighbour estimates need "
            f"at least {least} rows: 4, and two more than columns and than k"
        )
