"""Alpha and Rényi divergences by neighbours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.ratios.nearest import NearestRatio


@pytest.mark.parametrize("d", [kb.renyi(0.5), kb.alpha(0.3), kb.renyi(1.5), kb.bhattacharyya], ids=str)
def test_shifted_normals(d: kb.Divergence) -> None:
    rng = np.random.default_rng(0)
    answer = kb.estimate(d, rng.normal(0.7, 1, 1500), rng.normal(0, 1, 1500), method=NearestRatio())
    truth = kb.between(d, stats.norm(0.7, 1), stats.norm(0, 1)).value
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < truth


def test_by_hand() -> None:
    """Distances on a line by sorting, and the factor by gamma functions."""
    rng = np.random.default_rng(1)
    x, y, k, a = rng.normal(size=12), rng.normal(size=15), 2, 0.5
    own = np.sort(np.abs(x[:, None] - x), axis=1)[:, k]
    other = np.sort(np.abs(x[:, None] - y), axis=1)[:, k - 1]
    back, forth = (
        np.sort(np.abs(y[:, None] - y), axis=1)[:, k],
        np.sort(np.abs(y[:, None] - x), axis=1)[:, k - 1],
    )
    factor = math.gamma(k) ** 2 / (math.gamma(k + 0.5) * math.gamma(k - 0.5))
    of_x = factor * np.mean((11 * own / (15 * other)) ** (1 - a))
    of_y = factor * np.mean((14 * back / (12 * forth)) ** (1 - a))
    answer = kb.estimate(kb.alpha(a), x, y, method=NearestRatio(k=k))
    assert answer.value == pytest.approx(4 * (1 - (of_x + of_y) / 2), rel=1e-10)


def test_refusals() -> None:
    x = np.random.default_rng(2).normal(size=50)
    for d in (kb.js, kb.kl, kb.renyi(4), kb.renyi(1), kb.squared_hellinger):
        with pytest.raises(UnsupportedPairError):
            kb.estimate(d, x, x + 1, method=NearestRatio())
    with pytest.raises(UnsupportedPairError, match="weight"):
        kb.estimate(kb.renyi(0.5), x, x + 1, weights_x=np.arange(1.0, 51), method=NearestRatio())
    with pytest.raises(InvalidInputError, match="> 10 rows"):
        kb.estimate(kb.renyi(0.5), x[:10], x, method=NearestRatio())
    with pytest.raises(InvalidInputError, match="times"):
        kb.estimate(kb.renyi(0.5), np.zeros(30), x, method=NearestRatio())
    with pytest.raises(InvalidInputError):
        NearestRatio(k=1)
    assert kb.estimate(kb.renyi(0.5), np.repeat(x, 2), x + 0.3, method=NearestRatio()).high == math.inf


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 2])
def test_intervals_cover(dimension: int) -> None:
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        x, y = rng.normal(size=(2, 400, dimension))
        x[:, 0] += 0.7
        answer = kb.estimate(kb.renyi(0.5), x, y, method=NearestRatio())
        hits += answer.low <= 0.7**2 / 4 <= answer.high
    assert hits >= 89, f"{hits} of 100"  # 1 in 100 intervals of 95 % do worse


def test_the_logarithm_of_an_integral_that_both_samples_give_is_finite() -> None:
    for seed in range(30):
        rng = np.random.default_rng([8, seed])
        answer = kb.estimate(
            kb.renyi(2.0), rng.normal(size=200), rng.normal(0.5, 1.0, 200), method=NearestRatio()
        )
        assert math.isfinite(answer.low)
        assert math.isfinite(answer.high)
