"""Parts of linear-Gaussian models in float64, whose averages over a few rows are exact expectations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def white(n: int, columns: int, *, seed: int) -> Tensor:
    """Rows of mean 0 and covariance I exactly, so that averages of quadratic forms over them are expectations."""
    x = np.random.default_rng(seed).normal(size=(n, columns))
    return torch.tensor(np.linalg.qr(x - x.mean(0))[0] * np.sqrt(n))


def weights(*shapes: tuple[int, ...], seed: int) -> list[Tensor]:
    """Small random matrices to train."""
    rng = torch.Generator().manual_seed(seed)
    return [(0.3 * torch.randn(s, generator=rng, dtype=torch.float64)).requires_grad_() for s in shapes]
