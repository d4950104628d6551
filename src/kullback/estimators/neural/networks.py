"""Networks with weights drawn from a generator of their own: torch's global one is not touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kullback.estimators.critics.settings import Architecture, Joint, Lipschitz

_ROUNDS = 5  # of the iteration towards orthonormal rows, each of which keeps the norm at most 1


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


class LipschitzPairNetwork(nn.Module):
    """T(x, y) by a network of constant 1 on the joined row."""

    def __init__(self, x: int, y: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.left, self.right = nn.Identity(), nn.Identity()
        self.head = LipschitzNetwork([x + y, *hidden, 1], generator)

    def own(self, a: Tensor, b: Tensor) -> Tensor:
        """The score of each row's x with its own y."""
        return self.head(torch.cat([a, b], -1))[:, 0]

    def others(self, a: Tensor, b: Tensor, partners: Tensor) -> Tensor:
        """The score of x_i with y_j for j in partners[i]."""
        pairs = torch.cat([a[:, None, :].expand(-1, partners.shape[1], -1), b[partners]], -1)
        return self.head(pairs)[..., 0]


PairNetwork = JointNetwork | SeparableNetwork | LipschitzPairNetwork


def pair_network(x: int, y: int, architecture: Architecture, generator: torch.Generator) -> PairNetwork:
    """The network of an architecture for rows of x and y of these widths."""
    if isinstance(architecture, Joint):
        return JointNetwork(x, y, architecture.hidden, generator)
    if isinstance(architecture, Lipschitz):
        return LipschitzPairNetwork(x, y, architecture.hidden, generator)
    return SeparableNetwork(x, y, architecture.hidden, architecture.features, generator)


def plain(hidden: Sequence[int]) -> Callable[[int, torch.Generator], nn.Module]:
    """What makes a network of these widths for rows of a width."""
    return lambda width, generator: chain([width, *hidden, 1], generator)


def one_lipschitz(hidden: Sequence[int]) -> Callable[[int, torch.Generator], nn.Module]:
    """The same with constant 1."""
    return lambda width, generator: LipschitzNetwork([width, *hidden, 1], generator)
