"""Correctness, calibrated targets and reliability: definitions, limits, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softmax

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import supervision

CATALOGUE = tuple(kb.catalogue())
every = pytest.mark.parametrize("d", CATALOGUE, ids=repr)
finite_at_zero = pytest.mark.parametrize("d", [d for d in CATALOGUE if math.isfinite(d.at_zero)], ids=repr)


def logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def two(chance: Tensor) -> Tensor:
    return torch.stack((1 - chance, chance), -1)


# Correctness -----------------------------------------------------------------------------------------------------


@finite_at_zero
def test_correctness_is_a_divergence_of_outcome_and_confidence(d: kb.FDivergence) -> None:
    z, labels = logits(8, 3, 5), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])

    def defined(x: Tensor) -> Tensor:
        confidence, winner = softmax(x, -1).max(-1)
        right = (winner == labels[:, None]).to(x)
        return torch.as_tensor(d(two(right), two(confidence), validate=False)).mean()

    def ours(x: Tensor) -> Tensor:
        return supervision.correctness(d, x, labels)

    assert float(ours(z)) == pytest.approx(float(defined(z)), rel=1e-12)
    mine, theirs = (torch.autograd.functional.jacobian(f, z) for f in (ours, defined))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_brier_score_of_the_confidence() -> None:
    z, labels = logits(20, 4), torch.arange(20) % 4
    confidence, winner = softmax(z, -1).max(-1)
    brier = ((confidence - (winner == labels).double()) ** 2).mean()
    assert float(supervision.correctness(kb.squared_l2, z, labels)) == pytest.approx(2 * float(brier))


def test_cross_entropy_sharpens_narrow_mistakes_and_correctness_does_not() -> None:
    """p_y = 0.4 and the wrong class a little above: a temperature below 1 serves the label, and the mistake."""
    rng = np.random.default_rng(0)
    rest = rng.dirichlet(np.ones(8), size=50) * 0.17
    p = torch.tensor(np.concatenate([np.full((50, 1), 0.43), np.full((50, 1), 0.4), rest], -1))
    labels = torch.ones(50, dtype=torch.long)

    def trained(loss) -> float:
        log_sharpness = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([log_sharpness], 0.05)
        for _ in range(60):
            optimiser.zero_grad()
            loss(log_sharpness.exp() * p.log()).backward()
            optimiser.step()
        return softmax(log_sharpness.detach().exp() * p.log(), -1).max(-1).values.mean().item()

    assert trained(lambda z: cross_entropy(z, labels)) > 0.45
    for d in (kb.squared_l2, kb.kl, kb.js):
        assert trained(lambda z, d=d: supervision.correctness(d, z, labels)) < 0.25


def test_sure_predictions_and_masked_classes() -> None:
    z = torch.tensor([[0.0, -math.inf, -math.inf], [1.0, 0.0, -math.inf]], requires_grad=True)
    value = supervision.correctness(kb.kl, z, torch.tensor([0, 1]))
    assert value.item() == pytest.approx(-math.log(1 / (1 + math.e)) / 2, rel=1e-6)  # of the wrong one
    value.backward()
    assert z.grad is not None
    assert bool(torch.isfinite(z.grad).all())
    assert supervision.correctness(kb.kl, z, torch.tensor([1, 1])).item() == math.inf
    far = torch.tensor([[800.0, 0.0]], dtype=torch.float64)
    assert float(supervision.correctness(kb.kl, far, torch.tensor([1]))) == 800.0


def test_masks_of_examples() -> None:
    z, labels = logits(4, 3), torch.tensor([0, 1, 2, 0])
    z[1] = math.nan
    kept = torch.tensor([True, False, True, True])
    expected = supervision.correctness(kb.kl, z[kept], labels[kept])
    assert float(supervision.correctness(kb.kl, z, labels, mask=kept)) == float(expected)
    with pytest.warns(RuntimeWarning, match="1 of 4"):
        assert float(supervision.correctness(kb.kl, z, labels, nonfinite="skip")) == float(expected)


def test_correctness_refuses() -> None:
    z, labels = logits(4, 3), torch.zeros(4, dtype=torch.long)
    with pytest.raises(InvalidInputError, match=r"reverse_kl has f\(0\) = inf"):
        supervision.correctness(kb.reverse_kl, z, labels)
    with pytest.raises(ShapeError, match="labels"):
        supervision.correctness(kb.kl, z, labels[:3])
    with pytest.raises(ShapeError, match="n, m, K"):
        supervision.correctness(kb.kl, logits(2, 2, 2, 2), labels)
    with pytest.raises(DTypeError, match="int64"):
        supervision.correctness(kb.kl, torch.zeros(4, 3, dtype=torch.long), labels)


# Calibrated targets ----------------------------------------------------------------------------------------------


@every
def test_bernoulli_matching_by_its_definition(d: kb.FDivergence) -> None:
    z, t = logits(9), torch.linspace(0.05, 0.95, 9, dtype=torch.float64)

    def defined(x: Tensor) -> Tensor:
        return torch.as_tensor(d(two(t), two(torch.sigmoid(x)), validate=False)).mean()

    def ours(x: Tensor) -> Tensor:
        return supervision.bernoulli_matching(d, x, t)

    assert float(ours(z)) == pytest.approx(float(defined(z)), rel=1e-11)
    mine, theirs = (torch.autograd.functional.jacobian(f, z) for f in (ours, defined))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
    assert float(ours(torch.logit(t))) == pytest.approx(0.0, abs=1e-16)


def test_sure_targets_are_cross_entropy_however_far_the_logits() -> None:
    z = torch.tensor([-700.0, -1.0, 2.0, 900.0], dtype=torch.float64)
    t = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    expected = float(binary_cross_entropy_with_logits(z, t))
    assert float(supervision.bernoulli_matching(kb.kl, z, t)) == pytest.approx(expected, rel=1e-14)


def test_binned_targets_are_frequencies_of_neighbours() -> None:
    rng = np.random.default_rng(0)
    p = torch.tensor(rng.random(103))
    y = torch.tensor((rng.random(103) < p.numpy()).astype(float))
    order = np.argsort(p.numpy())
    expected = np.empty(103)
    for rows in np.array_split(order, 10):
        expected[rows] = y.numpy()[rows].mean()
    assert supervision.binned_targets(p, y).tolist() == pytest.approx(expected.tolist(), rel=1e-14)
    assert supervision.binned_targets(p, y, bins=103).tolist() == y.tolist()
    assert supervision.binned_targets(p, y, bins=1).tolist() == pytest.approx([float(y.mean())] * 103)


def test_kernel_targets_go_from_labels_to_their_mean() -> None:
    rng = np.random.default_rng(1)
    p, y = torch.tensor(rng.random(80)), torch.tensor(rng.integers(0, 2, 80).astype(float))
    kernel = np.exp(-0.5 * ((p.numpy()[:, None] - p.numpy()) / 0.1) ** 2)
    expected = kernel @ y.numpy() / kernel.sum(-1)
    assert supervision.kernel_targets(p, y).tolist() == pytest.approx(expected.tolist(), rel=1e-13)
    assert supervision.kernel_targets(p, y, bandwidth=1e-6).tolist() == pytest.approx(y.tolist(), abs=1e-12)
    wide = supervision.kernel_targets(p, y, bandwidth=1e6)
    assert wide.tolist() == pytest.approx([float(y.mean())] * 80, rel=1e-9)
    assert supervision.kernel_targets(p, y, window=1).tolist() == y.tolist()
    order = p.argsort()
    near = supervision.kernel_targets(p, y, bandwidth=1e6, window=5)[order]
    assert near[40] == pytest.approx(float(y[order][38:43].mean()))
    assert near[0] == pytest.approx(float(y[order][:5].mean()))
    assert near[-1] == pytest.approx(float(y[order][-5:].mean()))


def test_expected_error_of_calibrated_and_of_shifted_predictions() -> None:
    rng = np.random.default_rng(2)
    p = rng.random((200, 500))
    y = rng.random(p.shape) < p
    rows = [
        supervision.reliability(torch.tensor(a), torch.tensor(b).double()) for a, b in zip(p, y, strict=True)
    ]
    found = np.mean([r.expected_error for r in rows])
    assert found == pytest.approx(np.mean([r.chance_error for r in rows]), rel=0.03)
    shifted = supervision.reliability(torch.tensor(0.5 * p.ravel()), torch.tensor(y.ravel()).double())
    assert shifted.expected_error == pytest.approx(0.25, abs=0.005)
    assert shifted.chance_error < 0.005
    assert rows[0].counts.tolist() == [50.0] * 10
    assert bool((rows[0].predicted.diff() > 0).all())


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"probabilities": torch.tensor([0.5, 1.5])}, InvalidInputError, "1.5"),
        ({"probabilities": torch.tensor([0.5, math.nan])}, InvalidInputError, "nan"),
        ({"outcomes": torch.tensor([0.0])}, ShapeError, r"\(n,\) for both"),
        ({"outcomes": torch.tensor([[0.0]])}, ShapeError, "outcomes"),
        ({"outcomes": torch.tensor([0.0, 2.0])}, InvalidInputError, "outcomes"),
        ({"bins": 3}, InvalidInputError, "1 to 2"),
        ({"bins": 0}, InvalidInputError, "bins"),
    ],
)
def test_reliability_refuses(arguments: dict, error: type[Exception], text: str) -> None:
    given = {"probabilities": torch.tensor([0.2, 0.7]), "outcomes": torch.tensor([0.0, 1.0]), "bins": 2}
    given |= arguments
    for call in (supervision.reliability, supervision.binned_targets):
        with pytest.raises(error, match=text):
            call(given["probabilities"], given["outcomes"], bins=given["bins"])


def test_targets_refuse() -> None:
    p = torch.tensor([0.2, 0.7])
    with pytest.raises(InvalidInputError, match="bandwidth"):
        supervision.kernel_targets(p, p, bandwidth=0.0)
    with pytest.raises(InvalidInputError, match="window"):
        supervision.kernel_targets(p, p, window=0)
    with pytest.raises(ShapeError, match="targets"):
        supervision.bernoulli_matching(kb.kl, torch.zeros(3), p)
    with pytest.raises(InvalidInputError, match="targets"):
        supervision.bernoulli_matching(kb.kl, torch.zeros(2), 2 * p)
