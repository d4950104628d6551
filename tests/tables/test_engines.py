"""The same whole numbers on every engine, whatever its opinion of NaN, null, −0.0 and types."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kullback.errors import DTypeError, InvalidInputError
from kullback.tables import Profile, compare, cut
from kullback.tables.cells import NumberCells
from tables.frames import ENGINES, mixed

BEFORE, AFTER = mixed(3_000, 1), mixed(4_000, 2, shift=0.4)


# pandas makes floats of integers with gaps, and moments of days, unless it is asked not to; the rows per cell stay
OTHER_TYPES = {engine: set() for engine in ENGINES} | {
    "pandas": {"whole_gap", "day"},
    "pandas nullable": {"day"},
}


def brute_force(values: list[float | None], cells: NumberCells) -> Counter:
    """Cell by cell in plain Python."""
    counts: Counter = Counter()
    for value in values:
        if value is None or np.isnan(value):
            counts[None] += 1
        elif value in (np.inf, -np.inf):
            counts[value] += 1
        else:
            counts[sum(edge <= value for edge in cells.edges)] += 1
    return counts


def readable(profile: Profile, name: str) -> dict[str, int]:
    """Counts by the name of the cell."""
    return {profile.cells[name].name(key): rows for key, rows in profile.counts[name].items()}


@pytest.mark.parametrize("name", ["x", "gap", "odd", "whole", "whole_gap", "small", "id", "inflated"])
def test_numbers_are_counted_as_by_hand(name: str) -> None:
    cells = cut(BEFORE, AFTER)
    assert Profile.of(AFTER, cells).counts[name] == brute_force(AFTER[name].to_list(), cells[name])


@pytest.mark.parametrize("name", ["text", "coded", "flag"])
def test_categories_are_counted_as_by_hand(name: str) -> None:
    assert Profile.of(AFTER, cut(BEFORE, AFTER)).counts[name] == Counter(AFTER[name].to_list())


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_on_given_cells(engine: str) -> None:
    cells = cut(BEFORE, AFTER)
    assert Profile.of(ENGINES[engine](AFTER), cells) == Profile.of(AFTER, cells)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_on_cells_of_their_own(engine: str) -> None:
    convert = ENGINES[engine]
    ours = cut(convert(BEFORE), convert(AFTER))
    reference = cut(BEFORE, AFTER)
    assert {name for name in reference if ours[name] != reference[name]} <= OTHER_TYPES[engine]
    counted, expected = Profile.of(convert(AFTER), ours), Profile.of(AFTER, reference)
    assert sorted(counted.counts["whole_gap"].values()) == sorted(expected.counts["whole_gap"].values())


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_on_the_report(engine: str) -> None:
    convert = ENGINES[engine]
    ours, reference = compare(convert(BEFORE), convert(AFTER)), compare(BEFORE, AFTER)
    for column in reference:
        if column.name not in OTHER_TYPES[engine]:
            assert ours[column.name] == column


def test_engines_may_differ_between_the_tables() -> None:
    assert compare(BEFORE.to_pandas()[["x", "text"]], AFTER.to_arrow()).columns == (
        compare(BEFORE[["x", "text"]], AFTER).columns
    )


def test_object_columns_take_the_type_of_their_values() -> None:
    flags = pd.DataFrame({"flag": pd.Series([True, None, False] * 50, dtype=object)})
    profile = Profile.of(flags, cut(flags, flags))
    assert profile.counts["flag"] == {True: 50, False: 50, None: 50}


def test_object_columns_of_dates_and_decimals_are_read() -> None:
    days = [dt.date(2024, 1, 1), None, dt.date(1500, 2, 3)] * 10
    table = pd.DataFrame({
        "day": pd.Series(days, dtype=object), "price": pd.Series([Decimal("1.5"), None, Decimal("2.25")] * 10)
    })  # fmt: skip
    report = compare(table, table)
    assert (report["day"].kind, report["day"].missing_before) == ("date", 10)
    assert [(cell.label, cell.before) for cell in report["price"].cells] == [
        ("1.5", 10),
        ("2.25", 10),
        ("(missing)", 10),
    ]


def test_categories_of_numbers_are_categories() -> None:
    codes = pd.DataFrame({"code": pd.Categorical([1, 2, 1], categories=[1, 2, 3])})
    assert Profile.of(codes, cut(codes, codes)).counts["code"] == {"1": 2, "2": 1}


def test_columns_may_be_called_anything() -> None:
    names = {0: [1.0, 2.0], "rows": [1.0, 2.0], "value": ["a", "b"], "": ["a", "b"]}
    report = compare(pd.DataFrame(names), pd.DataFrame(names))
    assert {column.name for column in report} == {"0", "rows", "value", ""}
    assert report["value"].cells[0].label == "a"


def test_string_views_of_arrow_are_text() -> None:
    plain = AFTER[["text"]].to_arrow()
    views = pa.table({"text": plain["text"].cast(pa.string_view())})
    assert compare(views, plain)["text"].plugin == 0.0


def test_float32_values_are_not_rounded_onto_edges() -> None:
    exact = pl.DataFrame({"x": np.linspace(0, 1, 1001)})
    cells = cut(exact, exact)
    single = pl.DataFrame({"x": np.linspace(0, 1, 1001).astype(np.float32)})
    assert Profile.of(single, cells).counts["x"] == brute_force(single["x"].to_list(), cells["x"])


def test_unsigned_and_signed_integers_meet() -> None:
    signed = pl.DataFrame({"x": pl.Series([-5, 3, 3, 9] * 10, dtype=pl.Int64)})
    unsigned = pl.DataFrame({"x": pl.Series([2**64 - 1, 3, 3, 9] * 10, dtype=pl.UInt64)})
    report = compare(signed, unsigned)
    assert [(cell.label, cell.before, cell.after) for cell in report["x"].cells] == [
        ("-5", 10, 0), ("3", 20, 20), ("9", 10, 10), (str(2**64 - 1), 0, 10),
    ]  # fmt: skip


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DTypeError, match="`after` is a int; expected a polars, pandas or pyarrow table"):
        compare(BEFORE, 5)
    with pytest.raises(DTypeError, match="`before` is a list"):
        compare([1, 2], BEFORE)


def test_duplicate_names_are_refused_on_every_engine() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    for table in (twice, pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])):
        with pytest.raises(InvalidInputError, match="more than one column named a"):
            compare(table, BEFORE)
    with pytest.raises(InvalidInputError, match="more than one column named 1"):
        compare(pd.DataFrame([[1, 2]], columns=[1, "1"]), BEFORE)


def test_rows_of_a_lazy_frame_are_never_collected_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    collected = []
    original = pl.LazyFrame.collect

    def spy(self: pl.LazyFrame, *args: object, **options: object) -> pl.DataFrame:
        frame = original(self, *args, **options)  # type: ignore[arg-type]
        collected.append(frame.height)
        return frame

    monkeypatch.setattr(pl.LazyFrame, "collect", spy)
    compare(BEFORE.lazy(), AFTER.lazy())
    assert max(collected, default=0) <= 1


def test_inputs_are_left_as_they_were() -> None:
    table = BEFORE.to_pandas()
    copy = table.copy(deep=True)
    compare(table, table)
    pd.testing.assert_frame_equal(table, copy)


def test_narwhals_frames_are_tables_too() -> None:
    assert compare(nw.from_native(BEFORE), nw.from_native(AFTER)).columns == compare(BEFORE, AFTER).columns
