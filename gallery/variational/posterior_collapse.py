"""Latent dimensions of an autoencoder die for a reason that can be computed beforehand, also when it is conditional.

Of a linear variational autoencoder with decoder noise η² and weight β of the divergence, a latent dimension stays
alive only where the data vary by more than βη². Given a condition x, what counts is the variation of y that x leaves
unexplained: the better x explains y, the more latent dimensions collapse onto the prior. With two levels, the upper
one collapses when its weight β₂ is large against β₁; learning the variance of the lower encoder makes it worse.

Slots: KL(guide‖prior), `kb.kl`. The full-size version trains convolutional ones on images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.linear import weights, white
from gallery.toys.nets import train
from kullback.losses import variational

TITLE = (
    "Beyond Vanilla Variational Autoencoders: Detecting Posterior Collapse in Conditional and Hierarchical Variational "
    "Autoencoders"
)
REFERENCE = "dang2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "A latent dimension carries ½ log(λ/βη²) nats where the variance λ that the condition leaves is above βη², "
    "and nothing else."
)
STATUS = "reproduced"
SEEDS = 3

VARIANCES = torch.tensor([4.0, 2.5, 1.6, 1.1, 0.7, 0.4, 0.2, 0.1], dtype=torch.float64)  # λ
# correlation, β, η²; and β₁, β₂, whether the variance of z₁ given x is learnt
ONE_LEVEL = ((0, 1, 0.5), (0, 2, 0.5), (0, 4, 0.5), (0, 1, 3), (0.5, 1, 0.5), (0.9, 1, 0.5))
TWO_LEVELS = ((1, 1, 0), (1, 1, 1), (1, 2, 0), (2, 1, 0))


@dataclass(frozen=True)
class Run:
    """By setting: nats of every dimension, sorted, and their prediction; nats of the upper level."""

    nats: Tensor
    expected: Tensor
    upper: Tensor


def run(seed: int, budget: Budget) -> Run:
    """Train the autoencoders of all settings side by side."""
    return _run(seed, budget.of(small=400, full=5000), guide_first=True)


def control(seed: int, budget: Budget) -> Run:
    """The prior in the first slot."""
    return _run(seed, budget.of(small=400, full=5000), guide_first=False)


def _run(seed: int, steps: int, *, guide_first: bool) -> Run:
    nats, expected = [], []
    for setting, means, scales in zip(ONE_LEVEL, *_one_level(seed, steps, guide_first), strict=True):
        correlation, beta, eta2 = setting
        left = (1.0 - correlation**2) * VARIANCES
        expected.append(variational.linear_vae(left, noise=eta2, beta=beta))
        nats.append(variational.collapse(means, scales.expand_as(means)).kl.sort(descending=True).values)
    return Run(torch.stack(nats), torch.stack(expected), _two_levels(seed, steps, guide_first))


def _nats(means: Tensor, scales: Tensor, prior: Tensor, guide_first: bool) -> Tensor:
    """The divergence of the guide from a prior of standard deviation 1, by setting."""
    guide, other = Normal(means, scales.expand_as(means)), Normal(prior, torch.ones_like(means))
    pair = (guide, other) if guide_first else (other, guide)
    nats: Any = kb.between(kb.kl, *pair).value
    return nats.sum(-1).mean(-1)


def _one_level(seed: int, steps: int, guide_first: bool) -> tuple[Tensor, Tensor]:
    """The means and scales of z, from which and from the condition x a y of covariance U diag(λ) Uᵀ is told."""
    n, d = len(ONE_LEVEL), len(VARIANCES)
    x, rest, noise = white(64, 3 * d, seed=seed).split(d, 1)
    correlation, beta, eta2 = torch.tensor(ONE_LEVEL, dtype=torch.float64).T
    turn = torch.linalg.qr(white(64, d, seed=seed + 1)[:d])[0]
    share = correlation[:, None, None]
    y = (share * x + (1.0 - share**2).sqrt() * rest) * VARIANCES.sqrt() @ turn
    xy = torch.cat([x.expand_as(y), y], 2)
    encode, decode, direct = weights((n, 2 * d, d), (n, d, d), (n, d, d), seed=seed)
    log_scale = torch.zeros(n, 1, d, dtype=torch.float64, requires_grad=True)

    def loss(_: int) -> Tensor:
        means, scales = xy @ encode, log_scale.exp()
        error = y - (means + scales * noise) @ decode - x @ direct
        fit = error.square().sum(-1).mean(-1) / (2.0 * eta2)
        return (fit + beta * _nats(means, scales, torch.zeros_like(means), guide_first)).sum()

    for rate in (3e-2, 3e-3):
        train([encode, decode, direct, log_scale], loss, steps=steps, rate=rate)
    return (xy @ encode).detach(), log_scale.exp().detach()


def _two_levels(seed: int, steps: int, guide_first: bool) -> Tensor:
    """The divergence of z₂ in x ← z₁ ← z₂, with five dimensions each and η² = ½."""
    n, d, k = len(TWO_LEVELS), len(VARIANCES), 5
    x, noise, upper_noise = white(64, d + 2 * k, seed=seed).split((d, k, k), 1)
    x = x * VARIANCES.sqrt()
    beta, upper_beta, learnt = torch.tensor(TWO_LEVELS, dtype=torch.float64).T
    encode, encode_up, down, decode = weights((n, d, k), (n, k, k), (n, k, k), (n, k, d), seed=seed)
    logs = torch.full((2, n, 1, k), 0.5**0.5, dtype=torch.float64).log().requires_grad_()

    def parts() -> tuple[Tensor, Tensor]:
        own, upper = logs[0].where(learnt[:, None, None] > 0, logs[0].detach()).exp(), logs[1].exp()
        means = x @ encode
        z = means + own * noise
        upper_means = z @ encode_up
        prior = (upper_means + upper * upper_noise) @ down
        fit = (x - z @ decode).square().sum(-1).mean(-1)
        nats = _nats(upper_means, upper, torch.zeros_like(upper_means), guide_first)
        return nats, (fit + beta * _nats(means, own, prior, guide_first) + upper_beta * nats).sum()

    for rate in (3e-2, 3e-3):
        train([encode, encode_up, down, decode, logs], lambda _: parts()[1], steps=steps, rate=rate)
    return parts()[0].detach()


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The prediction dimension by dimension, and the order of the two-level ones."""
    fixed, learnt, heavy_above, heavy_below = torch.stack([r.upper for r in runs], 1).numpy()
    off = [float((r.nats - r.expected).abs().max()) for r in runs]
    return [
        at_most("nats of a dimension, farthest from theory", off, 0.01),
        at_least("nats in z₂ at β₂/β₁ = ½", heavy_below, 0.1),
        at_most("nats in z₂ at β₂/β₁ = 2", heavy_above, 0.01),
        at_least("nats in z₂ at β₂/β₁ = 1 that learning the variance of z₁ loses", fixed - learnt, 0.01),
    ]


def figure(run: Run, ax: Any) -> None:
    """What every dimension carries, and what it has to."""
    for (correlation, beta, eta2), nats, expected in zip(ONE_LEVEL, run.nats, run.expected, strict=True):
        label = f"ρ = {correlation:g}, β = {beta:g}, η² = {eta2:g}"
        (line,) = ax.plot(range(1, 9), nats, linestyle="none", label=label)
        ax.plot(range(1, 9), expected, color=line.get_color(), marker="", linewidth=0.8, linestyle="-")
    ax.set(xlabel="latent dimension; lines are theory", ylabel="nats")
    ax.legend()
