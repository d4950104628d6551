"""A posterior on a ring: x and y are wide, and of a cone over them one height is seen. Two guides, as programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, Uniform

from kullback.losses import variational as vi

SEEN = 5.0


@dataclass(frozen=True)
class Program:
    """A guide with its parameters, and the joint density of what it draws and of the height."""

    parameters: Tensor
    guide: Callable[[Any], None]
    log_joint: Callable[[dict[str, Tensor]], Tensor]


def log_density(values: dict[str, Tensor]) -> Tensor:
    """x, y ~ N(0, 10²), and z ~ N(x² + y², 0.1 + (x² + y²)/100) at the height that is seen."""
    x, y = values["x"], values["y"]
    square, prior = x * x + y * y, Normal(0.0, 10.0)
    height = Normal(square, 0.1 + square / 100).log_prob(torch.tensor(SEEN))
    return prior.log_prob(x) + prior.log_prob(y) + height


def log_evidence() -> float:
    """The logarithm of the density of the height, by a grid over all x and y that matter."""
    side = torch.linspace(-4.0, 4.0, 1501)
    x, y = torch.meshgrid(side, side, indexing="ij")
    return float(log_density({"x": x, "y": y}).flatten().logsumexp(0)) + 2 * math.log(
        float(side[1] - side[0])
    )


def arc() -> Program:
    """Normal laws for x and for y, from one side of the ring."""
    theta = torch.tensor([3.0, 0.0, 0.0, 0.0], requires_grad=True)

    def guide(site: Any) -> None:
        for i, name in enumerate("xy"):
            site(name, Normal(theta[i], theta[i + 2].exp()), vi.Reparameterised())

    return Program(theta, guide, log_density)


def ring(angles: int) -> Program:
    """An angle, and normal laws round its place; the density of x and y is a mean over angles, its own included."""
    theta = torch.zeros(2, requires_grad=True)

    def laws(turn: Tensor) -> tuple[Normal, Normal]:
        x, y = (SEEN**0.5 * wave(2 * math.pi * turn) for wave in (torch.cos, torch.sin))
        return Normal(x, theta[0].exp()), Normal(y, theta[1].exp())

    def guide(site: Any) -> None:
        turn = site("turn", Uniform(torch.tensor(0.0), torch.tensor(1.0)), vi.Reparameterised())
        for name, law in zip("xy", laws(turn), strict=True):
            site(name, law, vi.Reparameterised())

    def log_joint(values: dict[str, Tensor]) -> Tensor:
        turn = values["turn"]
        x, y = laws(torch.cat([turn[None], torch.rand(angles - 1, *turn.shape)]))
        each = x.log_prob(values["x"]) + y.log_prob(values["y"])
        return log_density(values) + each[0] - (each.logsumexp(0) - math.log(angles))

    return Program(theta, guide, log_joint)
