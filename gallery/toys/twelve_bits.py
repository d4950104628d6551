"""A symmetric function of twelve bits, and the narrow network whose layers are looked into while it learns it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

WIDTHS = (12, 10, 7, 5, 4, 3)
ACTIVATIONS = {"tanh": nn.Tanh, "rectifier": nn.ReLU}


def patterns() -> tuple[Tensor, Tensor]:
    """All 4096 patterns of 12 bits, as ±1, and whether neighbours on the ring are equal more often than not."""
    bits = (np.arange(4096)[:, None] >> np.arange(12)) & 1
    equal = (bits == np.roll(bits, 1, axis=1)).sum(axis=1)
    return torch.tensor(2.0 * bits - 1.0, dtype=torch.float32), torch.tensor(equal > 6, dtype=torch.long)


def network(activation: str, *, seed: int) -> nn.Sequential:
    """Five hidden layers of these units and two logits, initialised from a seed and not the global state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [part for n, m in pairwise(WIDTHS) for part in (nn.Linear(n, m), ACTIVATIONS[activation]())]
        return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 2))


def hidden(net: nn.Sequential, x: Tensor) -> list[np.ndarray]:
    """The activations of the hidden layers, first to last."""
    with torch.no_grad():
        return [net[: 2 * k](x).numpy() for k in range(1, len(WIDTHS))]
