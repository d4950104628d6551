"""Crossed counts with cells that should have rows and have none, which is infinitely far where f(0) is infinite."""

from __future__ import annotations

import math

import numpy as np

from kullback.divergences import FDivergence
from kullback.estimators.counts.crossed import Crossed
from kullback.estimators.counts.sparse import LEAST_EXPECTED
from kullback.estimators.counts.straight import Straight
from kullback.estimators.counts.tally import Counts, summed

_HALF = 0.5  # a row, which a cell is given that has none
_LEAST = -math.log(2.0)  # of the log-ratio: f stays as it is near 1


def filled(measure: FDivergence, table: Crossed) -> float:
    """The divergence with half a row in every cell without rows, or what is expected there where that is less.

    A statistic for a permutation test. Where f(0) is infinite the divergence itself is +inf on most tables with a rare
    class, and values of +inf do not compare.
    """

    def empty(rows: Counts) -> Counts:
        return measure.terms(np.minimum(rows, _HALF), rows, validate=False)

    inside = np.sort(measure.terms(*table.masses, validate=False)).sum()
    # over all cells the sum is one of the margins, and the same to the bit in every permutation
    return float(inside + (table.over_cells(empty) - np.sort(empty(_expected(table))).sum()) / table.n)


def shown(measure: FDivergence, table: Crossed, tail: float) -> tuple[FDivergence, Crossed]:
    """A smaller f and a smaller table, on which nothing is infinite: what they show holds for f and the table.

    f is made straight below the ratio that a cell without rows may have: a larger one shows none in any cell with a
    probability under `tail`.
    """
    few = joined(table)
    return straightened(measure, few, tail), few


def straightened(measure: FDivergence, table: Crossed, tail: float) -> FDivergence:
    """f as it is, straight below the ratio that a cell without rows may have: see `shown`."""
    most = _most_without_rows(table)
    if not most:
        return measure
    rows = math.log(len(table.rows) * len(table.columns) / tail)
    return Straight(measure, min(math.log(rows / most), _LEAST))


def joined(table: Crossed) -> Crossed:
    """The smallest rows and columns of each layer made one of each, until independent cells expect five rows."""
    row, column = table.row.copy(), table.column.copy()
    for layer, n in enumerate(table.layers):
        here = table.layer == layer
        lines = [np.unique(line[here]) for line in (table.row, table.column)]
        sizes = table.rows[lines[0]], table.columns[lines[1]]
        least = _least_kept(*sizes, n)
        for line, of, size in zip((row, column), lines, sizes, strict=True):
            small = of[size < least]
            line[here & np.isin(line, small)] = small[0] if small.size else 0
    width = int(column.max()) + 1
    found, cell = np.unique(row * width + column, return_inverse=True)
    layer = np.empty(len(found), dtype=np.int64)
    layer[cell] = table.layer
    row, column = (np.unique(line, return_inverse=True)[1] for line in (found // width, found % width))
    return Crossed(summed(cell, table.counts), row, column, layer)


def _least_kept(rows: Counts, columns: Counts, n: float) -> float:
    """The least size of a line that stays alone; infinite where joining does not help."""
    for least in np.unique(np.concatenate([rows, columns])):
        smallest = [min(x[x >= least].min(initial=n), x[x < least].sum() or n) for x in (rows, columns)]
        if smallest[0] * smallest[1] >= LEAST_EXPECTED * n:
            return float(least)
    return math.inf


def _most_without_rows(table: Crossed) -> float:
    """The most rows that independence expects in a cell without any; 0 where every cell has some."""
    most = 0.0
    for layer, n in enumerate(table.layers):
        here = table.layer == layer
        high, row = np.unique(table.row[here], return_inverse=True)
        wide, column = np.unique(table.column[here], return_inverse=True)
        expected = np.outer(table.rows[high], table.columns[wide]) / n
        expected[row, column] = 0.0
        most = max(most, float(expected.max()))
    return most


def _expected(table: Crossed) -> Counts:
    return table.rows[table.row] * table.columns[table.column] / table.layers[table.layer]
