"""Permutation p-values against every permutation there is, and the adjustments over columns."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats

import kullback as kb
from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError
from kullback.tables.adjust import (
    benjamini_hochberg,
    benjamini_yekutieli,
    find,
    holm,
    name_of,
    unadjusted,
)
from kullback.tables.permutation import LARGEST_TOTAL, PermutationTest, decide, statistic_for


def ids(measure: FDivergence) -> str:
    return measure.name


def counts(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


A, B = counts(120, 60, 30, 90), counts(80, 80, 70, 170)


# p-values ----------------------------------------------------------------------------------------------------------


def exact_p_value(measure: FDivergence, a: np.ndarray, b: np.ndarray) -> float:
    """Over every way to deal the pooled rows out anew."""
    rows = np.repeat(np.arange(a.size), a + b)
    observed = float(measure(a, b, counts=True))
    reached = total = 0
    for chosen in combinations(range(rows.size), int(a.sum())):
        one = np.bincount(rows[list(chosen)], minlength=a.size)
        reached += float(measure(one, a + b - one, counts=True)) >= observed - 1e-12
        total += 1
    return reached / total


@pytest.mark.parametrize("measure", [kb.js, kb.squared_hellinger, kb.total_variation], ids=ids)
@pytest.mark.parametrize("pair", [((4, 1, 0), (1, 2, 2)), ((5, 0, 0), (0, 2, 3)), ((2, 2, 1), (2, 2, 1))])
def test_permutations_of_counts_are_permutations_of_rows(
    measure: FDivergence, pair: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    a, b = counts(*pair[0]), counts(*pair[1])
    test = PermutationTest(measure, a, b, (0, "x"))
    test.draw(20_000)
    exact = exact_p_value(measure, a, b)
    assert test.p_value == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_S13_p_values_are_never_zero_and_one_for_equal_tables() -> None:
    apart = PermutationTest(kb.js, counts(1000, 0), counts(0, 1000), (0, "x"))
    apart.draw(99)
    assert apart.p_value == 1 / 100
    equal = PermutationTest(kb.js, A, A, (0, "x"))
    equal.draw(99)
    assert equal.p_value == 1.0
    assert PermutationTest(kb.js, counts(7), counts(9), (0, "x")).p_value == 1.0


def test_draws_depend_on_seed_and_name_alone() -> None:
    def exceeding(seed: int, name: str, *steps: int) -> int:
        test = PermutationTest(kb.js, A, counts(100, 70, 40, 90), (seed, name))
        for step in steps:
            test.draw(step)
        return test.exceeding

    assert exceeding(0, "x", 999) == exceeding(0, "x", 999)
    assert exceeding(0, "x", 999) != exceeding(0, "y", 999)
    assert exceeding(0, "x", 999) != exceeding(1, "x", 999)


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the state that must not move
    PermutationTest(kb.js, A, B, (0, "x")).draw(99)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_unbounded_measures_are_tested_by_a_bounded_one() -> None:
    assert statistic_for(kb.kl) is kb.js
    assert statistic_for(kb.total_variation) is kb.total_variation


def test_tables_too_large_to_permute_fall_back_on_the_limit() -> None:
    n = LARGEST_TOTAL
    a = np.array([n // 2, n // 2], dtype=np.int64)
    near = PermutationTest(kb.js, a, a + np.array([30_000, -30_000]), (0, "x"))
    near.draw(999)
    table = np.array([a, a + np.array([30_000, -30_000])])
    assert near.limit
    assert near.p_value == pytest.approx(
        scipy.stats.chi2_contingency(table, correction=False).pvalue, rel=1e-3
    )
    far = PermutationTest(kb.total_variation, a, a + np.array([n // 3, -(n // 3)]), (0, "x"))
    assert 0.0 < far.p_value < 1e-300


def test_draws_grow_where_a_decision_hangs_on_them() -> None:
    # twenty columns, one of them drifting: 999 draws cannot say surely that q = 20 p ≤ 0.02
    tests = [PermutationTest(kb.js, A, A, (0, str(i))) for i in range(19)]
    tests.append(PermutationTest(kb.js, A, B, (0, "drift")))
    decide(tests, [True] * 20, adjust=benjamini_hochberg, alpha=0.02, draws=999)
    assert [test.draws for test in tests[:19]] == [999] * 19
    assert tests[19].draws == 9_999
    assert benjamini_hochberg([test.p_value for test in tests])[19] == pytest.approx(20 / 10_000)
    idle = PermutationTest(kb.js, A, B, (0, "drift"))
    decide([idle], [False], adjust=benjamini_hochberg, alpha=0.0005, draws=999)
    assert idle.draws == 999


# q-values ----------------------------------------------------------------------------------------------------------

P_VALUES = np.random.default_rng(0).uniform(size=50) ** 3


def test_adjustments_are_those_of_scipy_and_of_the_definition() -> None:
    for ours, theirs in ((benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")):
        np.testing.assert_allclose(
            ours(P_VALUES), scipy.stats.false_discovery_control(P_VALUES, method=theirs)
        )
    order = sorted(range(50), key=P_VALUES.__getitem__)
    by_hand = {
        j: min(1, max((50 - k) * P_VALUES[order[k]] for k in range(i + 1))) for i, j in enumerate(order)
    }
    np.testing.assert_allclose(holm(P_VALUES), [by_hand[j] for j in range(50)])
    np.testing.assert_array_equal(unadjusted(P_VALUES), P_VALUES)


@pytest.mark.parametrize("name", ["bh", "by", "holm", "none"])
def test_adjustments_never_lower_a_p_value_and_have_names(name: str) -> None:
    adjust = find(name)
    assert name_of(adjust) == name
    assert (adjust(P_VALUES) >= P_VALUES).all()
    assert adjust([]).size == 0
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        adjust([0.5, 1.5])


def test_unknown_adjustments_are_refused_and_own_ones_keep_their_name() -> None:
    with pytest.raises(InvalidInputError, match="there are bh, by, holm, none"):
        find("bonferroni")

    def bonferroni(p_values: list[float]) -> np.ndarray:
        return np.minimum(np.asarray(p_values) * len(p_values), 1.0)

    assert name_of(bonferroni) == "bonferroni"
