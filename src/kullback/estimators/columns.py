"""One argument as columns: arrays of any library, lists, or a dataframe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kullback._ops import ops
from kullback.errors import DTypeError, InvalidInputError, KullbackError, ShapeError


@dataclass(frozen=True)
class Column:
    """Its `values`: float64, integers, times, or if discrete anything that sorts; `missing` marks rows without.

    Integers and times wait for a declaration. One that could not be read has no value, and its `trouble` says why.
    """

    name: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    kind: Literal["continuous", "discrete", "integer", "time", "unread"]
    trouble: str = ""

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values as float64; times in seconds, of which a moment has those since 1970."""
        if self.kind != "time":
            return self.values.astype(np.float64)
        whole = self.values.astype(f"{self.values.dtype.kind}8[s]")
        return whole.astype(np.float64) + (self.values - whole) / np.timedelta64(1, "s")


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
    gone = np.ma.getmaskarray(array)
    array = np.ma.getdata(array)
    if array.ndim == 1:
        return (column(f"`{name}`", array, gone),)
    if not array.shape[1]:
        raise ShapeError(f"`{name}` has no columns")
    return tuple(column(f"column {i} of `{name}`", array[:, i], gone[:, i]) for i in range(array.shape[1]))


def column(name: str, values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Column:
    """A column by its dtype: floats are continuous, names and booleans discrete, the rest waits for a declaration."""
    here = np.zeros(len(values), dtype=bool) if missing is None else missing
    kind = values.dtype.kind
    if kind == "f" or _small_float(values.dtype):
        values = values.astype(np.float64)
        return Column(name, values, here | ~np.isfinite(values), "continuous")
    if kind in "iu":
        return Column(name, values, here, "integer")
    if kind in "bUS":
        return Column(name, values, here, "discrete")
    if kind in "mM":
        return Column(name, values, here | np.isnat(values), "time")
    if kind == "O":
        return _objects(name, values, here)
    raise DTypeError(f"{name} has dtype {values.dtype}; expected real numbers, booleans or names")


def kept(name: str, rows: int, read: Callable[[], Column]) -> Column:
    """The column as it is read, or where that is refused one of so many missing rows with the reason."""
    try:
        return read()
    except KullbackError as error:
        return Column(name, np.zeros(rows), np.ones(rows, dtype=bool), "unread", str(error))


def _small_float(dtype: np.dtype[Any]) -> bool:
    """Whether it is a float that NumPy has no letter for, such as JAX's bfloat16."""
    return dtype.kind == "V" and dtype.names is None and np.can_cast(dtype, np.float64)


def _objects(name: str, values: NDArray[Any], missing: NDArray[np.bool_]) -> Column:
    """A column of Python objects: numbers, or one type of name throughout; None and NaN are missing."""
    gone = missing | np.array([_absent(v) for v in values], dtype=bool)
    types = {type(v) for v in values[~gone]}
    if not types:
        return Column(name, np.zeros(len(values)), gone, "continuous")
    for kind, nothing in ((str, ""), (bytes, b""), ((bool, np.bool_), False)):
        if all(issubclass(t, kind) for t in types):
            filled = np.where(gone, nothing, values)
            return Column(name, filled.astype(type(nothing)), gone, "discrete")
    if all(issubclass(t, Real | Decimal) and not issubclass(t, bool) for t in types):
        return _numbers(name, values, gone, whole=all(issubclass(t, Integral) for t in types))
    came = ", ".join(sorted(t.__name__ for t in types))
    if len(types) > 1:
        raise DTypeError(
            f"{name} mixes Python objects of types {came}: make all of them numbers, or all of them text"
        )
    raise DTypeError(
        f"{name} holds Python objects of type {came}: convert it to a column of numbers, or of text for names"
    )


def _absent(value: Any) -> bool:
    """Whether an object stands for no value: None, NaN and NaT, which differ from themselves, and pandas' NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    differs = value != value  # noqa: PLR0124
    return isinstance(differs, bool | np.bool_) and bool(differs)


def _numbers(name: str, values: NDArray[Any], gone: NDArray[np.bool_], *, whole: bool) -> Column:
    """Python's numbers, exactly while integers fit into 64 bits."""
    filled = np.where(gone, 0, values)
    try:
        read = column(name, filled.astype(np.int64 if whole else np.float64), gone)
    except OverflowError:
        raise InvalidInputError(f"{name} holds an integer beyond 64 bits: make it text, or a float") from None
    return read


def _array(name: str, data: Any) -> NDArray[Any]:
    if isinstance(data, list | tuple | range):
        return _listed(name, data)
    if isinstance(data, np.ndarray):
        return data
    try:
        xp = ops(data)
    except DTypeError:
        raise DTypeError(f"`{name}` is {_come(data)}") from None
    return np.asarray(xp.to_numpy(xp.detach(data)))


def _come(data: Any) -> str:
    """What an argument is that has no rows, and what to do about it."""
    expected = "expected an array (rows,) or (rows, columns), a list, or a dataframe or series"
    if data is None:
        return f"None; {expected}"
    told = f"of type {type(data).__name__}; {expected}"
    if isinstance(data, Mapping):
        return f"{told}; np.column_stack of its values makes it one"
    return f"{told}; list() makes it one" if isinstance(data, Iterable) else told


def _listed(name: str, data: list[Any] | tuple[Any, ...] | range) -> NDArray[Any]:
    """A list as an array, in which every entry keeps its type."""
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"`{name}` is a list whose rows differ in length") from error
    # among names NumPy makes names of NaN and None, and numbers of booleans where there is a number or NaN
    turned = array.dtype.kind in "US" or (array.dtype.kind in "iuf" and _holds_booleans(data))
    return np.array(data, dtype=object) if turned else array


def _holds_booleans(data: Iterable[Any]) -> bool:
    types = set(map(type, data))  # far quicker than asking each entry
    if types & {bool, np.bool_}:
        return True
    nested = any(issubclass(t, list | tuple) for t in types)
    return nested and any(_holds_booleans(v) for v in data if isinstance(v, list | tuple))


def _from_frame_library(data: Any) -> bool:
    """Whether the object is a dataframe's or a series', told without importing a library of them."""
    if isinstance(data, np.ndarray | list | tuple):
        return False
    homes = {kind.__module__.partition(".")[0] for kind in type(data).__mro__}
    return bool(homes & {"pandas", "polars", "pyarrow", "narwhals", "modin", "cudf"} & set(sys.modules))
