"""How often each class occurs, weighted or not, in forms in which neither names nor the order of rows are left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.weighting import effective_rows

Counts = NDArray[np.float64]
Codes = NDArray[Any]
Weights = NDArray[np.float64] | None

LEAST_ROWS = 10  # in fewer, classes that were not seen may outweigh those that were


@dataclass(frozen=True)
class Tally:
    """The counts of the counts: `times[i]` classes have `sizes[i]` rows each; sizes ascend and are positive.

    All that an entropy depends on. Sums over it are short where the alphabet is large, and a new order of the rows or
    new names of the classes cannot change a bit of them.
    """

    sizes: Counts
    times: Counts

    @cached_property
    def n(self) -> float:
        """The number of rows."""
        return float(self.times @ self.sizes)

    @cached_property
    def classes(self) -> int:
        """The number of classes that occur."""
        return int(self.times.sum())

    @cached_property
    def shares(self) -> Counts:
        """The share of the rows that one class of each size has."""
        return self.sizes / self.n

    @cached_property
    def whole(self) -> bool:
        """Whether rows were counted, or weights that stand for whole rows."""
        return bool(np.all(self.sizes == np.rint(self.sizes)))

    def occurring(self, size: int) -> float:
        """How many classes have exactly so many rows."""
        return float(self.times[self.sizes == size].sum())

    @property
    def coverage(self) -> float:
        """The probability of the classes that occur, by Turing: one less the share of rows without a second."""
        return 1.0 - self.occurring(1) / self.n

    def less_one(self, i: int) -> Tally:
        """The tally without one row of a class of `sizes[i]` rows."""
        times = self.times.copy()
        times[i] -= 1.0
        sizes, fewer = self.sizes, self.sizes[i] - 1.0
        if fewer > 0:
            sizes, times = np.append(sizes, fewer), np.append(times, 1.0)
        return Tally(sizes[times > 0], times[times > 0])


def tally(counts: Counts) -> Tally:
    """The counts of the counts; empty classes are left out.

    >>> tally(np.array([3.0, 0.0, 1.0, 3.0])).times.tolist()
    [1.0, 2.0]
    """
    sizes, times = np.unique(counts[counts > 0], return_counts=True)
    return Tally(sizes, times.astype(np.float64))


def unseen_share(n: float, level: float) -> float:
    """The probability that a class may have at most of which n rows have none; one of the two tails is its own.

    >>> round(unseen_share(100, 0.95), 4)
    0.0362
    """
    return -math.expm1(math.log((1.0 - level) / 2.0) / n)


def count(codes: Codes, classes: int, weights: Weights = None) -> Counts:
    r"""The rows of each class, or what stands for them.

    Weights that are whole numbers are repeated rows. Others are scaled so that they sum to Kish's effective number of
    rows, $(\sum w)^2 / \sum w^2$.
    """
    if weights is None:
        return np.bincount(codes, minlength=classes).astype(np.float64)
    order = np.lexsort((weights, codes))  # sums are then those of any other order of the rows
    totals = summed(codes[order], weights[order], classes)
    if np.all(weights == np.rint(weights)):
        return totals
    ranked = np.sort(weights)
    return totals * (effective_rows(ranked, len(ranked)) / float(ranked.sum()))


def summed(codes: Codes, numbers: Counts, classes: int = 0) -> Counts:
    """The sum of the numbers of each code."""
    return np.bincount(codes, weights=numbers, minlength=classes).astype(np.float64)
