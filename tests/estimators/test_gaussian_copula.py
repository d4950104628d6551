"""The information of normal laws: its bias, its error with and without ranks, independence, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kullback as kb
from estimators.mixed_samples import coverage, ends, joint, normal, shifted
from kullback.errors import UnsupportedPairError
from kullback.estimators.gaussian_copula import GaussianCopula, GaussianInformation
from kullback.estimators.gaussian_fit import between_classes, between_columns

METHODS = [GaussianInformation(), GaussianCopula()]


def _conditional(n, weight=0.5):
    def draw(rng):
        z, e, f = rng.normal(size=(3, n))
        return joint(z + e, z + weight * e + f, z)

    return draw, math.log(1 + weight**2) / 2


def _raw(x, y, z):
    """The formula by determinants."""

    def log_det(*blocks):
        c = np.atleast_2d(np.cov(np.column_stack(blocks), rowvar=False, bias=True))
        return np.linalg.slogdet(c)[1] / 2

    return log_det(x, z) + log_det(y, z) - log_det(x, y, z) - log_det(z)


def test_the_value_before_its_bias_is_that_of_the_determinants():
    z, e, f = np.random.default_rng(0).normal(size=(3, 50, 2))
    x, y = z + e, z[:, :1] + f + 0.5 * e
    assert between_columns(x, y, z, ranked=False).raw == pytest.approx(_raw(x, y, z), abs=1e-13)


@pytest.mark.parametrize(("n", "rho", "d"), [(30, 0.0, 3), (30, 0.6, 3), (200, 0.3, 20)])
def test_no_bias_for_normal_columns(n, rho, d):
    rng = np.random.default_rng(1)
    values = [GaussianInformation().estimate(normal(n, rho, d)(rng)).value for _ in range(200)]
    truth = -d * math.log(1 - rho**2) / 2
    assert abs(np.mean(values) - truth) < 3.5 * np.std(values) / math.sqrt(len(values))


def test_no_bias_in_many_columns_where_the_raw_value_is_far_off():
    rng = np.random.default_rng(2)
    x, e = rng.normal(size=(2, 1000, 50))
    y = 0.3 * x + math.sqrt(0.91) * e
    found = between_columns(x, y, np.empty((1000, 0)), ranked=False)
    truth = -25 * math.log(0.91)
    assert found.bias > 1.0
    assert found.value == pytest.approx(truth, abs=4 * found.standard_error)


@pytest.mark.parametrize("ranked", [False, True])
def test_influence_is_that_of_leaving_a_row_out(ranked):
    """(n − 1)(T − T without row i) for data far from normal, where the part of the ranks matters."""
    rng = np.random.default_rng(3)
    x = rng.exponential(size=300)
    y = x**2 + rng.exponential(size=300)
    method = GaussianCopula() if ranked else GaussianInformation()
    fit = method._fit(joint(x, y))
    whole = fit.raw
    rows = np.arange(300)
    left = [(300 - 1) * (whole - method._fit(joint(x, y).take(rows != i)).raw) for i in rows]
    # the most distant rows bend the curve that the influence is the slope of
    assert np.corrcoef(left, fit.influence)[0, 1] > 0.99
    assert np.std(left) == pytest.approx(np.std(fit.influence), rel=0.12)


def test_influence_of_classes_is_that_of_leaving_a_row_out():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 3, 300)
    x = rng.exponential(size=(300, 2)) * (1 + codes[:, None])
    fit = between_classes(x, codes, ranked=False)
    rows = np.arange(300)
    left = [299 * (fit.raw - between_classes(x[rows != i], codes[rows != i], ranked=False).raw) for i in rows]
    assert np.corrcoef(left, fit.influence)[0, 1] > 0.99


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize(("rho", "d"), [(0.0, 1), (0.1, 1), (0.7, 2)])
def test_the_interval_holds_the_truth(method, rho, d):
    assert coverage(method, normal(150, rho, d), -d * math.log(1 - rho**2) / 2, draws=200, seed=5) >= 0.90


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (normal(400, 0.0, 2), 0.0),
        (normal(400, 0.15), -math.log(1 - 0.15**2) / 2),
        (normal(100, 0.5, 4), -2 * math.log(0.75)),
        (_conditional(150, 0.8)[0], _conditional(150, 0.8)[1]),
        (shifted(300, 3, 0.0, classes=4), 0.0),
    ],
    ids=["null 2+2", "weak", "4+4", "given", "null classes"],
)
def test_the_interval_holds_the_truth_over_many_draws(method, draw, truth):
    assert coverage(method, draw, truth, draws=400, seed=6) >= 0.90


@pytest.mark.slow
def test_the_interval_holds_for_data_that_are_not_normal():
    """Student's t: the information of the normal law with the true covariance, of which the tails know nothing."""

    def draw(rng):
        x, e = rng.normal(size=(2, 500))
        heavy = np.sqrt(8 / rng.chisquare(8, 500))
        return joint(heavy * x, heavy * (0.6 * x + 0.8 * e))

    assert coverage(GaussianInformation(), draw, -math.log(0.64) / 2, draws=600, seed=7) >= 0.91


