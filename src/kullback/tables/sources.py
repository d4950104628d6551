"""Tables of any engine as one thing: a name, the kinds of the columns, and batches of rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import narwhals as nw
from narwhals.exceptions import DuplicateError

from kullback.errors import DTypeError, InvalidInputError
from kullback.tables import readers
from kullback.tables.kinds import Kind, NotComparable, kind_of
from kullback.wording import file_name, visible

Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]


@dataclass(frozen=True)
class Source:
    """One table, opened: nothing of it has been read but the names and types of its columns."""

    name: str
    frame: Frame
    kinds: dict[str, Kind | NotComparable]
    path: str | os.PathLike[str] | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[nw.DataFrame[Any]]:
        """All rows in their order, a batch at a time: one for a frame in memory, many for a lazy one."""
        if isinstance(self.frame, nw.DataFrame):
            yield self.frame.select(*columns)
            return
        with self.blamed():
            # the streaming engine holds a few batches at a time, however long the table is
            for batch in self.frame.to_native().select(columns).collect_batches(maintain_order=True):
                yield nw.from_native(batch, eager_only=True)

    def rows(self) -> int:
        """The number of rows."""
        if isinstance(self.frame, nw.DataFrame):
            return len(self.frame)
        with self.blamed():
            return int(self.frame.select(nw.len()).collect().item())

    def blamed(self) -> AbstractContextManager[None]:
        """Within it, what goes wrong while the file is read is told with the file's name."""
        return nullcontext() if self.path is None else readers.blame(self.path)


def open_source(table: Any, role: str, *, max_bytes: int = readers.MAX_BYTES) -> Source:
    """A frame that narwhals knows, or a path, as a source; `role` is the argument's name, for messages."""
    if isinstance(table, Source):
        return table
    if isinstance(table, (str, os.PathLike)):
        frame = nw.from_native(readers.read(table, max_bytes=max_bytes))
        with readers.blame(table):
            return Source(file_name(table), frame, _kinds(frame), table)
    frame = _narwhals_frame(table, role)
    return Source(role, frame, _kinds(frame))


def _narwhals_frame(table: Any, role: str) -> Frame:
    try:
        frame = nw.from_native(table)
        names = frame.collect_schema().names()
    except TypeError as error:
        raise DTypeError(
            f"`{role}` is a {type(table).__name__}; expected a polars, pandas or pyarrow table, a path, or a Profile"
        ) from error
    except DuplicateError as error:
        # pandas and pyarrow, the engines that allow it, call them differently
        names = getattr(table, "column_names", getattr(table, "columns", ()))
        raise _duplicates(names, role) from error
    if isinstance(frame, nw.LazyFrame) and not frame.implementation.is_polars():
        raise DTypeError(
            f"`{role}` is a lazy {frame.implementation.value} table, whose rows have no order to sample by; "
            "hand over a polars LazyFrame, a pyarrow table or a Parquet file of it"
        )
    if len({str(name) for name in names}) < len(names):
        raise _duplicates(names, role)
    if not names:
        raise InvalidInputError(f"`{role}` has no columns")
    if frame.implementation.is_pyarrow():
        return _without_views(frame)
    return _tidied(frame) if frame.implementation.is_pandas_like() else frame


def _duplicates(names: Iterable[object], role: str) -> InvalidInputError:
    twice = [visible(name) for name, times in Counter(map(str, names)).items() if times > 1]
    return InvalidInputError(f"`{role}` has more than one column named {', '.join(twice[:5])}; rename them")


def _without_views(frame: Any) -> Any:
    """A pyarrow table with plain text in place of string views, of which pyarrow cannot take rows."""
    views = [field.name for field in frame.to_native().schema if str(field.type) == "string_view"]
    return frame.with_columns(*[nw.col(name).cast(nw.String) for name in views]) if views else frame


def _tidied(frame: Any) -> Any:
    """A pandas frame with text for names, and with object columns in the type that all their values share."""
    native = frame.to_native()
    if any(not isinstance(name, str) for name in native.columns):
        native = native.set_axis([str(name) for name in native.columns], axis=1)
    objects = [name for name, kind in nw.from_native(native).collect_schema().items() if kind == nw.Object]
    if objects:
        native = native.assign(**{name: _typed(native[name]) for name in objects})
    return nw.from_native(native)


def _typed(objects: Any) -> Any:
    """A pandas column of Python objects in the type that they share; as it is where they share none."""
    pandas = nw.from_native(objects, series_only=True).__native_namespace__()
    held = pandas.api.types.infer_dtype(objects, skipna=True)
    if held == "date":
        return pandas.to_datetime(objects)
    return objects.astype(float) if held == "decimal" else objects.convert_dtypes()


def _kinds(frame: Frame) -> dict[str, Kind | NotComparable]:
    return {name: _kind(frame, name, series_type) for name, series_type in frame.collect_schema().items()}


def _kind(frame: Frame, name: str, series_type: nw.dtypes.DType) -> Kind | NotComparable:
    kind = kind_of(series_type)
    if isinstance(kind, Kind) or series_type not in (nw.Object, nw.Unknown):
        return kind
    # the type of a column without a single value says nothing; only these types are worth a look at the rows
    values = frame.select(nw.col(name).count())
    values = values.collect() if isinstance(values, nw.LazyFrame) else values
    return Kind("empty", str(series_type)) if values.item() == 0 else kind
