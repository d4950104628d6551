"""Adaptive importance sampling: known expectations, several at once, calmer than crude draws, covered, frank."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

import kullback as kb
from kullback.exact import NormalMixture, expectations
from kullback.exact.importance import weighted_means
from kullback.exact.proposals import fitted


def standard(x: np.ndarray) -> np.ndarray:
    return -0.5 * np.sum(x * x, axis=1) - 0.5 * x.shape[1] * math.log(2.0 * math.pi)


def three_tails(x: np.ndarray) -> np.ndarray:
    return (x[:, :3] > 3.5).astype(float)


WIDE = NormalMixture.normal(np.zeros(5), 4.0 * np.eye(5))


def test_density_and_draws_of_a_mixture() -> None:
    covariances = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, 0.0], [0.0, 0.1]]])
    means = np.array([[0.0, 1.0], [-2.0, 3.0]])
    mixture = NormalMixture.of_normals(means, covariances, shares=[0.3, 0.7])
    x = mixture.draw(200_000, np.random.default_rng(0))
    pdf = sum(
        s * multivariate_normal(m, c).pdf(x[:50])
        for s, m, c in zip((0.3, 0.7), means, covariances, strict=True)
    )
    assert np.allclose(mixture.log_density(x[:50]), np.log(pdf), rtol=1e-12)
    mean = 0.3 * means[0] + 0.7 * means[1]
    assert np.allclose(x.mean(axis=0), mean, atol=0.02)
    inner = 0.3 * covariances[0] + 0.7 * covariances[1]
    outer = sum(s * np.outer(m - mean, m - mean) for s, m in zip((0.3, 0.7), means, strict=True))
    assert np.allclose(np.cov(x.T), inner + outer, atol=0.04)


def test_fit_is_moment_matching() -> None:
    x = np.random.default_rng(1).normal(size=(2000, 3))
    weights = np.exp(0.3 * x[:, 0])
    law = fitted(x, 0.3 * x[:, 0] + 500.0)
    assert np.allclose(law.means[0], np.average(x, axis=0, weights=weights), atol=1e-12)
    covariance = law.factors[0] @ law.factors[0].T
    assert np.allclose(covariance, np.cov(x.T, aweights=weights, ddof=0), atol=1e-5)


def test_fit_survives_a_single_heavy_point() -> None:
    x = np.random.default_rng(2).normal(size=(500, 2))
    log_weights = np.zeros(500)
    log_weights[0] = 1e4
    law = fitted(x, log_weights)
    assert np.linalg.eigvalsh(law.factors[0] @ law.factors[0].T)[0] > 1e-3


def test_three_rare_expectations_from_the_same_draws() -> None:
    truth = norm.sf(3.5)
    runs = [expectations(three_tails, standard, WIDE, seed=seed) for seed in range(40)]
    values = np.array([[answer.value for answer in run] for run in runs])
    spread = values.std(axis=0) / truth
    crude = math.sqrt(1.0 / (4000 * truth))
    assert np.all(spread < crude / 10.0)
    assert np.all(np.abs(values.mean(axis=0) - truth) < 4.0 * values.std(axis=0) / math.sqrt(40))
    again = expectations(three_tails, standard, WIDE, seed=7)
    assert again == runs[7]


@pytest.mark.slow
def test_three_rare_expectations_are_covered() -> None:
    truth = norm.sf(3.5)
    inside = [
        [
            answer.low <= truth <= answer.high
            for answer in expectations(three_tails, standard, WIDE, seed=seed)
        ]
        for seed in range(250)
    ]
    assert np.all(np.abs(np.mean(inside, axis=0) - 0.95) < 0.035)


@pytest.mark.parametrize(("normalised", "rounds"), [(True, 2), (False, 2), (False, 0)])
def test_moments_are_covered(normalised: bool, rounds: int) -> None:
    """E[X] = 1 and E[X²] = 2 of N(1, 1), its constant known or not, from a proposal around 0."""
    first = NormalMixture.normal([0.0], [[4.0]])
    shift = 0.0 if normalised else 700.0
    inside, spread = [], []
    for seed in range(500):
        answers = expectations(
            lambda x: np.hstack([x, x * x]),
            lambda x: standard(x - 1.0) + shift,
            first,
            n=300,
            rounds=rounds,
            normalised=normalised,
            seed=seed,
        )
        inside.append(
            [answer.low <= truth <= answer.high for answer, truth in zip(answers, (1.0, 2.0), strict=True)]
        )
        spread.append([answer.value for answer in answers])
    assert np.all(np.abs(np.mean(inside, axis=0) - 0.95) < 0.03)
    bias = np.abs(np.mean(spread, axis=0) - (1.0, 2.0)) / np.std(spread, axis=0)
    assert np.all(bias < 4.0 / math.sqrt(500) + (0.0 if normalised else 0.1))


def test_control_variates_lower_the_variance() -> None:
    """The same draws with the components as control variates, and as a plain weighted mean."""
    mixture = NormalMixture.of_normals([[0.0], [2.0], [-2.0]], [[[1.0]], [[1.0]], [[1.0]]])
    with_, without = [], []
    for seed in range(200):
        x = mixture.draw(500, np.random.default_rng(seed))
        y = np.cos(x)
        with_.append(weighted_means(standard(x), y, mixture, x, True, 0.95, "")[0].value)
        without.append(float(np.mean(np.exp(standard(x) - mixture.log_density(x)) * y[:, 0])))
    assert np.var(with_) < 0.8 * np.var(without)
    # f is a component, so that the constant 1 is met exactly
    exact = weighted_means(standard(x), np.ones((500, 1)), mixture, x, True, 0.95, "")[0]
    assert exact.value == pytest.approx(1.0, abs=1e-12)
    assert np.mean(with_) == pytest.approx(math.exp(-0.5), abs=0.01)


def test_no_interval_where_there_is_no_ground_for_one() -> None:
    narrow = NormalMixture.normal([0.0], [[0.04]])
    (answer,) = expectations(lambda x: x * x, standard, narrow, rounds=0)
    assert (answer.low, answer.high) == (-math.inf, math.inf)
    assert "above 0.7" in answer.notes[-1]
    (missed,) = expectations(lambda x: x > 40.0, standard, narrow, rounds=0)
    assert missed.value == 0.0
    assert missed.high == math.inf
    assert "no draw found" in missed.notes[-1]


def test_points_without_mass_do_not_matter() -> None:
    """The uniform law on [0, 1], under which log x is fine although it is not at the points outside."""
    first = NormalMixture.normal([0.5], [[0.25]])

    def log_uniform(x: np.ndarray) -> np.ndarray:
        return np.where((x[:, 0] > 0) & (x[:, 0] < 1), 0.0, -math.inf)

    def logarithm(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.log(x[:, 0])

    (answer,) = expectations(logarithm, log_uniform, first, n=20_000)
    assert answer.low < -1.0 < answer.high
    assert answer.high - answer.low < 0.1


def test_bad_input() -> None:
    one = NormalMixture.normal([0.0], [[1.0]])
    with pytest.raises(kb.ShapeError, match=r"expected \(4000,\) and \(4000, J\)"):
        expectations(lambda x: x[:7], standard, one)
    with pytest.raises(kb.InvalidInputError, match=r"function 0 is inf at the point \["):
        expectations(lambda x: np.full_like(x, math.inf), standard, one)
    with pytest.raises(kb.InvalidInputError, match=r"`log_density\(x\)`\[0\] is nan"):
        expectations(lambda x: x, lambda x: np.full(len(x), math.nan), one)
    with pytest.raises(kb.InvalidInputError, match="n >= 50"):
        expectations(lambda x: x, standard, one, n=10)
    with pytest.raises(kb.InvalidInputError, match="level"):
        expectations(lambda x: x, standard, one, level=95.0)
    with pytest.raises(kb.InvalidInputError, match=r"smallest eigenvalue is -1"):
        NormalMixture.normal([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(kb.InvalidInputError, match="symmetric"):
        NormalMixture.normal([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(kb.ShapeError, match="do not fit"):
        NormalMixture.normal([0.0, 0.0], [[1.0]])
    with pytest.raises(kb.InvalidInputError, match="shares must be 1 numbers"):
        NormalMixture.of_normals([[0.0]], [[[1.0]]], shares=[0.5])
    with pytest.raises(kb.InvalidInputError, match="mean is not finite"):
        NormalMixture.normal([math.inf], [[1.0]])
