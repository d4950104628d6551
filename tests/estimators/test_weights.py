"""Weighted rows: samples tilted to a law with a known answer, whole weights, slopes, and what weights change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import kullback as kb
from estimators.mixed_samples import coverage, joint
from kullback.estimators import (
    GaussianCopula,
    GaussianInformation,
    GridDivergence,
    GridInformation,
    KDEEntropy,
)
from kullback.estimators.density.scores import normal_scores
from kullback.estimators.gaussian_fit import _bias, between_classes, between_columns
from kullback.estimators.method import Estimate
from kullback.estimators.strata import averaged
from kullback.estimators.weighting import placed, ranks, shares, spread

NORMAL = stats.norm.entropy()


def error(found: kb.Answer) -> float:
    assert found.standard_error is not None
    return found.standard_error


def entropy(a, *, n=500):
    """Rows of N(0, 1) with weights exp(a x²/2): those of N(0, 1/(1 − a))."""

    def ask(rng):
        x = rng.standard_normal(n)
        return kb.entropy(x, weights=np.exp(a * x**2 / 2), method=KDEEntropy())

    return ask, NORMAL - 0.5 * np.log(1 - a)


def information(a, rho, method, *, n=500):
    """Normal pairs of correlation rho with weights exp(a x y): a moves the precision."""
    precision = np.linalg.inv([[1, rho], [rho, 1]]) - a * np.array([[0, 1], [1, 0]])
    tilted = precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])

    def ask(rng):
        x, e = rng.standard_normal((2, n))
        y = rho * x + np.sqrt(1 - rho**2) * e
        return kb.mutual_information(x, y, weights=np.exp(a * x * y), method=method)

    return ask, -0.5 * np.log(1 - tilted**2)


def divergence(d, to_x, to_y):
    """Rows of N(0, 1) with weights exp(t x): those of N(t, 1)."""

    def ask(rng):
        x, y = rng.standard_normal(400), rng.standard_normal(500)
        weights = {"weights_x": np.exp(to_x * x), "weights_y": np.exp(to_y * y)}
        return kb.estimate(d, x, y, method=GridDivergence(), **weights)

    return ask, kb.between(d, stats.norm(to_x), stats.norm(to_y)).value


TO_NULL = -0.4 / (1 - 0.4**2)  # takes a correlation of 0.4 away
TILTED = {
    "entropy": entropy(-0.5),
    "information to none": information(TO_NULL, 0.4, GridInformation()),
    "copula": information(0.25, 0.0, GaussianCopula()),
    "copula to none": information(TO_NULL, 0.4, GaussianCopula()),
    "gaussian": information(0.25, 0.0, GaussianInformation()),
    "gaussian to none": information(TO_NULL, 0.4, GaussianInformation()),
    "kl": divergence(kb.kl, 0.6, 0.0),
    "js": divergence(kb.js, 0.4, -0.3),
}


@pytest.mark.parametrize(("ask", "truth"), TILTED.values(), ids=TILTED.keys())
def test_tilted_rows_tell_of_the_tilted_law(ask, truth):
    found = [ask(np.random.default_rng([seed, 1])) for seed in range(40)]
    values = np.array([a.value for a in found])
    assert abs(values.mean() - truth) < 4 * values.std() / 40**0.5 + 0.008  # a kernel has a bias
    assert np.mean([a.low <= truth <= a.high for a in found]) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("ask", "truth"), TILTED.values(), ids=TILTED.keys())
def test_weighted_intervals_cover(ask, truth):
    found = [ask(np.random.default_rng([seed, 2])) for seed in range(200)]
    assert np.mean([a.low <= truth <= a.high for a in found]) >= 0.91  # 1 in 170 of 95 % cover less
    if not abs(truth) < 1e-9:  # there chance is of second order
        errors = np.mean([error(a) for a in found])
        assert errors == pytest.approx(np.std([a.value for a in found]), rel=0.3)


def whole(rng, n=300):
    x, e = rng.standard_normal((2, n))
    return x, 0.6 * x + 0.8 * e, rng.integers(1, 4, n).astype(np.float64)


def test_whole_weights_are_repeated_rows_where_the_law_alone_counts():
    x, y, w = whole(np.random.default_rng(0))
    columns, rows = np.column_stack([x, y, x * y]), np.repeat(np.arange(len(x)), w.astype(int))
    one = between_columns(columns[:, :1], columns[:, 1:2], columns[:, 2:], weights=w, ranked=False)
    copies = columns[rows]
    other = between_columns(copies[:, :1], copies[:, 1:2], copies[:, 2:], ranked=False)
    assert one.raw == pytest.approx(other.raw, abs=1e-14)
    codes = (x > 0.3).astype(np.int64)
    one = between_classes(columns[:, 1:], codes, weights=w, ranked=False)
    assert one.raw == pytest.approx(between_classes(copies[:, 1:], codes[rows], ranked=False).raw, abs=1e-13)
    assert normal_scores(columns, w)[rows] == pytest.approx(normal_scores(copies), abs=1e-12)


def test_whole_weights_are_nearly_repeated_rows_elsewhere():
    """A row of weight 2 is one observation: bandwidths and biases go by those, to a fraction of the error."""
    x, y, w = whole(np.random.default_rng(1))
    a, b, v = np.repeat(x, w.astype(int)), np.repeat(y, w.astype(int)), w
    pairs = [
        (kb.mutual_information(x, y, weights=v, method=m), kb.mutual_information(a, b, method=m))
        for m in (GaussianInformation(), GaussianCopula())
    ]
    rule = KDEEntropy(1.0)  # where the data choose the bandwidth, copies of a row that is left out betray it
    pairs.append((kb.entropy(x, weights=v, method=rule), kb.entropy(a, method=rule)))
    one = kb.estimate(kb.kl, x, y + 1, weights_x=v, weights_y=v, method=GridDivergence())
    pairs.append((one, kb.estimate(kb.kl, a, b + 1, method=GridDivergence())))
    for weighted, repeated in pairs:
        assert abs(weighted.value - repeated.value) < 0.5 * error(weighted)
        assert error(weighted) > 1.05 * error(repeated)


@pytest.mark.parametrize("factor", [1e-200, 3.0, 1e200])
def test_only_proportions_of_weights_count(factor):
    x, y, w = whole(np.random.default_rng(2))
    for method in (GaussianCopula(), GridInformation()):
        one = kb.mutual_information(x, y, weights=w, method=method)
        other = kb.mutual_information(x, y, weights=factor * w, method=method)
        assert (other.value, other.high) == pytest.approx((one.value, one.high), rel=1e-9)


def test_vanishing_weights_are_as_good_as_none():
    x, y, _ = whole(np.random.default_rng(3))
    w = np.where(np.arange(300) % 3, 1.0, 1e-18)
    kept = w == 1.0
    for method in (GaussianInformation(), GaussianCopula(), GridInformation()):
        one = kb.mutual_information(x, y, weights=w, method=method)
        other = kb.mutual_information(x[kept], y[kept], method=method)
        assert one.value == pytest.approx(other.value, abs=0.1 * error(other))
        assert error(one) == pytest.approx(error(other), rel=0.05)


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("ranked", [False, True])
def test_influence_is_the_slope_in_the_weight(ranked, classes):
    rng = np.random.default_rng(4)
    n = 200
    x = rng.exponential(size=(n, 1))
    y = x**2 + rng.exponential(size=(n, 1))
    w = rng.uniform(0.5, 2.0, n)
    codes = (x[:, 0] > 0.7).astype(np.int64)

    def fit(v):
        a, b = (stats.norm.ppf(placed(c, v)) if ranked else c for c in (x, y))
        if classes:
            return between_classes(b, codes, weights=v, ranked=ranked)
        return between_columns(a, b, np.empty((n, 0)), weights=v, ranked=ranked)

    slopes = []
    for i in range(0, n, 5):
        moved = w.copy()
        moved[i] += 1e-3
        slopes.append((fit(moved).raw - fit(w).raw) / 1e-3 * w.sum())
    told = (fit(w).influence / (n * shares(w, n)))[::5]
    # ranks over n + 1 move with the effective number of rows, too
    assert np.corrcoef(slopes, told)[0, 1] > (0.99 if ranked else 1 - 1e-6)


def test_bias_of_equal_weights_is_that_of_normal_rows():
    columns = np.random.default_rng(5).standard_normal((20_000, 3))
    share = np.full(20_000, 1 / 20_000)
    found = _bias(columns, columns, share) - 3 * float(share @ share) / 4
    assert found == pytest.approx(-3 * 6 / 4 / 20_000, rel=0.03)


def test_ranks_keep_digits_at_both_ends():
    below, above = ranks(np.array([1.0, 2.0, 2.0, 9.0]), np.array([1e-20, 0.5, 0.5, 1e-25]))
    assert below == pytest.approx([5e-21, 0.5, 0.5, 1.0], rel=1e-12)
    assert above[3] == 5e-26
    assert np.isfinite(normal_scores(np.arange(3.0)[:, None], np.array([1e-30, 1.0, 1e-30]))).all()


def test_spread_of_equal_shares_is_the_standard_error_of_a_mean():
    x = np.random.default_rng(6).standard_normal(50)
    assert spread(x, np.full(50, 0.02)) == pytest.approx(x.std(ddof=1) / 50**0.5, rel=1e-12)


def test_strata_go_by_weight_and_keep_skewed_intervals():
    part = Estimate(1.0, 0.1, interval=lambda _: (0.9, 1.4))
    found = averaged([part, Estimate(1.0, 0.0)], [np.ones(10), np.full(10, 3.0)])
    assert found.interval is not None
    assert found.interval(0.95) == pytest.approx((1 - 0.025, 1 + 0.1))
    rng = np.random.default_rng(7)
    z, (x, e) = rng.integers(0, 2, 4000), rng.normal(size=(2, 4000))
    y = np.where(z == 0, 0.8 * x + 0.6 * e, e)
    weights = np.where(z == 0, 3.0, 1.0)
    found = kb.mutual_information(x, y, given=z.astype(str), weights=weights, method=GaussianCopula())
    assert found.value == pytest.approx(-0.75 * np.log(0.36) / 2, abs=4 * error(found))


@pytest.mark.slow
def test_intervals_of_strata_cover_at_independence():
    def draw(rng):
        x, y = rng.normal(size=(2, 120))
        return joint(x, y, rng.integers(0, 3, 120), (None, None, "discrete"))

    assert coverage(GaussianCopula(), draw, 0.0, draws=400, seed=8) >= 0.92
