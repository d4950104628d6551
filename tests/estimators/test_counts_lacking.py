"""Information of classes for every f, those with f(0) = ∞ too: cells without rows, and tables that have none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import kullback as kb
from kullback.divergences import FDivergence
from kullback.estimators.counts import lacking
from kullback.estimators.counts.information import estimate as of_table
from kullback.estimators.counts.straight import Straight
from tests.estimators.test_counts_information import crossed, problem, rows_of, table_of, truth

MINE = kb.FDivergence.from_generator(lambda t: 1 / t**2 + 2 * t - 3, name="mine")  # f(0) = ∞
ALL = [*kb.catalogue(), MINE, kb.total_variation + kb.reverse_kl]
ENDLESS = [d for d in ALL if math.isinf(d.at_zero)]
FULL = np.array([[62, 14], [20, 54]])
WIDE = np.array([[40, 31, 22], [27, 45, 30], [19, 28, 52]])
LACKING = np.array([[30, 20, 25], [25, 0, 50]])


def asked(d: FDivergence, table: np.ndarray, **options) -> kb.Answer:
    x, y, *z = rows_of(table)
    kinds = {"kind_x": "discrete", "kind_y": "discrete"}
    given = {"given": z[0], "kind_given": "discrete"} if z else {}
    return kb.mutual_information(x, y, divergence=d, **kinds, **given, **options)


@pytest.mark.parametrize("d", ALL, ids=lambda d: d.name)
@pytest.mark.parametrize("table", [FULL, WIDE, LACKING], ids=["full", "wide", "lacking"])
def test_every_noun_on_a_table(d: FDivergence, table: np.ndarray) -> None:
    assert crossed(problem(*rows_of(table))).value(d) == pytest.approx(
        truth(d, table / table.sum()), rel=1e-12
    )


@pytest.mark.parametrize("d", ALL, ids=lambda d: d.name)
@pytest.mark.parametrize("table", [FULL, WIDE], ids=["full", "wide"])
def test_intervals_are_numbers_where_no_cell_lacks_rows(d: FDivergence, table: np.ndarray) -> None:
    found = asked(d, table)
    assert 0.0 < found.low <= found.value <= found.high < math.inf
    assert 0.0 < found.standard_error < math.inf  # type: ignore[operator]
    exact = truth(d, table / table.sum())
    assert found.low < exact < found.high
    assert found.value == pytest.approx(exact, abs=3 * found.standard_error)  # type: ignore[operator]


@pytest.mark.parametrize("d", ENDLESS, ids=lambda d: d.name)
def test_a_layer_of_full_cells_is_as_it_is_alone(d: FDivergence) -> None:
    """A condition with two classes of the same table: the value stays, the variance halves with twice the rows."""
    one, two = crossed(problem(*rows_of(FULL))), np.stack([FULL, FULL], axis=2)
    x, y, z = rows_of(two)
    both = crossed(problem(x, y, z))
    assert both.value(d) == pytest.approx(one.value(d), rel=1e-12)
    assert both.variance(d) == pytest.approx(one.variance(d) / 2, rel=1e-9)
    assert both.bias(d) == pytest.approx(one.bias(d), rel=1e-9)


@pytest.mark.parametrize(
    "d", [kb.kl, kb.js, kb.pearson_chi2, Straight(kb.reverse_kl, -1.0)], ids=lambda d: d.name
)
def test_the_variance_is_that_of_small_changes(d: FDivergence) -> None:
    """Of a row more in each cell, by differences; on a table with a cell that has none."""
    table = crossed(problem(*rows_of(LACKING)))
    share, step, before = table.counts / table.n, 1e-5, table.value(d)
    moved = [(1 - step) * share + step * row for row in np.eye(len(share))]
    influence = np.array([(replace(table, counts=m * table.n).value(d) - before) / step for m in moved])
    variance = share @ (influence - share @ influence) ** 2 / table.n
    assert table.variance(d) == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("d", ENDLESS, ids=lambda d: d.name)
def test_a_cell_without_rows_is_infinite_with_a_lower_end(d: FDivergence) -> None:
    found = asked(d, LACKING)
    assert (found.value, found.high) == (math.inf, math.inf)
    assert 0.0 < found.low < math.inf
    assert f"{d.name} is +inf" in " ".join(found.notes)
    renamed = asked(d, LACKING[::-1, [2, 0, 1]])
    assert renamed.low == pytest.approx(found.low, rel=1e-10)


@pytest.mark.parametrize("n", [20, 60, 2000])
def test_copies_tell_more_than_any_number_from_below(n: int) -> None:
    x = np.arange(n) % 2
    lows = [kb.mutual_information(x.astype(str), x.astype(str), divergence=d).low for d in ENDLESS]
    assert all(0.0 < low < math.inf for low in lows)


def test_rare_classes_leave_an_end_at_or_above_nothing() -> None:
    x = np.array(["a"] * 50 + ["b"] * 50 + ["c"])
    y = np.array(["u", "v"] * 50 + ["u"])
    for d in ENDLESS:
        found = kb.mutual_information(x, y, divergence=d)
        assert (found.low, found.value, found.high) == (0.0, math.inf, math.inf)


def test_permutations_of_an_infinite_statistic() -> None:
    rng = np.random.default_rng(4)
    x, other = rng.integers(0, 5, (2, 60)).astype(str)
    y = np.where(rng.uniform(size=60) < 0.7, x, other)
    for d in (kb.reverse_kl, kb.neyman_chi2, kb.jeffreys):
        assert kb.mutual_information(x, y, divergence=d, permutations=99).p_value == 0.01
        p = kb.mutual_information(x, other, divergence=d, permutations=99).p_value
        assert p is not None
        assert p > 0.05
        same = kb.mutual_information(x[:2], other[:2], divergence=d, permutations=99)
        assert same.p_value is not None


def test_the_statistic_by_hand() -> None:
    table = np.array([[5, 0], [2, 3]])
    expected = np.outer(table.sum(1), table.sum(0)) / 10
    rows = np.where(table == 0, np.minimum(0.5, expected), table)
    by_hand = kb.neyman_chi2.terms(rows / 10, expected / 10, validate=False).sum()
    assert lacking.filled(kb.neyman_chi2, crossed(problem(*rows_of(table)))) == pytest.approx(
        by_hand, rel=1e-13
    )


@pytest.mark.parametrize("d", [*ENDLESS, kb.kl, kb.total_variation], ids=lambda d: d.name)
def test_the_straightened_f_is_the_tangent_beyond_and_no_larger(d: FDivergence) -> None:
    g, r = Straight(d, -1.0), np.linspace(-8.0, 4.0, 200)
    inside = r >= -1.0
    np.testing.assert_array_equal(g.value(r)[inside], d.value(r)[inside])
    tangent = d.value(-1.0) + d.slope(-1.0) * (np.exp(r) - math.exp(-1.0))
    np.testing.assert_allclose(g.value(r)[~inside], tangent[~inside], rtol=1e-10, atol=1e-13)
    assert np.all(g.value(r) <= d.value(r) * (1 + 1e-12) + 1e-15)
    np.testing.assert_allclose(g.tilt(r), g.value(r) - np.exp(r) * g.slope(r), rtol=1e-9, atol=1e-12)
    assert g.at_zero == pytest.approx(float(d.value(-1.0) - math.exp(-1.0) * d.slope(-1.0)), rel=1e-10)
    assert g([0.0, 1.0], [0.3, 0.7]) <= d([0.0, 1.0], [0.3, 0.7])
    assert g.dual.dual == g
    assert g.dual([0.1, 0.9], [0.8, 0.2]) == pytest.approx(float(g([0.8, 0.2], [0.1, 0.9])), rel=1e-12)


def test_joining_waits_for_five_rows_a_cell_and_keeps_the_rows() -> None:
    table = np.array([[90, 60, 2, 1], [60, 90, 1, 2], [1, 2, 0, 0]])
    few = lacking.joined(crossed(problem(*rows_of(table))))
    assert few.n == table.sum()
    assert np.outer(few.rows, few.columns).min() >= 5 * few.n
    large = lacking.joined(crossed(problem(*rows_of(FULL))))
    assert sorted(large.counts) == sorted(FULL.ravel())
    x = np.arange(300) % 150
    assert lacking.joined(crossed(problem(x, x))).freedom == 0


def low_ends(d: FDivergence, p: np.ndarray, n: int, times: int, seed: int) -> tuple[float, float]:
    """The share of tables whose interval holds the truth, and the share of infinite ones."""
    rng = np.random.default_rng(seed)
    exact, held, infinite = truth(d, p), 0, 0
    for _ in range(times):
        found = of_table(d, table_of(p, n, rng))
        assert found.interval is not None
        low, high = found.interval(0.95)
        held += low <= exact + 1e-13 and exact <= high
        infinite += found.value == math.inf
    return held / times, infinite / times


NEAR = np.array([[0.45, 0.03], [0.07, 0.45]])


@pytest.mark.parametrize("d", [kb.reverse_kl, kb.jeffreys, kb.neyman_chi2], ids=lambda d: d.name)
def test_intervals_hold_where_a_cell_may_be_empty(d: FDivergence) -> None:
    held, infinite = low_ends(d, NEAR, 100, 100, 3)
    assert infinite > 0.02
    assert held >= 0.89


@pytest.mark.parametrize("d", [kb.kl, kb.squared_hellinger], ids=lambda d: d.name)
def test_intervals_hold_where_rows_are_unseen_and_finite(d: FDivergence) -> None:
    """Nearly a function: cells off the diagonal mostly have no rows, and not because there never are any."""
    p = 0.97 * np.diag([0.3, 0.3, 0.4]) + 0.03 / 9
    assert low_ends(d, p, 200, 60, 4)[0] >= 0.89


def test_few_rows_in_every_cell_have_an_interval() -> None:
    table = np.array([[4, 3, 4], [3, 4, 3], [3, 3, 3]])
    found = asked(kb.kl, table)
    assert found.low == found.value < 0.0 < found.high < 0.5
    gone = table.copy()
    gone[0, 0] = 0
    told = asked(kb.kl, gone)
    assert told.low == -math.inf
    assert "rows are few for the table: 26 on 4 degrees" in told.notes[0]


@pytest.mark.parametrize("own", [0.0, 0.4])
def test_intervals_of_few_rows_hold(own: float) -> None:
    p = own * np.eye(3) / 3 + (1 - own) / 9
    rng, exact, held = np.random.default_rng(8), truth(kb.kl, own * np.eye(3) / 3 + (1 - own) / 9), []
    for _ in range(100):
        found = of_table(kb.kl, table_of(p, 30, rng))
        if not found.distrust:
            assert found.interval is not None
            low, high = found.interval(0.95)
            held.append(low <= exact + 1e-13 and exact <= high)
    assert len(held) > 30
    assert np.mean(held) >= 0.89


@pytest.mark.parametrize("d", ALL, ids=lambda d: d.name)
def test_one_class_may_have_hidden_another(d: FDivergence) -> None:
    rng = np.random.default_rng(6)
    x, y = ["a"] * 40, rng.integers(0, 3, 40).astype(str)
    found = kb.mutual_information(x, y, divergence=d)
    share = 1 - 0.025 ** (1 / 40)
    assert (found.low, found.value) == (0.0, 0.0)
    assert found.high >= float(d.entropy([share, 1 - share])) * (1 - 1e-12)
    assert math.isinf(found.high) == (math.isinf(d.at_zero) or d.dual.power_at_zero > 1)


def test_a_row_or_a_class_of_its_own_for_each_tells_nothing_for_certain() -> None:
    one = kb.mutual_information(["a"], ["b"])
    assert (one.value, one.low, one.high) == (0.0, -math.inf, math.inf)
    z = [str(i) for i in range(40)]
    each = kb.mutual_information(["a", "b"] * 20, ["u", "u", "v", "v"] * 10, given=z)
    assert (each.value, each.high) == (0.0, math.inf)
    assert "1 rows" in each.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("d", ENDLESS, ids=lambda d: d.name)
@pytest.mark.parametrize("n", [120, 400, 2000])
@pytest.mark.parametrize("own", [0.0, 0.3, 0.9])
def test_intervals_hold_on_other_tables(d: FDivergence, n: int, own: float) -> None:
    margin = np.array([0.3, 0.45, 0.25])
    p = own * np.diag(margin) + (1 - own) * np.outer(margin, margin)
    assert low_ends(d, p, n, 200, 5)[0] >= 0.9
