"""KSG: against deletion by hand, closed forms, and the data that break neighbour estimates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma

import kullback as kb
from kullback.errors import InvalidInputError, TieWarning, UnsupportedPairError
from kullback.estimators import ksg, ksg_joint, ksg_null, ksg_pass, neighbour_weights
from kullback.estimators.ksg import KSG
from kullback.estimators.normal_scores import ranked, scores
from kullback.estimators.problem import JointSample, read_joint
from kullback.estimators.trees import ScorePair, expect


def problem(x: np.ndarray, y: np.ndarray) -> JointSample:
    kinds = ("continuous", "continuous", None)
    return read_joint(x, y, None, kinds=kinds, divergence=None, weights=None, missing="raise", seed=0)


def normal(n: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    x = g.standard_normal(n)
    return x, rho * x + math.sqrt(1 - rho * rho) * g.standard_normal(n)


def by_hand(points: np.ndarray, width: int, ks: tuple[int, ...]) -> np.ndarray:
    """The formula of the paper with all pairs of rows."""
    n = len(points)
    apart = np.abs(points[:, None] - points)
    x, y = apart[:, :, :width].max(axis=2), apart[:, :, width:].max(axis=2)
    both = np.maximum(x, y)
    np.fill_diagonal(both, np.inf)
    np.fill_diagonal(x, np.inf)
    np.fill_diagonal(y, np.inf)
    reach = np.sort(both, axis=1)[:, [k - 1 for k in ks]]
    counts = [(margin[:, :, None] < reach[:, None]).sum(axis=1) for margin in (x, y)]
    return digamma(ks) + digamma(n) - sum(digamma(c + 1) for c in counts).mean(axis=0)


def scattered(g: np.random.Generator, n: int, d: int) -> np.ndarray:
    points = g.standard_normal((n, d))
    points[:, -1] += points[:, 0]
    return points


def on_a_lattice(g: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Many neighbours at one distance, some of them copies."""
    return g.integers(6, size=(n, d)).astype(float)


def deletions_by_hand(points: np.ndarray, width: int, combinations: np.ndarray) -> np.ndarray:
    every = [by_hand(np.delete(points, j, axis=0), width, KS) for j in range(len(points))]
    return combinations @ np.array(every).T


def centred(found: np.ndarray) -> np.ndarray:
    return found - found.mean(axis=1, keepdims=True)


KS = (1, 2, 3, 5, 8)
COMBINATIONS = np.array([[0.5, 0.5, 0.3, 0.2, -0.5], [0.0, 0.0, 0.0, 1.0, 0.0]])


@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("n", [30, 90])
@pytest.mark.parametrize("rows_of", [scattered, on_a_lattice])
def test_all_k_and_all_deletions_are_those_by_hand(rows_of: Any, widths: tuple[int, int], n: int) -> None:
    points = rows_of(np.random.default_rng(3), n, sum(widths))
    joint = ksg_joint.searched(points, widths[0])
    rows = joint.tree.rows
    found = ksg_pass.run(joint, KS, COMBINATIONS)
    np.testing.assert_allclose(found.values, by_hand(points, widths[0], KS), rtol=0, atol=1e-13)
    assert math.isclose(ksg_pass.value(joint, 5), found.values[3], abs_tol=1e-14)
    np.testing.assert_allclose(ksg_pass.values(joint, KS), found.values, atol=1e-14)
    want = deletions_by_hand(points, widths[0], COMBINATIONS)[:, rows]
    np.testing.assert_allclose(centred(found.deleted), centred(want), atol=1e-13)


