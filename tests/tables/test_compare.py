"""Two tables in, a report out: the promises to a user, one test each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, UnsupportedPairError
from kullback.tables.adjust import holm
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


# What the report says ----------------------------------------------------------------------------------------------


def test_a_drift_is_found_measured_and_told() -> None:
    before, after = normal(RNG_ROWS, 1), normal(RNG_ROWS, 2, mean=0.5)
    column = one(before, after)
    assert column.verdict is Verdict.DRIFT
    # js of N(0, 1) and N(0.5, 1) is 0.03039 nats by quadrature; twenty cells keep nearly all of it
    assert column.divergence.low < 0.03039
    assert column.divergence.value == pytest.approx(0.0300, rel=0.1)
    # the best rule cuts halfway: Φ(0.25) = 0.5987
    assert column.accuracy.low < 0.5987 < column.accuracy.high
    assert column.p_value == 0.001
    assert column.change.startswith("median ")
    assert sum(cell.contribution for cell in column.cells) == pytest.approx(column.plugin)
    assert column.detectable < column.divergence.value
    assert column.rows_needed is None


def test_one_outlier_does_not_hide_a_drift() -> None:
    before, after = normal(5000, 1), normal(5000, 2, mean=1.0)
    plain, hit = one(before, after), one(before, np.append(after, 1e6))
    assert hit.verdict is Verdict.DRIFT
    assert hit.plugin == pytest.approx(plain.plugin, rel=0.02)


def test_a_negligible_drift_is_the_same_however_surely_it_is_there() -> None:
    before = ["a"] * 500_000 + ["b"] * 500_000
    after = ["a"] * 505_000 + ["b"] * 495_000
    column = one(before, after)
    assert column.q_value < 0.01
    assert column.verdict is Verdict.SAME
    assert "a difference is proven, it is smaller than 0.00693 nats" in column.notes


def test_a_drift_of_uncertain_size_is_left_open() -> None:
    column = one(["a"] * 100 + ["b"] * 100, ["a"] * 130 + ["b"] * 70)
    assert column.q_value < 0.05
    assert column.verdict is Verdict.CANT_TELL
    assert "a difference is proven, not that it reaches 0.00693 nats" in column.notes
    assert column.rows_needed is not None
    assert column.rows_needed > 200


def test_columns_come_by_verdict_and_size() -> None:
    report = kb.compare(mixed(3000, 1), mixed(3000, 2, shift=0.8))
    order = [Verdict.DRIFT, Verdict.CANT_TELL, Verdict.SAME]
    ranks = [(order.index(column.verdict), -column.divergence.value) for column in report]
    assert ranks == sorted(ranks)
    assert {column.name for column in report.drifted} == {"x", "gap"}


def test_infinite_divergences_are_visible_and_explained() -> None:
    before = pl.DataFrame({"c": ["a"] * 500 + ["b"] * 450 + ["gone"] * 50})
    after = pl.DataFrame({"c": ["a"] * 500 + ["b"] * 500})
    report = kb.compare(before, after, measure=kb.kl)
    column = report["c"]
    assert column.divergence.value == column.divergence.high == column.plugin == math.inf
    assert 0 < column.divergence.low < math.inf
    assert column.verdict is Verdict.DRIFT
    notes = " / ".join(column.notes)
    assert "kl is infinite: 1 cell with 5 % of the rows before has none after" in notes
    assert "on the cells that both have it is 0.00139 nats" in notes
    assert "with half a row added to every cell (Jeffreys' prior) it is" in notes
    assert "p-values permute js" in report.notes[0]
    # the other way round nothing is infinite: 0 log 0 = 0
    assert math.isfinite(kb.compare(after, before, measure=kb.kl)["c"].divergence.value)


@pytest.mark.parametrize(
    "measure", [m for m in kb.catalogue() if isinstance(m, kb.FDivergence)], ids=lambda measure: measure.name
)
def test_every_divergence_of_the_catalogue_compares_tables(measure: kb.FDivergence) -> None:
    report = kb.compare(mixed(2000, 1), mixed(2000, 2, shift=1.0), measure=measure, permutations=99)
    assert report["x"].verdict is Verdict.DRIFT
    assert report.settings.measure == measure.name
    assert {column.verdict for column in report if column.name in ("whole", "flag")} <= set(SAME)


def test_own_divergences_compare_tables() -> None:
    own = kb.FDivergence.from_generator(lambda t: (t - 1) ** 2 / (t + 1), name="own")
    before, after = mixed(2000, 1)[["x"]], mixed(2000, 2, shift=0.5)[["x"]]
    ours, le_cam = (kb.compare(before, after, measure=m)["x"].divergence for m in (own, kb.le_cam))
    assert ours.low / le_cam.low == pytest.approx(ours.high / le_cam.high, rel=1e-4)


def test_settings_are_kept() -> None:
    table = mixed(100, 0)[["x"]]
    report = kb.compare(
        table, table, bins=7, alpha=0.01, level=0.9, min_effect=0.5, adjust=holm, seed=3, permutations=9
    )
    chosen = report.settings
    assert (chosen.measure, chosen.bins, chosen.alpha, chosen.level) == ("js", 7, 0.01, 0.9)
    assert (chosen.min_effect, chosen.adjust, chosen.seed, chosen.permutations) == (0.5, "holm", 3, 9)
    assert chosen.unit_limit == pytest.approx(math.log(2))
    assert report["x"].divergence.level == 0.9
    assert (report.before.name, report.before.rows, report.before.columns) == ("before", 100, 1)
    assert report.seconds > 0
    default = kb.compare(table, table).settings
    assert default.min_effect == pytest.approx(0.01 * math.log(2))


def test_the_same_seed_gives_the_same_report() -> None:
    before, after = mixed(500, 1), mixed(500, 2)
    assert kb.compare(before, after).columns == kb.compare(before, after).columns
    assert kb.compare(before, after).columns != kb.compare(before, after, seed=1).columns


def test_columns_are_chosen_by_name() -> None:
    table = mixed(50, 0)
    assert {c.name for c in kb.compare(table, table, columns=["x", "gap"], exclude=["gap"])} == {"x"}
    nothing = kb.compare(table, table, columns=[])
    assert (len(nothing.columns), len(nothing.skipped), nothing.before.rows) == (0, 0, 50)


def test_a_sample_is_told_and_every_row_is_counted() -> None:
    x = pl.DataFrame({"x": normal(120_000, 0)})
    report = kb.compare(x, x[:1000])
    assert report.notes == (
        "cells were cut in a sample of 50 000 of the 121 000 rows (seed 0); all rows were counted",
    )
    assert (report["x"].before, report["x"].after) == (120_000, 1000)
    assert kb.compare(x[:1000], x[:1000]).notes == ()


def test_progress_hears_every_step() -> None:
    heard: list[tuple[str, int, int]] = []
    table = mixed(100, 0)
    kb.compare(table.lazy(), table.lazy(), progress=lambda *step: heard.append(step))
    steps = list(dict.fromkeys(what for what, _, _ in heard))
    assert steps == ["looking at the rows", "counting rows", "measuring columns", "permuting columns"]
    assert ("counting rows", 200, 200) in heard
    assert all(done <= total for _, done, total in heard if total)


def test_paths_are_read(tmp_path: Path) -> None:
    before, after = mixed(200, 1)[["x", "text"]], mixed(200, 2)[["x", "text"]]
    before.write_parquet(tmp_path / "before.parquet")
    after.write_csv(tmp_path / "after.csv")
    report = kb.compare(tmp_path / "before.parquet", str(tmp_path / "after.csv"))
    assert report.before.name.endswith("before.parquet")
    assert report["x"] == kb.compare(before, after)["x"]


# Bad input ---------------------------------------------------------------------------------------------------------

TABLE = pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 1}, "`bins` is 1; expected a whole number, 2 or more"),
        ({"bins": 2.5}, "`bins` is 2.5"),
        ({"alpha": 0}, "`alpha` is 0; expected a number between 0 and 1"),
        ({"level": 95}, "`level` is 95; expected a number between 0 and 1"),
        ({"min_effect": 0.0}, "`min_effect` is 0.0; expected a positive, finite number"),
        ({"min_effect": math.nan}, "`min_effect` is nan"),
        ({"min_effect": 0.7}, "`min_effect` is 0.7, but js is never larger than 0.6931"),
        ({"permutations": 0}, "`permutations` is 0"),
        ({"seed": -1}, "`seed` is -1"),
        ({"max_categories": 0}, "`max_categories` is 0"),
        ({"columns": ["z"]}, "`columns` names z, which neither table has; there are x, y"),
        ({"exclude": ["z"]}, "`exclude` names z"),
        ({"columns": "x"}, "`columns` is the text 'x'; expected a list of column names"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message.replace("(", r"\(")):
        kb.compare(TABLE, TABLE, **options)  # type: ignore[arg-type]


def test_objects_of_other_types_are_refused() -> None:
    with pytest.raises(DTypeError, match="`measure` is 'js'; expected an f-divergence such as"):
        kb.compare(TABLE, TABLE, measure="js")  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="`adjust` is 'bh'"):
        kb.compare(TABLE, TABLE, adjust="bh")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedPairError, match="kink at 1"):
        kb.compare(TABLE, TABLE, measure=kb.js + kb.total_variation)


@pytest.mark.parametrize("empty", [TABLE[:0], TABLE[:0].lazy(), TABLE[:0].to_pandas()])
def test_tables_without_rows_are_refused(empty: object) -> None:
    with pytest.raises(InvalidInputError, match="after has no rows; both tables need at least one"):
        kb.compare(TABLE, empty)
    with pytest.raises(InvalidInputError, match="before has no rows"):
        kb.compare(empty, TABLE, columns=[])


def test_tables_without_columns_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="`before` has no columns"):
        kb.compare(pl.DataFrame(), TABLE)


def test_one_row_each_is_enough_for_a_report() -> None:
    report = kb.compare(TABLE[:1], TABLE[1:])
    assert {column.verdict for column in report} == {Verdict.CANT_TELL}
    assert {column.p_value for column in report} == {1.0}
