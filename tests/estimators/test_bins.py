"""Information from bins of ranks: counts by hand, truths, invariances, intervals."""

from __future__ import annotations

import numpy as np
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import AdaptiveBins, EqualFrequencyBins

METHODS = [AdaptiveBins(), EqualFrequencyBins()]


def correlated(seed, n, rho):
    x, e = np.random.default_rng(seed).standard_normal((2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * e


def test_equal_frequency_by_hand():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(2, 90))
    rows = [np.argsort(np.argsort(v)) * 3 // 90 for v in (x, y)]
    table = np.zeros((3, 3))
    np.add.at(table, tuple(rows), 1 / 90)
    by_hand = np.sum(table * np.log(table * 9)) - 4 / (2 * 90)  # (3 - 1)(3 - 1) degrees of freedom
    assert kb.mutual_information(x, y, method=EqualFrequencyBins(3)).value == pytest.approx(
        by_hand, abs=1e-12
    )


def test_adaptive_bins_cut_where_the_data_are_not_even():
    x = (np.arange(64) + 0.5) / 64
    # y in the same half as x, and within it a grid: one cut, then even
    half = x >= 0.5
    order = np.random.default_rng(1)
    y = np.where(half, 0.5, 0.0) + np.r_[order.permutation(32), order.permutation(32)] / 64
    found = kb.mutual_information(x, y, method=AdaptiveBins(1e-4))
    # log 2, less two full cells of t f'' = 1/2 and 3 of 4 free cells: half of 2 * 3/4 over n
    assert found.value == pytest.approx(np.log(2) - 2 * 0.75 / 128, abs=1e-12)


def test_independent_columns_are_not_cut():
    for seed in range(20):
        x, y = correlated(seed, 1000, 0.0)
        found = kb.mutual_information(x, y, method=AdaptiveBins())
        assert abs(found.value) < 0.02
        assert found.low <= 0 <= found.high


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("rho", [0.3, 0.8])
@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.total_variation], ids=str)
def test_information_is_near(method, rho, d):
    x, y = correlated(2, 20_000, rho)
    at = np.linspace(-8, 8, 801)
    a, b = np.meshgrid(at, at)
    q = np.exp(-0.5 * (a * a + b * b)) / (2 * np.pi) * (at[1] - at[0]) ** 2
    r = -0.5 * np.log(1 - rho**2) - (rho**2 * (a * a + b * b) - 2 * rho * a * b) / (2 * (1 - rho**2))
    truth = float(np.sum(q * d.value(r)))
    if d is kb.total_variation and isinstance(method, EqualFrequencyBins):
        with pytest.raises(UnsupportedPairError, match="kink"):
            kb.mutual_information(x, y, divergence=d, method=method)
        return
    found = kb.mutual_information(x, y, divergence=d, method=method)
    assert abs(found.value - truth) < 0.17 * truth
    assert found.low <= truth <= found.high


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_monotone_maps_and_order_change_nothing(method):
    x, y = correlated(3, 777, 0.6)
    order = np.random.default_rng(4).permutation(777)
    one = kb.mutual_information(x, y, method=method)
    for a, b in ((np.exp(x), 1e100 * y), (y, x), (x[order], y[order])):
        other = kb.mutual_information(a, b, method=method)
        assert other.value == pytest.approx(one.value, rel=1e-12)
        assert other.standard_error == pytest.approx(one.standard_error, rel=1e-9)
    turned = kb.mutual_information(-x[:768], y[:768], method=method).value
    assert turned == pytest.approx(kb.mutual_information(x[:768], y[:768], method=method).value, abs=0.02)


def test_classes_are_bins():
    x = np.arange(400.0)
    names = np.array(["a", "b"])[(x >= 200).astype(int)]
    found = kb.mutual_information(x, names, method=EqualFrequencyBins(2))
    assert found.value == pytest.approx(np.log(2) - 1 / 4 / 400, abs=1e-12)
    assert kb.mutual_information(names, x, method=EqualFrequencyBins(2)).value == pytest.approx(found.value)
    ties = kb.mutual_information(np.repeat([0.0, 1.0], 200), x, method=EqualFrequencyBins(4))
    assert ties.value == pytest.approx(np.log(2), abs=0.01)
    assert kb.mutual_information(np.zeros(400), x, method=EqualFrequencyBins(4)).value == pytest.approx(0.0)


def test_refusals_and_errors():
    x = np.arange(40.0)
    names = ["a", "b"] * 20
    with pytest.raises(UnsupportedPairError, match="EqualFrequencyBins"):
        kb.mutual_information(x, names, method=AdaptiveBins())
    with pytest.raises(UnsupportedPairError, match="count"):
        kb.mutual_information(names, names, method=EqualFrequencyBins())
    with pytest.raises(UnsupportedPairError, match="infinite"):
        kb.mutual_information(x, x, divergence=kb.reverse_kl, method=EqualFrequencyBins())
    with pytest.raises(InvalidInputError, match="16 rows"):
        kb.mutual_information(x[:15], x[:15], method=AdaptiveBins())
    with pytest.raises(InvalidInputError, match="bins"):
        EqualFrequencyBins(1)
    with pytest.raises(InvalidInputError, match="significance"):
        AdaptiveBins(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("rho", [0.0, 0.4, 0.8])
def test_intervals_cover(method, rho):
    truth = -0.5 * np.log(1 - rho**2)
    found = [kb.mutual_information(*correlated(s, 2000, rho), method=method) for s in range(200)]
    assert np.mean([a.low <= truth <= a.high for a in found]) >= 0.9
