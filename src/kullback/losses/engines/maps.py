"""Divergences that are increasing functions of an f-divergence, which is what the rows are computed with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence, alpha, bhattacharyya
from kullback.divergences.renyi import Renyi

_LITTLE = 0.1  # of Σ pᵃ q¹⁻ᵃ: below it, 1 + a (a − 1) D_a has lost a digit


@dataclass(frozen=True)
class Map:
    r"""$w \log(1 + a (a - 1) D_a) / (a - 1)$ of the alpha divergence: Rényi's of order a, times w."""

    order: float
    weight: float

    @property
    def inner(self) -> FDivergence:
        """The f-divergence inside."""
        return alpha(self.order)

    def __call__(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The mapped values, the derivatives there, and where neither is to be trusted."""
        size, rest = self.order * (self.order - 1.0), self.order - 1.0
        growth = size * value
        doubtful = ~((growth > _LITTLE - 1.0) & (growth < math.inf))  # also where it is NaN
        growth = torch.where(doubtful, 0.0, growth)
        return torch.log1p(growth) * (self.weight / rest), self.weight * self.order / (1.0 + growth), doubtful

    def derivative(self, mapped: Tensor) -> Tensor:
        """The derivative from a mapped value."""
        return self.weight * self.order * torch.exp(mapped * ((1.0 - self.order) / self.weight))


def as_map(d: Divergence) -> Map | None:
    """The map that makes `d` of an f-divergence, `None` where there is none."""
    if isinstance(d, Renyi) and d.order not in (0.0, 1.0, math.inf):
        return Map(d.order, 1.0)
    return Map(0.5, 0.5) if d == bhattacharyya else None
