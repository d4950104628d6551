"""Robust losses on the digits of scikit-learn: wrong labels, a rare class, and the perturbed form of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.losses import robust

datasets = pytest.importorskip("sklearn.datasets")
pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)
Objective = Callable[[torch.nn.Module, Tensor, Tensor], Tensor]


def digits() -> tuple[Tensor, Tensor]:
    x, y = datasets.load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


def network(width: int, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))


def on_outputs(loss: Callable[[Tensor, Tensor], Tensor]) -> Objective:
    return lambda model, x, y: loss(model(x), y)


# Six training labels in ten replaced by a random one


def accuracy_under_noise(objective: Objective, seed: int) -> float:
    x, y = digits()
    rng = np.random.default_rng(seed)
    order = torch.tensor(rng.permutation(len(y)))
    train, test = order[:1078], order[1078:]
    noisy = y[train].clone()
    hit = torch.tensor(rng.random(len(train)) < 0.6)
    noisy[hit] = torch.tensor(rng.integers(0, 10, int(hit.sum())))
    model = network(128, seed)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    shuffle = torch.Generator().manual_seed(seed)
    for _ in range(60):
        for rows in torch.randperm(len(train), generator=shuffle).split(128):
            optimiser.zero_grad()
            objective(model, x[train][rows], noisy[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        return float((model(x[test]).argmax(1) == y[test]).float().mean())


def test_bounded_comp_sums_bear_wrong_labels_better_than_cross_entropy() -> None:
    found = {
        tau: np.mean([accuracy_under_noise(on_outputs(partial(robust.comp_sum, tau=tau)), s) for s in SEEDS])
        for tau in (1.0, 1.7, 2.0)
    }
    assert found[1.7] > found[1.0] + 0.01, found
    assert found[2.0] > found[1.0] + 0.01, found


def test_best_adaptive_label_robust_loss_is_no_worse_than_cross_entropy_under_noise() -> None:
    def adaptive(z: Tensor, y: Tensor, penalty: float, margin: float) -> Tensor:
        z = torch.nn.functional.softplus(z)
        z = z / z.abs().mean(-1, keepdim=True)
        return robust.adaptive_label_robust(kb.kl, z, y, penalty=penalty, margin=margin)

    plain = np.mean(
        [accuracy_under_noise(on_outputs(torch.nn.functional.cross_entropy), s) for s in SEEDS[:2]]
    )
    grid = [
        np.mean(
            [
                accuracy_under_noise(on_outputs(partial(adaptive, penalty=penalty, margin=margin)), s)
                for s in SEEDS[:2]
            ]
        )
        for penalty, margin in ((1.0, 1.0), (5.0, 2.0))
    ]
    assert max(grid) >= plain, (plain, grid)


# Class 8 with six training images


def rare_class(seed: int) -> tuple[Tensor, Tensor]:
    _, y = digits()
    order = torch.tensor(np.random.default_rng(seed).permutation(len(y)))
    train, test = order[:900], order[900:]
    return torch.cat([train[y[train] != 8], train[y[train] == 8][:6]]), test


def accuracies(objective: Objective, seed: int) -> tuple[float, float]:
    """Of all test images, and of the worst class."""
    x, y = digits()
    train, test = rare_class(seed)
    model = network(16, seed)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        objective(model, x[train], y[train]).backward()
        optimiser.step()
    with torch.no_grad():
        right = (model(x[test]).argmax(1) == y[test]).float()
    return float(right.mean()), min(float(right[y[test] == k].mean()) for k in range(10))


def each(z: Tensor, y: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(z, y, reduction="none")


@pytest.mark.parametrize(
    ("d", "given", "seeds"),
    [(kb.kl, {"penalty": 0.5}, SEEDS), (kb.pearson_chi2, {"radius": 5.0}, SEEDS[:1])],
    ids=["kl", "chi2"],
)
def test_the_rare_class_is_learnt_under_the_worst_case(
    d: kb.FDivergence, given: dict, seeds: tuple[int, ...]
) -> None:
    mean = on_outputs(lambda z, y: each(z, y).mean())
    worst = on_outputs(lambda z, y: robust.worst_case(d, each(z, y), **given))
    plain = np.mean([accuracies(mean, s) for s in seeds], axis=0)
    found = np.mean([accuracies(worst, s) for s in seeds], axis=0)
    assert plain[1] < 0.05, plain
    assert found[1] >= 0.2, found
    assert found[0] > plain[0], found


def perturbed_accuracy(objective: Objective, seed: int) -> float:
    """Of the worst 30 % of the classes under perturbations of norm up to 0.1."""
    x, y = digits()
    train, test = rare_class(seed)
    model = network(16, seed)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        objective(model, x[train], y[train]).backward()
        optimiser.step()
    edge = robust.Barrier(radius=0.1, strength=0.01)
    moved = robust.worst_perturbations(
        lambda a: each(model(a), y[test]), x[test], barrier=edge, steps=10, step_size=1.0
    )
    with torch.no_grad():
        right = (model(x[test] + moved).argmax(1) == y[test]).float()
    return float(np.mean(sorted(float(right[y[test] == k].mean()) for k in range(10))[:3]))


def test_doubly_robust_training_serves_the_worst_classes_under_perturbation() -> None:
    edge = robust.Barrier(radius=0.1, strength=0.1)

    def adversarial(model: torch.nn.Module, x: Tensor, y: Tensor, penalty: float) -> Tensor:
        def losses(a: Tensor) -> Tensor:
            return each(model(a), y)

        moved = robust.worst_perturbations(losses, x, barrier=edge, steps=2, step_size=2.0)
        return robust.doubly_robust(kb.kl, losses, x, moved, barrier=edge, penalty=penalty, solves=0)

    plain, both = (
        np.mean([perturbed_accuracy(partial(adversarial, penalty=x), s) for s in SEEDS]) for x in (1e4, 0.5)
    )
    assert both > plain + 0.03, (plain, both)
