"""A density without normaliser can be fitted by its likelihood, if the partition function is averaged over the steps.

Noise-contrastive estimation tells data from noise, and where the two hardly overlap its loss is flat: it stops far off
the truth. The paper estimates the partition function from the same noise, keeps a moving average of it over
minibatches, and follows the gradient of the likelihood, which compositional optimisation makes sound. Here the mean of
a normal law is sought, whose density is known up to a constant, at growing distances from the noise N(0, 1), with one
schedule of steps for both methods.

Slots: the likelihood is KL(data‖model), `kb.kl`; telling data from noise is `kb.js` with data first. The full-size
version trains energies of images; its authors' code was not found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.losses.unnormalised import CompositionalLikelihood, noise_contrastive

TITLE = "Learning Unnormalized Statistical Models via Compositional Optimization"
REFERENCE = "jiang2023"
RELATION = "core"
DIVERGENCES = ("kl", "js")
CLAIM = "The error of the mean is a tenth or more below that of noise-contrastive estimation at all three distances."
STATUS = "mixed"
SEEDS = 4

MEANS, BATCH, NOISE = (3.0, 4.0, 5.0), 256, Normal(0.0, 1.0)
Loss = Callable[[Tensor, Tensor], Tensor]  # of log p̃ − log q at data and at noise


@dataclass(frozen=True)
class Run:
    """The estimate by step for each mean, of both methods."""

    contrastive: dict[float, list[float]]
    compositional: dict[float, list[float]]

    def error(self, path: dict[float, list[float]], mean: float) -> float:
        """How far the estimate ends, averaged over the last sixth of the steps."""
        tail = path[mean][-len(path[mean]) // 6 :]
        return abs(sum(tail) / len(tail) - mean)


def run(seed: int, budget: Budget) -> Run:
    """The partition function by draws of the noise, weighed by its density."""
    return _run(seed, budget, weighed=True)


def control(seed: int, budget: Budget) -> Run:
    """The draws' density is left out, so that the average is not the partition function."""
    return _run(seed, budget, weighed=False)


def _run(seed: int, budget: Budget, *, weighed: bool) -> Run:
    steps = budget.of(small=900, full=10_000)

    def contrastive() -> tuple[Loss, list[Tensor]]:
        log_z = torch.zeros((), requires_grad=True)
        return lambda x, y: 2 * noise_contrastive(kb.js, x - log_z, y - log_z), [log_z]

    def compositional() -> tuple[Loss, list[Tensor]]:
        return CompositionalLikelihood(momentum=0.95), []

    return Run(
        {mean: _path(mean, *contrastive(), seed, steps, True) for mean in MEANS},
        {mean: _path(mean, *compositional(), seed, steps, weighed) for mean in MEANS},
    )


def _path(mean: float, loss: Loss, others: list[Tensor], seed: int, steps: int, weighed: bool) -> list[float]:
    """The estimate of the mean at every step of gradient descent with falling rate and gradients of at most 20."""
    rng, theta, path = torch.Generator().manual_seed(seed), torch.zeros((), requires_grad=True), []
    optimiser = torch.optim.SGD([theta, *others], lr=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 / (1 + step / 200))
    for _ in range(steps):
        x, y = mean + torch.randn(BATCH, generator=rng), torch.randn(BATCH, generator=rng)
        scores = [-0.5 * (draws - theta) ** 2 for draws in (x, y)]
        if weighed:
            scores = [s - NOISE.log_prob(draws) for s, draws in zip(scores, (x, y), strict=True)]
        optimiser.zero_grad()
        loss(*scores).backward()
        torch.nn.utils.clip_grad_value_([theta, *others], 20.0)
        optimiser.step()
        schedule.step()
        path.append(float(theta.detach()))
    return path


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Nearer the truth at every distance; and noise-contrastive estimation stuck the farther the worse."""
    left = [[r.error(r.contrastive, mean) for mean in MEANS] for r in runs]
    shares = {
        mean: [r.error(r.compositional, mean) / r.error(r.contrastive, mean) for r in runs] for mean in MEANS
    }
    return [
        at_least(
            "how much farther noise-contrastive estimation ends at 5 than at 3",
            [e[2] - e[0] for e in left],
            0.5,
        ),
        *(
            at_most(f"error over that of noise-contrastive estimation, mean {mean:g}", shares[mean], 0.9)
            for mean in MEANS
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The way to the farthest mean."""
    for name, path in (("noise-contrastive", run.contrastive), ("compositional", run.compositional)):
        ax.plot(path[MEANS[-1]], marker="", label=name)
    ax.axhline(MEANS[-1], color="#666666", linewidth=0.8, label="truth")
    ax.set(xlabel="step", ylabel="estimate of the mean")
    ax.legend()
