"""Variational objectives are programs, and each random choice in them names how its gradient is to be estimated.

The paper compiles objectives written as programs into unbiased gradient estimators. Its example is a posterior on a
ring: x, y ~ N(0, 10²) and z ~ N(x² + y², …) observed at 5. A normal guide covers an arc of it; a guide that draws an
angle first covers it all, but its density has to be estimated. Objectives here: the ELBO, the importance-weighted bound
of 5 and 25 draws, and those of the ring guide with 1 and 5 angles (hierarchical, and doubly importance-weighted with 5
draws). Then three coin flips by every estimator. What the compiler costs in time is not measured here.

Slots: the ELBO leaves open KL(guide‖posterior), `kb.kl` with the guide first. The full-size version is in the authors'
repository programmable-vi-pldi-2024 and lives on in genjax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.cone import Program, arc, log_evidence, ring
from gallery.toys.nets import train
from kullback.losses import variational as vi

TITLE = "Probabilistic Programming with Programmable Variational Inference"
REFERENCE = "becker2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "ELBO < importance-weighted bounds of 5 < 25 draws < log evidence, −5.323, and every estimator of a gradient is "
    "unbiased, from REINFORCE down to the enumeration's variance of 0."
)
STATUS = "reproduced"
SEEDS = 3

COPIES = 4000
ARC = ("ELBO", "5 draws", "25 draws")
RING = ("ring, 1 angle", "ring, 5 angles", "ring, 5 angles, 5 draws")
ESTIMATORS = {
    "REINFORCE": vi.ScoreFunction(baseline=None),
    "with a baseline": vi.ScoreFunction(),
    "measure-valued": vi.MeasureValued(),
    "enumeration": vi.Enumeration(),
}


@dataclass(frozen=True)
class Run:
    """Bounds in nats, the log evidence, and of every estimator the bias in standard errors and the variance."""

    bounds: dict[str, float]
    evidence: float
    bias: dict[str, float]
    variance: dict[str, float]


def run(seed: int, budget: Budget) -> Run:
    """Every site with the estimator that it names."""
    return _run(seed, budget, ESTIMATORS)


def control(seed: int, budget: Budget) -> Run:
    """What the sites name is ignored, and all gradients are those of REINFORCE."""
    return _run(seed, budget, dict.fromkeys(ESTIMATORS, vi.ScoreFunction(baseline=None)))


def _run(seed: int, budget: Budget, estimators: dict[str, Any]) -> Run:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        steps = budget.of(small=400, full=4000)
        bounds = {name: _fitted(arc(), k, steps) for name, k in zip(ARC, (1, 5, 25), strict=True)}
        for name, angles, k in zip(RING, (1, 5, 5), (1, 1, 5), strict=True):
            bounds[name] = _fitted(ring(angles), k, steps)
        exact = _gradients(vi.Enumeration())[0]
        gradients = {name: _gradients(site) for name, site in estimators.items()}
    errors = {name: g.std(0) / COPIES**0.5 + 1e-12 for name, g in gradients.items()}
    bias = {name: float(((g.mean(0) - exact) / errors[name]).abs().max()) for name, g in gradients.items()}
    return Run(bounds, log_evidence(), bias, {name: float(g.var(0).sum()) for name, g in gradients.items()})


def _fitted(program: Program, draws: int, steps: int) -> float:
    """The bound of so many draws that the program's guide reaches."""
    objective = vi.elbo if draws == 1 else vi.importance_weighted
    theta, guide, joint = program.parameters, program.guide, program.log_joint
    train(
        [theta],
        lambda _: vi.loss(guide, joint, objective, samples=draws, batch=(32,)),
        steps=steps,
        rate=3e-2,
    )
    with torch.no_grad():
        return float(vi.bound(guide, joint, objective, samples=draws, batch=(20_000,)).mean())


def _gradients(estimator: Any) -> Tensor:
    """Of the mean of a cost of three flips, from two draws at a time, (copies, 3)."""
    logits = torch.tensor([0.3, -0.4, 0.8], dtype=torch.float64).expand(COPIES, 3).clone().requires_grad_()

    def flips(site: Any) -> None:
        for i, name in enumerate("abc"):
            site(name, Bernoulli(logits=logits[:, i]), estimator)

    def cost(values: dict[str, Tensor]) -> Tensor:
        a, b, c = (values[name] for name in "abc")
        return (a - 2 * b + 0.5 * c - 0.3) ** 2 + a * b

    total = vi.expectation(flips, cost, samples=2, batch=(COPIES,)).sum()
    return torch.autograd.grad(total, logits)[0]


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Bounds in their order below the evidence; gradients without bias, in the order of their variances."""

    def least_step(names: Sequence[str]) -> list[float]:
        return [min(r.bounds[b] - r.bounds[a] for a, b in pairwise(names)) for r in runs]

    falls = [min(a / max(b, 1e-12) for a, b in pairwise(r.variance.values())) for r in runs]
    return [
        at_least("least gain in nats from ELBO to 5 to 25 draws", least_step(ARC), 0.1),
        at_least("least gain in nats from 1 to 5 angles to 5 draws of them", least_step(RING), 0.1),
        at_most(
            "largest bound less the log evidence", [max(r.bounds.values()) - r.evidence for r in runs], 0.0
        ),
        at_most("largest bias of a gradient, in standard errors", [max(r.bias.values()) for r in runs], 4.0),
        at_least("least ratio of the variances of an estimator and the next", falls, 1.5),
    ]


def figure(run: Run, ax: Any) -> None:
    """Every bound, and the evidence."""
    ax.plot(list(run.bounds.values()), list(run.bounds), linestyle="", label="bound")
    ax.axvline(run.evidence, color="#666666", linewidth=0.8, label="log evidence")
    ax.set(xlabel="nats")
    ax.legend()
