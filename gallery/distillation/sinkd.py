"""A student learns the teacher's outputs of a batch as a set of points, beside learning them row by row.

KL, reverse KL and Jensen–Shannon compare each row by itself, and where two rows hardly overlap they do not say which
way to go. The paper adds what it costs to carry the teacher's batch of distributions to the student's, by entropic
transport. A first check compares two students that are equally wrong row by row: one gives the right answers to the
wrong rows, the other gives answers that nobody gave. A second one trains a small student of digits with and without
the transport, beside labels and KL in both cases, with the paper's temperature and weights.

The student's KL from its teacher falls, but in the control, where every row is carried to its own, it falls as much:
at this size the gain is that of one more distance, not of comparing batches. Accuracy moves by less than it scatters.

Slots: teacher first, student second in both terms; the paper's KL is `kb.kl`. Its transport is summed over a batch and
divided by 1000; ours is the mean over the batch. Full size (BERT on GLUE): the repository 2018cx/SinKD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.lesson import lesson, student
from gallery.toys.nets import accuracy
from kullback.losses import Sinkhorn, batch_transport, with_labels

TITLE = "Sinkhorn Distance Minimization for Knowledge Distillation"
REFERENCE = "cui2024"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl", "js")
CLAIM = "Transport between batches brings a student nearer to its teacher than KL alone, and makes it more accurate."
STATUS = "mixed"
SEEDS = 3

SOFT, TRANSPORT, TEMPERATURE = 0.8, 0.8, 2.0
SOLVER = Sinkhorn(0.1, tolerance=1e-4)
Term = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Run:
    """Of two wrong students, what each measure says; of two trained ones, distance and accuracy on test images."""

    shuffled: dict[str, float]
    strange: dict[str, float]
    distance: dict[str, float]
    accuracy: dict[str, float]


def run(seed: int, budget: Budget) -> Run:
    """KL and labels, with and without the transport between batches."""
    return _run(seed, budget, lambda s, t: batch_transport(s, t, temperature=TEMPERATURE, solver=SOLVER))


def control(seed: int, budget: Budget) -> Run:
    """The same distance between rows without a plan: every row is carried to its own."""
    return _run(seed, budget, lambda s, t: 2.0 * kb.loss(kb.total_variation, s, t, temperature=TEMPERATURE))


def _run(seed: int, budget: Budget, term: Term) -> Run:
    taught, steps = lesson(seed), budget.of(small=300, full=6000)

    def plain(mine: Tensor, theirs: Tensor, labels: Tensor) -> Tensor:
        return with_labels(
            kb.kl,
            mine,
            theirs,
            labels,
            hard=1.0 - SOFT,
            soft=SOFT,
            temperature=TEMPERATURE,
            squared_temperature=True,
        )

    found = {
        "KL": student(taught, plain, steps=steps),
        "KL and transport": student(
            taught, lambda s, t, y: plain(s, t, y) + TRANSPORT * term(s, t), steps=steps
        ),
    }
    shuffled, strange = _wrong(term)
    return Run(
        shuffled,
        strange,
        distance={
            k: float(kb.loss(kb.kl, z, taught.test_teacher, temperature=TEMPERATURE))
            for k, z in found.items()
        },
        accuracy={k: accuracy(z, taught.test_labels) for k, z in found.items()},
    )


def _wrong(term: Term) -> tuple[dict[str, float], dict[str, float]]:
    """Eight rows, each sure of its own class among sixteen: answered in another order, or by the other classes."""
    sure = 20.0 * torch.eye(16, dtype=torch.float64)
    teacher = sure[:8]

    def said(z: Tensor) -> dict[str, float]:
        by_row = {d.name: float(kb.loss(d, z, teacher)) for d in (kb.kl, kb.reverse_kl, kb.js)}
        return {**by_row, "transport": float(term(z, teacher))}

    return said(teacher.roll(1, 0)), said(sure[8:])


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The sets are told apart by the transport only; the trained student gains from it."""
    rows = ("kl", "reverse_kl", "js")
    both, alone = "KL and transport", "KL"
    return [
        at_most(
            "row by row the two wrong students are alike (largest relative difference)",
            [max(abs(r.strange[d] / r.shuffled[d] - 1.0) for d in rows) for r in runs],
            1e-9,
        ),
        at_least(
            "the transport tells them apart (difference, of 2 at most)",
            [r.strange["transport"] - r.shuffled["transport"] for r in runs],
            1.0,
        ),
        at_most(
            "KL from the teacher on test images, over that of the student of KL alone",
            [r.distance[both] / r.distance[alone] for r in runs],
            0.99,
        ),
        at_least(
            "test accuracy that the transport adds", [r.accuracy[both] - r.accuracy[alone] for r in runs], 0.0
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """What each measure says of the two wrong students, each over its larger answer."""
    names = list(run.shuffled)
    most = [max(run.shuffled[k], run.strange[k]) for k in names]
    for i, (label, said) in enumerate(
        (("right set, wrong rows", run.shuffled), ("another set", run.strange))
    ):
        heights = [said[k] / m for k, m in zip(names, most, strict=True)]
        ax.bar([j + 0.4 * i for j in range(len(names))], heights, width=0.38, label=label)
    ax.set_xticks([j + 0.2 for j in range(len(names))], [k.replace("_", " ") for k in names])
    ax.set(ylabel="distance, over the larger", ylim=(0, 1.25))
    ax.legend(ncols=2, loc="upper center")
