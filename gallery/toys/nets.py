"""A perceptron and a loop that trains it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def perceptron(widths: Sequence[int], *, seed: int) -> nn.Sequential:
    """Linear layers of these widths with rectifiers between them, initialised from a seed and not the global state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for i, (n, m) in enumerate(itertools.pairwise(widths)):
            layers += [nn.ReLU()] * (i > 0) + [nn.Linear(n, m)]
    return nn.Sequential(*layers)


def batches(n: int, size: int, *, seed: int) -> Callable[[int], Tensor]:
    """The rows of a step: those of a random batch of `size` out of `n`, the same whenever the same step is asked."""

    def rows(step: int) -> Tensor:
        return torch.randperm(n, generator=torch.Generator().manual_seed(1_000_003 * seed + step))[:size]

    return rows


def train(
    parameters: Sequence[Tensor] | nn.Module,
    loss: Callable[[int], Tensor],
    *,
    steps: int,
    rate: float = 1e-3,
    decay: float = 0.0,
) -> list[float]:
    """Adam on the loss of every step; returns the losses."""
    own = list(parameters.parameters()) if isinstance(parameters, nn.Module) else list(parameters)
    optimiser = torch.optim.Adam(own, lr=rate, weight_decay=decay)
    losses = []
    for step in range(steps):
        optimiser.zero_grad()
        value = loss(step)
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    return losses


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of rows whose largest logit is that of the label."""
    return float((logits.argmax(-1) == labels).float().mean())


def calibration_error(logits: Tensor, labels: Tensor, *, bins: int = 15) -> float:
    """The mean distance of confidence and accuracy, in equal bins of confidence."""
    confidence, said = logits.softmax(-1).max(-1)
    excess = confidence - (said == labels).float()
    place = (confidence * bins).long().clamp(max=bins - 1)
    sums = torch.zeros(bins).index_add(0, place, excess)
    return float(sums.abs().sum()) / len(labels)
