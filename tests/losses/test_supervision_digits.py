"""Weak supervision at work: a prior against collapse, frequencies against memorised labels, clusters of digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, dropout, leaky_relu

import kullback as kb
from kullback.losses import supervision

datasets = pytest.importorskip("sklearn.datasets")
cluster = pytest.importorskip("sklearn.cluster")
linear_model = pytest.importorskip("sklearn.linear_model")
pytestmark = pytest.mark.slow


def digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16, y


# A prior of the classes, without labels and without the source ------------------------------------------------------


def shifted(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Digits 3, 8 and 9: 200 of the source; moved, blurred, noisy and imbalanced ones as the target."""
    x, y = digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    x, y = x[order], y[order]
    some = np.isin(y, (3, 8, 9))
    x, y = x[some], np.searchsorted((3, 8, 9), y[some])
    target, labels = x[200:], y[200:]
    right = np.roll(target.reshape(-1, 8, 8), 1, 2).reshape(-1, 64)
    target = np.clip(0.6 * target + 0.3 * right + 0.15 * rng.normal(size=target.shape), 0, 1)
    kept = np.concatenate([np.where(labels == k)[0][:most] for k, most in enumerate((None, 70, 40))])
    return x[:200], y[:200], target[kept], labels[kept]


def accuracies_of_adaptation(seed: int) -> list[float]:
    """Of the source's classifier, of entropy alone, and of entropy and three times KL(mean prediction‖prior)."""
    source, labels, x, y = shifted(seed)
    classifier = linear_model.LogisticRegression(max_iter=2000).fit(source, labels)
    inputs = torch.tensor(x, dtype=torch.float32)
    prior = torch.tensor(np.bincount(y) / len(y))

    def adapted(objective) -> float:
        weights = torch.tensor(classifier.coef_.T, dtype=torch.float32).requires_grad_(True)
        offsets = torch.tensor(classifier.intercept_, dtype=torch.float32).requires_grad_(True)
        optimiser = torch.optim.Adam([weights, offsets], 0.01)
        for _ in range(300):
            optimiser.zero_grad()
            objective(inputs @ weights + offsets).backward()
            optimiser.step()
        return float(((inputs @ weights + offsets).argmax(-1).numpy() == y).mean())

    both = [
        supervision.weighted_entropy,
        lambda z: supervision.prior_matching(kb.kl, z, prior=prior, strength=3.0),
    ]
    return [float(classifier.score(x, y)), *(adapted(objective) for objective in both)]


def test_a_prior_keeps_entropy_minimisation_from_collapse() -> None:
    source, entropy, both = np.mean([accuracies_of_adaptation(seed) for seed in range(4)], axis=0)
    assert entropy < source - 0.1, (source, entropy, both)
    assert both > source + 0.01, (source, entropy, both)


# Calibrated probability estimation --------------------------------------------------------------------------------


def errors_of_chances(calibrated: bool, epochs: int = 200) -> float:
    """The mean squared error towards the true chances of a network that can learn its labels by heart."""
    rng = np.random.default_rng(0)
    n, width = 1500, 60
    w = 2 * rng.normal(size=width) / np.sqrt(width)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        x = rng.normal(size=(count, width))
        return torch.tensor(x, dtype=torch.float32), torch.sigmoid(torch.tensor(x @ w, dtype=torch.float32))

    x, chances = drawn(n)
    labels = torch.tensor(rng.random(n)).float().lt(chances).float()
    unseen, truth = drawn(3000)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(width, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
    optimiser, targets = torch.optim.Adam(model.parameters(), 1e-3), labels
    for epoch in range(epochs):
        for rows in torch.randperm(n, generator=torch.Generator().manual_seed(epoch)).split(100):
            optimiser.zero_grad()
            supervision.bernoulli_matching(kb.kl, model(x[rows])[:, 0], targets[rows]).backward()
            optimiser.step()
        if calibrated and epoch >= 8 and epoch % 3 == 0:
            with torch.no_grad():
                targets = supervision.binned_targets(model(x)[:, 0].sigmoid(), labels)
    with torch.no_grad():
        return float(((model(unseen)[:, 0].sigmoid() - truth) ** 2).mean())


def test_frequencies_keep_chances_where_labels_are_learnt_by_heart() -> None:
    by_labels, by_frequencies = errors_of_chances(False), errors_of_chances(True)
    assert by_frequencies < by_labels / 2, (by_labels, by_frequencies)


def test_matching_labels_is_binary_cross_entropy() -> None:
    z, y = torch.randn(50, generator=torch.Generator().manual_seed(0)), torch.arange(50).remainder(2).float()
    ours, theirs = supervision.bernoulli_matching(kb.kl, z, y), binary_cross_entropy_with_logits(z, y)
    torch.testing.assert_close(ours, theirs)


# Clusters of digits -----------------------------------------------------------------------------------------------


class Clustering(torch.nn.Module):
    """An autoencoder 64-256-32 with a linear layer of ten clusters on its code."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(64, 256), torch.nn.Linear(256, 32)
        self.back, self.last = torch.nn.Linear(32, 256), torch.nn.Linear(256, 64)
        self.clusters = torch.nn.Linear(32, 10)

    def code(self, x: Tensor, noise: float) -> tuple[Tensor, Tensor]:
        hidden = leaky_relu(self.first(dropout(x, noise)))
        return hidden, leaky_relu(self.second(dropout(hidden, noise)))

    def logits(self, x: Tensor) -> Tensor:
        return self.clusters(self.code(x, 0.0)[1])

    def noisy(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the noisy path loses of the clean one, and its logits."""
        _, code = self.code(x, 0.2)
        back = leaky_relu(self.back(code))
        lost = ((self.last(back) - x) ** 2).mean() + ((back - self.code(x, 0.0)[0].detach()) ** 2).mean()
        return lost, self.clusters(code)


def accuracy(found: np.ndarray, labels: np.ndarray) -> float:
    table = np.zeros((10, 10))
    np.add.at(table, (found, labels), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(labels))


def clustered(targets, seed: int, epochs: int = 60) -> tuple[float, float]:
    """Accuracy of k-means, and after training towards the targets from there."""
    pixels, labels = digits()
    x = torch.tensor(pixels, dtype=torch.float32)
    start = cluster.KMeans(10, n_init=5, random_state=seed).fit_predict(pixels)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Clustering()
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)
        for epoch in range(20 + epochs):
            with torch.no_grad():
                told = None if epoch < 20 else targets(model.logits(x))
            for rows in torch.randperm(len(x)).split(100):
                lost, z = model.noisy(x[rows])
                away = (
                    cross_entropy(z, torch.tensor(start[rows.numpy()]).long())
                    if told is None
                    else kb.loss(kb.kl, student=z, teacher=told[rows])
                )
                optimiser.zero_grad()
                (lost + away).backward()
                optimiser.step()
    with torch.no_grad():
        return accuracy(start, labels), accuracy(model.logits(x).argmax(-1).numpy(), labels)


def test_the_target_of_dec_betters_k_means_and_the_flat_one_of_depict_alone_does_not() -> None:
    start, sharp = clustered(supervision.dec_targets, 0)
    flat = clustered(supervision.depict_targets, 0)[1]
    assert sharp > start + 0.005, (start, sharp, flat)
    assert flat < start - 0.05, (start, sharp, flat)
