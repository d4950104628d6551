"""Files of every listed kind are read alike; every other file gives one clear line and nothing else."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pyarrow import feather, parquet

from kullback.errors import InvalidInputError, KullbackError, UntrustedFileError
from kullback.tables import arrow_messages, readers, text_files
from kullback.tables.readers import blame, read

TABLE = pl.DataFrame(
    {
        "whole": [1, 2, 3, None],
        "real": [0.5, -1e300, None, 2.25],
        "word": ["a", "é\nb", '"quoted", 1', None],
        "flag": [True, False, None, True],
        "day": [dt.date(2020, 1, 1), None, dt.date(1969, 12, 31), dt.date(2030, 2, 28)],
    }
)


def write_stream(frame: pl.DataFrame, path: Path) -> None:
    frame.write_ipc_stream(path)


WRITERS = {
    "table.csv": lambda frame, path: frame.write_csv(path),
    "table.tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "table.parquet": lambda frame, path: frame.write_parquet(path),
    "table.pq": lambda frame, path: parquet.write_table(frame.to_arrow(), path, compression="snappy"),
    "table.feather": lambda frame, path: feather.write_feather(
        frame.to_arrow(), str(path), compression="lz4"
    ),
    "table.arrow": lambda frame, path: frame.write_ipc(path, compression="zstd"),
    "table.ipc": lambda frame, path: frame.write_ipc(path),
    "stream.arrow": write_stream,
    "table.jsonl": lambda frame, path: frame.with_columns(pl.col("day").cast(str)).write_ndjson(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_listed_kind_gives_the_same_table(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](TABLE, path)
    frame = read(path).collect()
    if name.endswith("jsonl"):
        frame = frame.with_columns(pl.col("day").str.to_date())
    assert_frame_equal(frame, TABLE)


REFUSED = {
    # name of the file: (content, kind of error, a word of the remedy or the reason)
    "empty.csv": (b"", InvalidInputError, "empty"),
    "header-only.csv": (b"a,b\n", InvalidInputError, "no rows"),
    "blank.csv": (b"\n\n", InvalidInputError, "name the columns"),
    "twice.csv": (b"a,b,a\n1,2,3\n", InvalidInputError, "two columns named 'a'"),
    "cut.csv": (b"a,b,c\n1,2,3\n4,5", InvalidInputError, "cut off"),
    "hole.csv": (b"a,b,c\n1\n4,5,6\n", InvalidInputError, "line 2 has 1 of 3 fields"),
    "ragged.csv": (b"a,b\n1,2,3\n4,5\n", InvalidInputError, "more fields"),
    "open-quote.csv": (b'a,b\n1,"2\n3,4\n', InvalidInputError, "cannot be read"),
    "semicolons.csv": (b"a;b\n1;2\n", InvalidInputError, "commas"),
    "mac.csv": (b"a,b\r1,2\r3,4\r", InvalidInputError, "newlines"),
    "latin.csv": ("a,b\n1,é\n".encode("latin1"), InvalidInputError, "iconv"),
    "cut-letter.csv": ("a,b\n1,é".encode()[:-1], InvalidInputError, "cut off"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), InvalidInputError, "UTF-16"),
    "binary.csv": (b"a,b\n1,\0\n", UntrustedFileError, "NUL"),
    "wide.csv": (b",".join(b"c%d" % i for i in range(10_001)) + b"\n", InvalidInputError, "10 001 columns"),
    "long-line.csv": (b"a,b\n1," + b"x" * (17 * 2**20), InvalidInputError, "line ends"),
    "long-field.csv": (b"a,b\n1," + b"x" * (2 * 2**20) + b"\n", InvalidInputError, "check its quotes"),
    "long-quote.csv": (b'a,b\n1,"' + b"x\n" * 2**20 + b'"\n', InvalidInputError, "check its quotes"),
    "gzipped.csv": (gzip.compress(b"a,b\n1,2\n"), UntrustedFileError, "gzip"),
    "zipped.csv": (b"PK\x03\x04rest", UntrustedFileError, "zip"),
    "pickled.csv": (pickle.dumps([1, 2, 3]), UntrustedFileError, "pickle"),
    "pickled.parquet": (pickle.dumps([1, 2, 3]), UntrustedFileError, "pickle"),
    "words.parquet": (b"a,b\n1,2\n", InvalidInputError, "wrongly named"),
    "words.arrow": (b"a,b\n1,2\n", InvalidInputError, "wrongly named"),
    "short.parquet": (b"PAR1", InvalidInputError, "damaged"),
    "short.arrow": (b"ARROW1\0\0", InvalidInputError, "damaged"),
    "stray.jsonl": (b'[{"a":1}]', InvalidInputError, "one object a line"),
    "cut.jsonl": (b'{"a":1}\n{"a":', InvalidInputError, "cut off"),
    "bad.jsonl": (b'{"a":1}\n{"a" 1}\n', InvalidInputError, "cannot be read"),
    "deep.jsonl": (b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}\n", InvalidInputError, "100001 levels deep"),
    "nested.jsonl": (
        b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"\n",
        InvalidInputError,
        "1000 levels deep in line 1",
    ),
    "model.pkl": (pickle.dumps(1), UntrustedFileError, "run code"),
    "model.joblib": (b"x", UntrustedFileError, "run code"),
    "model.pt": (b"x", UntrustedFileError, "run code"),
    "model.pth": (b"x", UntrustedFileError, "run code"),
    "arrays.npz": (b"PK\x03\x04", UntrustedFileError, "run code"),
    "macros.xlsm": (b"PK\x03\x04", UntrustedFileError, "run code"),
    "sheet.xlsx": (b"PK\x03\x04", InvalidInputError, "kullback reads csv"),
    "table.csv.zip": (b"PK\x03\x04", UntrustedFileError, "unpack"),
    "table.csv.gz": (gzip.compress(b"a\n1\n"), UntrustedFileError, "unpack"),
    "no-ending": (b"a,b\n1,2\n", InvalidInputError, "without an ending"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_give_one_line_with_name_and_remedy(name: str, tmp_path: Path) -> None:
    content, kind, word = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(KullbackError) as caught:
        read(path)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert word in message
    assert name in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("http://example.org/t.csv", "address"),
        ("s3://bucket/t.parquet", "address"),
        ("file:///etc/t.csv", "address"),
        ("nowhere/t.csv", "no such file"),
        ("/dev/zero", "device"),
        ("t\0.csv", "cannot be opened"),
        ("x" * 5000 + ".csv", "cannot be opened"),
    ],
)
def test_what_is_no_local_file_is_refused(path: str, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        read(path)
    assert len(str(caught.value)) < 300


def test_directories_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="directory"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InvalidInputError, match="pipe"):
        read(tmp_path / "pipe.csv")


def test_truncated_binary_files(tmp_path: Path) -> None:
    for name in ("table.parquet", "table.feather", "table.arrow", "stream.arrow"):
        whole = tmp_path / name
        WRITERS[name](TABLE, whole)
        data = whole.read_bytes()
        for length in (9, len(data) // 2, len(data) - 30, len(data) - 9):
            whole.write_bytes(data[:length])
            with pytest.raises(InvalidInputError, match=name):
                read(whole)


def test_names_are_quoted_in_part_only(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    column = "<b>" + "x" * 10_000
    path.write_text(f"{column},{column}\n1,2\n")
    with pytest.raises(InvalidInputError) as caught:
        read(path)
    assert column[:81] not in str(caught.value)


class TestSizes:
    def test_text_is_measured_before_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("a\n1\n")
        with pytest.raises(UntrustedFileError, match="--max-bytes"):
            read(path, max_bytes=3)

    def test_a_sparse_file_of_a_terabyte_is_not_opened(self, tmp_path: Path) -> None:
        for name in ("t.csv", "t.arrow"):
            with open(tmp_path / name, "wb") as file:
                file.write(b"ARROW1\0\0" if name == "t.arrow" else b"a,b\n")
                file.truncate(2**40)
            with pytest.raises(UntrustedFileError, match="limit"):
                read(tmp_path / name)

    def test_run_lengths_cannot_hide_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.parquet"
        rows = 1_000_000
        parquet.write_table(pa.table({"a": pa.DictionaryArray.from_arrays([0] * rows, ["x"])}), path)
        assert path.stat().st_size < 10_000
        with pytest.raises(UntrustedFileError, match="8 MB"):
            read(path, max_bytes=7_000_000)

    def test_a_footer_that_claims_terabytes(self, tmp_path: Path) -> None:
        """The number of rows in the footer is rewritten, as an attacker would."""
        path = tmp_path / "claim.parquet"
        parquet.write_table(pa.table({"a": [0.5] * 20_190}), path)
        data = path.read_bytes()
        rows = varint(2 * 20_190)  # Thrift writes integers doubled (zigzag) in groups of seven bits
        assert data.count(rows) >= 2
        path.write_bytes(resize_footer(data, rows, varint(2 * 10**12)))
        with pytest.raises(UntrustedFileError, match="8 000 GB"):
            read(path)

    @pytest.mark.parametrize("compression", ["lz4", "zstd"])
    def test_compressed_batches_are_measured_before_decompression(
        self, compression: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "bomb.feather"
        table = pa.table({"a": pa.array([0] * 2_000_000, pa.int64())})
        feather.write_feather(table, str(path), compression=compression, chunksize=2_000_000)
        assert path.stat().st_size < 100_000
        rows, size = arrow_messages.claim(pa, memoryview(path.read_bytes()))
        assert rows == 2_000_000
        assert size >= 16_000_000
        with pytest.raises(UntrustedFileError, match="16 MB"):
            read(path, max_bytes=10_000_000)

    def test_a_buffer_that_claims_exabytes(self, tmp_path: Path) -> None:
        path = tmp_path / "claim.feather"
        feather.write_feather(pa.table({"a": [0] * 1000}), str(path), compression="lz4")
        data = path.read_bytes()
        honest = struct.pack("<q", 8000)
        assert honest in data
        path.write_bytes(data.replace(honest, struct.pack("<q", 2**60)))
        with pytest.raises(UntrustedFileError, match="limit"):
            read(path)


def varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def resize_footer(data: bytes, old: bytes, new: bytes) -> bytes:
    length = struct.unpack("<I", data[-8:-4])[0]
    body, footer = data[: -8 - length], data[-8 - length : -8].replace(old, new)
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


class TestText:
    def test_words_for_missing_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("number,word,empty\n1,NA,NA\nNA,x,NA\n2.5,y,NA\n")
        frame = read(path).collect()
        assert frame["number"].to_list() == [1.0, None, 2.5]
        assert frame["word"].to_list() == ["NA", "x", "y"], "NA may be Namibia"
        assert frame["empty"].to_list() == ["NA"] * 3

    def test_late_words_do_not_break_the_column(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("a\n" + "1\n" * 20_000 + "x\n")
        assert read(path).collect()["a"].dtype == pl.String

    def test_late_numbers_do_not_become_words(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("late,never,word\n" + ",,\n" * 20_000 + "1.5,,x\n")
        assert read(path).collect().schema == {"late": pl.Float64, "never": pl.String, "word": pl.String}

    def test_late_fractions_do_not_break_whole_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("a,b\n" + "1,2020-01-01\n" * 20_000 + ".5,unknown\n")
        frame = read(path).collect()
        assert frame["a"].sum() == 20_000.5
        assert frame["b"][-1] == "unknown"

    def test_byte_order_mark_and_windows_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
        assert read(path).collect().to_dict(as_series=False) == {"a": [1], "b": [2]}

    def test_names_may_hold_newlines(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text('"a\nb",c\n1,2\n')
        assert read(path).collect().columns == ["a\nb", "c"]

    def test_letters_across_pieces(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_files, "_CHUNK", 3)
        path = tmp_path / "t.csv"
        path.write_text("é,ü\n€,2\n😀,4\n", encoding="utf-8")
        assert read(path).collect().rows() == [("€", 2), ("😀", 4)]
        path.write_text("é,ü\n€,2\n😀\n", encoding="utf-8")
        with pytest.raises(InvalidInputError, match="1 of 2"):
            read(path)


def test_blame_names_the_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large Parquet files are decoded late; the fault is still told by the name of its file."""
    from kullback.tables import binary_files

    monkeypatch.setattr(binary_files, "_AT_ONCE", 0)
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    for path in (good, bad):
        parquet.write_table(TABLE.to_arrow(), path, compression="none")
    data = bytearray(bad.read_bytes())
    data[4:60] = bytes(56)
    bad.write_bytes(bytes(data))
    frames = [read(good), read(bad)]
    with pytest.raises(InvalidInputError, match=r"bad\.parquet") as caught, blame(good, bad):
        pl.collect_all(frames)
    assert "good" not in str(caught.value)


