"""A model taught by itself, round after round, is regularised more each time; a share of true labels ends that.

Kernel ridge regression taught by its own predictions shrinks them in every round until nothing is left. The paper gives
each round a share α of the ground truth. The rounds then converge, and what they converge to is one plain ridge
regression with the smaller penalty λ/α. Both are run here as rounds, on noisy points of a sine. The same is seen in
networks on digits with wrong labels: their confidence falls round after round, and with ground truth comes to rest.
More regularisation is not always worse: with that many wrong labels the networks gain from it, as the figure shows.

Slots: the teacher mixed with the labels is p and the student q of `kb.kl`; the ridge has squared error. The full-size
version (ResNets on CIFAR) is in the authors' repository Kennethborup/self_distillation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.digits import Digits, digits
from gallery.toys.nets import accuracy, perceptron, train
from kullback.losses import toward_labels

TITLE = "Even your Teacher Needs Guidance: Ground-Truth Targets Dampen Regularization Imposed by Self-Distillation"
REFERENCE = "borup2021"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = "With a share α = 0.35 of ground truth the rounds converge to one ridge with λ/α; without, to zero."
STATUS = "reproduced"
SEEDS = 3

SHARE, PENALTY, WIDTH, ROUNDS = 0.35, 0.2, 80.0, 200  # α, λ and the kernel's rate as in the paper's example


@dataclass(frozen=True)
class Chain:
    """Of each round of networks: how sure they are of the training images, and how often right on the test images."""

    confidence: list[float]
    accuracy: list[float]


@dataclass(frozen=True)
class Run:
    """Ridge rounds with and without ground truth, the ridge with λ/α, and the two chains of networks."""

    last_with: np.ndarray
    last_without: np.ndarray
    one_ridge: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    nets_with: Chain
    nets_without: Chain


def run(seed: int, budget: Budget) -> Run:
    """Ridge on eleven noisy points of a sine, and networks on digits of which 40 % are labelled wrongly."""
    return _run(seed, budget, SHARE)


def control(seed: int, budget: Budget) -> Run:
    """No ground truth where the paper has a share of it."""
    return _run(seed, budget, 0.0)


def _run(seed: int, budget: Budget, share: float) -> Run:
    x = np.linspace(0.0, 1.0, 11)
    truth = np.sin(2 * np.pi * x)
    labels = truth + np.random.default_rng(seed).normal(scale=0.5, size=x.size)
    kernel = np.exp(-WIDTH * (x[:, None] - x) ** 2)
    data, rounds = digits(seed, train=500, flipped=0.4), budget.of(small=6, full=20)
    return Run(
        last_with=_ridges(kernel, labels, share),
        last_without=_ridges(kernel, labels, 0.0),
        one_ridge=_ridge(kernel, labels, PENALTY / SHARE),
        labels=labels,
        truth=truth,
        nets_with=_networks(data, seed, share, rounds),
        nets_without=_networks(data, seed, 0.0, rounds),
    )


def _ridge(kernel: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    return kernel @ np.linalg.solve(kernel + penalty * np.eye(len(kernel)), target)


def _ridges(kernel: np.ndarray, labels: np.ndarray, share: float) -> np.ndarray:
    """Predictions after many rounds, each taught by the one before and a share of the labels."""
    found = _ridge(kernel, labels, PENALTY)
    for _ in range(ROUNDS):
        found = _ridge(kernel, share * labels + (1.0 - share) * found, PENALTY)
    return found


def _networks(data: Digits, seed: int, share: float, rounds: int) -> Chain:
    """The first network learns the labels, each of the others from the one before; all start alike."""
    target, chain = torch.zeros(len(data.labels), 10), Chain([], [])
    for i in range(rounds):
        target = toward_labels(target, data.labels, share if i else 1.0)
        net = perceptron((64, 64, 10), seed=seed)
        train(net, lambda _: kb.loss(kb.kl, net(data.images), target), steps=100, rate=5e-3, decay=3e-3)  # noqa: B023
        target = net(data.images).detach()
        chain.confidence.append(float(target.softmax(-1).amax(-1).mean()))
        chain.accuracy.append(accuracy(net(data.test_images), data.test_labels))
    return chain


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Zero without ground truth, one ridge with it, and networks whose confidence comes to rest."""
    size = [float(np.linalg.norm(r.labels)) for r in runs]
    return [
        at_most(
            "without ground truth nothing is left (norm over that of the labels)",
            [float(np.linalg.norm(r.last_without)) / n for r, n in zip(runs, size, strict=True)],
            0.01,
        ),
        at_most(
            "with it the last round is the ridge with λ/α (largest difference)",
            [float(np.abs(r.last_with - r.one_ridge).max()) for r in runs],
            1e-10,
        ),
        at_least(
            "squared error against the sine that the ground truth saves",
            [float(np.mean((r.last_without - r.truth) ** 2 - (r.last_with - r.truth) ** 2)) for r in runs],
            0.05,
        ),
        at_most(
            "networks: the last round's loss of confidence, over the same without ground truth",
            [_last_fall(r.nets_with) / _last_fall(r.nets_without) for r in runs],
            0.5,
        ),
    ]


def _last_fall(chain: Chain) -> float:
    return chain.confidence[-2] - chain.confidence[-1]


def figure(run: Run, ax: Any) -> None:
    """Confidence and test accuracy of the networks, round after round."""
    rounds = range(1, len(run.nets_with.confidence) + 1)
    for name, chain in (("α = 0.35", run.nets_with), ("α = 0", run.nets_without)):
        ax.plot(rounds, chain.confidence, label=f"confidence, {name}")
        ax.plot(rounds, chain.accuracy, label=f"test accuracy, {name}")
    ax.set(xlabel="round", ylabel="share", ylim=(0.3, 1.0))
    ax.legend(ncols=2)