@pytest.mark.parametrize("n", [30, 90])
@pytest.mark.parametrize("equal_steps", [False, True])
def test_cells_delete_as_by_hand(n: int, equal_steps: bool) -> None:
    g = np.random.default_rng(52)
    column = np.arange(float(n)) if equal_steps else np.sort(g.standard_normal(n))
    places = g.permutation(n)
    points = np.column_stack([column, column[places]])
    expect(1, 100_000)
    pair = ScorePair.of(column, places)
    assert pair is not None, "numba is among what the tests install"
    found = ksg_pass.run(pair, KS, COMBINATIONS)
    np.testing.assert_allclose(found.values, by_hand(points, 1, KS), rtol=0, atol=1e-13)
    assert math.isclose(ksg_pass.value(pair, 5), found.values[3], abs_tol=1e-14)
    np.testing.assert_allclose(
        centred(found.deleted), centred(deletions_by_hand(points, 1, COMBINATIONS)), atol=1e-13
    )


def test_compiled_and_plain_are_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    expect(1, 100_000)
    for rho in (0.0, 0.9):
        data = problem(*normal(1000, rho))
        fast = KSG().estimate(data), KSG(k=3).statistic(data)
        with monkeypatch.context() as plain:
            plain.setattr(ScorePair, "of", lambda *_: None)
            slow = KSG().estimate(data), KSG(k=3).statistic(data)
        assert math.isclose(fast[1], slow[1], abs_tol=1e-13)
        assert math.isclose(fast[0].value, slow[0].value, abs_tol=1e-13)
        assert math.isclose(fast[0].standard_error, slow[0].standard_error, rel_tol=1e-9)
        assert fast[0].distrust == slow[0].distrust


@pytest.mark.parametrize("k", [1, 3, None])
def test_normal_pair(k: int | None) -> None:
    x, y = normal(2000, 0.6)
    found = KSG(k=k).estimate(problem(x, y))
    assert not found.distrust
    assert abs(found.value + 0.5 * math.log(1 - 0.36)) < 3 * math.hypot(
        found.standard_error, found.bias_error
    )
    assert 0.01 < found.standard_error < 0.05
    assert (found.bias_error > 0) == (k is None)


def test_raw_k_is_the_formula_of_the_paper() -> None:
    x, y = normal(300, 0.6)
    points = np.column_stack([(v - v.mean()) / v.std() for v in (x, y)])
    want = by_hand(points, 1, (3,))[0]
    assert math.isclose(KSG(k=3, scores=False).statistic(problem(x, y)), want, abs_tol=1e-13)


def sides_by_hand(points: np.ndarray, width: int, k: int) -> float:
    """The paper's second formula with all pairs of rows."""
    n = len(points)
    apart = np.abs(points[:, None] - points)
    margins = apart[:, :, :width].max(axis=2), apart[:, :, width:].max(axis=2)
    both = np.maximum(*margins)
    np.fill_diagonal(both, np.inf)
    near = np.argsort(both, axis=1)[:, :k]
    sides = [np.take_along_axis(margin, near, axis=1).max(axis=1) for margin in margins]
    counts = [(margin <= side[:, None]).sum(axis=1) - 1 for margin, side in zip(margins, sides, strict=True)]
    return float(digamma(k) - 1 / k + digamma(n) - sum((digamma(c) for c in counts), np.zeros(n)).mean())


@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("k", [1, 4])
def test_the_second_variant_is_that_of_the_paper(widths: tuple[int, int], k: int) -> None:
    g = np.random.default_rng(4)
    x, y = g.standard_normal((200, widths[0])), g.standard_normal((200, widths[1]))
    y[:, 0] += x[:, 0]
    data = problem(x, y)
    raw = np.hstack([v.values / math.sqrt(v.values.var(axis=0).mean()) for v in (data.x, data.y)])
    places = np.argsort(np.argsort(np.hstack([x, y]), axis=0), axis=0)
    for points, method in (
        (raw, KSG(k=k, scores=False, variant=2)),
        (scores(200)[places], KSG(k=k, variant=2)),
    ):
        want = sides_by_hand(points, widths[0], k)
        assert math.isclose(method.statistic(data), want, abs_tol=1e-12)
        found = method.estimate(data)
        assert found.value == method.statistic(data)
        assert "variant 1" in found.distrust
    assert "variant 2" in KSG(k=k, variant=2).name