def seeds() -> list[tuple[str, bytes]]:
    frame = TABLE.with_columns(part=pl.Series(["x", "y", "x", "y"], dtype=pl.Categorical))
    found = []
    for name, writer in WRITERS.items():
        buffer = io.BytesIO()
        writer(frame, buffer) if name != "table.feather" else feather.write_feather(frame.to_arrow(), buffer)
        found.append((name, buffer.getvalue()))
    return found


SEEDS = seeds()
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "cut"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=8,
)


def mutate(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    out = bytearray(data)
    for how, where, new in changes:
        at = int(where * len(out))
        if how == "flip":
            out[at : at + len(new)] = new
        elif how == "insert":
            out[at:at] = new
        elif how == "delete":
            del out[at : at + len(new)]
        else:
            del out[max(at, len(out) // 2) :]
    return bytes(out)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.sampled_from(SEEDS), changes=CHANGES)
def test_damaged_files_raise_library_errors_only(
    seed: tuple[str, bytes], changes: list[tuple[str, float, bytes]], tmp_path: Path
) -> None:
    name, data = seed
    path = tmp_path / name
    path.write_bytes(mutate(data, changes))
    message = refusal(path)
    assert message is None or (name in message and "\n" not in message)


def refusal(path: Path) -> str | None:
    """What the library says of a file, nothing where it reads it; any other exception passes through."""
    try:
        frame = read(path)
        with blame(path):
            frame.collect()
    except KullbackError as error:
        return str(error)
    return None


@given(data=st.binary(max_size=200), ending=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet", ".arrow"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_raise_library_errors_only(data: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"any{ending}"
    path.write_bytes(data)
    message = refusal(path)
    assert message is None or "any" in message


def test_zip_bombs_are_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.csv", b"0" * 10_000_000)
    with pytest.raises(UntrustedFileError, match="zip archive"):
        read(path)


def test_the_list_of_endings_is_disjoint() -> None:
    assert not set(readers._KINDS) & readers._RUNS_CODE
    assert not set(readers._KINDS) & readers._ARCHIVES
