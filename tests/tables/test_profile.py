"""Profiles: exact counts that add up, however a table is cut into parts, and nothing but counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kullback.errors import DTypeError, InvalidInputError
from kullback.tables import Profile, compare, cut
from kullback.tables.cells import CategoryCells
from kullback.tables.sampling import pooled_sample
from kullback.tables.sources import open_source
from tables.frames import mixed

BEFORE, AFTER = mixed(3_000, 1), mixed(4_000, 2, shift=0.4)


@pytest.mark.parametrize("parts", [1, 2, 7, 100])
def test_profiles_of_parts_add_up(parts: int) -> None:
    cells = cut(BEFORE, AFTER)
    ends = np.linspace(0, AFTER.height, parts + 1).astype(int)
    pieces = [Profile.of(AFTER[start:end], cells) for start, end in pairwise(ends)]
    total = pieces[0]
    for piece in pieces[1:]:
        total = total + piece
    assert total == Profile.of(AFTER, cells)


def test_a_lazy_table_is_counted_batch_by_batch(tmp_path: Path) -> None:
    whole = pl.concat([AFTER] * 100)
    whole.write_parquet(tmp_path / "table.parquet", row_group_size=20_000)
    lazy = pl.scan_parquet(tmp_path / "table.parquet")
    assert len(list(open_source(lazy, "table").batches(["x"]))) > 5
    cells = cut(BEFORE, AFTER)
    assert Profile.of(lazy, cells) == Profile.of(whole, cells)
    assert cut(lazy, BEFORE) == cut(whole, BEFORE)


def test_adding_changes_neither_part() -> None:
    cells = cut(BEFORE, AFTER)
    part = Profile.of(AFTER[:10], cells)
    assert part + part == Profile.of(pl.concat([AFTER[:10], AFTER[:10]]), cells)
    assert part == Profile.of(AFTER[:10], cells)


def test_an_empty_part_adds_nothing() -> None:
    cells = cut(BEFORE, AFTER)
    assert Profile.of(AFTER[:0], cells) + Profile.of(AFTER, cells) == Profile.of(AFTER, cells)


def test_profiles_on_different_cells_do_not_add_up() -> None:
    one, two = (Profile.of(BEFORE, cut(BEFORE, AFTER, bins=bins)) for bins in (5, 6))
    with pytest.raises(InvalidInputError, match="different cells"):
        one + two
    with pytest.raises(InvalidInputError, match="different cells"):
        compare(one, two)
    with pytest.raises(TypeError):
        one + 1  # type: ignore[operator]


def test_profiles_are_all_that_a_comparison_needs() -> None:
    cells = cut(BEFORE, AFTER)
    by_counts = compare(Profile.of(BEFORE, cells), Profile.of(AFTER, cells))
    assert by_counts.columns == compare(BEFORE, AFTER).columns
    some = compare(
        Profile.of(BEFORE, cells), Profile.of(AFTER, cells), columns=["x", "text"], exclude=["text"]
    )
    assert [column.name for column in some] == ["x"]


def test_a_profile_and_a_table_are_refused_with_the_remedy() -> None:
    profile = Profile.of(BEFORE, cut(BEFORE, AFTER))
    with pytest.raises(DTypeError, match=r"`after` is a DataFrame, the other table a Profile; .*Profile\.of"):
        compare(profile, AFTER)
    with pytest.raises(DTypeError, match="`before` is a DataFrame"):
        compare(BEFORE, profile)


def test_profiles_refuse_tables_that_do_not_fit() -> None:
    cells = cut(BEFORE, AFTER)
    with pytest.raises(InvalidInputError, match="column x: it is missing"):
        Profile.of(AFTER.drop("x"), cells)
    with pytest.raises(InvalidInputError, match="column x holds category"):
        Profile.of(AFTER.with_columns(x=pl.lit("a")), cells)


def test_counts_of_a_column_without_values_are_missing_values() -> None:
    cells = cut(BEFORE, AFTER)
    empty = AFTER[:9].with_columns(x=pl.lit(None), text=pl.lit(None, dtype=pl.String))
    profile = Profile.of(empty, cells)
    assert profile.counts["x"] == profile.counts["text"] == {None: 9}


def test_values_beyond_the_sample_have_cells() -> None:
    inside = pl.DataFrame({"x": np.arange(100.0), "c": ["a"] * 100})
    profile = Profile.of(pl.DataFrame({"x": [-1e9, 1e9], "c": ["b", "c"]}), cut(inside, inside))
    edges = profile.cells["x"].edges  # type: ignore[attr-defined]
    assert profile.counts["x"] == {0: 1, len(edges): 1}
    assert profile.counts["c"] == {"b": 1, "c": 1}


def test_small_tables_get_fewer_cells() -> None:
    x = pl.DataFrame({"x": np.random.default_rng(0).normal(size=1000)})
    sizes = {rows: len(cut(x[:rows], x)["x"].edges) + 1 for rows in (3, 10, 50, 99, 100, 1000)}  # type: ignore[attr-defined]
    assert sizes == {3: 2, 10: 2, 50: 10, 99: 19, 100: 20, 1000: 20}


def test_many_categories_are_closed_on_the_largest_of_the_sample() -> None:
    names = np.random.default_rng(0).zipf(1.3, 20_000).astype(str)
    table = pl.DataFrame({"c": names})
    cells = cut(table, table, max_categories=50)["c"]
    assert isinstance(cells, CategoryCells)
    assert cells.named == set(table["c"].value_counts(sort=True)["c"][:50])


def draw(frame: pl.DataFrame | pl.LazyFrame, size: int, seed: int = 0) -> list[int]:
    source = open_source(frame, "t")
    sample = pooled_sample([source, source], ["i"], size, seed, lambda _: None)
    return [i for pieces in sample.pieces for piece in pieces for i in piece["i"].to_list()]


def test_the_sample_does_not_depend_on_batches() -> None:
    table = pl.DataFrame({"i": np.arange(200_000)})
    chunks = pl.concat([table[i : i + 999] for i in range(0, 200_000, 999)], rechunk=False).lazy()
    assert draw(table, 500) == draw(table.lazy(), 500) == draw(chunks, 500)
    assert draw(table, 500) != draw(table, 500, seed=1)


def test_the_sample_is_uniform_over_both_tables() -> None:
    table = pl.DataFrame({"i": np.arange(100)})
    counts = np.zeros(100)
    for seed in range(400):
        drawn = draw(table, 50, seed)
        assert len(drawn) == 50
        counts += np.bincount(drawn, minlength=100)
    # 400 draws of 50 out of 200 rows, each number twice among them: 200 expected, standard deviation 12.2
    assert abs(counts - 200).max() < 5 * 12.2


def test_a_sample_larger_than_the_tables_is_the_tables() -> None:
    table = pl.DataFrame({"i": np.arange(30)})
    assert draw(table, 100) == [*range(30), *range(30)]
