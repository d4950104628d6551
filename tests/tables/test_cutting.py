"""Where columns are cut: equal mass, atoms alone, edges that increase on every number that exists."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kullback.tables.cells import MISSING, CategoryCells, DateCells, NumberCells, Other
from kullback.tables.counting import tally
from kullback.tables.cutting import cut_dates, cut_numbers
from kullback.tables.edge_names import DAY
from kullback.tables.sources import open_source

SPANS = {
    "ids near 1.7e18": np.arange(1_700_000_000_000_000_000, 1_700_000_000_000_010_000, 7),
    "all of int64": np.array([-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1] * 50),
    "all floats": np.array([-1.7976931348623157e308, -1e308, 0.0, 1e308, 1.7976931348623157e308] * 50),
    "denormal": np.arange(1, 1000) * 5e-324,
    "next to each other": 1.0 + np.arange(1000) * 2.0**-52,
    "one value": np.full(100, 3.25),
    "two values": np.array([0.0, 1.0] * 50),
    "negative zeros": np.array([-0.0, 0.0, 1.0] * 50),
    "bytes": np.arange(-128, 128, dtype=np.int8),
    "nothing": np.empty(0),
    "nothing whole": np.empty(0, np.int64),
}


@pytest.mark.parametrize("bins", [2, 3, 20, 500])
@pytest.mark.parametrize("span", SPANS)
def test_edges_increase_and_every_value_has_one_cell(span: str, bins: int) -> None:
    sample = SPANS[span]
    cells = cut_numbers(sample, bins)
    assert list(cells.edges) == sorted(set(cells.edges))
    assert all(math.isfinite(edge) for edge in cells.edges)
    counts = tally(open_source(pl.DataFrame({"x": sample}), "x").frame["x"], cells)
    assert counts == Counter(bisect_right(cells.edges, value) for value in sample.tolist())
    assert all(cells.name(key) for key in counts)


def masses(sample: np.ndarray, cells: NumberCells | DateCells) -> list[int]:
    return np.bincount(np.searchsorted(np.array(cells.edges), sample, side="right")).tolist()


def test_continuous_columns_get_cells_of_equal_mass() -> None:
    sample = np.random.default_rng(0).lognormal(0, 2, 10_000)
    assert masses(sample, cut_numbers(sample, 20)) == [500] * 20


def test_an_outlier_moves_one_row_only() -> None:
    sample = np.random.default_rng(0).normal(0, 1, 1000)
    plain = cut_numbers(sample, 20)
    stretched = cut_numbers(np.append(sample, 1e6), 20)
    assert max(abs(a - b) for a, b in zip(plain.edges, stretched.edges, strict=True)) < 0.05


def test_a_heavy_value_is_a_cell_of_its_own() -> None:
    rng = np.random.default_rng(0)
    sample = np.where(rng.random(10_000) < 0.4, 0.0, rng.lognormal(0, 1, 10_000))
    cells = cut_numbers(sample, 20)
    zero = cells.edges.index(0.0)
    assert cells.edges[zero + 1] == 5e-324
    assert cells.name(zero + 1) == "0"
    found = masses(sample, cells)
    assert found[zero + 1] == (sample == 0).sum()
    assert all(450 <= mass <= 550 for mass in found[zero + 2 :])


def test_few_values_are_cells_by_their_names() -> None:
    cells = cut_numbers(np.array([1, 2, 2, 5] * 30), 20)
    assert [cells.name(key) for key in range(len(cells.edges) + 1)] == ["≤ 0", "1", "2", "3 to 4", "5", "≥ 6"]
    assert NumberCells((1.5,)).name(0) == "< 1.5"
    assert NumberCells(()).name(0) == "any value"


def test_edges_of_names_are_told_apart_with_few_digits() -> None:
    cells = NumberCells((0.123456, 0.123457, 2e-9, 1e20, 3e20)[0:2])
    assert cells.name(1) == "[0.123456, 0.123457)"
    assert NumberCells((-0.5, 1e20)).name(2) == "≥ 1e20"
    assert NumberCells((1_000_000.0, 2_000_000.0)).name(1) == "[1000000, 2000000)"


def test_edges_that_do_not_increase_are_refused() -> None:
    with pytest.raises(ValueError, match="edges increase strictly"):
        NumberCells((1.0, 1.0))
    with pytest.raises(ValueError, match="edges are finite"):
        NumberCells((math.inf,))


def days(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64) * DAY


def test_days_are_named_as_days() -> None:
    cells = cut_dates(np.repeat(days(*range(60)), 3), 4, daily=True, zone=None)
    assert [cells.name(key) for key in range(4)] == [
        "before 1970-01-16", "1970-01-16 to 1970-01-30", "1970-01-31 to 1970-02-14", "from 1970-02-15",
    ]  # fmt: skip


def test_moments_are_cut_on_round_times() -> None:
    rng = np.random.default_rng(0)
    cells = cut_dates(rng.integers(0, 365 * DAY, 5000), 12, daily=False, zone=None)
    assert all(edge % DAY == 0 for edge in cells.edges)
    hours = cut_dates(rng.integers(0, DAY, 5000), 12, daily=False, zone=None)
    assert all(edge % (DAY // 24) == 0 for edge in hours.edges)
    assert hours.name(1).startswith("1970-01-01 0")


def test_moments_are_cut_and_named_on_the_clocks_of_their_zone() -> None:
    midnight = int(dt.datetime(2024, 6, 30, 22, tzinfo=dt.UTC).timestamp() * 1e6)
    assert DateCells((midnight,), zone="Europe/Berlin").name(0) == "before 2024-07-01"
    assert DateCells((midnight,), zone="nowhere/at all").name(0) == "before 2024-06-30"
    sample = midnight + np.random.default_rng(0).integers(0, 60 * DAY, 5000)
    cells = cut_dates(sample, 10, daily=False, zone="Europe/Berlin")
    assert {(edge - midnight) % DAY for edge in cells.edges} == {0}


def test_moments_beyond_the_calendar_of_python_have_names() -> None:
    assert DateCells((-(2**62), 2**62)).name(0).startswith("before -")


def test_a_moment_shared_by_many_is_a_cell_of_its_own() -> None:
    sample = np.concatenate([np.full(500, 5 * DAY), np.random.default_rng(0).integers(0, 100 * DAY, 500)])
    cells = cut_dates(sample, 10, daily=False, zone=None)
    at = cells.edges.index(5 * DAY)
    assert cells.edges[at + 1] == 5 * DAY + 1
    assert cells.name(at + 1).startswith("1970-01-06")


def test_categories_beyond_the_limit_share_cells() -> None:
    rows = {f"c{i}": i for i in range(100)}
    cells = CategoryCells(others=8).closed_on_largest(rows, 10)
    assert cells.named == {f"c{i}" for i in range(90, 100)}
    assert cells.key("c95") == "c95"
    assert {type(cells.key(f"c{i}")) for i in range(90)} == {Other}
    assert {cells.key(f"c{i}").index for i in range(90)} <= set(range(8))  # type: ignore[union-attr]


def test_categories_of_one_row_get_no_cell_of_their_own() -> None:
    assert CategoryCells().closed_on_largest({"a": 1, "b": 2}, 10) == CategoryCells(frozenset("b"), 64)
    assert CategoryCells().closed_on_largest({"a": 1, "b": 1}, 10) == CategoryCells(frozenset(), 1)


def test_ties_of_categories_are_not_broken_by_the_alphabet() -> None:
    rows = {f"{i:06}": 2 for i in range(10_000)}
    named = CategoryCells().closed_on_largest(rows, 1000).named
    assert named is not None
    assert 400 < sum(int(name) < 5000 for name in named) < 600


@given(st.text(max_size=20))
def test_any_text_is_a_category(text: str) -> None:
    cells = CategoryCells(frozenset(), 4)
    assert cells.key(text) in {Other(i) for i in range(4)}
    assert CategoryCells().name(text) == text
    assert CategoryCells().name(MISSING) == "(missing)"
