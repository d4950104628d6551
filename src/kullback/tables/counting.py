"""Rows into counts, the same whole numbers on every engine.

Engines disagree on the order of NaN, on whether NaN is missing, and on the bits of −0.0. So missing is null or NaN,
and numbers are counted by `x < edge` alone, which is false for NaN and treats both zeros alike everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from kullback.tables.cells import (
    MISSING,
    BooleanCells,
    CategoryCells,
    Cells,
    DateCells,
    Key,
    NumberCells,
    Other,
)

Tally = Counter[Key]


def tally(series: nw.Series[Any], cells: Cells) -> Tally:
    """How many rows of one column fall in each cell; cells without rows are left out."""
    missing = int(series.null_count())
    if missing == len(series):
        return _without_zeros(Counter({MISSING: missing}))
    if missing:
        series = series.drop_nulls()
    if isinstance(cells, NumberCells):
        counted = _numbers(number_values(series, integer=cells.integer), cells.edges)
    elif isinstance(cells, DateCells):
        counted = _intervals(date_values(series), cells.edges)
    elif isinstance(cells, CategoryCells):
        counted = _categories(series, cells)
    elif isinstance(cells, BooleanCells):
        counted = Tally({bool(value): int(rows) for value, rows in _distinct(series)})
    else:
        raise TypeError(f"no way to count rows on {type(cells).__name__}")
    counted[MISSING] += missing
    return _without_zeros(counted)


def number_values(series: nw.Series[Any], *, integer: bool) -> NDArray[Any]:
    """Numbers without nulls as a NumPy array: whole ones in their own type if `integer`, else float64."""
    if integer and series.dtype.is_integer():
        return series.to_numpy()
    if series.dtype == nw.Decimal or series.dtype in (nw.Int128, nw.UInt128):
        series = series.cast(nw.Float64)
    # float32 values would round the edges that they are compared with
    return series.to_numpy().astype(np.float64, copy=False)


def date_values(series: nw.Series[Any]) -> NDArray[np.int64]:
    """Dates without nulls as microseconds since 1970."""
    return series.dt.timestamp("us").to_numpy().astype(np.int64, copy=False)


def category_counts(series: nw.Series[Any]) -> Counter[str]:
    """Rows by the text of the category, without nulls."""
    counts: Counter[str] = Counter()
    for value, rows in _distinct(series):
        if rows:  # a category type may list categories that no row has
            counts[str(value)] += int(rows)
    return counts


def _numbers(values: NDArray[Any], edges: Sequence[float]) -> Tally:
    if not np.issubdtype(values.dtype, np.floating):
        return _intervals(values, edges)
    special: Tally = Counter({
        -np.inf: np.count_nonzero(values == -np.inf),
        np.inf: np.count_nonzero(values == np.inf),
        MISSING: np.count_nonzero(np.isnan(values)),
    })  # fmt: skip
    counted = _intervals(values, edges)
    # −∞ lies below every edge; +∞ and NaN below none, so they were taken for the last cell
    counted[0] -= special[-np.inf]
    counted[len(edges)] -= special[np.inf] + special[MISSING]
    return counted + special


def _intervals(values: NDArray[Any], edges: Sequence[float]) -> Tally:
    # one vectorised comparison per edge is several times quicker than a binary search per value
    below = [int(np.count_nonzero(values < edge)) for edge in edges]
    counts = np.diff([0, *below, values.size]).tolist()
    return Counter(dict(enumerate(counts)))


def _categories(series: nw.Series[Any], cells: CategoryCells) -> Tally:
    if cells.named is not None and not cells.named and cells.others == 1:
        return Counter({Other(0): len(series)})
    counted: Tally = Counter()
    for category, rows in category_counts(series).items():
        counted[cells.key(category)] += rows
    return counted


def _distinct(series: nw.Series[Any]) -> Sequence[tuple[Any, Any]]:
    return series.alias("value").value_counts(name="rows").rows()


def _without_zeros(counts: Tally) -> Tally:
    return Counter({key: int(rows) for key, rows in counts.items() if rows})
