"""Files become tables here, and nowhere else: what is not on the list below is refused before a byte is parsed."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kullback.errors import InvalidInputError, KullbackError, MissingDependencyError, UntrustedFileError
from kullback.wording import count, file_name, memory, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

MAX_BYTES = 2 * 1024**3
MAX_COLUMNS = 10_000

_KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "json-lines",
    ".ndjson": "json-lines",
}
# Reading these can run code that the file brings along, by design of the format.
_RUNS_CODE = frozenset({
    ".pkl", ".pickle", ".p", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".npy", ".npz",
    ".rds", ".rdata", ".xlsm", ".xlsb", ".xls", ".py", ".yaml", ".yml",
})  # fmt: skip
_ARCHIVES = frozenset(
    {".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".tar", ".rar", ".br", ".z"}
)
_SIGNATURES = (
    (b"PAR1", "parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "Feather version 1"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ\x00", "xz-compressed"),
    (b"\x28\xb5\x2f\xfd", "zstandard-compressed"),
    (b"\x04\x22\x4d\x18", "lz4-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LISTED = "csv, tsv, parquet, arrow, feather and jsonl"


def read(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> pl.LazyFrame:
    """One local file as a lazy polars frame.

    The kind is told by the extension (.csv, .tsv, .parquet, .pq, .arrow, .feather, .ipc, .jsonl, .ndjson) and has to
    agree with the first bytes. Text is parsed at once and completely, so a fault in it is met here; of Parquet only
    the footer is read, so collect within `blame(path)`. `max_bytes` limits what the table would take in memory,
    measured on the file or on what its footer claims, before anything of that size is allocated.

    Raises `UntrustedFileError` for a kind that can run code, an archive, or a claim beyond `max_bytes`;
    `InvalidInputError` for anything else that cannot be read: the message names the file and the remedy.
    """
    file, name = _regular_file(path), file_name(path)
    kind = _kind(file, name)
    _check_signature(file, name, kind)
    with blame(path):
        return _reader(kind)(file, name, max_bytes)


@contextmanager
def blame(*paths: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a dataframe engine raises on a damaged file into one `InvalidInputError` that names the file.

    With several paths, each is read through to find the one at fault.
    """
    engine = _polars().exceptions
    try:
        yield
    except (engine.PolarsError, engine.PanicException, OSError, MemoryError) as error:
        raise _verdict_on(paths, error) from error


def _verdict_on(paths: tuple[str | os.PathLike[str], ...], error: BaseException) -> InvalidInputError:
    guilty = paths
    if len(paths) > 1:
        guilty = tuple(path for path in paths if not _readable(path)) or paths
    names = " or ".join(file_name(path) for path in guilty)
    if isinstance(error, MemoryError):
        return InvalidInputError(f"{names} does not fit in memory; compare fewer columns or rows")
    said = visible(str(error).split("\n", 1)[0])
    return InvalidInputError(f"{names} cannot be read: damaged or wrongly named ({said}); write it again")


def _readable(path: str | os.PathLike[str]) -> bool:
    engine = _polars().exceptions
    try:
        frame = read(path, max_bytes=sys.maxsize)  # its size was accepted before
        for column in frame.collect_schema().names():
            frame.select(column).collect()
    except (KullbackError, engine.PolarsError, engine.PanicException):
        return False
    return True


def _polars() -> ModuleType:
    try:
        import polars as pl
    except ImportError as error:
        raise MissingDependencyError(
            "reading files needs polars; install it with: pip install 'kullback[tables]'"
        ) from error
    return pl


def _reader(kind: str) -> Callable[[Path, str, int], pl.LazyFrame]:
    from kullback.tables import binary_files, text_files

    return {
        "csv": text_files.read_csv,
        "tsv": text_files.read_tsv,
        "json-lines": text_files.read_json_lines,
        "parquet": binary_files.read_parquet,
        "arrow": binary_files.read_arrow,
    }[kind]


def _regular_file(path: str | os.PathLike[str]) -> Path:
    name = file_name(path)
    if _SCHEME.match(str(path)):
        raise InvalidInputError(f"{name} is an address; kullback reads local files only: download it first")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise InvalidInputError(f"{name}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInputError(f"{name} cannot be opened: {visible(str(error))}") from error
    if stat.S_ISDIR(mode):
        raise InvalidInputError(f"{name} is a directory; name one file in it")
    if not stat.S_ISREG(mode):
        raise InvalidInputError(f"{name} is a pipe or a device; write its data to a file first")
    if not os.access(path, os.R_OK):
        raise InvalidInputError(f"{name} may not be read by this user; change its permissions")
    return Path(path)


def _kind(file: Path, name: str) -> str:
    extension = file.suffix.lower()
    if extension in _KINDS:
        return _KINDS[extension]
    if extension in _RUNS_CODE:
        raise UntrustedFileError(
            f"{name}: reading a {extension} file can run code that it carries; export the table as Parquet or CSV"
        )
    if extension in _ARCHIVES:
        raise UntrustedFileError(f"{name} is an archive, and may unpack to any size; unpack it first")
    what = f"the ending {visible(extension, 12)}" if extension else "a name without an ending"
    raise InvalidInputError(f"{name} has {what}; kullback reads {_LISTED} files: rename or export it")


def _check_signature(file: Path, name: str, kind: str) -> None:
    with open(file, "rb") as stream:
        head = stream.read(16)
    if not head:
        raise InvalidInputError(f"{name} is empty (0 bytes); write it again")
    found = next((what for signature, what in _SIGNATURES if head.startswith(signature)), "")
    if not found and _PICKLE.match(head):
        found = "a pickle"
    if found == kind or (not found and kind not in ("parquet", "arrow")):
        return
    if not found and kind == "arrow" and head.startswith(b"\xff\xff\xff\xff"):
        return  # the streaming form of Arrow: no magic word, a continuation mark
    if not found:
        raise InvalidInputError(f"{name} does not begin as {kind} files do; it is damaged or wrongly named")
    remedy = (
        "give it its own ending" if found in ("parquet", "arrow") else "export the table as Parquet or CSV"
    )
    raise UntrustedFileError(f"{name} is named {file.suffix} but is {found} inside; {remedy}")


def check_size(name: str, claimed: int, max_bytes: int, how: str) -> None:
    """Refuse a table that would take more than `max_bytes`; `how` says where the claim stands."""
    if claimed > max_bytes:
        raise UntrustedFileError(
            f"{name} would take {memory(claimed)} ({how}), the limit is {memory(max_bytes)}; "
            "if you trust the file, raise max_bytes (--max-bytes)"
        )


def check_names(names: Sequence[str], name: str) -> None:
    """Refuse a table with too many columns, or with two of one name: nobody could say which of them drifts."""
    if len(names) > MAX_COLUMNS:
        raise InvalidInputError(
            f"{name} has {count(len(names))} columns, the limit is {count(MAX_COLUMNS)}; write the ones to compare"
        )
    seen: set[str] = set()
    for column in names:
        if column in seen:
            raise InvalidInputError(
                f"{name} has two columns named {visible(column, 40)!r}; rename one of them"
            )
        seen.add(column)
