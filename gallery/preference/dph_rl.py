"""Reinforcement learning from right and wrong narrows what a model can say; which divergence holds it back matters.

A model trained on rewards that a program checks gets surer of one right answer and forgets the others, so that many
attempts find no more than one. The usual penalty, KL(policy‖reference), allows that: it asks nothing where the policy
has gone. The paper rehearses answers that the reference once gave, under KL(reference‖policy), which has to cover them.
Here sixty questions have twelve answers each, three of them right; tables of logits learn by group-relative policy
gradient, and what counts is the share of right answers that 32 attempts find. The paper rehearses only questions that
the reference already answers; here all are rehearsed. By plain gradients the paper's order appears; by Adam, which
gives every logit of such a table the same speed, the usual penalty keeps nearly as much.

Slots: the policy is p, the reference q. The paper's forward KL is our `kb.reverse_kl`, its reverse KL our `kb.kl`,
its js mode twice `kb.js`. The full-size code (Llama and Qwen on mathematics and SQL) is the authors' repository DPH-RL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least
from kullback.losses import policy

TITLE = (
    "The Choice of Divergence: A Neglected Key to Mitigating Diversity Collapse in Reinforcement Learning with "
    "Verifiable Reward"
)
REFERENCE = "li2026"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl", "js")
CLAIM = "In 32 attempts, rehearsed KL(reference‖policy) finds 0.1 more of the right answers than KL(policy‖reference)."
STATUS = "mixed"
SEEDS = 3

QUESTIONS, ANSWERS, RIGHT, GROUP, ATTEMPTS = 60, 12, 3, 8, 32
NONE, USUAL, REHEARSED, REHEARSED_JS = "no penalty", "kl of draws", "reverse kl rehearsed", "js rehearsed"
USUAL_ADAM, REHEARSED_ADAM = f"{USUAL}, Adam", f"{REHEARSED}, Adam"
COEFFICIENT = 0.05  # of both KL; js takes four times as much, as in the paper


@dataclass(frozen=True)
class Penalty:
    """What holds the policy back: a divergence, its coefficient, who pays (stored answers or new draws)."""

    d: kb.FDivergence
    coefficient: float
    stored: bool
    adam: bool = False


@dataclass(frozen=True)
class Run:
    """Of each penalty, along the training: chance of a right answer, share of right answers that 32 attempts find."""

    steps: tuple[int, ...]
    correct: dict[str, list[float]]
    covered: dict[str, list[float]]


def run(seed: int, budget: Budget) -> Run:
    """No penalty, the usual one, and two that rehearse what the reference said."""
    return _run(seed, budget, rehearsed=kb.reverse_kl)


def control(seed: int, budget: Budget) -> Run:
    """The rehearsal has the usual direction, KL(policy‖reference)."""
    return _run(seed, budget, rehearsed=kb.kl)


def _run(seed: int, budget: Budget, *, rehearsed: kb.FDivergence) -> Run:
    reference = (
        1.2 * torch.randn(QUESTIONS, ANSWERS, generator=torch.Generator().manual_seed(seed))
    ).log_softmax(-1)
    penalties = {
        NONE: Penalty(kb.kl, 0.0, stored=False),
        USUAL: Penalty(kb.kl, COEFFICIENT, stored=False),
        REHEARSED: Penalty(rehearsed, COEFFICIENT, stored=True),
        REHEARSED_JS: Penalty(2 * kb.js, 4 * COEFFICIENT, stored=True),
        USUAL_ADAM: Penalty(kb.kl, COEFFICIENT, stored=False, adam=True),
        REHEARSED_ADAM: Penalty(rehearsed, COEFFICIENT, stored=True, adam=True),
    }
    rounds, each = 6, budget.of(small=125, full=2000)
    correct, covered = {}, {}
    for name, penalty in penalties.items():
        right = [p.softmax(-1)[:, :RIGHT] for p in _path(reference, penalty, seed, rounds, each)]
        correct[name] = [float(p.sum(-1).mean()) for p in right]
        covered[name] = [float((1.0 - (1.0 - p) ** ATTEMPTS).mean()) for p in right]
    return Run(tuple(i * each for i in range(rounds + 1)), correct, covered)


def _path(reference: Tensor, penalty: Penalty, seed: int, rounds: int, each: int) -> list[Tensor]:
    """The logits before, and after every round of training."""
    logits, g = reference.clone().requires_grad_(), torch.Generator().manual_seed(seed + 1)
    stored = torch.multinomial(reference.exp(), 64, replacement=True, generator=g)
    search = torch.optim.Adam([logits], 0.02) if penalty.adam else torch.optim.SGD([logits], 0.5 * QUESTIONS)
    path = [reference]
    for step in range(rounds * each):
        search.zero_grad()
        _loss(logits.log_softmax(-1), reference, stored, penalty, g).backward()
        search.step()
        if (step + 1) % each == 0:
            path.append(logits.detach().clone())
    return path


def _loss(now: Tensor, reference: Tensor, stored: Tensor, penalty: Penalty, g: torch.Generator) -> Tensor:
    """The clipped objective of eight fresh answers to every question, and the penalty."""
    answers = torch.multinomial(now.detach().exp(), GROUP, replacement=True, generator=g)
    said = now.gather(1, answers)
    gains = policy.group_advantages((answers < RIGHT).float())
    gained = policy.clipped(policy=said, drawn_with=said.detach(), advantages=gains, high=0.28)
    paying = stored if penalty.stored else answers
    before = reference.gather(1, paying)
    drawn = before if penalty.stored else None
    far = policy.penalty(penalty.d, policy=now.gather(1, paying), reference=before, drawn_with=drawn)
    return gained + penalty.coefficient * far


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Right answers are kept by rehearsal, less by the usual penalty, least without, and all learn to be right."""
    end = [{k: v[-1] for k, v in r.covered.items()} for r in runs]
    least = [min(v[-1] for v in r.correct.values()) for r in runs]
    return [
        at_least("chance of a right answer, the lowest of all", least, 0.9),
        at_least("found in 32 attempts, rehearsed above usual", [e[REHEARSED] - e[USUAL] for e in end], 0.1),
        at_least("the same, trained by Adam", [e[REHEARSED_ADAM] - e[USUAL_ADAM] for e in end], 0.1),
        at_least("usual penalty above none", [e[USUAL] - e[NONE] for e in end], 0.0),
        at_least("js rehearsed above the usual penalty", [e[REHEARSED_JS] - e[USUAL] for e in end], 0.0),
        at_least(
            "without a penalty, what is lost of the start",
            [r.covered[NONE][0] - r.covered[NONE][-1] for r in runs],
            0.1,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The share of right answers found in 32 attempts, step by step."""
    for name, found in run.covered.items():
        ax.plot(run.steps, found, label=f"{name}: right {run.correct[name][-1]:.2f}")
    ax.set(xlabel="steps", ylabel="right answers found in 32", ylim=(0, 1))
    ax.legend(title="penalty, chance of being right", loc="lower left", ncols=2)
