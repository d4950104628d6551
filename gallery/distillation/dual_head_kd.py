"""A teacher's logits hold more than its probabilities, but the head that learns labels should not learn them as well.

Softmax forgets a constant added to all logits. The paper lets the student match every logit by itself, as the log-odds
of a coin, and finds that next to cross-entropy this ruins the head: the two pull the same weights apart. So the student
gets a second head for the logits, which shares its features and is thrown away after training.
Here a small student of digits has both heads, or one that learns both, or only labels, or labels and KL.

The second head learns the logits and brings no accuracy in this little training: single seeds go both ways. After
five times as many steps the student with two heads beat labels alone by 1.8 points (means of three students of 12 units
at three seeds), plain KL at none, and one head for both at two of three: the harm that the paper sees is not seen here.

Slots: per class, the teacher's coin is p and the student's q in `kb.kl`; `binary_loss` of `kullback.losses`, whose
temperature is 2 and weight 1 as in the paper. The full-size version is in the authors' repository penghui-yang/DHKD,
where the gradients of the two losses may be aligned as well; not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least
from gallery.toys.lesson import lesson, student
from gallery.toys.nets import accuracy
from kullback.losses import binary_loss, with_labels

TITLE = "Dual-Head Knowledge Distillation: Enhancing Logits Utilization with an Auxiliary Head"
REFERENCE = "yang2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "A second head for the teacher's logits makes a student more accurate than labels, KL, or one head for both."
STATUS = "mixed"
SEEDS = 3

CLASSES, TEMPERATURE, WIDTH = 10, 2.0, 32
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LABELS, BY_KL, ONE, TWO = "labels alone", "labels and KL", "one head for both", "two heads"


@dataclass(frozen=True)
class Run:
    """Test accuracy of every student, and the binary loss of its head for the teacher's logits on the test images."""

    accuracy: dict[str, float]
    binary: dict[str, float]


def run(seed: int, budget: Budget) -> Run:
    """The second head learns what the teacher says of the same image."""
    return _run(seed, budget, lambda teacher: teacher)


def control(seed: int, budget: Budget) -> Run:
    """The second head learns what the teacher says of another image."""
    return _run(seed, budget, lambda teacher: teacher.roll(1, 0))


def _run(seed: int, budget: Budget, said: Callable[[Tensor], Tensor]) -> Run:
    taught, steps = lesson(seed), budget.of(small=300, full=6000)
    losses: dict[str, Loss] = {
        LABELS: lambda mine, _, y: functional.cross_entropy(_main(mine), y),
        BY_KL: _with_kl,
        ONE: lambda mine, theirs, y: functional.cross_entropy(_main(mine), y) + _binary(_main(mine), theirs),
        TWO: lambda mine, theirs, y: (
            functional.cross_entropy(_main(mine), y) + _binary(_second(mine), said(theirs))
        ),
    }
    # both heads in one last layer, of which the first half counts
    logits = {
        name: student(taught, loss, steps=steps, rate=1e-2, width=WIDTH, outputs=2 * CLASSES)
        for name, loss in losses.items()
    }
    return Run(
        {name: accuracy(_main(z), taught.test_labels) for name, z in logits.items()},
        {
            name: float(_binary((_second if name == TWO else _main)(z), taught.test_teacher))
            for name, z in logits.items()
        },
    )


def _main(logits: Tensor) -> Tensor:
    return logits[..., :CLASSES]


def _second(logits: Tensor) -> Tensor:
    return logits[..., CLASSES:]


def _binary(mine: Tensor, theirs: Tensor) -> Tensor:
    return binary_loss(kb.kl, mine, theirs, temperature=TEMPERATURE, squared_temperature=True)


def _with_kl(mine: Tensor, theirs: Tensor, labels: Tensor) -> Tensor:
    return with_labels(
        kb.kl, _main(mine), theirs, labels, hard=1.0, soft=1.0, temperature=4.0, squared_temperature=True
    )


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Two heads against each of the others."""
    gains = {name: [r.accuracy[TWO] - r.accuracy[name] for r in runs] for name in (LABELS, ONE, BY_KL)}
    fits = [r.binary[LABELS] - r.binary[TWO] for r in runs]
    return [
        at_least("test accuracy of two heads, above labels alone", gains[LABELS], 0.0),
        at_least("above one head for both", gains[ONE], 0.0),
        at_least("above labels and KL", gains[BY_KL], 0.0),
        at_least("binary loss saved on test images, against labels alone", fits, 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """How often the students are wrong, and how far their logits are from the teacher's."""
    for name in run.accuracy:
        ax.plot([run.binary[name]], [1.0 - run.accuracy[name]], linestyle="", markersize=8, label=name)
    ax.margins(0.3)
    ax.set(xlabel="binary loss on test images, nats", ylabel="share of mistakes", xscale="log")
    ax.legend()
