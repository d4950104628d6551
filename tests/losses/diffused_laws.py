"""Laws on the line whose diffusion is known: mixtures of normal laws, with density and score at every time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kullback.losses.matching import Diffusion


def numbers(*x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)


@dataclass(frozen=True)
class Law:
    """A mixture of normal laws by weights, means and variances."""

    weights: Tensor
    means: Tensor
    variances: Tensor

    def at(self, diffusion: Diffusion, t: Tensor) -> Law:
        """The law of its diffused draws; t is a number."""
        a, s = diffusion.signal(t), diffusion.deviation(t)
        return Law(self.weights, a * self.means, a**2 * self.variances + s**2)

    def log_density(self, x: Tensor) -> Tensor:
        """The logarithm of the density at x."""
        square = (x[..., None] - self.means) ** 2 / self.variances
        parts = -0.5 * (square + self.variances.log() + math.log(2 * math.pi)) + self.weights.log()
        return parts.logsumexp(-1)

    def score(self, x: Tensor) -> Tensor:
        """Its derivative, with a graph."""
        offset = x[..., None] - self.means
        parts = -0.5 * (offset**2 / self.variances + self.variances.log()) + self.weights.log()
        return (parts.softmax(-1) * -offset / self.variances).sum(-1)


def normal(mean: Tensor, deviation: Tensor) -> Law:
    return Law(numbers(1.0), mean.reshape(1), deviation.reshape(1) ** 2)


TWO_MODES = Law(numbers(0.6, 0.4), numbers(-1.0, 1.5), numbers(0.5, 1.0))


def hermite(nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights for the mean under the standard normal law."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return torch.as_tensor(x), torch.as_tensor(w / w.sum())
