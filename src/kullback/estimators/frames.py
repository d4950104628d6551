"""Dataframes and series of any engine as columns, read through narwhals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from kullback.errors import DTypeError, ShapeError
from kullback.estimators.columns import Column, column


def frame_columns(name: str, data: Any) -> tuple[Column, ...]:
    """The columns of a dataframe, or the one of a series, under their own names."""
    native = nw.from_native(data, allow_series=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    series = [native] if isinstance(native, nw.Series) else list(native.iter_columns())
    if not series:
        raise ShapeError(f"`{name}` has no columns")
    return tuple(series_column(f"{s.name!r} of `{name}`" if s.name else f"`{name}`", s) for s in series)


def series_column(name: str, series: nw.Series[Any]) -> Column:
    """One column: numbers as they are, text, categories and booleans as names, dates as whole microseconds."""
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
    if kind.is_temporal():
        return column(name, np.asarray(series.to_numpy()))
    raise DTypeError(f"{name} is of type {kind}: convert it to numbers, text or booleans")


def frame_table(data: Any) -> tuple[tuple[str, ...], Callable[[Sequence[str]], list[Column]]]:
    """The names of a dataframe's columns, and how to read some of them; a lazy one is collected for those alone."""
    native = nw.from_native(data)
    names = tuple(native.collect_schema().names())

    def read(wanted: Sequence[str]) -> list[Column]:
        part = native.select(*wanted)
        eager = part.collect() if isinstance(part, nw.LazyFrame) else part
        return [series_column(f"{name!r}", eager[name]) for name in wanted]

    return names, read
