"""Spectral entropies against closed forms and high precision; gradients against differences; what is refused."""

from __future__ import annotations

import math
from itertools import pairwise

import jax
import mpmath
import numpy as np
import pytest
import torch

import kullback as kb
from kullback.information import (
    diffusion_entropy,
    diffusion_information,
    diffusion_spectrum,
    kernel_matrix,
    spectral_entropy,
    vendi,
)

ORDERS = (0, 0.1, 0.5, 1 - 1e-9, 1, 1 + 1e-9, 2, 7.5, 300, math.inf)
GAUSSIAN = kb.GaussianKernel(1.0)


def features(seed: int, n: int = 12, d: int = 4) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("order", ORDERS)
def test_identical_items_count_as_one_and_orthogonal_ones_as_n(order: float) -> None:
    assert vendi(np.ones((9, 9)), order=order) == pytest.approx(1, abs=1e-14)
    assert vendi(np.eye(9), order=order) == pytest.approx(9, rel=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_commuting_kernels_give_the_entropy_of_their_shares(order: float) -> None:
    """Blocks of 1, 2, 3 and 6 equal items have the eigenvalues 1/12, 2/12, 3/12 and 6/12."""
    blocks = np.repeat(np.arange(4), [1, 2, 3, 6])
    found = vendi(np.equal.outer(blocks, blocks).astype(float), order=order)
    with mpmath.workdps(60):
        shares, q = [mpmath.mpf(k) / 12 for k in (1, 2, 3, 6)], mpmath.mpf(order)
        if order == 1:
            truth = mpmath.exp(-sum(s * mpmath.log(s) for s in shares))
        elif order == math.inf:
            truth = 1 / max(shares)
        else:
            truth = sum(s**q for s in shares) ** (1 / (1 - q))
    assert found == pytest.approx(float(truth), rel=2e-14)


def test_the_order_is_honoured_and_the_score_falls_with_it() -> None:
    scores = [float(vendi(features(0) @ features(0).T, order=q)) for q in ORDERS]
    assert all(a > b for a, b in pairwise(scores) if abs(a - b) > 1e-7)
    assert scores[0] == pytest.approx(4)  # the rank
    assert scores[0] - scores[-1] > 1


def test_published_numbers() -> None:
    x = np.array([0.0, 0, 10, 10, 20, 20])
    assert vendi(np.exp(-np.abs(x[:, None] - x))) == pytest.approx(2.9999, abs=1e-4)
    assert vendi([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]) == pytest.approx(2.1573, abs=1e-4)


def test_weights_are_repetitions() -> None:
    k = features(1, 5) @ features(1, 5).T
    rows = np.repeat(np.arange(5), [1, 2, 3, 4, 5])
    for order in (0.5, 1, 3):
        repeated = vendi(k[np.ix_(rows, rows)], order=order)
        assert vendi(k, order=order, weights=[1, 2, 3, 4, 5]) == pytest.approx(float(repeated), rel=1e-10)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, math.inf])
def test_gradients_of_torch_and_jax_are_those_of_differences(order: float) -> None:
    def score(x):
        return vendi(x @ x.T, order=order)

    z, step = features(2), 1e-6
    x = torch.tensor(z, requires_grad=True)
    (by_torch,) = torch.autograd.grad(score(x), x)
    by_jax = np.asarray(jax.grad(score)(jax.numpy.asarray(z, dtype="float32")))
    for i, j in ((0, 0), (5, 2), (11, 3)):
        e = np.zeros_like(z)
        e[i, j] = step
        slope = (score(z + e) - score(z - e)) / (2 * step)
        assert float(by_torch[i, j]) == pytest.approx(float(slope), abs=1e-7)
        assert float(by_jax[i, j]) == pytest.approx(float(slope), abs=2e-4)


def test_batches_and_precisions() -> None:
    both = np.stack([features(3) @ features(3).T, np.eye(12)])
    assert spectral_entropy(both) == pytest.approx([float(spectral_entropy(k)) for k in both])
    single = vendi(torch.tensor(both[0], dtype=torch.float32))
    assert single.dtype == torch.float32
    assert float(single) == pytest.approx(float(vendi(both[0])), rel=1e-5)