def test_the_second_variant_of_a_normal_pair() -> None:
    values = [KSG(k=3, variant=2).statistic(problem(*normal(1000, 0.6, seed))) for seed in range(10)]
    assert abs(np.mean(values) + 0.5 * math.log(1 - 0.36)) < 0.03
    with pytest.raises(InvalidInputError, match="name one k"):
        KSG(variant=2)
    with pytest.raises(InvalidInputError, match="1 or 2"):
        KSG(k=3, variant=3)  # pyright: ignore[reportArgumentType]


ROWS = {  # truth of x and y of correlation 0.6, rounded or not, by numerical integration
    "rounded to 0.1": (lambda x, y: (x.round(1), y.round(1)), 0.2236),
    "rounded to integers": (lambda x, y: (x.round(), y.round()), 0.1832),
    "as measured": (lambda x, y: (x, y), 0.2231),
    "independent": (lambda x, y: (x, np.roll(y, 1)), 0.0),
    "skewed": (lambda x, y: (np.exp(3 * x), -(y**3)), 0.2231),
}


@pytest.mark.parametrize("row", ROWS)
def test_data_that_break_others(row: str) -> None:
    change, truth = ROWS[row]
    values = [KSG().estimate(problem(*change(*normal(2000, 0.6, seed)))).value for seed in range(10)]
    assert abs(np.mean(values) - truth) < max(0.08 * truth, 0.02)


def test_saturation_is_told() -> None:
    found = KSG().estimate(problem(*normal(2000, 0.999)))
    assert "saturates" in found.distrust
    assert abs(found.value - 3.1076) < 0.08 * 3.1076
    assert "saturates" in KSG().estimate(problem(*(normal(500, 0.6)[0],) * 2)).distrust


@pytest.mark.parametrize("decimals", [9, 1, 0])
def test_order_of_rows_scale_and_monotone_maps_change_nothing(decimals: int) -> None:
    x, y = (v.round(decimals) for v in normal(400, 0.6))
    rows = np.random.default_rng(5).permutation(400)
    want = KSG().estimate(problem(x, y))
    for a, b in [(x[rows], y[rows]), (x * 1e100, y * 1e-100), (np.exp(x), np.arctan(y)), (y, x)]:
        found = KSG().estimate(problem(a, b))
        if a is not y:
            assert (found.value, found.standard_error) == (want.value, want.standard_error)
        elif decimals == 9:  # the order of equal values knows which variable is x
            assert math.isclose(found.value, want.value, abs_tol=1e-12)
            assert math.isclose(found.standard_error, want.standard_error, rel_tol=1e-3)


def test_constant_columns_tell_nothing() -> None:
    x, y = normal(100, 0.6)
    found = KSG().estimate(problem(np.ones(100), y))
    assert (found.value, found.standard_error) == (0.0, 0.0)
    assert "constant" in found.notes[0]
    assert KSG().statistic(problem(np.ones(100), y)) == 0.0
    assert (
        KSG().estimate(problem(np.column_stack([x, np.ones(100)]), y)).value
        == KSG().estimate(problem(x, y)).value
    )


def test_ties_are_told() -> None:
    x, y = normal(300, 0.6)
    assert any("ties" in note for note in KSG().estimate(problem(x.round(1), y)).notes)
    assert not KSG().estimate(problem(x, y)).notes
    with pytest.warns(TieWarning, match="scores=True"):
        KSG(k=3, scores=False).estimate(problem(x.round(1), y))


def test_raw_heavy_tails_are_caught() -> None:
    g = np.random.default_rng(1)
    x = g.exponential(size=2000)
    y = g.exponential(size=2000) / x
    assert "heavy tails" in KSG(scores=False).estimate(problem(x, y)).distrust
    found = KSG().estimate(problem(x, y))
    assert abs(found.value - (1 - np.euler_gamma)) < 3 * math.hypot(found.standard_error, found.bias_error)


@pytest.mark.parametrize(("k", "n"), [(3, 3), (1, 1), (None, 1)])
def test_too_few_rows(k: int | None, n: int) -> None:
    with pytest.raises(InvalidInputError, match="samples"):
        KSG(k=k).estimate(problem(np.arange(n), np.arange(n)))


