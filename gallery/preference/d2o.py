"""A policy learns what not to say from harmful answers alone, with its own former answers for an anchor.

Pairs for preference optimisation need good answers, and those that people write are often hardly better than the bad
ones. The paper labels bad answers only; the other side of the comparison is the mean over several answers that the
model gave itself before, which keeps it from collapsing as under gradient ascent. Here a small network gives one of
twenty answers, eight of them harmful; it unlearns on a hundred questions and is asked others. The harm goes, and at the
same remaining harm the harmless answers are 1.7 to 3 times nearer to what they were than under ascent. Eleven own
answers are faster than one, which is DPO; that the harmless ones stay nearer, too, holds for two of three seeds only.

Slots: the policy is p, the reference q, in the slope of `kb.kl` that stands for a reward; the distance of the harmless
answers is `kb.jeffreys`, which the paper shows to be regularised. The full-size version trains language models; a
trainer for them, by others, is in the repository dark.rl.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import perceptron, train
from kullback.losses import preference

TITLE = "Negating Negatives: Alignment without Human Positive Samples via Distributional Dispreference Optimization"
REFERENCE = "duan2024"
RELATION = "core"
DIVERGENCES = ("kl", "jeffreys")
CLAIM = "Harm falls by 80 % or more; at the same harm gradient ascent moves the harmless answers 1.25 times as far."
STATUS = "mixed"
SEEDS = 3

WIDTH, ANSWERS, HARMFUL, OWN, BETA = 12, 20, 8, 11, 0.1
D2O, DPO, ASCENT = "eleven own answers", "one own answer (DPO)", "gradient ascent"
POINTS, SAME = 16, 0.05  # points of a path, and the share of the harm at which paths are compared
# of the log-ratios of own answers and of the bad one, and of the log-probability of the bad one
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Path:
    """Along the training, on new questions: mass on harmful answers over the reference's, Jeffreys of the others."""

    harm: list[float]
    moved: list[float]

    def moved_at(self, share: float) -> float:
        """How far the harmless answers have moved when this share of the harm is left; NaN if it is never reached."""
        first = next((i for i, left in enumerate(self.harm) if left <= share), 0)
        if first == 0:
            return float("nan")
        ends = slice(first - 1, first + 1)
        return float(np.interp(-np.log(share), -np.log(self.harm[ends]), self.moved[ends]))


Run = dict[str, Path]  # by method


def _d2o(own: Tensor, bad: Tensor, _: Tensor) -> Tensor:
    return preference.dispreference(kb.kl, own=own, rejected=bad, beta=BETA, alpha=BETA)


def _swapped(own: Tensor, bad: Tensor, _: Tensor) -> Tensor:
    return preference.dispreference(kb.kl, own=bad[:, None], rejected=own[:, 0], beta=BETA, alpha=BETA)


BASELINES: dict[str, Loss] = {
    DPO: lambda own, bad, _: preference.f_dpo(kb.kl, chosen=own[:, 0], rejected=bad, beta=BETA),
    ASCENT: lambda _own, _bad, said: said.mean(),
}


def run(seed: int, budget: Budget) -> Run:
    """The paper's objective, DPO and gradient ascent, from the same draws."""
    return _run(seed, budget, _d2o)


def control(seed: int, budget: Budget) -> Run:
    """The slots of the paper's objective are swapped: the harmful answers are the anchor."""
    return _run(seed, budget, _swapped)


def _run(seed: int, budget: Budget, first: Loss) -> Run:
    reference = perceptron((WIDTH, 16, ANSWERS), seed=seed)
    with torch.no_grad():
        for part in reference[-1].parameters():
            part.mul_(6.0)  # so that it is sure of some answers
    reference.requires_grad_(False)
    steps, methods = budget.of(small=480, full=8000), {D2O: first, **BASELINES}
    return {name: _path(reference, loss, seed, steps) for name, loss in methods.items()}


def _path(reference: nn.Module, loss: Loss, seed: int, steps: int) -> Path:
    """Train a copy of the reference, and look at what it says to new questions on the way."""
    g = torch.Generator().manual_seed(seed)
    questions, new = torch.randn(100, WIDTH, generator=g), torch.randn(300, WIDTH, generator=g)
    net, path, each = copy.deepcopy(reference).requires_grad_(), Path([], []), steps // POINTS

    def of_step(step: int) -> Tensor:
        if step % each == 0:
            _note(path, net, reference, new)
        x = questions[torch.randint(len(questions), (64,), generator=g)]
        said, before = net(x).log_softmax(-1), reference(x).log_softmax(-1)
        own = torch.multinomial(before.exp(), OWN, replacement=True, generator=g)
        bad = torch.multinomial(before[:, :HARMFUL].exp(), 1, generator=g)
        ratio = said - before
        return loss(ratio.gather(1, own), ratio.gather(1, bad)[:, 0], said.gather(1, bad)[:, 0])

    train(net, of_step, steps=steps + 1, rate=1e-3)
    return path


@torch.no_grad()
def _note(path: Path, net: nn.Module, reference: nn.Module, questions: Tensor) -> None:
    now, before = (part(questions).double() for part in (net, reference))
    harm = [z.softmax(-1)[:, :HARMFUL].sum(-1).mean() for z in (now, before)]
    path.harm.append(float(harm[0] / harm[1]))
    path.moved.append(float(kb.jeffreys.of_logits(now[:, HARMFUL:], before[:, HARMFUL:]).mean()))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The harm goes; what was harmless stays, against ascent and against one anchor; and eleven are faster."""
    at_same = [{name: path.moved_at(SAME) for name, path in p.items()} for p in runs]
    sooner = [p[DPO].harm[POINTS // 4] / p[D2O].harm[POINTS // 4] for p in runs]
    return [
        at_most("share of the harm left, new questions", [p[D2O].harm[-1] for p in runs], 0.2),
        at_least(
            "harmless answers, 5 % of harm left: ascent / D2O", [m[ASCENT] / m[D2O] for m in at_same], 1.25
        ),
        at_least("harmless answers, 5 % of harm left: DPO / D2O", [m[DPO] / m[D2O] for m in at_same], 1.0),
        at_least("harm after a quarter of the steps: DPO / D2O", sooner, 1.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """How far the harmless answers have moved against how much harm is left."""
    for name, path in run.items():
        ax.plot(path.harm, path.moved, label=name)
    ax.set(xscale="log", ylim=(0, 6), xlabel="share of the harm left", ylabel="Jeffreys of harmless answers")
    ax.legend()
