"""Information between discrete columns: against exact sums, enumeration and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

import kullback as kb
from kullback.divergences import FDivergence
from kullback.errors import UnsupportedPairError
from kullback.estimators import Contingency, MillerMadow
from kullback.estimators.counts.crossed import Crossed, crossed
from kullback.estimators.problem import JointSample, read_joint

MEASURES = [kb.kl, kb.js, kb.squared_hellinger, kb.pearson_chi2, kb.alpha(0.3), kb.le_cam]
MINE = kb.FDivergence.from_generator(lambda t: (t - 1) ** 2 * (t + 2), name="mine")
SMOOTH_TABLE = np.array([[0.2, 0.1, 0.1], [0.1, 0.3, 0.2]])


def problem(x, y, given=None, *, divergence: FDivergence | None = None, weights=None) -> JointSample:
    return read_joint(
        x,
        y,
        given,
        kinds=("discrete", "discrete", "discrete"),
        divergence=divergence,
        weights=weights,
        missing="raise",
        seed=0,
    )


def rows_of(table: np.ndarray) -> list[np.ndarray]:
    """One row of data for each count of a table of two or three dimensions."""
    return [np.repeat(index.ravel(), table.ravel()) for index in np.indices(table.shape)]


def table_of(p: np.ndarray, n: int, rng: np.random.Generator) -> Crossed:
    return crossed(problem(*rows_of(rng.multinomial(n, p.ravel()).reshape(p.shape))))


def truth(measure: FDivergence, p: np.ndarray) -> float:
    return float(measure(p.ravel(), np.outer(p.sum(1), p.sum(0)).ravel(), normalize=True))


@pytest.mark.parametrize("measure", [*MEASURES, kb.total_variation, MINE], ids=lambda m: m.name)
def test_the_value_is_the_divergence_of_the_full_table(measure: FDivergence) -> None:
    table = np.array([[3, 0, 2], [1, 4, 0]])
    assert crossed(problem(*rows_of(table))).value(measure) == pytest.approx(
        truth(measure, table / 10), rel=1e-13
    )


def test_an_independent_table_has_exactly_nothing() -> None:
    table = np.outer([3, 7, 11], [2, 5, 13])
    found = crossed(problem(*rows_of(table)))
    for measure in (*MEASURES, kb.total_variation, kb.reverse_kl):
        assert found.value(measure) == 0.0


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_the_condition_is_averaged(measure: FDivergence) -> None:
    tables = np.array([[[3, 1], [2, 2], [4, 4]], [[9, 1], [2, 6], [0, 5]]])  # z, x, y
    z, x, y = rows_of(tables)
    found = crossed(problem(x, y, z)).value(measure)
    n = tables.sum()
    by_hand = sum(t.sum() / n * truth(measure, t / t.sum()) for t in tables)
    assert found == pytest.approx(by_hand, rel=1e-13)


def exact_mean(value: Callable[[Crossed], float], p: np.ndarray, n: int) -> float:
    """Over all tables of n rows."""
    total, shares = 0.0, p.ravel()
    for counts in itertools.product(range(n + 1), repeat=shares.size - 1):
        last = n - sum(counts)
        if last < 0:
            continue
        table = np.array([*counts, last])
        log_ways = math.lgamma(n + 1) - sum(math.lgamma(c + 1) for c in table)
        chance = math.exp(log_ways + float(table @ np.log(shares)))
        if chance > 1e-12:
            total += chance * value(crossed(problem(*rows_of(table.reshape(p.shape)))))
    return total


@pytest.mark.parametrize("measure", [kb.kl, kb.pearson_chi2], ids=lambda m: m.name)
def test_the_bias_formula_against_all_tables(measure: FDivergence) -> None:
    """n times the exact bias, extrapolated to many rows from 10 and 20, is n times the formula at the true shares."""
    p = np.array([[0.3, 0.2], [0.2, 0.3]])
    ten, twenty = (n * (exact_mean(lambda t: t.value(measure), p, n) - truth(measure, p)) for n in (10, 20))
    formula = 1000 * crossed(problem(*rows_of((p * 1000).round().astype(int)))).bias(measure)
    assert 2 * twenty - ten == pytest.approx(formula, rel=0.08)


@pytest.mark.parametrize("measure", [*MEASURES, MINE], ids=lambda m: m.name)
def test_bias_and_variance_are_those_of_many_samples(measure: FDivergence) -> None:
    rng = np.random.default_rng(0)
    n = 3000
    tables = [table_of(SMOOTH_TABLE, n, rng) for _ in range(500)]
    values = np.array([t.value(measure) for t in tables])
    exact = crossed(problem(*rows_of((SMOOTH_TABLE * 3000).round().astype(int))))
    noise = values.std() / math.sqrt(len(values))
    assert values.mean() - truth(measure, SMOOTH_TABLE) == pytest.approx(exact.bias(measure), abs=4 * noise)
    assert values.var() == pytest.approx(exact.variance(measure), rel=0.25)


def test_the_bias_at_independence_counts_degrees_of_freedom() -> None:
    table = crossed(problem(*rows_of(np.outer([3, 7, 11], [2, 5, 13, 4]))))
    assert table.freedom == 6
    for measure in MEASURES:
        curvature = measure.curvature_at_one
        assert curvature
        assert table.bias(measure) == pytest.approx(curvature / 2 * 6 / table.n, rel=1e-12)


def test_kl_is_miller_and_madow_on_the_entropies() -> None:
    x, y = rows_of(np.array([[30, 0, 20], [10, 40, 7]]))
    pair = [f"{a}{b}" for a, b in zip(x, y, strict=True)]
    parts = [kb.entropy(v, kind="discrete", method=MillerMadow()).value for v in (x, y, pair)]
    found = kb.mutual_information(x, y, kind_x="discrete", kind_y="discrete", method=Contingency())
    assert found.value == pytest.approx(parts[0] + parts[1] - parts[2], abs=1e-13)


def test_rows_names_and_weights() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    weights = rng.integers(1, 4, 200)
    method = Contingency()
    first = method.estimate(problem(x, y, divergence=kb.js))
    order = rng.permutation(200)
    other = method.estimate(problem((3 - x)[order], np.array(list("yax"))[y][order], divergence=kb.js))
    assert other.value == pytest.approx(first.value, rel=1e-12)
    weighted = method.estimate(problem(x, y, weights=weights))
    repeated = method.estimate(problem(np.repeat(x, weights), np.repeat(y, weights)))
    assert weighted.value == repeated.value
    assert method.statistic(problem(x, y)) == crossed(problem(x, y)).value(kb.kl)


def test_what_cannot_be_told_is_told() -> None:
    rng = np.random.default_rng(2)
    constant = kb.mutual_information(["a"] * 20, ["a", "b"] * 10, method=Contingency())
    assert (constant.low, constant.value) == (0.0, 0.0)
    share = 1 - 0.025 ** (1 / 20)  # of a second class of x that 20 rows may have missed
    assert constant.high == pytest.approx(kb.kl.entropy([share, 1 - share]), rel=1e-12)
    codes = rng.integers(0, 50, (2, 100)).astype(str)
    sparse = kb.mutual_information(codes[0], codes[1], method=Contingency(), permutations=50)
    assert sparse.low == -math.inf
    assert "rows are few" in sparse.notes[0]
    assert sparse.p_value is not None
    assert sparse.p_value > 0.01
    endless = kb.mutual_information(
        ["a", "b"] * 50, ["a", "b"] * 50, divergence=kb.reverse_kl, method=Contingency()
    )
    assert endless.value == math.inf
    with pytest.raises(UnsupportedPairError, match="`y` has continuous"):
        kb.mutual_information(["a", "b"], [0.5, 1.5], method=Contingency())


def test_a_large_alphabet_makes_no_large_table() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 100_000, 20_000)
    table = crossed(problem(x, x // 2))
    assert table.counts.size < 20_001
    assert table.value(kb.kl) > 8


def covered(measure: FDivergence, p: np.ndarray, n: int, times: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    exact, held = truth(measure, p), 0
    for _ in range(times):
        x, y = rows_of(rng.multinomial(n, p.ravel()).reshape(p.shape))
        found = Contingency().estimate(problem(x, y, divergence=measure))
        assert found.interval is not None
        low, high = found.interval(0.95)
        held += low <= exact + 1e-13 and exact <= high
    return held / times


@pytest.mark.parametrize("measure", [kb.kl, kb.js], ids=lambda m: m.name)
@pytest.mark.parametrize("weight", [0.0, 0.15, 1.0])
def test_intervals_cover(measure: FDivergence, weight: float) -> None:
    p = weight * SMOOTH_TABLE + (1 - weight) * np.outer(SMOOTH_TABLE.sum(1), SMOOTH_TABLE.sum(0))
    assert covered(measure, p, 300, 100, 0) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@pytest.mark.parametrize("n", [400, 4000])
@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5])
def test_intervals_cover_on_other_tables(measure: FDivergence, n: int, weight: float) -> None:
    table = np.random.default_rng(9).dirichlet(np.full(24, 5.0)).reshape(4, 6)
    p = weight * table + (1 - weight) * np.outer(table.sum(1), table.sum(0))
    assert covered(measure, p, n, 300, 1) >= 0.9
