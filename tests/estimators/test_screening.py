"""Screening: every kind of column against a target, all pairs, lazy tables, and clusters that lose workers."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest

import kullback as kb
from kullback.estimators import KSG, Ross
from kullback.estimators.screening.table import decided, table_of
from problems.refusals import raises


def people(n: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    """A target, what it depends on, what it does not, and what cannot be measured."""
    rng = np.random.default_rng(seed)
    linear, square = rng.normal(size=n), rng.normal(size=n)
    group = rng.integers(3, size=n)
    target = linear + square**2 + group + 0.3 * rng.normal(size=n)
    holed = linear.copy()
    holed[::3] = math.nan
    rare = np.full(n, math.nan)
    rare[:5] = 1.0
    return {
        "target": target,
        "linear": linear,
        "square": square,
        "group": np.array(["a", "b", "c"])[group],
        "code": group,
        "noise": rng.normal(size=n),
        "coin": rng.integers(2, size=n).astype(bool),
        "holed": holed,
        "rare": rare,
        "constant": np.full(n, 7.0),
    }


def same(a: kb.Screening, b: kb.Screening) -> None:
    """One ranking, to the last digit but rounding."""
    assert [(f.column, f.target) for f in a] == [(f.column, f.target) for f in b]
    for name in ("value", "low", "high", "p_value", "q_value"):
        left, right = (np.array(s.columns()[name], dtype=float) for s in (a, b))
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-14)


def test_what_depends_comes_first_and_is_found() -> None:
    found = kb.screen(people(), target="target", permutations=99, progress=False)
    assert {f.column for f in found.rejected(alpha=0.05)} == {"linear", "square", "group", "code", "holed"}
    assert [f.column for f in found][-2:] == ["constant", "rare"]
    values = [f.answer.value for f in found][:-2]
    assert values == sorted(values, reverse=True)
    by_name = {f.column: f for f in found}
    assert by_name["code"].kinds == by_name["group"].kinds == ("discrete", "continuous")
    assert by_name["code"].answer.value == pytest.approx(by_name["group"].answer.value, rel=1e-12)
    assert by_name["holed"].answer.n == 266
    assert (by_name["constant"].answer.value, by_name["constant"].answer.p_value) == (0.0, 1.0)
    assert not by_name["rare"].measured
    assert "5 rows with both values" in by_name["rare"].answer.notes[0]
    for name in ("noise", "coin"):
        assert by_name[name].answer.low < 0.02


def test_a_declared_kind_is_taken() -> None:
    table = people()
    found = {
        f.column: f for f in kb.screen(table, target="target", kinds={"code": "continuous"}, permutations=0)
    }
    assert found["code"].kinds[0] == "continuous"
    assert found["code"].answer.p_value is None
    assert found["code"].q_value is None
    group = kb.screen(table, target="target", against=["group"], kinds={"group": "continuous"})[0]
    assert "holds names, not numbers" in group.answer.notes[0]
    with raises(kb.DTypeError, "the target cannot be measured", "holds names, not numbers"):
        kb.screen(table, target="group", kinds={"group": "continuous"})


@pytest.mark.parametrize("neighbours", [3, 10])
def test_a_pair_is_measured_as_it_is_alone(neighbours: int) -> None:
    table = people()
    found = {
        f.column: f.answer for f in kb.screen(table, target="target", neighbours=neighbours, permutations=0)
    }
    alone = kb.mutual_information(table["linear"], table["target"], method=KSG(k=neighbours))
    by_class = kb.mutual_information(table["group"], table["target"], method=Ross(k=neighbours))
    for name, answer in (("linear", alone), ("group", by_class)):
        got = found[name]
        assert (got.value, got.low, got.high) == pytest.approx(
            (answer.value, answer.low, answer.high), rel=1e-9
        )


def test_intervals_can_be_left_out() -> None:
    table = people()
    whole = {f.column: f.answer for f in kb.screen(table, target="target", permutations=9)}
    bare = kb.screen(table, target="target", permutations=9, level=None)
    for f in bare:
        if f.measured:
            assert f.answer.value == pytest.approx(whole[f.column].value, abs=1e-12)
            assert f.answer.p_value == whole[f.column].p_value
    assert "(no interval)" in str(bare)


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    found = [f for f in kb.screen(people(), target="target", permutations=49, progress=False) if f.measured]
    p = np.array([f.answer.p_value for f in found], dtype=float)
    order = np.argsort(p)
    adjusted = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    np.testing.assert_allclose([found[i].q_value for i in order], np.minimum(adjusted, 1.0), rtol=1e-12)


def test_every_pair_once_and_the_same_as_alone() -> None:
    table = {name: people()[name] for name in ("target", "linear", "group", "noise")}
    pairs = kb.screen(table, target=None, permutations=0)
    assert len(pairs) == 6
    assert len({frozenset((f.column, f.target)) for f in pairs}) == 6
    alone = {f.column: f.answer.value for f in kb.screen(table, target="target", permutations=0)}
    for f in pairs:
        if "target" in (f.column, f.target):
            other = f.column if f.target == "target" else f.target
            assert f.answer.value == pytest.approx(alone[other], abs=1e-12)


def frames(table: dict[str, np.ndarray]) -> Iterator[object]:
    yield pl.DataFrame(table)
    yield pl.LazyFrame(table)
    yield pd.DataFrame(table)
    yield pl.DataFrame(table).to_arrow()


def test_every_frame_gives_the_numbers_of_its_columns() -> None:
    table = people()
    expected = kb.screen(table, target="target", permutations=19)
    for frame in frames(table):
        same(kb.screen(frame, target="target", permutations=19), expected)


def test_an_array_is_screened_by_the_numbers_of_its_columns() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(100, 3))
    x[:, 2] += 2 * x[:, 0]
    found = kb.screen(x, target="2", permutations=0)
    assert [f.column for f in found] == ["0", "1"]


@pytest.mark.parametrize("jobs", [2])
def test_processes_change_nothing(jobs: int) -> None:
    table = people()
    expected = kb.screen(table, target="target", permutations=19)
    with joblib.parallel_config(n_jobs=jobs):
        same(kb.screen(table, target="target", permutations=19), expected)


def test_the_table_fits_a_terminal_and_a_frame() -> None:
    table = people()
    table["a name that is far too long to be read by anyone\x1b[31m"] = table["noise"]
    found = kb.screen(table, target="target", permutations=99, progress=False)
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "1 pair not measured" in text
    frame = pl.DataFrame(found.columns())
    assert frame["column"].to_list() == [f.column for f in found]
    assert max(map(len, str(kb.screen(table, target=None, permutations=0)).splitlines())) <= 80


def test_what_a_table_lacks_is_named() -> None:
    with raises(kb.InvalidInputError, "no column is called 'targt'", "close to it: 'target'"):
        kb.screen(people(), target="targt")
    with raises(kb.InvalidInputError, "no column is called 'x'"):
        kb.screen(people(), target="target", against=["noise", "x"])
    with raises(kb.DTypeError, "the table is a list"):
        kb.screen([1, 2], target="0")
    with raises(kb.InvalidInputError, "permutations must be a whole number of at least 0"):
        kb.screen(people(), target="target", permutations=-1)


def test_few_numbers_with_many_rows_are_classes() -> None:
    values = np.arange(200)
    sparse = np.where(values < 190, values % 20, np.nan)
    table = table_of({"few": values % 20, "sparse": sparse, "many": values % 21})
    kinds = [decided(column, None).kind for column in table.read(["few", "sparse", "many"])]
    assert kinds == ["discrete", "continuous", "continuous"]


@pytest.mark.slow
def test_independent_columns_have_uniform_p_values() -> None:
    """Of 300 independent columns, ties and classes among them, about 5 % fall below .05."""
    rng = np.random.default_rng(4)
    n = 200
    table: dict[str, np.ndarray] = {"y": rng.normal(size=n)}
    for i in range(100):
        table[f"smooth {i}"] = rng.standard_t(2, size=n)
        table[f"rounded {i}"] = np.round(rng.normal(size=n), 1)
        table[f"class {i}"] = np.array(list("abcd"))[rng.integers(4, size=n)]
    found = kb.screen(table, target="y", permutations=199, progress=False)
    for kind in ("smooth", "rounded", "class"):
        p = np.array([f.answer.p_value for f in found if f.column.startswith(kind)])
        assert 0.0 <= (p <= 0.05).mean() <= 0.12  # of 100: .05 ± .022
        assert 0.35 <= p.mean() <= 0.65


def lose_a_worker(cluster, client) -> None:  # type: ignore[no-untyped-def]
    """Kill one of two workers once the first results are in."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = client.run_on_scheduler(
            lambda dask_scheduler: (
                sum(1 for task in dask_scheduler.tasks.values() if task.state == "memory")
                + dask_scheduler.transition_counter
            )
        )
        if done > 40:
            break
        time.sleep(0.01)
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, 9)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_half_way_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    rng = np.random.default_rng(5)
    table = {f"x{i}": rng.normal(size=300) for i in range(120)}
    expected = kb.screen(table, target=None, permutations=0, progress=False)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = set(client.run(os.getpid).values())
        killer = threading.Thread(target=lose_a_worker, args=(cluster, client))
        killer.start()
        with joblib.parallel_config(backend="dask"):
            got = kb.screen(table, target=None, permutations=0, progress=False)
        killer.join()
        assert set(client.run(os.getpid).values()) != before  # one was lost, and another took its place
    same(got, expected)


@pytest.mark.slow
def test_a_wide_table_streams(tmp_path: Path) -> None:
    """20 000 columns of a file, of which no more than a block is in memory."""
    rng = np.random.default_rng(6)
    columns, rows = 20_000, 100
    path = tmp_path / "wide.parquet"
    pl.DataFrame(rng.normal(size=(rows, columns)), schema=[f"x{i}" for i in range(columns)]).write_parquet(
        path
    )
    found = kb.screen(pl.scan_parquet(path), target="x0", permutations=0, progress=False)
    assert len(found) == columns - 1