def test_conditions_classes_and_strata():
    rng = np.random.default_rng(8)
    draw, truth = _conditional(2000)
    low, high = ends(GaussianCopula().estimate(draw(rng)))
    assert low < truth < high
    z = rng.integers(0, 2, 2000)
    x, e = rng.normal(size=(2, 2000))
    y = np.where(z == 0, 0.8 * x + 0.6 * e, e) + 10 * z
    found = GaussianInformation().estimate(joint(x + 10 * z, y, z, (None, None, "discrete")))
    assert found.value == pytest.approx(-math.log(0.36) / 4, abs=3 * found.standard_error)
    assert found.standard_error < 0.03


def test_classes_of_other_width_are_told_apart():
    """Spreads 1 and 3 in halves: log 5 / 2 − log 3 / 2, in either order of the arguments."""
    rng = np.random.default_rng(9)
    c = rng.integers(0, 2, 4000)
    x = rng.normal(size=4000) * np.where(c == 0, 1.0, 3.0)
    one = GaussianInformation().estimate(joint(x, c, kinds=(None, "discrete", None)))
    other = GaussianInformation().estimate(joint(c, x, kinds=("discrete", None, None)))
    assert one.value == other.value
    assert one.value == pytest.approx(math.log(5 / 3) / 2, abs=3 * one.standard_error)


def test_monotone_maps_scales_and_the_order_of_rows_change_nothing():
    rng = np.random.default_rng(10)
    x, y = normal(100, 0.5)(rng).x.values[:, 0], rng.normal(size=100)
    y = x + y
    base = kb.mutual_information(x, y, method=GaussianCopula())
    order = rng.permutation(100)
    for a, b in [(np.exp(x), y**3), (1e100 * x, 1e-100 * y), (x[order], y[order])]:
        other = kb.mutual_information(a, b, method=GaussianCopula())
        assert (other.value, other.low) == pytest.approx((base.value, base.low), abs=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_constant_duplicate_and_determined_columns(method):
    x, y = np.random.default_rng(11).normal(size=(2, 100))
    y = x + y
    assert kb.mutual_information(np.zeros(100), y, method=method).value == 0.0
    twice = kb.mutual_information(np.column_stack([x, x]), y, method=method)
    assert twice.value == pytest.approx(kb.mutual_information(x, y, method=method).value, abs=1e-12)
    assert any("left out" in note for note in twice.notes)
    same = kb.mutual_information(x, 2 * x, method=method)
    assert same.value == math.inf
    assert same.low == -math.inf
    assert "linearly dependent" in same.notes[0]


def test_refusals_say_what_to_do():
    x, y = np.random.default_rng(12).normal(size=(2, 5, 2))
    with pytest.raises(UnsupportedPairError, match="more than 5 rows for 4 columns, got 5"):
        kb.mutual_information(x, y, method=GaussianCopula())
    with pytest.raises(UnsupportedPairError, match="both are discrete"):
        kb.mutual_information(["a", "b"], ["c", "d"], method=GaussianCopula())
    with pytest.raises(UnsupportedPairError, match="more than 3 rows for 2 columns, got 1"):
        kb.mutual_information(x[:, 0], y[:, 0], weights=[1, 1, 1, 1, 500], method=GaussianCopula())
    with pytest.raises(UnsupportedPairError, match="mutual information only"):
        kb.mutual_information(x[:, 0], y[:, 0], divergence=kb.js, method=GaussianCopula())
