"""Mixtures of normal laws on a line, with their densities and scores after any amount of noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import kullback as kb

GRID = torch.linspace(-14.0, 14.0, 2801, dtype=torch.float64)


@dataclass(frozen=True)
class Mixture:
    """Weights, centres and widths of the parts, each of shape (parts,)."""

    weights: Tensor
    centres: Tensor
    widths: Tensor

    def log_density(self, x: Tensor, noise: Tensor | float = 0.0) -> Tensor:
        """At x (n,), after noise of this deviation (n,) was added."""
        return torch.logsumexp(self._parts(x, noise), -1)

    def score(self, x: Tensor, noise: Tensor | float = 0.0) -> Tensor:
        """The derivative of the log-density in x, of shape (n, 1)."""
        pull = (self.centres - x[:, None]) / self._variances(noise)
        return (self._parts(x, noise).softmax(-1) * pull).sum(-1, keepdim=True)

    def _variances(self, noise: Tensor | float) -> Tensor:
        return self.widths**2 + torch.as_tensor(noise)[..., None] ** 2

    def _parts(self, x: Tensor, noise: Tensor | float) -> Tensor:
        part = torch.distributions.Normal(self.centres, self._variances(noise).sqrt())
        return self.weights.log() + part.log_prob(x[:, None])


def two_modes() -> Mixture:
    """The larger mode left, of 0.7 of the mass."""
    return Mixture(*torch.tensor([[0.7, 0.3], [-1.8, 1.8], [0.7, 0.7]], dtype=torch.float64))


def normal(theta: Tensor) -> Mixture:
    """One part, its centre and the logarithm of its width in `theta` (2,)."""
    return Mixture(torch.ones(1, dtype=theta.dtype), theta[:1], theta[1:].exp())


def apart(d: kb.FDivergence, p: Mixture, q: Mixture, *, noise: float = 0.0) -> float:
    """D(p‖q) of the two laws on a fine grid, after noise; widths up to 2 fit it."""
    scale = max(1.0, noise)
    laws = (law.log_density(GRID * scale, noise) for law in (p, q))
    return float(d.of_logits(*laws))
