"""Scores of pairs with known information, and an objective with its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Objective = Callable[..., Tensor]


def matrix(n: int = 5, k: int | None = None, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, k or n)))


def gaussian_scores(information: float, n: int, rng: np.random.Generator, width: int = 4) -> Tensor:
    """The log-ratio of joint to product of every x with every y, for pairs with so much information."""
    rho = math.sqrt(-math.expm1(-2 * information / width))
    x = rng.normal(size=(n, width))
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(n, width))
    spread = 1 - rho**2
    squares = (rho * x[:, None] - y[None]) ** 2 / spread - y[None] ** 2
    return torch.tensor(-0.5 * squares.sum(-1) - 0.5 * width * math.log(spread))


def with_gradient(objective: Objective, s: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
    s = s.detach().clone().requires_grad_()
    loss = objective(s, **options)
    return loss.detach(), torch.autograd.grad(loss, s)[0]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return normal(*shape, seed=seed).requires_grad_()
