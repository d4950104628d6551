"""A small diffusion model: a schedule of noise and a perceptron that tells the noise in what it sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gallery.toys.nets import batches, perceptron, train

STEPS = 200


def signal() -> Tensor:
    """The share ᾱ of the variance that is signal after every step of noising, from nearly 1 to nearly 0."""
    return torch.cumprod(1.0 - torch.linspace(1e-4, 0.05, STEPS), 0)


class Denoiser(nn.Module):
    """ε(x, t): the noise in x = √ᾱ x₀ + √(1 − ᾱ) ε, for x of shape (n, dimensions) and steps t (n,)."""

    frequencies: Tensor

    def __init__(self, dimensions: int, *, width: int, seed: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0.0, 4.0, 8)))
        self.body = perceptron((dimensions + 16, width, width, dimensions), seed=seed)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise; the step enters as waves of several lengths."""
        phase = (t / STEPS)[:, None] * self.frequencies
        return self.body(torch.cat([x, phase.sin(), phase.cos()], 1))


def denoiser(data: Tensor, *, width: int, steps: int, seed: int) -> Denoiser:
    """A denoiser trained on `data` by the mean squared error of the noise."""
    net = Denoiser(data.shape[1], width=width, seed=seed)
    rows, levels = batches(len(data), 256, seed=seed), signal()
    rng = torch.Generator().manual_seed(seed)

    def loss(step: int) -> Tensor:
        x = data[rows(step)]
        t = torch.randint(STEPS, (len(x),), generator=rng)
        noise = torch.randn(x.shape, generator=rng)
        level = levels[t, None]
        return (net(level.sqrt() * x + (1.0 - level).sqrt() * noise, t) - noise).square().mean()

    train(net, loss, steps=steps * 2 // 3, rate=2e-3)
    train(net, loss, steps=steps - steps * 2 // 3, rate=3e-4)
    return net.requires_grad_(False)
