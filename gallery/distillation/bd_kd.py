"""A student that learns along with its teacher does best with both directions of KL, balanced for each example.

KL from teacher to student makes the student cover all that the teacher allows, KL from student to teacher makes it
leave what the teacher excludes. The paper trains both networks at once and strengthens one of the directions, example
by example, from the entropies of the two. It reports better accuracy and better calibration. Here both are seen on
digits of which a fifth is labelled wrongly (with right labels everything is calibrated well, and nothing to gain).
How the entropies decide is our reading of it, which doubles one of the weights: the library's `by_entropy`.

Slots: teacher p, student q in `kb.kl`, the paper's forward KL; its reverse KL is `kb.reverse_kl`.
The full-size version trains ResNets on CIFAR and ImageNet; we know of no repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.digits import Digits, digits
from gallery.toys.nets import accuracy, calibration_error, perceptron, train
from kullback.losses import balanced

TITLE = "BD-KD: Balancing the Divergences for Online Knowledge Distillation"
REFERENCE = "amara2022"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl")
CLAIM = (
    "Both directions of KL in balance beat KL from the teacher alone: as accurate or more, better calibrated."
)
STATUS = "reproduced"
SEEDS = 3

Term = Callable[[Tensor, Tensor], Tensor]
FORWARD, BALANCED = "KL from the teacher", "balanced"


@dataclass(frozen=True)
class Run:
    """Test logits of every student, and the test labels."""

    logits: dict[str, Tensor]
    labels: Tensor


def run(seed: int, budget: Budget) -> Run:
    """Labels alone, KL from the teacher, and the balance."""
    return _run(seed, budget, lambda student, teacher: balanced(kb.kl, student, teacher))


def control(seed: int, budget: Budget) -> Run:
    """A balance that has tipped over: twice KL from the teacher, and nothing of the other direction."""
    return _run(
        seed, budget, lambda s, t: balanced(kb.kl, s, t, rule=lambda a, _: (2 * torch.ones_like(a), 0 * a))
    )


def _run(seed: int, budget: Budget, balance: Term) -> Run:
    data, steps = digits(seed, train=300, flipped=0.2), budget.of(small=250, full=2500)
    terms: dict[str, Term] = {
        "labels alone": lambda s, _: 0.0 * s.sum(),
        FORWARD: lambda s, t: kb.loss(kb.kl, s, t),
        BALANCED: balance,
    }
    return Run({k: _student(data, term, seed, steps) for k, term in terms.items()}, data.test_labels)


def _student(data: Digits, term: Term, seed: int, steps: int) -> Tensor:
    """Test logits of a small network that learned the labels at the same time as a larger one, and from it."""
    large, small = perceptron((64, 128, 10), seed=seed), perceptron((64, 24, 10), seed=seed + 50)

    def loss(_: int) -> Tensor:
        teacher, student = large(data.images), small(data.images)
        hard = sum((functional.cross_entropy(z, data.labels) for z in (teacher, student)), torch.zeros(()))
        return hard + term(student, teacher.detach())

    train([*large.parameters(), *small.parameters()], loss, steps=steps, rate=3e-3)
    with torch.no_grad():
        return small(data.test_images)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """No less accurate than by KL from the teacher, and better calibrated."""
    right = [{k: accuracy(z, r.labels) for k, z in r.logits.items()} for r in runs]
    wrong = [{k: calibration_error(z, r.labels) for k, z in r.logits.items()} for r in runs]
    return [
        at_least(
            "test accuracy of the balance, above KL from the teacher",
            [a[BALANCED] - a[FORWARD] for a in right],
            0.0,
        ),
        at_most(
            "calibration error of the balance, over KL from the teacher",
            [e[BALANCED] / e[FORWARD] for e in wrong],
            0.9,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """How often the students are right, against how sure they are."""
    edges = torch.linspace(0.0, 1.0, 9)
    ax.plot([0.1, 1.0], [0.1, 1.0], color="#999999", linestyle=":", marker="", label="calibrated")
    for name, logits in run.logits.items():
        sure, said = logits.softmax(-1).max(-1)
        right, place = (said == run.labels).float(), torch.bucketize(sure, edges)
        bins = [place == i for i in place.unique() if int((place == i).sum()) >= 20]
        ax.plot([float(sure[b].mean()) for b in bins], [float(right[b].mean()) for b in bins], label=name)
    ax.set(xlabel="confidence", ylabel="accuracy")
    ax.legend()
