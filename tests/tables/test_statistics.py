"""The statistics of two count vectors, against brute force over rows, enumeration and other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
from kullback.divergences import FDivergence
from kullback.errors import UnsupportedPairError
from kullback.estimators.counts import noncentral, sparse, statistics
from kullback.estimators.counts.statistics import estimate
from kullback.estimators.counts.variation import estimate_variation
from kullback.tables.variation import best_accuracy

BOUNDED = [kb.js, kb.skew_js(0.1), kb.squared_hellinger, kb.le_cam, kb.alpha(0.5), kb.gan]
UNBOUNDED = [kb.kl, kb.reverse_kl, kb.jeffreys, kb.pearson_chi2, kb.neyman_chi2, kb.alpha(2.5)]
SMOOTH = BOUNDED + UNBOUNDED


def ids(measure: FDivergence) -> str:
    return measure.name


def counts(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


A, B = counts(120, 60, 30, 90), counts(80, 80, 70, 170)


# Estimates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", BOUNDED, ids=ids)
def test_the_jackknife_leaves_out_one_row_at_a_time(measure: FDivergence) -> None:
    a, b = counts(4, 1, 0, 3), counts(2, 2, 3, 0)
    found = float(measure(a, b, counts=True))
    bias = variance = 0.0
    for rows, other, swap in ((a, b, False), (b, a, True)):
        left_out = []
        for cell, number in enumerate(rows):
            fewer = rows - np.eye(rows.size, dtype=np.int64)[cell]
            pair = (other, fewer) if swap else (fewer, other)
            left_out += [float(measure(*pair, counts=True)) if number else 0.0] * int(number)
        n = len(left_out)
        bias += (n - 1) * (np.mean(left_out) - found)
        variance += (n - 1) * float(np.var(left_out))
    ours = statistics.jackknife(measure, a, b)
    assert ours.bias == pytest.approx(bias, rel=1e-10)
    assert ours.variance == pytest.approx(variance, rel=1e-10)


@pytest.mark.parametrize("measure", [*SMOOTH, kb.total_variation], ids=ids)
def test_terms_are_those_of_the_divergence(measure: FDivergence) -> None:
    p, q = A / A.sum(), B / B.sum()
    np.testing.assert_allclose(statistics.terms(measure, p, q), measure.terms(p, q), rtol=1e-13)
    # masses that do not sum to 1 scale both sides alike
    np.testing.assert_allclose(statistics.terms(measure, 2 * p, 2 * q), 2 * measure.terms(p, q), rtol=1e-13)


def test_terms_price_what_one_side_lacks() -> None:
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.5, 0.0, 0.5, 0.0])
    assert statistics.terms(kb.js, p, q).tolist() == pytest.approx([0, *[0.25 * math.log(2)] * 2, 0])
    assert statistics.terms(kb.kl, p, q)[1] == math.inf


@pytest.mark.parametrize("measure", SMOOTH, ids=ids)
def test_the_expansion_is_the_first_order_of_the_exact_bias(measure: FDivergence) -> None:
    """Two cells, so that the expectation of the plug-in value is a finite sum."""
    n, m, p, q = 4000, 6000, 0.4, 0.5
    kept_n, kept_m = (np.arange(1, rows) for rows in (n, m))
    weight_n, weight_m = scipy.stats.binom.pmf(kept_n, n, p), scipy.stats.binom.pmf(kept_m, m, q)
    inside_n, inside_m = kept_n[weight_n > 1e-18], kept_m[weight_m > 1e-18]
    x, y = inside_n[:, None] / n, inside_m[None, :] / m
    values = statistics.terms(measure, x + 0 * y, y + 0 * x) + statistics.terms(
        measure, 1 - x + 0 * y, 1 - y + 0 * x
    )
    weights = weight_n[weight_n > 1e-18][:, None] * weight_m[weight_m > 1e-18][None, :]
    mean = float((weights * values).sum())
    spread = float((weights * (values - mean) ** 2).sum())
    truth = float(measure([p, 1 - p], [q, 1 - q]))
    ours = statistics.expansion(
        measure, counts(int(n * p), int(n * (1 - p))), counts(int(m * q), int(m * (1 - q)))
    )
    assert ours.bias == pytest.approx(mean - truth, rel=0.01)
    assert ours.variance == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize("measure", [*SMOOTH, kb.total_variation], ids=ids)
def test_equal_shares_are_zero_apart(measure: FDivergence) -> None:
    answer = estimate(measure, A, 7 * A, 0.95)
    assert statistics.plugin(measure, A, 7 * A) == 0.0
    assert answer.value <= 0.0
    assert answer.clipped.value == 0.0
    assert answer.low <= answer.value <= 0.0 < answer.high


@pytest.mark.parametrize("measure", [*SMOOTH, kb.total_variation], ids=ids)
def test_intervals_hold_the_estimate_and_shrink_with_rows(measure: FDivergence) -> None:
    few, many = estimate(measure, A, B, 0.95), estimate(measure, 100 * A, 100 * B, 0.95)
    for answer in (few, many):
        assert answer.low < answer.value < answer.high
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 10, rel=0.2)
    assert many.value == pytest.approx(statistics.plugin(measure, A, B), rel=0.01)
    assert estimate(measure, A, B, 0.5).high < few.high


@pytest.mark.parametrize("measure", [kb.js, kb.squared_hellinger, kb.le_cam, kb.total_variation], ids=ids)
def test_symmetric_measures_do_not_care_which_table_is_first(measure: FDivergence) -> None:
    one, other = estimate(measure, A, B, 0.95), estimate(measure, B, A, 0.95)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)


@pytest.mark.parametrize("measure", BOUNDED, ids=ids)
def test_disjoint_tables_are_at_the_limit_but_not_surely(measure: FDivergence) -> None:
    small = estimate(measure, counts(10, 0), counts(0, 10), 0.95)
    large = estimate(measure, counts(10_000, 0), counts(0, 10_000), 0.95)
    for answer in (small, large):
        assert answer.high == pytest.approx(measure.upper_bound)
    assert small.low < 0.9 * measure.upper_bound
    assert large.low > 0.97 * measure.upper_bound


def test_luck_does_not_make_a_small_table_sure() -> None:
    assert estimate(kb.js, counts(5, 5), counts(5, 5), 0.95).high > 0.05
    assert estimate(kb.js, counts(3), counts(3), 0.95).high > 0.2
    assert estimate(kb.total_variation, counts(5, 5), counts(5, 5), 0.95).high > 0.4
    assert estimate(kb.total_variation, counts(10), counts(10), 0.95).high > 0.25
    rng = np.random.default_rng(0)
    flat = np.full(20, 100)
    for measure in (kb.js, kb.kl, kb.total_variation):
        usual = [estimate(measure, *rng.multinomial(2000, flat / 2000, size=2), 0.95).high for _ in range(50)]
        assert estimate(measure, flat, flat, 0.95).high > 0.8 * np.median(usual)


@pytest.mark.parametrize("measure", [kb.kl, kb.jeffreys, kb.pearson_chi2], ids=ids)
def test_infinite_divergences_say_so_and_keep_a_finite_lower_end(measure: FDivergence) -> None:
    answer = estimate(measure, counts(500, 400, 100), counts(500, 500, 0), 0.95)
    assert answer.value == answer.high == math.inf
    assert 0 < answer.low < math.inf
    certain = estimate(measure, counts(50_000, 40_000, 10_000), counts(50_000, 50_000, 0), 0.95)
    assert certain.low > answer.low


def test_lower_ends_of_infinite_divergences_come_from_what_is_lacking_or_from_the_rest() -> None:
    # about a tenth of the rows against at most 6 in 100 000: 0.098 log(0.098/6e-5) + 0.902 log 0.902 = 0.63
    answer = estimate(kb.kl, counts(50_000, 40_000, 10_000), counts(60_000, 40_000, 0), 0.95)
    assert answer.low == pytest.approx(0.64, abs=0.03)
    # one row says nothing, the other cells do: 0.7 log(0.7/0.5) + 0.3 log(0.3/0.5) = 0.0823
    rest = estimate(kb.kl, counts(70_000, 29_999, 1), counts(50_000, 50_000, 0), 0.95)
    assert rest.low == pytest.approx(0.0823, rel=0.05)
    both = estimate(kb.jeffreys, counts(900, 900, 200, 0), counts(900, 900, 0, 200), 0.95)
    assert both.low > 0.1


@pytest.mark.parametrize(
    ("p", "q"), [((0.5, 0.45, 0.05), (0.5, 0.499, 0.001)), ((0.5, 0.49, 0.01), (0.4, 0.599, 0.001))]
)
def test_lower_ends_hold_for_the_divergence_of_the_laws(p: tuple[float, ...], q: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    truth, infinite, wrong = float(kb.kl(p, q)), 0, 0
    for _ in range(500):
        answer = estimate(kb.kl, rng.multinomial(400, p), rng.multinomial(400, q), 0.95)
        infinite += answer.value == math.inf
        wrong += answer.low > truth
    assert infinite > 200
    assert wrong <= 0.05 * 500


def test_measures_without_an_interval_are_refused() -> None:
    with pytest.raises(UnsupportedPairError, match="has a kink at 1"):
        estimate(kb.js + kb.total_variation, A, B, 0.95)
    with pytest.raises(UnsupportedPairError, match="kink at 1"):
        statistics.check_smooth(2.0 * kb.total_variation)


def test_S11_shares_with_a_prior_are_finite_and_monotone() -> None:
    assert statistics.smoothed(A).sum() == pytest.approx(1.0)
    a, b = counts(500, 400, 100), counts(500, 500, 0)
    finite = [
        float(kb.kl(statistics.smoothed(a, prior=s), statistics.smoothed(b, prior=s)))
        for s in (0.01, 0.1, 0.5, 2, 50)
    ]
    assert finite == sorted(finite, reverse=True)
    assert all(math.isfinite(x) for x in finite)


# Small cells -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_joining_cells_keeps_rows_and_never_raises_a_divergence(pairs: list[tuple[int, int]]) -> None:
    a, b = (
        np.array(side, dtype=np.int64) for side in zip(*[p for p in pairs if sum(p)] or [(1, 1)], strict=True)
    )
    if not (a.sum() and b.sum()):
        return
    for few in (sparse.joined(a, b), sparse.supported(kb.kl, a, b), sparse.supported(kb.jeffreys, a, b)):
        assert [x.sum() for x in few] == [a.sum(), b.sum()]
        for measure in (kb.js, kb.kl, kb.total_variation):
            assert statistics.plugin(measure, *few) <= statistics.plugin(measure, a, b) * (1 + 1e-12) + 1e-15
    few = sparse.joined(a, b)
    expected = (few[0] + few[1]) * (min(a.sum(), b.sum()) / (a.sum() + b.sum()))
    assert expected.size == 1 or expected.min() >= sparse.LEAST_EXPECTED - 1e-9
    assert math.isfinite(statistics.plugin(kb.jeffreys, *sparse.supported(kb.jeffreys, a, b)))


def test_what_small_cells_add_widens_the_interval_upwards_only() -> None:
    a, b = counts(500, 500, *[1, 0] * 40), counts(500, 500, *[0, 1] * 40)
    answer = estimate(kb.js, a, b, 0.95)
    plain = estimate(kb.js, counts(500, 500, 40), counts(500, 500, 40), 0.95)
    assert answer.low <= 0.0
    assert plain.low <= 0.0
    assert answer.high > statistics.plugin(kb.js, a, b)


# Total variation ---------------------------------------------------------------------------------------------------


def test_the_held_out_variation_is_the_mean_over_halvings() -> None:
    rng = np.random.default_rng(0)
    a, b = counts(220, 180, 210, 190), counts(200, 200, 195, 205)
    halves = [rng.multivariate_hypergeometric(x, x.sum() // 2, size=40_000) for x in (a, b)]
    learnt = np.sign(halves[0] / 400 - halves[1] / 400)
    shown = 0.5 * (learnt * ((a - halves[0]) / 400 - (b - halves[1]) / 400)).sum(axis=1)
    answer = estimate_variation(a, b, 0.95)
    observed = 0.5 * np.abs(a / 800 - b / 800).sum()
    held_out = (3 * answer.value - observed) / 2
    assert held_out == pytest.approx(shown.mean(), abs=0.001)


def test_accuracy_is_half_of_one_plus_the_variation() -> None:
    answer = best_accuracy(counts(90_000, 10_000), counts(10_000, 90_000), 0.95)
    assert answer.value == pytest.approx(0.9, abs=1e-3)
    assert answer.low < 0.9 < answer.high
    assert answer.unit == "probability"
    nothing = best_accuracy(A, A, 0.95)
    assert nothing.low < 0.5 < nothing.high < 0.6


# The chi-square law ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dof", [0.5, 1, 3.7, 19, 999])
@pytest.mark.parametrize("factor", [1.5, 3, 100])
def test_limits_invert_the_noncentral_chi_square(dof: float, factor: float) -> None:
    x = factor * dof + 5
    low, high = noncentral.lower_limit(x, dof, 0.975), noncentral.upper_limit(x, dof, 0.975)
    if low > 0:
        assert scipy.stats.ncx2.cdf(x, dof, low) == pytest.approx(0.975, abs=1e-6)
    else:
        assert scipy.stats.chi2.cdf(x, dof) <= 0.975
    assert scipy.stats.ncx2.cdf(x, dof, high) == pytest.approx(0.025, abs=1e-6)


def test_limits_pass_smoothly_into_the_normal_one() -> None:
    below, above = (noncentral.upper_limit(1e5 * by, 20, 0.975) for by in (1 - 1e-9, 1 + 1e-9))
    assert below == pytest.approx(above, abs=1.0)  # of a width of 1200
    assert noncentral.lower_limit(1e12, 20, 0.975) == pytest.approx(1e12 - 1.96 * 2e6, rel=1e-6)


def test_an_unusually_small_distance_is_no_knowledge() -> None:
    assert noncentral.upper_limit(0.0, 20, 0.975) == noncentral.upper_limit(20.0, 20, 0.975) > 10


def test_what_shows_is_the_power_of_the_chi_square_test() -> None:
    found = noncentral.shown(7, 0.05, 0.8)
    assert scipy.stats.ncx2.sf(scipy.stats.chi2.isf(0.05, 7), 7, found) == pytest.approx(0.8)
