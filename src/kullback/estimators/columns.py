"""One argument as columns: arrays of any library, lists, or a dataframe."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kullback._ops import ops
from kullback.errors import DTypeError, ShapeError


@dataclass(frozen=True)
class Column:
    """`values` are float64, integers, or for a discrete column anything that sorts; `missing` marks rows without."""

    name: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    kind: Literal["continuous", "discrete", "integer"]


def columns_of(name: str, data: Any) -> tuple[Column, ...]:
    """The columns of an array (n,) or (n, d), of nested lists, or of a dataframe or its series.

    A tensor is read from its device; its gradient does not pass. Raises `ShapeError` or `DTypeError`.
    """
    if _from_frame_library(data):
        from kullback.estimators.frames import frame_columns

        return frame_columns(name, data)
    array = _array(name, data)
    if array.ndim not in (1, 2):
        raise ShapeError(f"`{name}` has shape {array.shape}; expected (rows,) or (rows, columns)")
    if array.ndim == 1:
        return (column(f"`{name}`", array),)
    if not array.shape[1]:
        raise ShapeError(f"`{name}` has no columns")
    return tuple(column(f"column {i} of `{name}`", array[:, i]) for i in range(array.shape[1]))


def column(name: str, values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Column:
    """A column by its dtype: floats are continuous, names and booleans discrete, integers wait for a declaration."""
    kind = values.dtype.kind
    if kind == "f":
        values = values.astype(np.float64)
        gone = ~np.isfinite(values)
        return Column(name, values, gone if missing is None else gone | missing, "continuous")
    here = np.zeros(len(values), dtype=bool) if missing is None else missing
    if kind in "iu":
        return Column(name, values, here, "integer")
    if kind in "bUS":
        return Column(name, values, here, "discrete")
    if kind in "mM":
        whole = values.astype(np.int64)
        return Column(name, whole, here | np.isnat(values), "integer")
    if kind == "O":
        return _objects(name, values, here)
    raise DTypeError(f"{name} has dtype {values.dtype}; expected real numbers, booleans or names")


def _objects(name: str, values: NDArray[Any], missing: NDArray[np.bool_]) -> Column:
    """A column of Python objects: one type of name throughout, with None or NaN for what is missing."""
    gone = missing | np.array([v is None or v != v for v in values])  # noqa: PLR0124 - NaN alone differs from itself
    types = {type(v).__name__ for v in values[~gone]}
    if types <= {"str", "str_"}:
        filled = np.where(gone, "", values).astype(str)
        return Column(name, filled, gone, "discrete")
    if types <= {"bool", "bool_"}:
        return Column(name, np.where(gone, False, values).astype(bool), gone, "discrete")
    raise DTypeError(
        f"{name} holds Python objects of type {', '.join(sorted(types))}: "
        "convert it to a column of numbers, or of text for names"
    )


def _array(name: str, data: Any) -> NDArray[Any]:
    if isinstance(data, list | tuple):
        try:
            return np.asarray(data)
        except ValueError as error:
            raise ShapeError(f"`{name}` is a list whose rows differ in length") from error
    if isinstance(data, np.ndarray):
        return np.ma.filled(data.astype(float), np.nan) if isinstance(data, np.ma.MaskedArray) else data
    xp = ops(data)
    return np.asarray(xp.to_numpy(xp.detach(data)))


def _from_frame_library(data: Any) -> bool:
    """Whether the object is a dataframe's or a series', told without importing a library of them."""
    if isinstance(data, np.ndarray | list | tuple):
        return False
    homes = {kind.__module__.partition(".")[0] for kind in type(data).__mro__}
    return bool(homes & {"pandas", "polars", "pyarrow", "narwhals", "modin", "cudf"} & set(sys.modules))
