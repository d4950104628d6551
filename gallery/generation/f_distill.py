"""One step of a network takes the place of a diffusion by matching its law; a weight decides what of it is kept.

The student's samples are moved along the difference of the teacher's score and their own, which is KL(student‖teacher)
and settles on a mode. The paper shows that any D_f(teacher‖student) has the same gradient times h(r) = r² f″(r), with r
the teacher's density over the student's, and prefers Jensen–Shannon: it covers more than one KL, with weights less
spread than those of the other. Here a normal student faces a teacher of two modes at several noises; scores and
ratio are exact, where the paper has a second network and a discriminator. The order is the paper's with every seed; in
one of three the narrow student is still a tenth beyond the middle when the training ends.

Slots: the teacher is p, the student q: the paper's reverse KL is our `kb.reverse_kl`, its forward KL our `kb.kl`.
The full-size code (ImageNet-64 and text to image) is in NVIDIA's repository FastGen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.mixture import GRID, normal, two_modes
from gallery.toys.nets import train
from kullback.losses import matching

TITLE = "One-step Diffusion Models with f-Divergence Distribution Matching"
REFERENCE = "xu2025"
RELATION = "core"
DIVERGENCES = ("reverse_kl", "js", "squared_hellinger", "kl")
CLAIM = (
    "reverse_kl covers one mode of two; js covers both, as kl does, with weights that spread less by a fifth."
)
STATUS = "mixed"
SEEDS = 3

SHOWN = (kb.reverse_kl, kb.js, kb.squared_hellinger, kb.kl)
NOISE, START = 0.5, (-1.0, 0.4)


@dataclass(frozen=True)
class Run:
    """Of each divergence: centre and log-width of the student, its mass on the smaller mode's side, spread of h."""

    student: dict[str, Tensor]
    right: dict[str, float]
    spread: dict[str, float]  # the deviation of h over its mean, at the start


def run(seed: int, budget: Budget) -> Run:
    """Four divergences of the teacher from the student."""
    return _run(seed, budget, swapped=False)


def control(seed: int, budget: Budget) -> Run:
    """Teacher and student change slots."""
    return _run(seed, budget, swapped=True)


def _run(seed: int, budget: Budget, *, swapped: bool) -> Run:
    steps, samples = budget.of(small=1200, full=5000), budget.of(small=512, full=8192)
    found = Run({}, {}, {})
    for shown in SHOWN:
        d = shown.dual if swapped else shown
        theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        g = torch.Generator().manual_seed(seed)

        def loss(_: int, d: kb.FDivergence = d, theta: Tensor = theta, g: torch.Generator = g) -> Tensor:
            return _loss(d, theta, samples, g)

        train([theta], loss, steps=steps, rate=0.03)
        student = theta.detach()
        found.student[shown.name] = student
        found.right[shown.name] = float(torch.special.ndtr(student[0] / student[1].exp()))
        found.spread[shown.name] = _spread(d, samples, g)
    return found


def _loss(d: kb.FDivergence, theta: Tensor, samples: int, g: torch.Generator) -> Tensor:
    """The weighted difference of scores at noised samples of the student, who is the only one to move."""
    z, eps, level = torch.randn(3, samples, generator=g, dtype=torch.float64).unbind()
    noise = NOISE * level.abs()
    x = theta[0] + theta[1].exp() * z + noise * eps
    teacher, student, at = two_modes(), normal(theta.detach()), x.detach()
    return matching.f_distill(
        d,
        x[:, None],
        student_score=student.score(at, noise),
        teacher_score=teacher.score(at, noise),
        log_ratio=teacher.log_density(at, noise) - student.log_density(at, noise),
        normalise=True,
    )


def _spread(d: kb.FDivergence, samples: int, g: torch.Generator) -> float:
    """How unequal the weights are at the start."""
    student = normal(torch.tensor(START, dtype=torch.float64))
    x = START[0] + student.widths * torch.randn(10 * samples, generator=g, dtype=torch.float64)
    log_ratio = two_modes().log_density(x) - student.log_density(x)
    return float(matching.score_weight(d, log_ratio, normalise=True).std())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """One KL takes a mode, the others cover both; weights of Jensen–Shannon spread less than those of kl."""
    width = [{k: float(v[1].exp()) for k, v in r.student.items()} for r in runs]
    least = [min(r.right[k] for k in r.right if k != "reverse_kl") for r in runs]
    return [
        at_most("mass of reverse_kl beyond the middle", [r.right["reverse_kl"] for r in runs], 0.05),
        at_least("and of each of the others", least, 0.1),
        at_least("width of js above reverse_kl", [w["js"] - w["reverse_kl"] for w in width], 0.5),
        at_least("width of kl above js", [w["kl"] - w["js"] for w in width], 0.0),
        at_most("spread of the weights of reverse_kl", [r.spread["reverse_kl"] for r in runs], 0.0),
        at_most("of js less four fifths of kl's", [r.spread["js"] - 0.8 * r.spread["kl"] for r in runs], 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """The teacher and the four students."""
    ax.plot(
        GRID, two_modes().log_density(GRID).exp(), color="#999999", marker="", linewidth=4, label="teacher"
    )
    for name, theta in run.student.items():
        density = normal(theta).log_density(GRID).exp()
        ax.plot(GRID, density, marker="", label=f"{name.replace('_', ' ')}: spread {run.spread[name]:.2f}")
    ax.set(xlabel="sample", ylabel="density", xlim=(-7, 7))
    ax.legend()
