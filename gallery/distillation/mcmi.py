"""A teacher who says more of an example than its label: distil from the best estimate of the conditional law.

A teacher trained by likelihood tells its student little beyond the label. The paper fine-tunes it so that its
predictions keep more conditional mutual information with the image given the label, which is the mean KL from the mean
prediction of the label, and says that this brings it nearer to the Bayes posterior; students then do better, also on
classes that they have never seen. Here the Bayes posterior is known: four normal clouds in six dimensions. The teacher
is fine-tuned with and without the information, a student learns from each, and another one without the first class.

The information rises, and with it the accuracy on the class left out. But the teacher is farther from the Bayes
posterior, and the student that sees all classes gains next to nothing. With the wrong sign the teacher comes nearer.

Slots: KL(p‖p̄_y), prediction first, its label's mean second; `informative_teacher` of `kullback.losses`. Distances
from Bayes have the Bayes posterior first. Full size (CIFAR-100, ImageNet): the authors' repository ICLRMCMI.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import accuracy, perceptron, train
from kullback.losses import ClassCentroids, conditional_information, informative_teacher

TITLE = "Bayes Conditional Distribution Estimation for Knowledge Distillation Based on Conditional Mutual Information"
REFERENCE = "ye2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "A teacher tuned for conditional information is nearer to Bayes and has better students, of unseen classes too."
STATUS = "mixed"
SEEDS = 3

CLASSES, WEIGHTS = 4, (0.0, 0.1, 0.3)


@dataclass(frozen=True)
class Clouds:
    """Points, their labels, and the logits of the Bayes posterior."""

    points: Tensor
    labels: Tensor
    bayes: Tensor


@dataclass(frozen=True)
class Run:
    """For every weight of the information, from none on: the teacher's, the distance from Bayes, what students know."""

    information: list[float]
    from_bayes: list[float]
    accuracy: list[float]
    unseen: list[float]  # accuracy on a class that the student did not see


def run(seed: int, budget: Budget) -> Run:
    """The information is made large."""
    return _run(seed, budget, 1.0)


def control(seed: int, budget: Budget) -> Run:
    """The wrong sign: it is made small."""
    return _run(seed, budget, -1.0)


def _run(seed: int, budget: Budget, sign: float) -> Run:
    rng = torch.Generator().manual_seed(seed)
    centres = 0.9 * torch.randn((CLASSES, 6), generator=rng)
    seen, test = _clouds(centres, 400, rng), _clouds(centres, 10_000, rng)
    steps = budget.of(small=120, full=1500)
    first, found = perceptron((6, 128, CLASSES), seed=seed), Run([], [], [], [])
    train(first, lambda _: functional.cross_entropy(first(seen.points), seen.labels), steps=150, rate=3e-3)
    for weight in WEIGHTS:
        teacher = deepcopy(first)
        _fine_tune(teacher, seen, sign * weight, steps)
        with torch.no_grad():
            said, tested = teacher(seen.points), teacher(test.points)
        found.information.append(conditional_information(said, seen.labels))
        found.from_bayes.append(float(kb.loss(kb.kl, tested, test.bayes)))
        known = seen.labels > 0
        whole = _student(seen.points, said, seed, steps)(test.points)
        part = _student(seen.points[known], said[known], seed, steps)(test.points)
        found.accuracy.append(accuracy(whole, test.labels))
        found.unseen.append(accuracy(part[test.labels == 0], test.labels[test.labels == 0]))
    return found


def _clouds(centres: Tensor, n: int, rng: torch.Generator) -> Clouds:
    labels = torch.randint(CLASSES, (n,), generator=rng)
    points = centres[labels] + torch.randn((n, centres.shape[1]), generator=rng)
    return Clouds(points, labels, -(torch.cdist(points, centres) ** 2) / 2)


def _fine_tune(teacher: nn.Module, seen: Clouds, weight: float, steps: int) -> None:
    centroids = ClassCentroids(CLASSES, decay=0.99)

    def loss(_: int) -> Tensor:
        logits = teacher(seen.points)
        centroids.update(logits.detach(), seen.labels)
        return informative_teacher(kb.kl, logits, seen.labels, centroids, weight=weight)

    train(teacher, loss, steps=steps, rate=1e-3)


def _student(points: Tensor, said: Tensor, seed: int, steps: int) -> nn.Module:
    net = perceptron((6, 16, CLASSES), seed=seed + 50)
    train(net, lambda _: kb.loss(kb.kl, net(points), said), steps=2 * steps, rate=1e-2)
    return net


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The largest weight against none."""
    return [
        at_least("information gained, nats", [r.information[-1] - r.information[0] for r in runs], 0.0),
        at_most(
            "KL of the teacher from Bayes, over that without",
            [r.from_bayes[-1] / r.from_bayes[0] for r in runs],
            1.0,
        ),
        at_least("test accuracy that the student gains", [r.accuracy[-1] - r.accuracy[0] for r in runs], 0.0),
        at_least("gained on a class that it never saw", [r.unseen[-1] - r.unseen[0] for r in runs], 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """What changes with the weight of the information."""
    ax.plot(WEIGHTS, run.information, label="the teacher's information, nats")
    ax.plot(WEIGHTS, run.from_bayes, label="KL of the teacher from Bayes, nats")
    ax.plot(WEIGHTS, run.accuracy, label="accuracy of the student")
    ax.plot(WEIGHTS, run.unseen, label="on a class it never saw")
    ax.set(xlabel="weight of the information λ", ylim=(0, 1.2))
    ax.legend(ncols=2, loc="upper center")
