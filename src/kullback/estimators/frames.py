"""Dataframes and series of any engine as columns, read through narwhals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.estimators.columns import Column, column, kept

Select = Callable[[Sequence[str]], list[nw.Series[Any]]]


def frame_columns(name: str, data: Any) -> tuple[Column, ...]:
    """The columns of a dataframe, or the one of a series, under their own names."""
    native = _native(f"`{name}`", data)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    series = [native] if isinstance(native, nw.Series) else list(_named(f"`{name}`", native).values())
    if not series:
        raise ShapeError(f"`{name}` has no columns")
    return tuple(
        series_column(f"`{name}`" if s.name in (None, "") else f"{s.name!r} of `{name}`", s) for s in series
    )


def series_column(name: str, series: nw.Series[Any]) -> Column:
    """One column: numbers as they are, text, categories and booleans as names, times as they are.

    A column without a single value needs no type. Raises `DTypeError` for lists, structures and mixed objects.
    """
    missing = series.is_null().to_numpy().astype(bool)
    kind = series.dtype
    if kind.is_numeric():
        whole = kind.is_integer() and not missing.any()
        values = series.to_numpy() if whole else series.cast(nw.Float64).to_numpy()
        read = column(name, np.asarray(values), missing)
        # nulls turn integers to floats, not their nature
        return read if not kind.is_integer() else Column(name, read.values, read.missing, "integer")
    if kind == nw.Boolean:
        filled = series.fill_null(False) if missing.any() else series
        return Column(name, np.asarray(filled.to_numpy()).astype(bool), missing, "discrete")
    if kind in (nw.String, nw.Categorical, nw.Enum):
        text = np.where(missing, "", np.asarray(series.cast(nw.String).to_numpy(), dtype=object))
        return Column(name, text.astype(str), missing, "discrete")
    if kind.is_temporal() or kind in (nw.Object, nw.Unknown):
        return column(name, np.asarray(series.to_numpy()), missing)
    raise DTypeError(f"{name} is of type {kind}: convert it to numbers, text or booleans")


def frame_table(data: Any) -> tuple[tuple[str, ...], Callable[[Sequence[str]], list[Column]]]:
    """The names of a dataframe's columns, and how to read some of them; a lazy one is collected for those alone."""
    native = _native("the table", data)
    if isinstance(native, nw.Series):
        raise DTypeError("the table is a series, one column; expected a dataframe of several")
    names, select = _lazy(native) if isinstance(native, nw.LazyFrame) else _eager(native)

    def read(wanted: Sequence[str]) -> list[Column]:
        told = [f"{name!r}" for name in wanted]
        return [
            kept(t, len(s), partial(series_column, t, s)) for t, s in zip(told, select(wanted), strict=True)
        ]

    return names, read


def _lazy(frame: nw.LazyFrame[Any]) -> tuple[tuple[str, ...], Select]:
    def select(wanted: Sequence[str]) -> list[nw.Series[Any]]:
        part = frame.select(*wanted).collect()
        return [part[name] for name in wanted]

    return tuple(frame.collect_schema().names()), select


def _eager(frame: nw.DataFrame[Any]) -> tuple[tuple[str, ...], Select]:
    columns = _named("the table", frame)
    return tuple(columns), lambda wanted: [columns[name] for name in wanted]


def _native(told: str, data: Any) -> Any:
    """A dataframe or a series as narwhals has it."""
    try:
        native = nw.from_native(data, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise InvalidInputError(f"{told}: {' '.join(str(error).split())}; rename them") from None
    if isinstance(native, nw.DataFrame | nw.LazyFrame | nw.Series):
        return native
    raise DTypeError(f"{told} is of type {type(data).__name__}; expected a dataframe or a series")


def _named(told: str, frame: nw.DataFrame[Any]) -> dict[str, nw.Series[Any]]:
    """The columns by name, which may have been a number; two of one name are refused."""
    series = list(frame.iter_columns())
    named = {str(s.name): s for s in series}
    if len(named) < len(series):
        raise InvalidInputError(f"{told} has several columns of one name (5 and '5' are one): rename them")
    return named
