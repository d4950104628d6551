"""A segmentation network is adapted to images from another scanner, with neither labels nor the images it learnt from.

Making predictions sure, by their entropy, is not enough: every pixel may surely be background. The paper adds how far
the shares of the classes in an image's predictions are from shares that are known beforehand, roughly, from anatomy.
Here a small network learns to find bright discs; in the target images the contrast is lower, the background brighter
and the noise stronger. What is known of an image is the size of its disc, wrong by a factor of up to 1.3.

Slots: KL(mean prediction of an image‖prior), the mean prediction first, `kb.kl`. The full-size version adapts networks
for spines and prostates in magnetic resonance images, in the authors' repository SFDA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import train
from kullback.losses.supervision import prior_matching, weighted_entropy

TITLE = "Source-Free Domain Adaptation for Image Segmentation"
REFERENCE = "bateson2021"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "A rough prior of the size brings adaptation without labels at least 0.1 of Dice's coefficient; entropy alone "
    "brings nothing."
)
STATUS = "reproduced"
SEEDS = 3

SIDE, IMAGES = 20, 40
WEIGHTS = torch.tensor([0.1, 0.9])  # of background and disc in the entropy, as the authors have them


@dataclass(frozen=True)
class Run:
    """Dice's coefficient by method, and a target image with what is said of it before and after."""

    dice: dict[str, float]
    image: Tensor
    truth: Tensor
    said: dict[str, Tensor]


def run(seed: int, budget: Budget) -> Run:
    """The entropy and the prior."""
    return _run(seed, budget, lambda prior, whose: partial(_adaptation, prior=prior, whose=whose))


def control(seed: int, budget: Budget) -> Run:
    """The prior of disc and background the wrong way round."""
    return _run(seed, budget, lambda prior, whose: partial(_adaptation, prior=prior.flip(-1), whose=whose))


def _run(seed: int, budget: Budget, objective: Callable[[Tensor, Tensor], Callable[[Tensor], Tensor]]) -> Run:
    rng = torch.Generator().manual_seed(seed)
    images, labels = _scans(rng, contrast=1.0, level=0.0, noise=0.3)
    target, truth = _scans(rng, contrast=0.6, level=0.4, noise=0.35)
    unseen, unseen_truth = _scans(rng, contrast=0.6, level=0.4, noise=0.35)
    source = _network(seed)
    train(
        source,
        lambda _: functional.cross_entropy(_pixels(source, images), labels.flatten()),
        steps=150,
        rate=1e-2,
    )
    rough = (truth.float().mean((1, 2)) * 1.3 ** (2 * torch.rand(IMAGES, generator=rng) - 1))[:, None]
    whose = torch.arange(IMAGES).repeat_interleave(SIDE**2)
    losses = {
        "entropy alone": partial(weighted_entropy, class_weights=WEIGHTS),
        "entropy and prior": objective(torch.cat([1 - rough, rough], 1), whose),
    }
    nets = {"no adaptation": source}
    for name, loss in losses.items():
        nets[name] = _adapted(source, target, loss, steps=budget.of(small=100, full=1000))
    with torch.no_grad():
        said = {name: _pixels(net, unseen).argmax(-1).view_as(unseen_truth) for name, net in nets.items()}
    dice = {name: _dice(mask, unseen_truth) for name, mask in said.items()}
    return Run(dice, unseen[0], unseen_truth[0], {name: mask[0] for name, mask in said.items()})


def _adaptation(logits: Tensor, *, prior: Tensor, whose: Tensor) -> Tensor:
    return prior_matching(kb.kl, logits, prior=prior, groups=whose, class_weights=WEIGHTS)


def _adapted(source: nn.Module, images: Tensor, loss: Callable[[Tensor], Tensor], *, steps: int) -> nn.Module:
    net = deepcopy(source)
    train(net, lambda _: loss(_pixels(net, images)), steps=steps, rate=3e-3)
    return net


def _scans(rng: torch.Generator, *, contrast: float, level: float, noise: float) -> tuple[Tensor, Tensor]:
    """Images with one disc each, and where it is."""
    place = torch.arange(SIDE)
    centre = SIDE * (0.3 + 0.4 * torch.rand(2, IMAGES, 1, 1, generator=rng))
    radius = SIDE * (0.12 + 0.13 * torch.rand(IMAGES, 1, 1, generator=rng))
    inside = (place[:, None] - centre[0]) ** 2 + (place[None] - centre[1]) ** 2 < radius**2
    return level + contrast * inside + noise * torch.randn(inside.shape, generator=rng), inside.long()


def _network(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 2, 3, padding=1),
        )


def _pixels(net: nn.Module, images: Tensor) -> Tensor:
    """Logits of every pixel, (pixels, 2)."""
    return net(images[:, None]).permute(0, 2, 3, 1).reshape(-1, 2)


def _dice(said: Tensor, truth: Tensor) -> float:
    """Twice the overlap over the sum of the sizes, the mean over images."""
    overlap, sizes = (said * truth).sum((1, 2)), said.sum((1, 2)) + truth.sum((1, 2))
    return float((2.0 * overlap / sizes).mean())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The prior helps, entropy alone does not, and the result is near that of the source on its own images."""
    gains = {name: [r.dice[name] - r.dice["no adaptation"] for r in runs] for name in runs[0].dice}
    return [
        at_least("Dice with entropy and prior less that without adaptation", gains["entropy and prior"], 0.1),
        at_most("Dice with entropy alone less that without adaptation", gains["entropy alone"], 0.05),
        at_least("Dice with entropy and prior", [r.dice["entropy and prior"] for r in runs], 0.7),
    ]


def figure(run: Run, ax: Any) -> None:
    """A target image, and what is said of it."""
    shown = {"image": run.image, "truth": run.truth, **run.said}
    strip = torch.cat([functional.pad(x.float(), (0, 2), value=0.5) for x in shown.values()], 1)
    ax.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=1)
    ax.grid(visible=False)
    ax.set(yticks=[], xticks=[(SIDE + 2) * i + SIDE / 2 for i in range(len(shown))])
    ax.set_xticklabels([name.replace(" ", "\n") for name in shown])
