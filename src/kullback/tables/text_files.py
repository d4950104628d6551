"""Text tables: CSV, TSV and JSON lines. One pass over the bytes guards the parser, one parse gives the table."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kullback.errors import InvalidInputError, UntrustedFileError
from kullback.tables.readers import check_names, check_size
from kullback.wording import count, visible

MAX_LINE = 16 * 1024**2  # bytes; a longer line is no row of a table, and parsers hold a line at a time
MAX_FIELD = 1024**2
_DEEPEST = 64  # levels of nested JSON
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(rb"[][{}]")
_CHUNK = 4 * 1024**2
_GUESSED_FROM = 10_000  # rows
# What spreadsheets, R, pandas and SQL clients write for a missing number. In a column of words these stay words:
# NA is Namibia, and None a surname.
_MISSING_NUMBERS = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "n/a", "<NA>", "-", ".", "?")


@dataclass
class _Lines:
    """What one pass over a text file found."""

    head: str  # the first piece, with the header
    last: str  # the last line that is not blank
    rows: int  # lines that are not empty, the header's included
    separators: int
    quoted: bool


def read_csv(file: Path, name: str, max_bytes: int) -> pl.LazyFrame:
    """Comma-separated values with a header line, in UTF-8."""
    return _read_delimited(file, name, max_bytes, ",")


def read_tsv(file: Path, name: str, max_bytes: int) -> pl.LazyFrame:
    """Tab-separated values with a header line, in UTF-8."""
    return _read_delimited(file, name, max_bytes, "\t")


def read_json_lines(file: Path, name: str, max_bytes: int) -> pl.LazyFrame:
    """One JSON object per line, in UTF-8."""
    lines = _scan(file, name, max_bytes)
    if not lines.head.lstrip().startswith("{"):
        raise InvalidInputError(
            f"{name} is not JSON lines: its first line is no {{object}}; write one object a line"
        )
    if not lines.last.rstrip().endswith("}"):
        raise InvalidInputError(f"{name} is cut off: its last line does not end with }}; write it again")
    _check_depth(file, name)
    frame = pl.read_ndjson(file, infer_schema_length=None)
    return _checked(frame, name).lazy()


def _check_depth(file: Path, name: str) -> None:
    """Refuse deep nesting, which no table has and which exhausts the parser's stack: a crash, not an error."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            # brackets inside of strings count here, so that most lines are settled by two fast searches
            if line.count(b"{") + line.count(b"[") <= _DEEPEST:
                continue
            depth = deepest = 0
            for bracket in _BRACKETS.findall(_STRINGS.sub(b"", line)):
                depth += 1 if bracket in b"{[" else -1
                deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                raise InvalidInputError(
                    f"{name} nests {deepest} levels deep in line {number} (limit {_DEEPEST}); "
                    "write one flat object a line"
                )


def _read_delimited(file: Path, name: str, max_bytes: int, separator: str) -> pl.LazyFrame:
    lines = _scan(file, name, max_bytes, separator.encode())
    header = _header(lines.head, name, separator)
    _check_fields(file, lines, name, separator, len(header))
    frame = _parsed(file, separator)
    if frame.columns != header:
        raise InvalidInputError(f"{name} has a header that can be read in two ways; check its quotes")
    return _checked(frame, name).with_columns(_numbers_with_gaps(frame)).lazy()


def _parsed(file: Path, separator: str) -> pl.DataFrame:
    """The table with types that every row fits.

    Types are guessed from the first rows, which is several times as fast as looking at all of them twice, and from all
    rows where the guess is refuted or rests on missing values only.
    """
    try:
        frame = _parsed_by(file, separator, _GUESSED_FROM)
    except pl.exceptions.ComputeError:
        return _parsed_by(file, separator, None)
    seen = frame.head(_GUESSED_FROM)
    blind = any(
        part.null_count() == len(part) and frame[part.name].null_count() < frame.height for part in seen
    )
    return _parsed_by(file, separator, None) if blind else frame


def _parsed_by(file: Path, separator: str, rows: int | None) -> pl.DataFrame:
    return pl.read_csv(file, separator=separator, infer_schema_length=rows, try_parse_dates=True, glob=False)


