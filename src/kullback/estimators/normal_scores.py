"""Columns as normal scores of their ranks: what no monotone map of a column can change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.estimators.weighting import mid_ranks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # the multipliers of the SplitMix64 generator
_STEP = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Ranked:
    """The place of each row in each column, all different, and how much had to be decided for that.

    `order` lists the rows by the first column, so that what is computed in it knows no order of the rows; `places`
    (n, d), in that order, runs from 0 to n − 1. `tied` is the largest share of rows in any column that share their
    value with another row, `repeated` the share of rows that equal another row altogether.
    """

    order: Ints
    places: Ints
    tied: float
    repeated: float


@lru_cache(maxsize=8)
def scores(n: int) -> Floats:
    r"""The normal scores of n ranks, ascending: $\Phi^{-1}\big((i + 1/2)/n\big)$.

    >>> scores(3).round(3).tolist()
    [-0.967, 0.0, 0.967]
    """
    found = ndtri((np.arange(n) + 0.5) / n)
    found = (found - found[::-1]) / 2  # exactly odd, so that a reflected column has reflected scores
    found.setflags(write=False)  # the cache hands out this very array
    return found


def shared_scores(values: Floats) -> Floats:
    r"""$\Phi^{-1}$ of rank over n + 1 for a column, or each column; equal values share the score of their mean rank.

    >>> shared_scores(np.array([5.0, 7.0, 5.0, 5.0])).round(3).tolist()
    [-0.253, 0.842, -0.253, -0.253]
    """
    if not values.size:
        return values
    ranks, last = mid_ranks(values), len(values) + 1
    # exactly odd: mirror images about 0 lie equally far apart, and no rounding may tell them apart
    return np.copysign(ndtri(np.minimum(ranks, last - ranks) / last), 2 * ranks - last)


def ranked(columns: Floats) -> Ranked:
    """The ranks of columns (n, d); equal values are put in an order that is arbitrary but not random.

    Within equal values of one column the order follows a hash of the row's dense ranks in all columns and of its
    number among identical rows. So neither the order of the rows nor a rising map of any column changes the ranks,
    and to the estimator the order is as good as a draw: it amounts to a jitter below the resolution of the data,
    which leaves the information about an atom as it is.
    """
    orders = [np.argsort(column) for column in columns.T]
    sorts = [column[order] for column, order in zip(columns.T, orders, strict=True)]
    equal = [s[1:] == s[:-1] for s in sorts]
    if not any(e.any() for e in equal):
        return Ranked(orders[0], _places(orders), 0.0, 0.0)
    dense = np.empty(columns.shape, dtype=np.uint64)
    for c, (order, e) in enumerate(zip(orders, equal, strict=True)):
        dense[order, c] = np.concatenate([[0], np.cumsum(~e)])
    keys, repeated = _keys(dense)
    broken = [np.lexsort((_mixed(keys + np.uint64(c + 1)), dense[:, c])) for c in range(len(orders))]
    return Ranked(broken[0], _places(broken), max(_shared(e) for e in equal), repeated)


def _places(orders: list[Ints]) -> Ints:
    rows = np.arange(len(orders[0]))
    places = np.empty((len(orders[0]), len(orders)), dtype=np.int64)
    places[:, 0] = rows
    column = np.empty_like(rows)
    for c, order in enumerate(orders[1:], start=1):
        column[order] = rows
        places[:, c] = column[orders[0]]
    return places


def _keys(dense: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], float]:
    """A hash of each row, copies of one row included, and the share of rows that have a copy."""
    rows = np.zeros(len(dense), dtype=np.uint64)
    for column in dense.T:
        rows = _mixed(rows + column)
    order = np.argsort(rows, kind="stable")
    same = rows[order][1:] == rows[order][:-1]
    start = np.maximum.accumulate(np.where(np.concatenate([[True], ~same]), np.arange(len(rows)), 0))
    copy = np.empty(len(rows), dtype=np.uint64)
    copy[order] = np.arange(len(rows)) - start
    return _mixed(rows + copy), _shared(same)


def _shared(same: NDArray[np.bool_]) -> float:
    """The share of sorted entries that equal the one before or the one behind."""
    return float((np.append(same, False) | np.insert(same, 0, False)).mean())


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64, which leaves no pattern of its input."""
    x = x + np.uint64(_STEP)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX[0])
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX[1])
    return x ^ (x >> np.uint64(31))
