"""Networks that never grow faster than their input moves: Lipschitz with constant 1, by construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kullback.estimators.neural.networks import layer

_ROUNDS = 5  # of the iteration towards orthonormal rows, each of which keeps the norm at most 1


class LipschitzNetwork(nn.Module):
    """Layers of norm at most 1 with sorted pairs between them, which keep the length of a gradient."""

    def __init__(self, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer(a, b, generator) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """One number a row, (n, 1)."""
        for i, part in enumerate(self.layers):
            assert isinstance(part, nn.Linear)
            if i:
                halves = x.unflatten(-1, (-1, 2))
                x = torch.stack([halves.amax(-1), halves.amin(-1)], -1).flatten(-2)
            x = x @ contraction(part.weight).T + part.bias
        return x


def contraction(weight: Tensor) -> Tensor:
    """The matrix by its norm, its other singular values raised towards 1."""
    w = weight / torch.linalg.matrix_norm(weight, ord=2)
    for _ in range(_ROUNDS):
        w = 1.5 * w - 0.5 * w @ w.T @ w
    return w


def one_lipschitz(hidden: Sequence[int]) -> Callable[[int, torch.Generator], nn.Module]:
    """What makes such a network for rows of a width."""
    return lambda width, generator: LipschitzNetwork([width, *hidden, 1], generator)