def _scan(file: Path, name: str, max_bytes: int, separator: bytes = b",") -> _Lines:
    """Size, encoding, line lengths and the number of fields, a piece of fixed size at a time."""
    check_size(name, file.stat().st_size, max_bytes, "the size of the file")
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, last, carried, offset = b"", b"", b"", 0
    found = _Lines("", "", 0, 0, False)
    with open(file, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            _check_text(chunk, decoder, name, offset)
            head += chunk if b"\n" not in head else b""
            offset += len(chunk)
            lines = (carried + chunk).split(b"\n")
            _check_lines(lines, name)
            carried = lines.pop()
            found.rows += sum(map(bool, lines))
            found.separators += chunk.count(separator)
            found.quoted = found.quoted or b'"' in chunk
            last = next((line for line in reversed(lines) if line.strip()), last)
    _check_text(b"", decoder, name, offset, final=True)
    found.rows += bool(carried)
    last = carried if carried.strip() else last
    found.head, found.last = (part.decode("utf-8-sig", errors="ignore") for part in (head, last))
    return found


def _check_fields(file: Path, lines: _Lines, name: str, separator: str, width: int) -> None:
    """Parsers fill a row that is too short with missing values; a table cut off would pass for one with gaps."""
    found = lines.last.count(separator) + 1
    if '"' not in lines.last and found < width:
        raise InvalidInputError(
            f"{name} is cut off: its last line has {found} of {width} fields; write it again"
        )
    if lines.quoted or width == 1 or lines.separators >= lines.rows * (width - 1):
        return  # a separator within quotes is none, so quoted files are left to the parser
    with open(file, encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip("\r\n") and (found := line.count(separator) + 1) < width:
                raise InvalidInputError(
                    f"{name}: line {count(number)} has {found} of {width} fields; repair it or write the file again"
                )


def _check_text(
    chunk: bytes, decoder: codecs.IncrementalDecoder, name: str, offset: int, final: bool = False
) -> None:
    if offset == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidInputError(f"{name} is UTF-16 text; save it as UTF-8")
    if b"\0" in chunk:
        raise UntrustedFileError(f"{name} holds NUL bytes, so it is no text; export the table as UTF-8 text")
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        if final:
            raise InvalidInputError(f"{name} is cut off within its last character; write it again") from None
        raise InvalidInputError(
            f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} near offset {offset + error.start}; "
            "convert it, for example with: iconv -f latin1 -t utf-8"
        ) from None


def _check_lines(lines: list[bytes], name: str) -> None:
    if max(map(len, lines)) > MAX_LINE:
        raise InvalidInputError(
            f"{name} has a line of more than {count(MAX_LINE)} bytes, so it is no table; check its line ends"
        )


def _header(head: str, name: str, separator: str) -> list[str]:
    first = head.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    if "\r" in first:
        raise InvalidInputError(f"{name} ends its lines with a bare carriage return; save it with newlines")
    csv.field_size_limit(MAX_LINE)
    try:
        names = next(csv.reader(io.StringIO(head), delimiter=separator), [])
    except csv.Error as error:
        raise InvalidInputError(
            f"{name} has a header that cannot be read ({error}); check its quotes"
        ) from error
    if not any(names):
        raise InvalidInputError(f"{name} begins with an empty line; the first line has to name the columns")
    if len(names) == 1 and separator == "," and any(mark in names[0] for mark in ";\t|"):
        raise InvalidInputError(
            f"{name} has one column, {visible(names[0], 40)!r}; save it with commas between the fields, or as .tsv"
        )
    check_names(names, name)
    return names


def _checked(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    check_names(frame.columns, name)
    if frame.height == 0:
        raise InvalidInputError(f"{name} has a header and no rows; write it again")
    texts = [column for column, kind in frame.schema.items() if kind == pl.String]
    widest = frame.select(pl.col(texts).str.len_bytes().max()).row(0) if texts else ()
    for column, width in zip(texts, widest, strict=True):
        if width is not None and width > MAX_FIELD:
            raise InvalidInputError(
                f"{name} has a field of {count(width)} bytes in column {visible(column, 40)!r}, the limit is "
                f"{count(MAX_FIELD)}; check its quotes"
            )
    return frame


def _numbers_with_gaps(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns that are numbers but for words such as NA, as numbers with missing values."""
    mended: list[pl.Series] = []
    for column in frame.iter_columns():
        if column.dtype != pl.String:
            continue
        gaps = column.is_in(_MISSING_NUMBERS).fill_null(True)
        if gaps.all() or not column.is_in(_MISSING_NUMBERS).any():
            continue
        numbers = column.set(gaps, None).cast(pl.Float64, strict=False)
        if numbers.null_count() == int(gaps.sum()):
            mended.append(numbers)
    return mended
