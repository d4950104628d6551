"""The tail index: known ones of generalised Pareto laws and of ratios of normals; what it says of odd input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import genpareto

import kullback as kb
from kullback.exact import effective_size, pareto_k, tail_index


@pytest.mark.parametrize("k", [-0.25, 0.0, 0.2, 0.5, 0.7, 1.0, 1.5])
def test_index_of_generalised_pareto_draws(k: float) -> None:
    rng = np.random.default_rng(round(10 * k) + 5)
    found = np.array([tail_index(3.0 * genpareto.rvs(k, size=1000, random_state=rng)) for _ in range(100)])
    # the standard error of the maximum-likelihood estimate is (1 + k)/√n
    assert abs(found.mean() - k) < 0.02
    assert found.std() < 1.15 * (1.0 + k) / math.sqrt(1000)


@pytest.mark.parametrize("k", [0.2, 0.5, 0.7, 1.0])
def test_tail_of_ratios(k: float) -> None:
    """E^k for an exponential E has no Pareto tail, exp(kE) has index k exactly."""
    rng = np.random.default_rng(7)
    found = [pareto_k(k * rng.exponential(size=10_000)) for _ in range(40)]
    assert abs(np.mean(found) - k) < 0.05


def test_threshold_separates_good_from_bad_proposals() -> None:
    """A proposal with half the standard deviation has ratios of tail index 3/4, a wider one bounded ratios."""
    x = np.random.default_rng(8).normal(size=(30, 20_000))

    def index(scale: float) -> float:
        # log N(x; 0, 1) − log N(x; 0, scale²) at x = scale·z: tail index 1 − scale²
        return float(np.mean([pareto_k(0.5 * z * z * (1.0 - scale**2)) for z in x]))

    assert index(0.5) == pytest.approx(0.75, abs=0.12)
    assert index(0.25) > 0.8
    assert index(1.2) < 0.3


def test_shift_and_order_do_not_matter() -> None:
    x = np.random.default_rng(9).normal(size=500)
    assert pareto_k(x + 1e4) == pytest.approx(pareto_k(x[::-1]), abs=1e-9)


def test_odd_tails() -> None:
    assert pareto_k(np.zeros(100)) == -math.inf
    assert pareto_k(np.full(100, -1e4)) == -math.inf
    assert math.isnan(pareto_k(np.arange(10.0)))  # a tail of two
    towering = np.random.default_rng(0).normal(size=100)
    towering[0] = 1e4
    assert pareto_k(towering) == math.inf
    atoms = np.zeros(1000)
    atoms[:3] = 4.0
    assert math.isnan(pareto_k(atoms))
    two_points = np.where(np.arange(1000) % 10 == 0, 1.0, 0.0)
    assert pareto_k(two_points) < 0.7
    assert pareto_k(np.where(np.arange(100) < 50, -math.inf, 0.0)) == -math.inf


def test_effective_size() -> None:
    assert effective_size(np.full(17, -900.0)) == pytest.approx(17.0)
    assert effective_size([0.0, -math.inf, -math.inf]) == 1.0
    x = np.random.default_rng(1).normal(size=200_000)
    shift = 0.7
    expected = len(x) / math.exp(shift * shift)  # 1 + χ² of N(shift, 1) from N(0, 1)
    assert effective_size(shift * x) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("call", [pareto_k, effective_size])
def test_bad_input(call: object) -> None:
    assert callable(call)
    with pytest.raises(kb.InvalidInputError, match=r"`log_\w+`\[1\] is nan \(1 of 2"):
        call([0.0, math.nan])
    with pytest.raises(kb.InvalidInputError, match="is inf"):
        call([math.inf, 0.0])
    with pytest.raises(kb.InvalidInputError, match="empty"):
        call(np.zeros(0))
    with pytest.raises(kb.InvalidInputError, match="-inf at every draw"):
        call([-math.inf, -math.inf])
    with pytest.raises(kb.ShapeError, match=r"\(2, 2\)"):
        call(np.zeros((2, 2)))
    with pytest.raises(kb.DTypeError, match="complex"):
        call(np.zeros(3, dtype=complex))


def test_excesses_must_be_positive() -> None:
    with pytest.raises(kb.InvalidInputError, match="at least 5"):
        tail_index([1.0, 2.0])
    with pytest.raises(kb.InvalidInputError, match="positive"):
        tail_index([0.0, 1.0, 2.0, 3.0, 4.0])
