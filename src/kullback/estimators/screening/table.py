"""A table whose columns are read when they are needed, a block at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.estimators.columns import Column, columns_of, kept
from kullback.estimators.samples import Kind
from kullback.wording import several

# Numbers with few values are names of classes where each has rows enough: what a screening assumes unless it is told.
_FEW_VALUES, _ROWS_A_VALUE = 20, 10


@dataclass(frozen=True)
class Table:
    """Names of columns, and a way to read some of them."""

    names: tuple[str, ...]
    read: Callable[[Sequence[str]], list[Column]]

    def named(self, name: str) -> str:
        """The name, if it is one of a column; raises `InvalidInputError` listing the nearest ones."""
        if name in self.names:
            return name
        from difflib import get_close_matches

        folded = {known.casefold(): known for known in self.names}
        near = [folded[close] for close in get_close_matches(str(name).casefold(), folded, n=3)]
        hint = f"; close to it: {', '.join(map(repr, near))}" if near else ""
        raise InvalidInputError(
            f"no column is called {name!r} among the {len(self.names)} of the table{hint}"
        )


def table_of(data: Any) -> Table:
    """A dataframe of any engine, lazy ones included, a mapping of names to columns, or an array (rows, columns).

    The columns of an array are called by their numbers, from "0", and so is one under a number in a mapping. A column
    that cannot be read is one of missing values, which says why. Raises `DTypeError`, `ShapeError` or
    `InvalidInputError` for what is no table.
    """
    if isinstance(data, Mapping):
        return _of_mapping(data)
    homes = {kind.__module__.partition(".")[0] for kind in type(data).__mro__}
    if (
        homes
        & {"pandas", "polars", "pyarrow", "narwhals", "modin", "cudf", "duckdb", "dask"}
        & set(sys.modules)
    ):
        from kullback.estimators.frames import frame_table

        return Table(*frame_table(data))
    if getattr(data, "ndim", None) == 2:
        return _of_mapping({str(i): data[:, i] for i in range(data.shape[1])})
    raise DTypeError(
        f"the table is a {type(data).__name__}; expected a dataframe, a mapping of names to columns, or an array "
        "of two dimensions"
    )


def _of_mapping(data: Mapping[Any, Any]) -> Table:
    keys = {str(key): key for key in data}
    if len(keys) < len(data):
        raise InvalidInputError("the table has several columns of one name (5 and '5' are one): rename them")
    rows = _rows_of({name: data[key] for name, key in keys.items()})

    def read(names: Sequence[str]) -> list[Column]:
        return [kept(name, rows, partial(_single, name, data[keys[name]])) for name in names]

    return Table(tuple(keys), read)


def _rows_of(columns: Mapping[str, Any]) -> int:
    """The one length of all columns that have one."""
    lengths = {name: found for name, data in columns.items() if (found := _length(data)) is not None}
    for name, rows in lengths.items():
        first, expected = next(iter(lengths.items()))
        if rows != expected:
            raise ShapeError(
                f"the columns of a table have one length: {first!r} has {several(expected, 'row')}, {name!r} {rows}"
            )
    return next(iter(lengths.values()), 0)


def _length(data: Any) -> int | None:
    shape = getattr(data, "shape", None)
    if shape is not None:
        return shape[0] if len(shape) else None
    return len(data) if isinstance(data, Sized) and not isinstance(data, str | bytes | Mapping) else None


def _single(name: str, data: Any) -> Column:
    columns = columns_of(name, data)
    if len(columns) != 1:
        raise ShapeError(f"`{name}` has {len(columns)} columns; a table has one under each name")
    return columns[0]


def decided(column: Column, wish: Kind | None) -> Column:
    """The column as continuous or discrete: as declared, or by its values; `DTypeError` where it cannot be that."""
    if column.trouble:
        return column
    if wish == "continuous" and column.kind == "discrete":
        raise DTypeError(f"{column.name} holds names, not numbers, and cannot be continuous")
    kind = wish or (column.kind if column.kind == "discrete" else _by_values(column))
    if kind == "continuous":
        return replace(column, kind="continuous", values=column.numbers)
    codes = np.zeros(len(column.values), dtype=np.int64)
    here = ~column.missing
    codes[here] = np.unique(column.values[here], return_inverse=True)[1]
    return replace(column, kind="discrete", values=codes)


def _by_values(column: Column) -> Kind:
    present: NDArray[Any] = column.values[~column.missing]
    if len(present) < _ROWS_A_VALUE:
        return "continuous"
    # most continuous columns show it in their first rows
    first = present[: 4 * _FEW_VALUES]
    if len(np.unique(first)) > _FEW_VALUES:
        return "continuous"
    values = len(np.unique(present))
    return "discrete" if values <= _FEW_VALUES and values * _ROWS_A_VALUE <= len(present) else "continuous"
