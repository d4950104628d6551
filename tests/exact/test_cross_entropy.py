"""Rare events with known probabilities: relative error and coverage over seeds, levels out of reach."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

import kullback as kb
from kullback.exact import rare_event

Score = Callable[[np.ndarray], np.ndarray]


def over_seeds(
    score: Score, threshold: float, covariance: np.ndarray, n: int, final: int, seeds: int
) -> np.ndarray:
    mean = np.zeros(len(covariance))
    out = []
    for seed in range(seeds):
        a = rare_event(score, threshold, mean=mean, covariance=covariance, n=n, final=final, seed=seed)
        out.append((a.value, a.low, a.high))
    return np.array(out)


@pytest.mark.parametrize(
    ("score", "threshold", "covariance", "truth", "error"),
    [
        (lambda x: x[:, 0], 4.0, np.eye(1), norm.sf(4.0), 0.03),
        # X + Y of variance 1 + 2 + 2·½ = 4
        pytest.param(
            lambda x: x.sum(axis=1),
            10.0,
            np.array([[1.0, 0.5], [0.5, 2.0]]),
            norm.sf(5.0),
            0.03,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["tail", "half-plane"],
)
def test_relative_error_and_coverage(
    score: Score, threshold: float, covariance: np.ndarray, truth: float, error: float
) -> None:
    value, low, high = over_seeds(score, threshold, covariance, 500, 2000, 500).T
    assert np.all(np.isfinite(high))
    assert abs(value.mean() - truth) < 4 * value.std() / math.sqrt(500)
    assert value.std() / truth < error  # crude Monte Carlo: 4 for the tail, 40 for the half-plane
    assert 0.925 <= ((low <= truth) & (truth <= high)).mean() <= 0.975


@pytest.mark.slow
def test_a_ring_around_the_origin() -> None:
    """P(|X|² > 28) = e⁻¹⁴ in the plane: the normal law that fits is centred and wide."""
    value, low, high = over_seeds(lambda x: (x * x).sum(axis=1), 28.0, np.eye(2), 2000, 20_000, 400).T
    truth, given = math.exp(-14.0), np.isfinite(high)
    assert given.mean() > 0.95
    assert value.std() / truth < 0.1
    assert 0.92 <= ((low <= truth) & (truth <= high))[given].mean() <= 0.98


def test_corner_far_out() -> None:
    answer = rare_event(lambda x: x.min(axis=1), 5.0, mean=[0.0, 0.0], covariance=np.eye(2), level=0.999)
    assert answer.low < norm.sf(5.0) ** 2 < answer.high  # 8e-14
    assert answer.high / answer.low < 1.3
    assert answer.unit == "probability"
    assert "draws hit the event" in answer.notes[0]


def test_shifted_and_scaled_nominal_law() -> None:
    answer = rare_event(lambda x: -x[:, 0], -1.0, mean=[9.0], covariance=[[4.0]], level=0.999)
    assert answer.low < norm.sf(4.0) < answer.high


def test_an_event_that_is_not_rare() -> None:
    answer = rare_event(lambda x: x[:, 0], -1.0, mean=[0.0], covariance=[[1.0]], level=0.999)
    assert answer.low < norm.sf(-1.0) < answer.high
    assert "1 stages" in answer.method


def test_same_seed_same_answer() -> None:
    def run(seed: int) -> kb.Answer:
        return rare_event(lambda x: x[:, 0], 4.0, mean=[0.0], covariance=[[1.0]], n=200, final=200, seed=seed)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_level_out_of_reach() -> None:
    with pytest.raises(kb.ConvergenceError, match=r"stopped rising at (1|0\.9\d*), short of the threshold 2"):
        rare_event(lambda x: np.tanh(x[:, 0]), 2.0, mean=[0.0], covariance=[[1.0]], n=200)


def test_bad_input() -> None:
    with pytest.raises(kb.ShapeError, match=r"score returned shape \(2000, 1\)"):
        rare_event(lambda x: x, 4.0, mean=[0.0], covariance=[[1.0]])
    with pytest.raises(kb.InvalidInputError, match="score is NaN at the point"):
        rare_event(lambda x: np.full(len(x), math.nan), 4.0, mean=[0.0], covariance=[[1.0]])
    with pytest.raises(kb.InvalidInputError, match=r"quantile=0\.9"):
        rare_event(lambda x: x[:, 0], 4.0, mean=[0.0], covariance=[[1.0]], quantile=0.9)
    with pytest.raises(kb.InvalidInputError, match="positive definite"):
        rare_event(lambda x: x[:, 0], 4.0, mean=[0.0], covariance=[[-1.0]])
