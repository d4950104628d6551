"""A diffusion model fills in what a picture lacks, by variational inference instead of guided sampling.

Given some pixels y = mask · x, look for the law q = N(μ, σ²) closest to the posterior under the model's prior. Its
divergence from the prior is an integral over the noise levels of the squared difference of two scores, so that for
small σ the gradient for μ is (prediction of noise − noise), times a weight of the level: RED-diff walks once through
the levels, from pure noise to none, with one step of Adam at each. The weight matters: linear in the ratio of noise to
signal is the best of the monotone ones. Each weight may choose its own strength λ here.

Slots: q first, posterior second: KL(q‖posterior), `kb.kl`. The divergence of scores is `kb.fisher`, q first as well.
The full-size version, RED-diff of NVlabs, restores photographs (inpainting, superresolution, deblurring) with a
diffusion model trained on ImageNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.diffusion import STEPS, Denoiser, denoiser, signal
from gallery.toys.digits import digits

TITLE = "A Variational Perspective on Solving Inverse Problems with Diffusion Models"
REFERENCE = "mardani2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "Half of the pixels of unseen digits, filled in by descending KL(q‖posterior) under a diffusion model: more than "
    "2 dB better than the mean picture, and best with the weight that is linear in noise to signal."
)
STATUS = "reproduced"
SEEDS = 3

POWERS = {"constant": 0.0, "linear": 1.0, "square": 2.0}  # of noise to signal, √((1 − ᾱ)/ᾱ)
STRENGTHS = (0.05, 0.25, 1.0)  # λ


@dataclass(frozen=True)
class Run:
    """Peak signal to noise in dB, by weight and λ and of the mean picture, and KL by its integral over itself."""

    psnr: dict[str, list[float]]
    mean_filled: float
    integral: float
    pictures: Tensor  # of eight digits: what is known, what is found, the truth


def run(seed: int, budget: Budget) -> Run:
    """Train a diffusion model on digits, fill in half of the pixels of others."""
    return _run(seed, budget, sign=1.0)


def control(seed: int, budget: Budget) -> Run:
    """The gradient of the prior with the wrong sign: away from what the model holds likely."""
    return _run(seed, budget, sign=-1.0)


def _run(seed: int, budget: Budget, *, sign: float) -> Run:
    data = digits(seed, train=1600)
    known, truth = 2.0 * data.images - 1.0, 2.0 * data.test_images[:100] - 1.0
    net = denoiser(known, width=256, steps=budget.of(small=1500, full=20_000), seed=seed)
    mask = torch.rand(truth.shape[1], generator=torch.Generator().manual_seed(seed)) < 0.5
    seen = truth * mask
    found = {
        name: [_restored(net, seen, mask, power, sign * strength, seed) for strength in STRENGTHS]
        for name, power in POWERS.items()
    }
    psnr = {name: [_psnr(x, truth) for x in each] for name, each in found.items()}
    filled = torch.where(mask, seen, known.mean(0))
    shown = torch.stack([seen, found["linear"][1], truth])[:, :8]
    return Run(psnr, _psnr(filled, truth), _integral_over_kl(seed), shown)


def _restored(net: Denoiser, seen: Tensor, mask: Tensor, power: float, strength: float, seed: int) -> Tensor:
    """One step of Adam a level; the derivative of the network plays no part."""
    mu = seen.clone().requires_grad_()
    optimiser = torch.optim.Adam([mu], lr=0.1, betas=(0.9, 0.99))
    rng = torch.Generator().manual_seed(seed)
    for step in range(STEPS - 1, -1, -1):
        level = signal()[step]
        noise = torch.randn(mu.shape, generator=rng)
        with torch.no_grad():
            told = net(level.sqrt() * mu + (1.0 - level).sqrt() * noise, torch.full((len(mu),), float(step)))
        weight = strength * ((1.0 - level) / level) ** (0.5 * power)
        mu.grad = (mu.detach() * mask - seen) + weight * (told - noise)
        optimiser.step()
    return mu.detach()


def _psnr(x: Tensor, truth: Tensor) -> float:
    error = (x.clamp(-1.0, 1.0) - truth).square().mean(1)
    return float((10.0 * torch.log10(4.0 / error)).mean())


def _integral_over_kl(seed: int) -> float:
    """KL of two normal laws as half the integral of their Fisher divergence while both dissolve into noise."""
    rng = np.random.default_rng(seed)
    shift: Any = rng.normal(size=3)
    variances: Any = np.diag(np.exp(rng.normal(size=3)))

    def laws(time: float) -> tuple[Any, Any]:
        kept = np.exp(-time)
        narrow, prior = (kept * v + (1.0 - kept) * np.eye(3) for v in (0.1 * np.eye(3), variances))
        return multivariate_normal(np.sqrt(kept) * shift, narrow), multivariate_normal(cov=prior)

    integral = quad(lambda time: 0.5 * kb.between(kb.fisher, *laws(time)).value, 0.0, 40.0, epsrel=1e-9)[0]
    return integral / kb.between(kb.kl, *laws(0.0)).value


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Better than without a model; no other weight is better at any strength; the integral is the divergence."""
    best = [{name: max(values) for name, values in r.psnr.items()} for r in runs]
    gain = [b["linear"] - r.mean_filled for b, r in zip(best, runs, strict=True)]
    return [
        at_least("dB above the mean picture", gain, 2.0),
        at_least(
            "dB of the linear above the constant weight", [b["linear"] - b["constant"] for b in best], 0.0
        ),
        at_least("dB of the linear above the square weight", [b["linear"] - b["square"] for b in best], 0.0),
        at_most("integral of score differences over KL, from 1", [abs(r.integral - 1.0) for r in runs], 1e-6),
    ]


def figure(run: Run, ax: Any) -> None:
    """Eight digits: what is known, what is found, what was there."""
    framed = np.pad(
        run.pictures.reshape(3, -1, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan
    )
    ax.imshow(np.vstack([np.hstack(list(row)) for row in framed]), cmap="gray_r", vmin=-1.0, vmax=1.0)
    ax.set_yticks([4.5, 14.5, 24.5], ["known", "found", "truth"])
    ax.set_xticks([])
    ax.grid(visible=False)
