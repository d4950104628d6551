"""Table rows T1 to T11 of the charter of edge cases: odd columns, odd sizes, odd names."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import kullback as kb
from kullback.errors import InvalidInputError
from kullback.tables.report import Column, Report, Verdict
from tables.frames import mixed

RNG_ROWS = 20_000
SAME = (Verdict.SAME, Verdict.CANT_TELL)


def normal(rows: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, rows)


def one(before: object, after: object) -> Column:
    """The only column of two tables made of one column of values each."""
    return kb.compare(pl.DataFrame({"x": before}), pl.DataFrame({"x": after}))["x"]


def reasons(report: Report) -> dict[str, str]:
    return {skipped.name: skipped.reason for skipped in report.skipped}


# The charter -------------------------------------------------------------------------------------------------------


def test_T1_a_column_of_one_table_only_is_listed() -> None:
    report = kb.compare(pl.DataFrame({"a": [1], "old": [1]}), pl.DataFrame({"a": [1], "new": [1]}))
    assert reasons(report) == {"old": "only in the table before", "new": "only in the table after"}
    assert all(skipped.schema for skipped in report.skipped)
    assert [column.name for column in report] == ["a"]


def test_T2_columns_without_a_value_are_not_comparable() -> None:
    typed = pl.Series([None] * 30, dtype=pl.Float64)
    table = pl.DataFrame({"typed": typed, "untyped": [None] * 30, "nan": [math.nan] * 30, "x": [1.0] * 30})
    report = kb.compare(table, table)
    assert reasons(report) == {
        "typed": "every value is missing in both tables",
        "nan": "every value is missing in both tables",
        "untyped": "no value in either table",
    }
    assert [column.name for column in report] == ["x"]
    assert not any(skipped.schema for skipped in report.skipped)


@pytest.mark.parametrize("empty", [pl.Null, pl.Float64, pl.String])
def test_T2_a_column_that_lost_every_value_drifts(empty: type[pl.DataType]) -> None:
    column = one(normal(500, 0), pl.Series([None] * 500, dtype=pl.Null if empty is pl.String else empty))
    assert column.verdict is Verdict.DRIFT
    assert (column.missing_before, column.missing_after) == (0, 500)
    assert column.change == "(missing): 0 % → 100 %"


def test_T3_columns_of_different_types_are_listed() -> None:
    before = pl.DataFrame(
        {"a": [1, 2], "b": [True, False], "c": ["x", "y"], "t": pl.Series([1, 2]).cast(pl.Datetime)}
    )
    after = pl.DataFrame({"a": ["1", "2"], "b": [1, 0], "c": ["x", "y"]}).with_columns(
        t=before["t"].dt.replace_time_zone("UTC")
    )
    report = kb.compare(before, after)
    assert set(reasons(report)) == {"a", "b", "t"}
    assert reasons(report)["a"] == "type differs: number (Int64) before, category (String) after"
    assert "one has no time zone" in reasons(report)["t"]
    assert all(skipped.schema for skipped in report.skipped)
    assert [column.name for column in report] == ["c"]


def test_T3_types_that_mean_the_same_are_compared() -> None:
    before = pd.DataFrame({"c": pd.Categorical(["a", "b"] * 50), "n": np.arange(100, dtype=np.int32)})
    after = pd.DataFrame({"c": pd.Series(["a", "b"] * 50, dtype=object), "n": np.arange(100) * 1.0})
    assert {column.name for column in kb.compare(before, after)} == {"c", "n"}


def test_T4_infinities_are_cells_and_extremes_are_cut() -> None:
    limits = np.array([-1.7976931348623157e308, 1.7976931348623157e308])
    before = np.concatenate([normal(500, 0), limits, [np.inf] * 5, [-np.inf] * 3])
    after = np.concatenate([normal(500, 1), limits, [np.inf] * 50])
    column = one(before, after)
    ends = {cell.label: (cell.before, cell.after) for cell in column.cells if "∞" in cell.label}
    assert ends == {"−∞": (3, 0), "+∞": (5, 50)}
    assert column.cells[0].label == "−∞"
    assert column.verdict is Verdict.DRIFT


def test_T5_missing_values_are_a_cell_and_a_drift() -> None:
    x = normal(5000, 0)
    gaps = pl.Series(x).set(pl.Series(np.arange(5000) % 5 == 0), None)
    column = one(x, gaps)
    assert column.verdict is Verdict.DRIFT
    assert column.change == "(missing): 0 % → 20 %"
    assert column.cells[-1].label == "(missing)"
    equal = one(gaps, gaps)
    assert (equal.plugin, equal.verdict) == (0.0, Verdict.SAME)


def test_T6_many_categories_share_cells_and_say_what_that_may_hide() -> None:
    names = np.random.default_rng(0).zipf(1.4, (2, RNG_ROWS)).astype(str)
    report = kb.compare(pl.DataFrame({"c": names[0]}), pl.DataFrame({"c": names[1]}), max_categories=50)
    column = report["c"]
    assert len(column.cells) <= 50 + 64
    note = next(note for note in column.notes if "share" in note)
    assert note.startswith("50 categories have cells of their own; the others (")
    finer = kb.compare(pl.DataFrame({"c": names[0]}), pl.DataFrame({"c": names[1]}), max_categories=10_000)[
        "c"
    ]
    assert column.plugin <= finer.plugin
    assert column.divergence.high >= column.plugin


def test_T6_identifiers_are_neither_drift_nor_the_same() -> None:
    ids = [f"id{i}" for i in range(2 * RNG_ROWS)]
    column = one(ids[:RNG_ROWS], ids[RNG_ROWS:])
    assert column.verdict is Verdict.CANT_TELL
    assert column.divergence.high == pytest.approx(math.log(2))
    assert column.rows_needed is None
    assert column.p_value == 1.0
    assert [(cell.before, cell.after) for cell in column.cells] == [(RNG_ROWS, RNG_ROWS)]
    many = pl.DataFrame({"id": [f"id{i}" for i in range(200_000)]})
    assert kb.compare(many[:100_000], many[100_000:])["id"].verdict is Verdict.CANT_TELL


def test_T7_new_and_gone_categories_are_named() -> None:
    before = ["a"] * 600 + ["gone"] * 300 + ["b"] * 100
    after = ["a"] * 600 + ["new"] * 250 + ["newer"] * 50 + ["b"] * 100
    column = one(before, after)
    assert (column.new, column.gone) == (("new", "newer"), ("gone",))
    assert column.change == "gone: gone (30 %)"
    beyond = one(np.arange(100.0), np.append(np.arange(99.0), 1e9))
    assert sum(cell.after for cell in beyond.cells) == 100


def test_T8_a_table_is_the_same_as_itself() -> None:
    table = mixed(20_000, 0)
    report = kb.compare(table, table)
    assert [column.name for column in report if column.verdict is not Verdict.SAME] == []
    for column in report:
        assert column.plugin == 0.0
        assert column.p_value == column.q_value == 1.0
        assert column.divergence.clipped.value == 0.0
        assert all(cell.contribution == 0.0 for cell in column.cells)
        assert (column.change, column.new, column.gone) == ("nothing", (), ())


def test_T8_the_order_of_rows_does_not_matter() -> None:
    before, after = mixed(4_000, 1), mixed(5_000, 2, shift=0.1)
    shuffled = kb.compare(before.sample(fraction=1.0, shuffle=True, seed=0), after.reverse())
    assert shuffled.columns == kb.compare(before, after).columns


def test_T8_the_order_of_columns_does_not_matter() -> None:
    before, after = mixed(2_000, 1), mixed(2_000, 2)
    turned = kb.compare(before[:, ::-1], after)
    assert {column.name: column for column in turned} == {c.name: c for c in kb.compare(before, after)}


def test_T8_doubled_rows_are_the_same_shares() -> None:
    table = mixed(2_000, 1)
    assert {column.plugin for column in kb.compare(table, pl.concat([table, table]))} == {0.0}


@pytest.mark.parametrize("seed", range(5))
def test_T9_ten_rows_against_a_thousand_of_one_law_are_no_drift(seed: int) -> None:
    report = kb.compare(mixed(10, seed), mixed(1000, seed + 100))
    assert [column.name for column in report if column.verdict is Verdict.DRIFT] == []
    for column in report:
        assert column.divergence.low <= 0.0 <= column.divergence.high
        assert column.verdict is Verdict.CANT_TELL
        assert column.rows_needed is None or column.rows_needed > 10


def test_T9_p_values_are_uniform_when_nothing_drifts() -> None:
    found = [one(normal(10, 2 * s), normal(1000, 2 * s + 1)).p_value for s in range(200)]
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(found) <= level)
        assert share <= level + 4 * math.sqrt(level * (1 - level) / 200)


def test_T10_any_name_passes_and_duplicates_do_not() -> None:
    names = ["<script>alert(1)</script>", "a\nb", "\u202etsil", "x" * 10_000, "", "=1+1"]
    table = pl.DataFrame({name: [1.0, 2.0, 3.0] for name in names})
    assert {column.name for column in kb.compare(table, table)} == set(names)
    with pytest.raises(InvalidInputError, match="`after` has more than one column named a; rename them"):
        kb.compare(table, pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_T11_unusual_types_are_compared_or_listed_with_the_remedy() -> None:
    table = pl.DataFrame({
        "price": pl.Series(["1.50", "2.25"] * 20).cast(pl.Decimal(10, 2)),
        "zoned": pl.Series([0, 10**15] * 20).cast(pl.Datetime("us", "Asia/Tokyo")),
        "nanos": pl.Series([0, 10**18] * 20).cast(pl.Datetime("ns")),
        "list": [[1], [2]] * 20,
        "struct": [{"a": 1}, {"a": 2}] * 20,
        "span": pl.Series([1, 2] * 20).cast(pl.Duration),
        "clock": pl.Series([1, 2] * 20).cast(pl.Time),
        "bytes": [b"a", b"b"] * 20,
        "huge": pl.Series([1, 2] * 20, dtype=pl.Int128),
    })  # fmt: skip
    report = kb.compare(table, table)
    assert {column.name: column.kind for column in report} == {
        "price": "number", "zoned": "date", "nanos": "date", "huge": "number",
    }  # fmt: skip
    why = reasons(report)
    assert "unnest" in why["list"]
    assert "unnest" in why["struct"]
    assert "convert them to a number, such as seconds" in why["span"]
    assert "such as seconds" in why["clock"]
    assert "no cells exist" in why["bytes"]
