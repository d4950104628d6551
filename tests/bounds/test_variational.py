"""Variational bounds: never above the truth for any critic, equal to it for the best one, on discrete laws exactly."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback.bounds import (
    by_log_ratio,
    donsker_varadhan,
    fenchel,
    info_nce,
    interpolated,
    jensen_shannon,
    nwj,
)

# masses in sixteenths, so that a sample of 16 draws is the law itself
P, Q = np.array([6, 5, 3, 2]), np.array([2, 3, 4, 7])
LOG_RATIO = np.log(P) - np.log(Q)
JOINT = np.array([[6, 1], [2, 7]])  # of (x, y), in sixteenths


def draws(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.repeat(values, counts)


@pytest.mark.parametrize("d", tuple(kb.catalogue()), ids=repr)
def test_best_critic_attains_the_divergence(d: kb.FDivergence) -> None:
    truth = d(P, Q, counts=True)
    critic = np.asarray(d.slope(LOG_RATIO))
    assert float(fenchel(d, draws(critic, P), draws(critic, Q))) == pytest.approx(truth, rel=1e-12)
    ratio = by_log_ratio(d, draws(LOG_RATIO, P), draws(LOG_RATIO, Q))
    assert float(ratio) == pytest.approx(truth, rel=1e-12)
    assert ratio.cap == d.upper_bound


@pytest.mark.parametrize("d", kb.catalogue().named, ids=repr)
def test_no_critic_exceeds_the_divergence(d: kb.FDivergence) -> None:
    """1e5 critics: near the best one, far from it, and of any size."""
    rng = np.random.default_rng(1)
    v = LOG_RATIO + rng.normal(size=(100_000, 4)) * rng.choice([1e-3, 0.3, 3.0], (100_000, 1))
    value = d.slope(v) @ P / 16 + d.tilt(v) @ Q / 16
    assert np.all(value <= d(P, Q, counts=True) * (1 + 1e-12))
    for i in range(20):
        bound = by_log_ratio(d, draws(v[i], P), draws(v[i], Q))
        assert float(bound) == pytest.approx(value[i], rel=1e-10, abs=1e-12)


def test_bounds_of_relative_entropy() -> None:
    truth = kb.kl(P, Q, counts=True)
    shifted = LOG_RATIO + 5.0
    assert float(donsker_varadhan(draws(shifted, P), draws(shifted, Q))) == pytest.approx(truth, rel=1e-12)
    assert float(nwj(draws(LOG_RATIO + 1, P), draws(LOG_RATIO + 1, Q))) == pytest.approx(truth, rel=1e-12)
    js = jensen_shannon(draws(LOG_RATIO, P), draws(LOG_RATIO, Q))
    assert float(js) == pytest.approx(kb.js(P, Q, counts=True), rel=1e-12)
    v = np.random.default_rng(2).normal(size=(100_000, 4)) * 3
    log_mean = np.log(np.exp(v) @ Q / 16)
    assert np.all(v @ P / 16 - log_mean <= truth * (1 + 1e-12))
    assert np.all(v @ P / 16 - np.exp(v - 1) @ Q / 16 <= truth * (1 + 1e-12))
    for i in range(20):
        sample = draws(v[i], P), draws(v[i], Q)
        assert float(donsker_varadhan(*sample)) == pytest.approx(v[i] @ P / 16 - log_mean[i], rel=1e-12)
        assert float(nwj(*sample)) <= float(donsker_varadhan(*sample)) + 1e-12


def mutual_information() -> float:
    return kb.kl(JOINT.ravel() / 16, np.outer(JOINT.sum(1), JOINT.sum(0)).ravel() / 256)


def exact_interpolation(critic: np.ndarray, alpha: float, k: int = 2) -> float:
    """The expectation over all (x_1, y) of the joint law and (x_2), and over all (x_1, x_2) and y, by enumeration."""
    own, other, base_own, base_other = [], [], [], []
    x_counts, y_counts = JOINT.sum(1), JOINT.sum(0)
    log_y = np.log(y_counts / 16)
    for x1, x2, y in np.ndindex(2, 2, 2):
        row = [critic[x1, y], critic[x2, y]][:k]
        own += [row] * int(JOINT[x1, y] * x_counts[x2])
        base_own += [log_y[y]] * int(JOINT[x1, y] * x_counts[x2])
        other += [row] * int(x_counts[x1] * x_counts[x2] * y_counts[y])
        base_other += [log_y[y]] * int(x_counts[x1] * x_counts[x2] * y_counts[y])
    bound = interpolated(
        np.array(own),
        np.array(other),
        alpha=alpha,
        baseline_joint=np.array(base_own),
        baseline_independent=np.array(base_other),
    )
    assert bound.cap == (math.log(2 / alpha) if alpha else math.inf)
    return float(bound)


def test_interpolated_bound_by_enumeration() -> None:
    truth = mutual_information()
    best = np.log(JOINT / JOINT.sum(1, keepdims=True))  # log p(y | x), whose normaliser is p(y)
    assert exact_interpolation(best, 0.0) == pytest.approx(truth, rel=1e-12)
    rng = np.random.default_rng(3)
    for alpha in (0.0, 0.01, 0.3, 0.9, 1.0):
        for critic in (best, *rng.normal(size=(20, 2, 2)) * 2):
            assert (
                exact_interpolation(critic, alpha)
                <= min(truth, math.log(2 / alpha) if alpha else truth) + 1e-12
            )


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_interpolated_bound_of_many_critics(alpha: float) -> None:
    """1e5 critics, by the formula written out over all pairs, which the function meets on the first of them."""
    critics = np.random.default_rng(7).normal(size=(100_000, 2, 2)) * 2
    x_share, y_share, joint = JOINT.sum(1) / 16, JOINT.sum(0) / 16, JOINT / 16
    value = np.ones(len(critics))
    for x1, x2, y in np.ndindex(2, 2, 2):
        own, other = critics[:, x1, y], critics[:, x2, y]
        mixed = alpha * (np.exp(own) + np.exp(other)) / 2 + (1 - alpha) * y_share[y]
        value += joint[x1, y] * x_share[x2] * (own - np.log(mixed))
        value -= x_share[x1] * x_share[x2] * y_share[y] * np.exp(own) / mixed
    for critic, expected in zip(critics[:5], value, strict=False):
        assert exact_interpolation(critic, alpha) == pytest.approx(expected, rel=1e-12, abs=1e-13)
    assert np.all(value <= mutual_information() + 1e-12)


def test_contrastive_bound() -> None:
    """Below the information in expectation over all batches of two pairs, and below log n always."""
    truth = mutual_information()
    for critic in (np.log(JOINT / 16), *np.random.default_rng(4).normal(size=(50, 2, 2))):
        total = 0.0
        for x1, y1, x2, y2 in np.ndindex(2, 2, 2, 2):
            scores = critic[np.ix_([x1, x2], [y1, y2])]
            total += JOINT[x1, y1] * JOINT[x2, y2] / 256 * float(info_nce(scores))
        assert total <= truth + 1e-12
    critics = np.random.default_rng(6).normal(size=(100_000, 2, 2)) * 3
    value = np.zeros(len(critics))
    for x1, y1, x2, y2 in np.ndindex(2, 2, 2, 2):
        scores = critics[:, [[x1], [x2]], [y1, y2]]
        each = np.log(2) + np.einsum("nii->ni", scores - np.logaddexp(*np.moveaxis(scores, 2, 0))[..., None])
        value += JOINT[x1, y1] * JOINT[x2, y2] / 256 * each.mean(axis=1)
        assert float(info_nce(scores[0])) == pytest.approx(each[0].mean(), rel=1e-12)
    assert np.all(value <= truth + 1e-12)
    wild = np.random.default_rng(5).normal(size=(100_000 // 25, 5, 5)) * 20
    bounds = [info_nce(s) for s in wild[:500]]
    assert max(float(b) for b in bounds) <= math.log(5)
    sharp = info_nce(1000.0 * np.eye(5))  # attains its cap
    assert float(sharp) == pytest.approx(math.log(5), rel=1e-14)
    assert sharp.saturated
    assert not info_nce(np.zeros((5, 5))).saturated


def test_libraries_gradients_and_large_scores() -> None:
    p, q = draws(LOG_RATIO, P), draws(LOG_RATIO, Q)
    for function in (donsker_varadhan, nwj, jensen_shannon):
        assert float(function(torch.tensor(p), torch.tensor(q))) == pytest.approx(
            float(function(p, q)), rel=1e-13
        )
        assert float(function(jnp.asarray(p), jnp.asarray(q))) == pytest.approx(
            float(function(p, q)), abs=1e-5
        )
    scores = torch.tensor(p, requires_grad=True)
    donsker_varadhan(scores, scores).value.backward()
    assert scores.grad is not None
    assert torch.allclose(scores.grad.sum(), torch.zeros((), dtype=torch.float64), atol=1e-12)
    assert float(donsker_varadhan([1e4], [1e4])) == 0.0
    assert float(jensen_shannon([1e4], [-1e4])) == pytest.approx(math.log(2))
    assert float(fenchel(kb.reverse_kl, [0.5], [1.5])) == -math.inf


def test_refusals() -> None:
    with pytest.raises(kb.ShapeError, match="square"):
        info_nce(np.zeros((2, 3)))
    with pytest.raises(kb.InvalidInputError, match="empty"):
        nwj([], [1.0])
    with pytest.raises(kb.InvalidInputError, match="alpha"):
        interpolated(np.zeros((1, 2)), np.zeros((1, 2)), alpha=1.5)
    with pytest.raises(kb.ShapeError):
        interpolated(np.zeros((1, 2)), np.zeros((1, 3)), alpha=0.5)
