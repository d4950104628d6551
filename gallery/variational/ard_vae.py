"""An autoencoder finds by itself how many latent dimensions the data need, because its prior learns their variances.

A variational autoencoder whose prior is N(0, I) tends to use more latent dimensions the more it is given. Here every
dimension has a variance of its own, inferred by Bayes' rule from codes of the data, so that one that carries nothing
shrinks and costs nothing. A dimension's relevance is its variance times how much it moves the output; those that bring
99 % of the sum count. Noisy mixtures of four sources in 20 dimensions are encoded with 8 and with 16 dimensions.

Slots: KL(code of an image‖prior), `kb.kl`, the code first. In the published program a variance stands where its
logarithm belongs, which changes the number reported and no gradient. The full-size version trains convolutional
networks on images, in the authors' repository ARD-VAE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from gallery.entry import Budget, Verdict, at_least, at_most, close
from gallery.toys.nets import batches, perceptron, train
from kullback.losses.priors import RelevancePrior

TITLE = (
    "ARD-VAE: A Statistical Formulation to Find the Relevant Latent Dimensions of Variational Autoencoders"
)
REFERENCE = "saha2025"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "Of 8 or of 16 latent dimensions the same number counts, give or take one, and it is four for data of four "
    "sources; an ordinary variational autoencoder uses more when it has more."
)
STATUS = "mixed"
SEEDS = 3

N, SOURCES, WIDTH, FEW, MANY = 3000, 4, 20, 8, 16
WEIGHT = 0.01  # β, of the divergence next to the squared error
EVERY = 10  # steps between two looks at the codes; the paper looks at every step


@dataclass(frozen=True)
class Fit:
    """Shares of the relevance, largest first, and the squared error at the end."""

    shares: np.ndarray
    error: float

    @property
    def count(self) -> int:
        """How many dimensions bring 99 %."""
        return int((self.shares.cumsum() < 0.99).sum()) + 1


@dataclass(frozen=True)
class Run:
    """Fits by how many latent dimensions there are."""

    learnt: dict[int, Fit]
    fixed: dict[int, Fit]


def run(seed: int, budget: Budget) -> Run:
    """The prior that learns its variances, next to N(0, I)."""
    return _run(seed, budget, learns=True)


def control(seed: int, budget: Budget) -> Run:
    """N(0, I) throughout."""
    return _run(seed, budget, learns=False)


def _run(seed: int, budget: Budget, *, learns: bool) -> Run:
    x, steps = _data(seed), budget.of(small=1000, full=40_000)
    return Run(*({n: _fitted(x, n, how, seed, steps) for n in (FEW, MANY)} for how in (learns, False)))


def _data(seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    shapes = (SOURCES, WIDTH), (N, SOURCES), (N, WIDTH)
    mix, sources, noise = (torch.randn(shape, generator=rng) for shape in shapes)
    return 0.36 * sources @ mix + 0.02 * noise


def _fitted(x: Tensor, size: int, learns: bool, seed: int, steps: int) -> Fit:
    rng, rows = torch.Generator().manual_seed(seed), batches(len(x), 100, seed=seed)
    encoder, decoder = (
        perceptron((WIDTH, 128, 2 * size), seed=seed),
        perceptron((size, 128, WIDTH), seed=seed + 1),
    )
    many = batches(len(x), 1000, seed=-1)
    prior = RelevancePrior(1.0, torch.ones(size))  # N(0, I)

    def code(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_scale = encoder(rows).chunk(2, 1)
        scale = log_scale.exp()
        return mean, scale, mean + scale * torch.randn(mean.shape, generator=rng)

    def loss(step: int) -> Tensor:
        nonlocal prior
        if learns and step % EVERY == 0:
            prior = RelevancePrior.of_codes(code(x[many(step)])[-1])
        own = x[rows(step)]
        mean, scale, z = code(own)
        return (decoder(z) - own).square().sum(-1).mean() + WEIGHT * prior.divergence(mean, scale).mean()

    train(nn.ModuleList([encoder, decoder]), loss, steps=steps, rate=2e-3)
    with torch.no_grad():
        mean, _, z = code(x)
        error = float((decoder(z) - x).square().sum(-1).mean())
        relevance = RelevancePrior.of_codes(z).relevance(vmap(jacrev(decoder))(mean[:200]))
    return Fit(np.sort((relevance / relevance.sum()).double().numpy())[::-1], error)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """A number that stays, where the ordinary one grows, at no cost in error; and the true one."""
    learnt, fixed = [_growth(r.learnt) for r in runs], [_growth(r.fixed) for r in runs]
    spared = [r.fixed[MANY].count - r.learnt[MANY].count for r in runs]
    errors = [r.learnt[n].error / r.fixed[n].error for r in runs for n in (FEW, MANY)]
    return [
        close("dimensions that count of 16, less those of 8: learnt variances", learnt, 0, within=1),
        at_least("and with N(0, I)", fixed, 1),
        at_least("dimensions that N(0, I) uses more, of 16", spared, 1),
        at_most("squared error of learnt variances over that of N(0, I)", errors, 1.1),
        close("dimensions that count, of 8", [r.learnt[FEW].count for r in runs], SOURCES, within=0),
        close("dimensions that count, of 16", [r.learnt[MANY].count for r in runs], SOURCES, within=0),
    ]


def _growth(fits: dict[int, Fit]) -> int:
    return fits[MANY].count - fits[FEW].count


def figure(run: Run, ax: Any) -> None:
    """What the largest dimensions bring together."""
    for fits, name in ((run.learnt, "learnt variances"), (run.fixed, "N(0, I)")):
        for size, fit in fits.items():
            ax.plot(range(1, FEW + 1), fit.shares.cumsum()[:FEW], label=f"{name}, {size} dimensions")
    ax.axhline(0.99, color="#666666", linewidth=0.8, label="99 %")
    ax.set(xlabel="dimensions, the most relevant first", ylabel="share of the relevance")
    ax.legend()
