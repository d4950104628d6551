"""A language model forgets answers by learning to refuse them, from nothing but the answers to be forgotten.

Gradient ascent on what is to be forgotten destroys the rest as well, and its remedies need a reference model or data to
retain. The paper moves the law of a refusal and that of the answer to forget apart, by the variational bound of an
f-divergence with the model's own mean token probability for a critic; any f will do. Here a small network has learnt
24 answers of four letters by heart, and four of them have to go: they do, and of the rest two thirds to four fifths
are left where ascent leaves a quarter (the paper's large models lose next to nothing). The control has the critic that
the published code gives reverse KL: it falls where it should rise, and the refusal is what the model forgets.

Slots: the law of the refusal ("template") is p, that of the forgotten answers q. The full-size code (Llama, OPT and Phi
on fictitious authors and Harry Potter) is the authors' repository FLAT.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys import by_heart
from gallery.toys.by_heart import Model
from gallery.toys.nets import train
from kullback.losses import unlearn

TITLE = "LLM Unlearning via Loss Adjustment with Only Forget Data"
REFERENCE = "wang2025"
RELATION = "core"
DIVERGENCES = ("kl", "js", "pearson_chi2", "total_variation")
CLAIM = "Four divergences forget to a probability below 0.2 and keep 0.1 more of the rest than gradient ascent does."
STATUS = "reproduced"
SEEDS = 3

PROMPTS, FORGET = 24, 4
ASCENT = "gradient ascent"
SHOWN: dict[str, tuple[kb.FDivergence, unlearn.Critic]] = {
    "kl": (kb.kl, unlearn.LogRatio(-1.0)),
    "js": (2 * kb.js, unlearn.LogRatio()),
    "pearson chi2": (kb.pearson_chi2, unlearn.Direct()),
    "total variation": (kb.total_variation, unlearn.Direct()),
}


class Falling:
    """The critic −eᵛ with its conjugate −1 − v, as published for reverse KL: the sign of v is lost."""

    def score(self, d: kb.FDivergence, v: Tensor) -> Tensor:  # noqa: ARG002
        """Lower, the likelier the answer."""
        return -torch.exp(v)

    def conjugate(self, d: kb.FDivergence, v: Tensor) -> Tensor:  # noqa: ARG002
        """What goes with it."""
        return -1.0 - v


TO_FORGET, TO_KEEP = slice(FORGET), slice(FORGET, PROMPTS)


Loss = Callable[[int], Tensor]


@dataclass(frozen=True)
class Run:
    """Of each method, along its steps: the probability of what is forgotten, of the rest, and of the refusal."""

    forgotten: dict[str, list[float]]
    kept: dict[str, list[float]]
    refused: dict[str, list[float]]


def run(seed: int, budget: Budget) -> Run:
    """Four divergences with a critic that rises."""
    return _run(seed, budget, SHOWN)


def control(seed: int, budget: Budget) -> Run:
    """The critic that falls, as published for reverse KL."""
    return _run(seed, budget, {name: (d, Falling()) for name, (d, _) in SHOWN.items()})


def _run(seed: int, budget: Budget, critics: dict[str, tuple[kb.FDivergence, unlearn.Critic]]) -> Run:
    learnt, each = by_heart.learnt(seed, prompts=PROMPTS), budget.of(small=16, full=80)
    found = Run({}, {}, {})
    for name in (*critics, ASCENT):
        model = copy.deepcopy(learnt)
        loss = _loss(model, *critics.get(name, (kb.kl, None)))

        def step(i: int, model: Model = model, loss: Loss = loss, name: str = name) -> Tensor:
            if i % each == 0:
                _note(found, name, model)
            return loss(i)

        train(model.net, step, steps=10 * each + 1, rate=1e-3)
    return found


@torch.no_grad()
def _note(found: Run, name: str, model: Model) -> None:
    """Add what the model says now to what was found."""
    found.forgotten.setdefault(name, []).append(float(model.probability(TO_FORGET).mean()))
    found.kept.setdefault(name, []).append(float(model.probability(TO_KEEP).mean()))
    found.refused.setdefault(name, []).append(float(model.probability(TO_FORGET, refusing=True).mean()))


def _loss(model: Model, d: kb.FDivergence, critic: unlearn.Critic | None) -> Loss:
    """What a step lowers: the bound, or without a critic the log-probability of what is to be forgotten."""

    def of_step(_: int) -> Tensor:
        asked, said = model.prompts[TO_FORGET], model.answers[TO_FORGET]
        if critic is None:
            return model.log_probs(asked, said).mean()
        template, forget = model.probability(TO_FORGET, refusing=True), model.probability(TO_FORGET)
        return unlearn.flat(d, template=template, forget=forget, critic=critic)

    return of_step


def check(runs: Sequence[Run]) -> list[Verdict]:
    """What has to go goes, the refusal comes, and more of the rest is kept than by gradient ascent: by all four."""
    forgotten, kept, refused = (
        [{k: v[-1] for k, v in measure.items()} for measure in measures]
        for measures in zip(*((r.forgotten, r.kept, r.refused) for r in runs), strict=True)
    )
    worst = [min(x[k] for k in SHOWN) for x in kept]
    return [
        at_most(
            "probability of what is forgotten (largest)", [max(x[k] for k in SHOWN) for x in forgotten], 0.2
        ),
        at_least("probability of the refusal (least)", [min(x[k] for k in SHOWN) for x in refused], 0.6),
        at_least(
            "kept of the rest above gradient ascent",
            [w - x[ASCENT] for w, x in zip(worst, kept, strict=True)],
            0.1,
        ),
        at_least("kept of the rest (least)", worst, 0.65),
    ]


def figure(run: Run, ax: Any) -> None:
    """What is kept against what is still known of what has to go."""
    for name, kept in run.kept.items():
        ax.plot(run.forgotten[name], kept, label=name)
    ax.set(xlabel="probability of the answers to forget", ylabel="probability of the others")
    ax.legend()
