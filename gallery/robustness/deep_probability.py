"""Where outcomes are a matter of chance, a network that learns them by heart forgets the chances.

The labels say what happened, not how likely it was. A large network trained long on them ends at probabilities near 0
and 1. The paper stops early and goes on with other targets: how often the event happened among the examples for which
the network now predicts about the same, made again every few passes. Here the chances are known, because the data are
drawn from them, and the error towards them is measured on fresh inputs.

Slots: KL(target‖prediction) of two Bernoulli laws, `kb.kl`; the target first. The full-size version predicts survival,
collisions and precipitation from images, in the authors' repository deep-probability-estimation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import batches, perceptron, train
from kullback.losses.supervision import bernoulli_matching, binned_targets, reliability

TITLE = "Deep Probability Estimation"
REFERENCE = "liu2022"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = (
    "Targets by frequency leave less than half the error of chances that labels end with, and not more than stopping "
    "early does."
)
STATUS = "mixed"
SEEDS = 3

COUNT, WIDTH, BATCH = 1500, 60, 100
EARLY = 3  # stages before the first targets by frequency


@dataclass(frozen=True)
class Course:
    """Mean squared errors towards the true chances, a number a stage of training, and the last error of calibration."""

    errors: list[float]
    calibration: float


@dataclass(frozen=True)
class Run:
    """Training towards the labels throughout, and towards frequencies from an early stage on."""

    labels: Course
    frequencies: Course


def run(seed: int, budget: Budget) -> Run:
    """Frequencies among like predictions."""
    return _run(seed, budget, bins=10)


def control(seed: int, budget: Budget) -> Run:
    """A bin for every example, so that the frequencies are the labels again."""
    return _run(seed, budget, bins=COUNT)


def _run(seed: int, budget: Budget, *, bins: int) -> Run:
    rng = torch.Generator().manual_seed(seed)
    direction = 2.0 * torch.randn(WIDTH, generator=rng) / WIDTH**0.5
    x, unseen = torch.randn(COUNT, WIDTH, generator=rng), torch.randn(3000, WIDTH, generator=rng)
    truth = (unseen @ direction).sigmoid()
    happened = torch.bernoulli((x @ direction).sigmoid(), generator=rng)
    fresh = torch.bernoulli(truth, generator=rng)

    def course(calibrated: bool) -> Course:
        net, targets, errors = perceptron((WIDTH, 256, 1), seed=seed), happened, []
        for stage in range(budget.of(small=30, full=150)):
            if calibrated and stage >= EARLY:
                targets = binned_targets(_chances(net, x), happened, bins=bins)
            _stage(net, x, targets, seed=1000 * seed + stage)
            errors.append(float((_chances(net, unseen) - truth).square().mean()))
        return Course(errors, reliability(_chances(net, unseen), fresh).expected_error)

    return Run(course(False), course(True))


@torch.no_grad()
def _chances(net: nn.Module, x: Tensor) -> Tensor:
    return net(x)[:, 0].sigmoid()


def _stage(net: nn.Module, x: Tensor, targets: Tensor, *, seed: int) -> None:
    """As many steps as three passes have, after which targets are made again."""
    rows = batches(COUNT, BATCH, seed=seed)

    def loss(step: int) -> Tensor:
        i = rows(step)
        return bernoulli_matching(kb.kl, net(x[i])[:, 0], targets[i])

    train(net, loss, steps=3 * COUNT // BATCH, rate=1e-3)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Labels learnt by heart cost the chances; frequencies keep them, and the calibration; and are worth going on."""
    last = [(r.labels.errors[-1], r.frequencies.errors[-1]) for r in runs]
    early = [r.labels.errors[EARLY - 1] for r in runs]
    return [
        at_least(
            "error of chances after long training on labels, over that after stopping early",
            [labels / stopped for (labels, _), stopped in zip(last, early, strict=True)],
            2.0,
        ),
        at_most("error with frequencies over that with labels, at the end", [f / y for y, f in last], 0.5),
        at_most(
            "error of calibration with frequencies over that with labels",
            [r.frequencies.calibration / r.labels.calibration for r in runs],
            0.5,
        ),
        at_most(
            "error with frequencies at the end over that after stopping early",
            [f / stopped for (_, f), stopped in zip(last, early, strict=True)],
            1.0,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The error towards the true chances along training."""
    for name, course in (("labels", run.labels), ("frequencies among like predictions", run.frequencies)):
        ax.plot(range(1, len(course.errors) + 1), course.errors, marker="", label=name)
    ax.axvline(EARLY, color="#666666", linewidth=0.8, label="stopping early")
    ax.set(xlabel="stage of three passes", ylabel="squared error of chances", ylim=(0.0, None))
    ax.legend()
