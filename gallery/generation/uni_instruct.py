"""Any f-divergence between two laws is an integral of weighted differences of scores along a diffusion, and trainable.

Diffused alike, two laws approach each other, and what D_f loses on the way is known from their scores and ratio at all
times. The paper builds one family of losses for one-step generators on this, which contains the earlier ones: score
identity distillation, Diff-Instruct, f-distill. Here the teacher has two modes and the student is normal, all scores
are exact: the integral is compared with the divergence itself, and the student trained by it with the best one.

Slots: the teacher is p, the student q: the paper's forward KL is our `kb.kl`, its reverse KL our `kb.reverse_kl`.
The full-size code (CIFAR-10, ImageNet-64) is the authors' repository Uni_Instruct; some of its branches form the ratio
from a discriminator's loss instead of its logit, which the theory does not allow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_most
from gallery.toys.mixture import apart, normal, two_modes
from gallery.toys.nets import train
from kullback.losses import matching

TITLE = "Uni-Instruct: One-step Diffusion Model through Unified Diffusion Divergence Instruction"
REFERENCE = "wang2025b"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl", "js", "squared_hellinger")
CLAIM = "The integral along the diffusion is within 3 % of the divergence lost, and trains to within 5 % of the best."
STATUS = "reproduced"
SEEDS = 3

SHOWN = (kb.kl, kb.reverse_kl, kb.js, kb.squared_hellinger)
DIFFUSION = matching.VarianceExploding(30.0)
START = (-1.0, math.log(2.0))


@dataclass(frozen=True)
class Run:
    """Of each divergence: its integral and itself at the start; itself along the training, and the least there is."""

    integral: dict[str, float]
    lost: dict[str, float]
    path: dict[str, list[float]]
    best: dict[str, float]


def run(seed: int, budget: Budget) -> Run:
    """Four divergences, each with its own weight."""
    return _run(seed, budget, own=True)


def control(seed: int, budget: Budget) -> Run:
    """Every divergence has the weight 1 of reverse_kl."""
    return _run(seed, budget, own=False)


def _run(seed: int, budget: Budget, *, own: bool) -> Run:
    found, start = Run({}, {}, {}, {}), torch.tensor(START, dtype=torch.float64)
    for d in SHOWN:
        used, g = d if own else kb.reverse_kl, torch.Generator().manual_seed(seed)
        left = _divergence(d, start, noise=DIFFUSION.horizon)
        found.lost[d.name] = _divergence(d, start) - left
        with torch.no_grad():
            found.integral[d.name] = float(_loss(used, start, budget.of(small=200_000, full=5_000_000), g))
        path = _path(used, start, budget.of(small=30, full=500), g)
        found.path[d.name] = [_divergence(d, theta) for theta in path]
        found.best[d.name] = _best(d)
    return found


def _divergence(d: kb.FDivergence, theta: Tensor, *, noise: float = 0.0) -> float:
    return apart(d, two_modes(), normal(theta), noise=noise)


def _loss(d: kb.FDivergence, theta: Tensor, samples: int, g: torch.Generator) -> Tensor:
    """The integral from samples, more of them at early times: the time T u³ has the density 1/(3 T u²)."""
    draw = torch.rand(samples, generator=g, dtype=torch.float64).clamp_min(0.05)  # at time 0 it is not finite
    z, noise = torch.randn(2, samples, generator=g, dtype=torch.float64).unbind()
    times = DIFFUSION.horizon * draw**3
    x = theta[0] + theta[1].exp() * z + times * noise
    teacher, student = two_modes(), normal(theta.detach())  # the parameters of both scores are frozen
    return matching.expansion_loss(
        d,
        DIFFUSION,
        times,
        noise=noise[:, None],
        student_score=student.score(x, times),
        teacher_score=teacher.score(x, times),
        log_ratio=teacher.log_density(x, times) - student.log_density(x, times),
        weight=3.0 * draw**2,
    )


def _path(d: kb.FDivergence, start: Tensor, each: int, g: torch.Generator) -> list[Tensor]:
    """The student before and along its training, at eleven times."""
    theta, path = start.clone().requires_grad_(), []

    def loss(step: int) -> Tensor:
        if step % each == 0:
            path.append(theta.detach().clone())
        return _loss(d, theta, 2048, g)

    train([theta], loss, steps=10 * each + 1, rate=0.03)
    return path


def _best(d: kb.FDivergence) -> float:
    """The least divergence that a normal student can have, from two starts."""

    def of(theta: np.ndarray) -> float:
        return _divergence(d, torch.tensor(theta))

    return min(minimize(of, start, method="Nelder-Mead").fun for start in (START, (-1.8, math.log(0.7))))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The integral is the divergence that is lost, and its gradient leads to the best student: under all four."""
    off = [max(abs(r.integral[k] / r.lost[k] - 1.0) for k in r.lost) for r in runs]
    above = [max(r.path[k][-1] / r.best[k] - 1.0 for k in r.best) for r in runs]
    return [
        at_most("integral off the divergence lost (largest share)", off, 0.03),
        at_most("trained student above the best one (largest share)", above, 0.05),
    ]


def figure(run: Run, ax: Any) -> None:
    """Every divergence along its training, over the least there is."""
    for name, path in run.path.items():
        label = f"{name.replace('_', ' ')}: integral {run.integral[name]:.3f} of {run.lost[name]:.3f}"
        ax.plot([x / run.best[name] for x in path], label=label)
    ax.axhline(1.0, color="#999999")
    ax.set(xlabel="tenths of the training", ylabel="divergence over the least there is")
    ax.legend()