@pytest.mark.parametrize(
    ("kernel", "options", "error", "says"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], {}, kb.InvalidInputError, "eigenvalue"),
        ([[1.0, 0.5], [0.0, 1.0]], {}, kb.InvalidInputError, "transpose"),
        ([[0.0, 0.0], [0.0, 0.0]], {}, kb.InvalidInputError, "zero"),
        ([[1.0, math.nan], [math.nan, 1.0]], {}, kb.InvalidInputError, "finite"),
        ([1.0, 2.0], {}, kb.ShapeError, "n, n"),
        ([[True]], {}, kb.DTypeError, "bool"),
        (np.eye(2), {"order": -1}, kb.InvalidInputError, "order"),
        (np.eye(2), {"weights": [1.0]}, kb.ShapeError, "weights"),
        (np.eye(2), {"weights": [1.0, -1.0]}, kb.InvalidInputError, "weights"),
    ],
)
def test_refusals(kernel, options, error, says) -> None:
    with pytest.raises(error, match=says):
        vendi(kernel, **options)


def test_kernel_matrix_keeps_the_digits_of_near_points() -> None:
    k = kernel_matrix([1e8, 1e8 + 2], kernel=GAUSSIAN)
    assert k[0, 1] == math.exp(-2)
    assert k[0, 0] == 1


def test_a_walk_among_separated_clusters_counts_them_in_the_end() -> None:
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(8) * 20, 30, axis=0) + rng.normal(size=(240, 8))
    found = [
        float(diffusion_entropy(points, kernel=kb.GaussianKernel(2.0), time=t)) for t in (1, 10, 100, 1000)
    ]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(found))
    assert found[-1] == pytest.approx(math.log(8), abs=1e-9)


@pytest.mark.parametrize("anisotropy", [0.0, 0.5, 1.0])
def test_the_spectrum_is_that_of_the_walk(anisotropy: float) -> None:
    """The eigenvalues of the transition matrix itself, which is not symmetric."""
    points = np.random.default_rng(1).normal(size=(20, 2))
    k = kernel_matrix(points, kernel=GAUSSIAN)
    g = k / np.outer(k.sum(1), k.sum(1)) ** anisotropy
    walk = np.sort(np.linalg.eigvals(g / g.sum(1, keepdims=True)).real)
    found = diffusion_spectrum(points, kernel=GAUSSIAN, anisotropy=anisotropy)
    assert found == pytest.approx(walk / walk.sum(), abs=1e-12)
    third = diffusion_spectrum(points, kernel=GAUSSIAN, anisotropy=anisotropy, time=3)
    assert third == pytest.approx(walk**3 / (walk**3).sum(), abs=1e-12)


def test_entropy_of_a_walk_has_gradients_in_the_points() -> None:
    z = np.random.default_rng(2).normal(size=(10, 2))
    x = torch.tensor(z, requires_grad=True)
    diffusion_entropy(x, kernel=GAUSSIAN, time=2).backward()
    e = np.zeros_like(z)
    e[3, 1] = 1e-6
    up, down = (float(diffusion_entropy(z + s * e, kernel=GAUSSIAN, time=2)) for s in (1, -1))
    assert float(x.grad[3, 1]) == pytest.approx((up - down) / 2e-6, abs=1e-7)


def test_diffusion_information_of_two_pairs_and_of_no_labels() -> None:
    """Pairs of equal points far apart: a random pair differs in 2 of 3 cases, one of a class never."""
    z, y = [0.0, 0.0, 50.0, 50.0], [0, 0, 1, 1]
    found = diffusion_information(z, y, kernel=GAUSSIAN, draws=2000)
    assert found.value == pytest.approx(2 / 3 * math.log(2), abs=4 * found.standard_error)
    assert 0 < found.standard_error < 0.02
    rng = np.random.default_rng(3)
    points, noise = rng.normal(size=(120, 3)), rng.integers(3, size=120)
    alone = diffusion_information(points, noise, kernel=GAUSSIAN, draws=20)
    told = diffusion_information(points, points[:, 0] > 0, kernel=GAUSSIAN, draws=20)
    assert abs(alone.value) < 0.06
    assert told.value > 0.2
    assert told == diffusion_information(points, points[:, 0] > 0, kernel=GAUSSIAN, draws=20)


def test_what_a_walk_refuses() -> None:
    with pytest.raises(kb.InvalidInputError, match="negative"):
        diffusion_entropy([0.0, 1.0], kernel=kb.DistanceKernel())
    with pytest.raises(kb.InvalidInputError, match="time"):
        diffusion_entropy([0.0, 1.0], kernel=GAUSSIAN, time=0)
    with pytest.raises(kb.ShapeError, match="label"):
        diffusion_information([0.0, 1.0], [1], kernel=GAUSSIAN)
    with pytest.raises(kb.InvalidInputError, match="draws"):
        diffusion_information([0.0, 1.0], [1, 2], kernel=GAUSSIAN, draws=1)