@pytest.mark.parametrize("n", [3, 4, 7, 20, 50])
def test_few_rows_give_finite_numbers(n: int) -> None:
    x, y = normal(n, 0.5)
    found = KSG().estimate(problem(x, y))
    assert math.isfinite(found.value)
    assert math.isfinite(found.standard_error)


def test_refusals_say_what_else() -> None:
    x, y = normal(50, 0.5)
    with pytest.raises(UnsupportedPairError, match="weight"):
        kb.mutual_information(x, y, method=KSG(), weights=np.arange(1, 51))
    with pytest.raises(UnsupportedPairError, match="KL"):
        kb.mutual_information(x, y, method=KSG(), divergence=kb.js)
    with pytest.raises(UnsupportedPairError, match="condition"):
        kb.mutual_information(x, y, given=x, method=KSG())
    with pytest.raises(UnsupportedPairError, match="continuous"):
        kb.mutual_information(["a", "b"] * 25, y, method=KSG())
    with pytest.raises(InvalidInputError, match="whole number"):
        KSG(k=0)


def test_weights_of_the_literature() -> None:
    found = neighbour_weights.weigh(2000, neighbour_weights.BiasPrior((1 / 2, 1.0), (0.5, 2.0), 1.0))
    assert round(found.bias_error, 4) == 0.0091
    assert math.isclose(found.weights.sum(), 1.0)


def test_ranks_are_a_permutation_of_each_column() -> None:
    g = np.random.default_rng(0)
    columns = g.integers(0, 4, (500, 3)).astype(float)
    found = ranked(columns)
    assert all(sorted(c) == list(range(500)) for c in found.places.T)
    columns = columns[found.order]
    for c, places in zip(columns.T, found.places.T, strict=True):
        assert (np.diff(c[np.argsort(places)]) >= 0).all()
    assert found.tied == 1.0
    # within equal values the order in one column says nothing about the order in another
    same = (columns[:, :2] == columns[0, :2]).all(axis=1)
    assert abs(np.corrcoef(found.places[same, 0], found.places[same, 1])[0, 1]) < 0.5
    assert math.isclose(scores(500).std(), 1.0, rel_tol=0.02)


def test_the_null_needs_no_data() -> None:
    null = ksg_null.null_values(200, ksg.k_to_test(200), draws=200)
    g = np.random.default_rng(0)
    draws = [KSG().statistic(problem(g.standard_cauchy(200), g.integers(0, 9, 200))) for _ in range(200)]
    assert abs(np.mean(null) - np.mean(draws)) < 0.2 * np.std(null) + 3 * np.std(null) / math.sqrt(100)
    assert 0.75 < np.std(null) / np.std(draws) < 1.33
    p = ksg_null.p_from_null(KSG().statistic(problem(*normal(200, 0.6))), 200, ksg.k_to_test(200), draws=200)
    assert p == 1 / 201


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "least"), [("normal", 0.9), ("noise", 0.86), ("strip", 0.9), ("ratio", 0.9)]
)
def test_intervals_cover(case: str, least: float) -> None:
    """200 samples; a nominal 95 % falls below `least` by chance less than once in a thousand."""
    hits = 0
    for seed in range(200):
        g = np.random.default_rng([8, seed])
        x, y = normal(500, 0.4, seed)
        truth = -0.5 * math.log(1 - 0.16)
        if case == "noise":
            x = g.random(500)
            y, truth = x + g.uniform(-0.75, 0.75, 500), 1 / 3
        elif case == "strip":
            x = g.random(500)
            y, truth = x + g.uniform(-0.15, 0.15, 500), 0.15 - math.log(0.3)
        elif case == "ratio":
            x = g.exponential(size=500)
            y, truth = g.exponential(size=500) / x, 1 - np.euler_gamma
        answer = kb.mutual_information(x, y, method=KSG())
        hits += answer.low <= truth <= answer.high
    assert hits / 200 >= least
