"""Neighbours in a joint space, counts within their reach in each margin, and both again without one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kullback.estimators.trees import Tree

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Strips:
    """Columns (n, d) in which rows are counted, and the sign of their term in the estimate."""

    points: Floats
    sign: int

    @cached_property
    def tree(self) -> Tree:
        """A tree over them, built once."""
        return Tree(self.points)


@dataclass(frozen=True)
class Locals:
    r"""What each row contributes at each k, $\sum_m \sigma_m \psi(n_{m,k}(i))$, (rows, K), i counted among the n.

    `without` (n, K) is the sum over all other rows once a row is left out.
    """

    own: Floats
    without: Floats


def local_terms(
    margins: Sequence[Strips],
    distances: Floats,
    neighbours: Rows,
    ks: tuple[int, ...],
    *,
    where: Rows | None = None,
) -> Locals:
    """The terms of the rows `where` (all of them by default) and their sums when any row is left out.

    `distances` (rows, > max k) and `neighbours` are those of each row of `where` in the joint space, ascending. A row's
    deletion takes it out of every strip that has it strictly inside; where it is one of the k neighbours, the next one
    takes its place, if that lies further: else the strips stay as wide, and which of several at one distance are among
    the k does not matter.
    """
    n = len(margins[0].points)
    rows = np.arange(n) if where is None else where
    own = np.zeros((len(rows), len(ks)))
    replaced = np.zeros_like(own)  # a row's terms once one of its k neighbours is gone
    falls = np.zeros((n, len(ks)))
    for margin in margins:
        here, fewer, further = _terms(margin, distances, rows, ks)
        own += here
        replaced += further
        falls += _handed(margin, distances, neighbours, rows, ks, fewer - here)
    for a, k in enumerate(ks):
        jumps = np.repeat(np.where(_moved(distances, k), replaced[:, a] - own[:, a], 0.0), k)
        falls[:, a] += np.bincount(neighbours[:, :k].ravel(), weights=jumps, minlength=n)
    falls[rows] -= own
    return Locals(own, own.sum(axis=0) + falls)


def own_terms(margins: Sequence[Strips], reach: Floats, where: Rows | None = None) -> Floats:
    """The terms of the rows `where` alone, at neighbours at the distances `reach` (rows, K): (rows, K)."""
    total = np.zeros_like(reach)
    for margin in margins:
        inside = margin.tree.counts(reach, queries=None if where is None else margin.points[where])
        total += margin.sign * digamma(np.maximum(inside, 1))
    return total


def _terms(
    margin: Strips, distances: Floats, rows: Rows, ks: tuple[int, ...]
) -> tuple[Floats, Floats, Floats]:
    """The term of each row at each k, that with one row less inside, and that at the next neighbour, one row less."""
    orders = sorted({*ks, *(k + 1 for k in ks)})
    reach = distances[:, np.array(orders) - 1]
    inside = margin.tree.counts(reach, queries=margin.points[rows])
    here = inside[:, np.searchsorted(orders, ks)]
    further = inside[:, np.searchsorted(orders, np.add(ks, 1))]
    # a count of 1 is the row itself: nobody's deletion lowers it
    counts = (here, np.maximum(here - 1, 1), np.maximum(further - 1, 1))
    here, fewer, further = (margin.sign * digamma(np.maximum(c, 1)) for c in counts)
    return here, fewer, further


def _handed(
    margin: Strips, distances: Floats, neighbours: Rows, rows: Rows, ks: tuple[int, ...], fall: Floats
) -> Floats:
    """What each row takes along from the strips it lies in, where it is none of their k neighbours, (n, K)."""
    n = len(margin.points)
    radii = np.zeros((n, len(ks)))
    radii[rows] = distances[:, np.array(ks) - 1]
    amounts = np.zeros((n, len(ks) + 1, len(ks)))
    amounts[rows, : len(ks)] = fall[:, None, :] * np.triu(np.ones((len(ks), len(ks))))
    handed = margin.tree.spread(radii, amounts)
    handed[rows] -= np.where(radii[rows] > 0, fall, 0.0)  # to itself
    for a, k in enumerate(ks):
        near = neighbours[:, :k]
        apart = np.abs(margin.points[near] - margin.points[rows][:, None]).max(axis=2)
        twice = (apart < radii[rows, a][:, None]) & _moved(distances, k)[:, None]
        again = np.where(twice, fall[:, a][:, None], 0.0)
        handed[:, a] -= np.bincount(near.ravel(), weights=again.ravel(), minlength=n)
    return handed


def _moved(distances: Floats, k: int) -> NDArray[np.bool_]:
    """The rows whose reach moves when one of their k neighbours goes."""
    return distances[:, k] > distances[:, k - 1]
