"""Networks with weights drawn from a generator of their own: torch's global one is not touched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kullback.estimators.critics.settings import Architecture, Joint


def layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer, its weights uniform as is usual before a rectifier."""
    made = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    reach = math.sqrt(3.0 / inputs)
    with torch.no_grad():
        made.weight.uniform_(-reach, reach, generator=generator)
        made.bias.uniform_(-reach / 3.0, reach / 3.0, generator=generator)
    return made


def chain(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers with rectifiers between them."""
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        parts += [layer(inputs, outputs, generator), nn.GELU()]
    return nn.Sequential(*parts[:-1])


class JointNetwork(nn.Module):
    """T(x, y) = h(A x + B y): the first layer is computed once a row, the others once a pair."""

    def __init__(self, x: int, y: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.left = layer(x, hidden[0], generator)
        self.right = layer(y, hidden[0], generator)
        self.head = nn.Sequential(nn.GELU(), chain([*hidden, 1], generator))

    def own(self, a: Tensor, b: Tensor) -> Tensor:
        """The score of each row's x with its own y."""
        return self.head(a + b)[:, 0]

    def others(self, a: Tensor, b: Tensor, partners: Tensor) -> Tensor:
        """The score of x_i with y_j for j in partners[i]."""
        return self.head(a[:, None, :] + b[partners])[..., 0]


class SeparableNetwork(nn.Module):
    """T(x, y) = ⟨g(x), h(y)⟩ / √k for k features: of size 1 before training, whatever k is."""

    def __init__(
        self, x: int, y: int, hidden: Sequence[int], features: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.left = chain([x, *hidden, features], generator)
        self.right = chain([y, *hidden, features], generator)

    def own(self, a: Tensor, b: Tensor) -> Tensor:
        """The score of each row's x with its own y."""
        return (a * b).sum(-1) / math.sqrt(a.shape[-1])

    def others(self, a: Tensor, b: Tensor, partners: Tensor) -> Tensor:
        """The score of x_i with y_j for j in partners[i]."""
        return (a @ b.T).gather(1, partners) / math.sqrt(a.shape[-1])


PairNetwork = JointNetwork | SeparableNetwork


def pair_network(x: int, y: int, architecture: Architecture, generator: torch.Generator) -> PairNetwork:
    """The network of an architecture for rows of x and y of these widths."""
    if isinstance(architecture, Joint):
        return JointNetwork(x, y, architecture.hidden, generator)
    return SeparableNetwork(x, y, architecture.hidden, architecture.features, generator)
