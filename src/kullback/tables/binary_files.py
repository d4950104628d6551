"""Binary tables: Parquet and Arrow. What they claim to hold is added up before any of it is allocated."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from types import ModuleType

import polars as pl

from kullback.errors import InvalidInputError, MissingDependencyError
from kullback.tables import arrow_messages
from kullback.tables.readers import check_names, check_size
from kullback.wording import visible

_WIDTH = 8  # bytes that a number, a date or a reference to a string takes, per row
# Below this many bytes a Parquet file is decoded at once: a fault is met here, and nothing is decoded twice.
_AT_ONCE = 512 * 1024**2


def read_parquet(file: Path, name: str, max_bytes: int) -> pl.LazyFrame:
    """A Parquet file, lazily where it is large."""
    arrow = _arrow("Parquet")
    try:
        footer = arrow.parquet.read_metadata(file)
        names = footer.schema.to_arrow_schema().names
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(name, "footer", error) from error
    check_names(names, name)
    groups = [footer.row_group(i).total_byte_size for i in range(footer.num_row_groups)]
    if min(footer.num_rows, *groups, 0) < 0:
        raise InvalidInputError(f"{name} is damaged: its footer counts below zero; write it again")
    # A run-length code claims any number of rows in a few bytes, so the rows are counted as well as the bytes.
    claimed = max(sum(groups), footer.num_rows * footer.num_columns * _WIDTH)
    _check_claim(name, footer.num_rows, claimed, max_bytes, "as its footer says")
    frame = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    return frame.collect().lazy() if claimed <= _AT_ONCE else frame


def read_arrow(file: Path, name: str, max_bytes: int) -> pl.LazyFrame:
    """An Arrow IPC file (Feather version 2) or stream."""
    arrow = _arrow("Arrow")
    check_size(name, file.stat().st_size, max_bytes, "the size of the file")
    data = file.read_bytes()
    framed = data.startswith(arrow_messages.FILE_MAGIC)
    try:
        rows, claimed = arrow_messages.claim(arrow, memoryview(data))
        names = (arrow.ipc.open_file if framed else arrow.ipc.open_stream)(data).schema.names
    except (arrow.ArrowException, OSError, EOFError, struct.error, ValueError) as error:
        raise _damaged(name, "record batches", error) from error
    check_names(names, name)
    _check_claim(name, rows, max(claimed, rows * len(names) * _WIDTH), max_bytes, "as its record batches say")
    # polars decodes: it checks the references of string views, which pyarrow leaves unchecked where a value is missing.
    return (pl.read_ipc if framed else pl.read_ipc_stream)(io.BytesIO(data)).lazy()


def _check_claim(name: str, rows: int, claimed: int, max_bytes: int, how: str) -> None:
    if rows == 0:
        raise InvalidInputError(f"{name} has no rows; write it again")
    check_size(name, claimed, max_bytes, how)


def _damaged(name: str, part: str, error: BaseException) -> InvalidInputError:
    said = visible(str(error).split("\n", 1)[0])
    return InvalidInputError(
        f"{name} is damaged or cut off: its {part} cannot be read ({said}); write it again"
    )


def _arrow(kind: str) -> ModuleType:
    try:
        import pyarrow as pa
        from pyarrow import ipc, parquet  # noqa: F401  read as attributes of the module
    except ImportError as error:
        raise MissingDependencyError(
            f"looking into {kind} files before reading them needs pyarrow; install it with: pip install pyarrow"
        ) from error
    return pa
