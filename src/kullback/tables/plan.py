"""Which columns of two tables can be compared, on which cells: the first of the two passes over the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError
from kullback.estimators.counts.sparse import LEAST_EXPECTED
from kullback.tables.cells import BooleanCells, CategoryCells, Cells
from kullback.tables.counting import category_counts, date_values, number_values
from kullback.tables.cutting import cut_dates, cut_numbers
from kullback.tables.kinds import Kind, NotComparable, together
from kullback.tables.report import Skipped
from kullback.tables.sampling import Sample, pooled_sample
from kullback.tables.sources import Source, open_source
from kullback.wording import visible

SAMPLE = 50_000  # rows of both tables together; edges of equal mass need no more, and need not be exact


@dataclass(frozen=True)
class Plan:
    """The cells of the columns to compare, the columns that cannot be, and the sizes of the tables."""

    cells: dict[str, Cells]
    skipped: tuple[Skipped, ...]
    rows: tuple[int, ...]


def cut(
    before: Any, after: Any, *, bins: int = 20, max_categories: int = 1000, seed: int = 0
) -> dict[str, Cells]:
    r"""The cells on which two tables are compared, by column: cells of equal mass in the pooled rows.

    $$P_\text{pooled}(\text{cell}) \approx 1 / \texttt{bins}$$

    A number or date that holds more than that share is a cell of its own, and so is every category (up to
    `max_categories`; the rest share 64 cells by hash), −∞, +∞ and the missing values. At most `bins` cells, and so few
    that the smaller table has five rows for each. Above 50 000 rows the edges come from a uniform sample of the
    pooled rows, fixed by `seed`. Columns that cannot be compared are left out.

    Raises `InvalidInputError` or `DTypeError` as `compare` does.

    >>> import polars as pl
    >>> table = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0] * 10})
    >>> cut(table, table, bins=2)["x"].edges
    (3.0,)
    """
    sources = (open_source(before, "before"), open_source(after, "after"))
    return make_plan(sources, bins=bins, max_categories=max_categories, seed=seed).cells


def make_plan(
    sources: Sequence[Source],
    *,
    bins: int,
    max_categories: int,
    seed: int,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    on_batch: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Read both tables once and decide how to count them."""
    kinds, skipped = _shared_columns(sources[0], sources[1], columns, exclude)
    sample = pooled_sample(sources, list(kinds), SAMPLE, seed, on_batch) if kinds else None
    rows = sample.rows if sample else tuple(source.rows() for source in sources)
    for source, number in zip(sources, rows, strict=True):
        if number == 0:
            raise InvalidInputError(f"{source.name} has no rows; both tables need at least one")
    if sample is None:
        return Plan({}, skipped, rows)
    fitting = cells_for(bins, rows)
    cells = {name: _cells(sample, name, kind, fitting, max_categories) for name, kind in kinds.items()}
    return Plan(cells, skipped, rows)


def cells_for(bins: int, rows: Sequence[int]) -> int:
    """How many cells a number is cut into: `bins`, but no more than give the smaller table five rows each."""
    return max(2, min(bins, min(rows) // LEAST_EXPECTED))


def _shared_columns(
    before: Source, after: Source, columns: Sequence[str] | None, exclude: Sequence[str]
) -> tuple[dict[str, Kind], tuple[Skipped, ...]]:
    known = {**before.kinds, **after.kinds}
    for argument, names in (("columns", columns or ()), ("exclude", exclude)):
        _check_known(argument, names, known)
    wanted = [name for name in known if (columns is None or name in columns) and name not in exclude]
    kinds: dict[str, Kind] = {}
    skipped = []
    for name in wanted:
        if name not in after.kinds:
            skipped.append(Skipped(name, "only in the table before", schema=True))
        elif name not in before.kinds:
            skipped.append(Skipped(name, "only in the table after", schema=True))
        else:
            kind = together(before.kinds[name], after.kinds[name])
            if isinstance(kind, NotComparable):
                skipped.append(Skipped(name, kind.reason, schema=kind.differs))
            else:
                kinds[name] = kind
    return kinds, tuple(skipped)


def _check_known(argument: str, names: Iterable[str], known: Mapping[str, object]) -> None:
    if isinstance(names, str):
        raise InvalidInputError(f"`{argument}` is the text {names!r}; expected a list of column names")
    unknown = [visible(str(name)) for name in names if name not in known]
    if unknown:
        listed = ", ".join(visible(name, 40) for name in list(known)[:10])
        raise InvalidInputError(
            f"`{argument}` names {', '.join(unknown[:5])}, which neither table has; there are {listed}"
        )


def _cells(sample: Sample, name: str, kind: Kind, bins: int, max_categories: int) -> Cells:
    series = [piece[name] for pieces in sample.pieces for piece in pieces]
    series = [one.drop_nulls() for one in series if one.null_count() < len(one)]
    if kind.name == "boolean":
        return BooleanCells()
    if kind.name == "category":
        return _categories(series, max_categories)
    if kind.name == "date":
        moments = [date_values(one) for one in series]
        return cut_dates(_joined(moments, np.int64), bins, daily=kind.daily, zone=kind.zone)
    numbers = [number_values(one, integer=kind.integer) for one in series]
    values = _joined(numbers, np.int64 if kind.integer else np.float64)
    return cut_numbers(values if kind.integer else values[np.isfinite(values)], bins)


def _categories(series: Sequence[nw.Series[Any]], limit: int) -> CategoryCells:
    """Open to every category, unless the sample alone has more than the limit: then closed on its largest.

    An open tally grows with the number of categories, so it is for columns where the sample shows that few are left
    unseen; closing keeps the memory bounded whatever is in the rest of the table.
    """
    rows: Counter[str] = Counter()
    for one in series:
        rows.update(category_counts(one))
    return CategoryCells() if len(rows) <= limit else CategoryCells().closed_on_largest(rows, limit)


def _joined(arrays: Sequence[NDArray[Any]], empty: type) -> NDArray[Any]:
    if not arrays:
        return np.empty(0, empty)
    # signed and unsigned 64-bit integers have no common integer type in NumPy: Python's integers hold both
    kinds = {array.dtype.kind for array in arrays}
    if kinds == {"i", "u"}:
        if max(int(array.max(initial=0)) for array in arrays) > np.iinfo(np.int64).max:
            return np.concatenate([array.astype(object) for array in arrays])
        return np.concatenate([array.astype(np.int64) for array in arrays])
    return np.concatenate(arrays)
