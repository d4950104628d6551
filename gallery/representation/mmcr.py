"""Images are encoded without labels by making the centroids of their views span as much as a sphere allows.

A network sees several disturbed views of every image and puts them on a sphere. The loss is minus the nuclear norm of
the matrix of the views' means: it is least where the views of an image agree and different images are as orthogonal as
the width allows, so that neither collapse nor negatives are needed. Here a perceptron of handwritten digits, moved by a
pixel and noisy, is trained so; its codes are compared with as many principal components by their nearest neighbours.

Slots: there is no divergence in the loss. What two views share, KL(joint law‖product of the margins), is bounded from
below by InfoNCE before and after. The full-size version trains ResNet-50 on ImageNet, in the authors' repository mmcr.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.digits import Digits, digits, view
from gallery.toys.nets import batches, perceptron, train
from kullback.losses.contrast import cosines, info_nce, largest_nuclear_norm, mmcr

TITLE = "Learning Efficient Coding of Natural Images with Maximum Manifold Capacity Representations"
REFERENCE = "yerxa2023"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = (
    "Without labels the centroids come within a tenth of the largest nuclear norm, √(n·width), and nearest neighbours "
    "are right as often as by principal components."
)
STATUS = "mixed"
SEEDS = 3

BATCH, VIEWS, WIDTH = 256, 4, 16
TEMPERATURE = 0.1


@dataclass(frozen=True)
class Run:
    """Shares of the largest norm by step, what views share in nats, and accuracies of nearest neighbours."""

    shares: list[float]
    before: float
    after: float
    clean: tuple[float, float]  # of codes and of principal components
    moved: tuple[float, float]


def run(seed: int, budget: Budget) -> Run:
    """The norm made large."""
    return _run(seed, budget, sign=1.0)


def control(seed: int, budget: Budget) -> Run:
    """The norm made small."""
    return _run(seed, budget, sign=-1.0)


def _run(seed: int, budget: Budget, *, sign: float) -> Run:
    data, rng = digits(seed), torch.Generator().manual_seed(seed)
    net, rows = perceptron((64, 128, WIDTH), seed=seed), batches(len(data.images), BATCH, seed=seed)
    moved, pairs = view(data.test_images, rng), [view(data.test_images[:BATCH], rng) for _ in range(2)]

    def loss(step: int) -> Tensor:
        x = data.images[rows(step)]
        codes = [net(view(x, rng)) for _ in range(VIEWS)]
        return sign * mmcr(torch.stack(codes, 1))

    @torch.no_grad()
    def shared() -> float:
        return math.log(BATCH) - float(info_nce(cosines(*map(net, pairs)), temperature=TEMPERATURE))

    before = shared()
    losses = train(net, loss, steps=budget.of(small=250, full=4000), rate=2e-3)
    pca = PCA(WIDTH, random_state=seed).fit(data.images.numpy())

    def right(x: Tensor) -> tuple[float, float]:
        with torch.no_grad():
            by_code = _neighbours(net(data.images), net(x))
        by_component = _neighbours(*(torch.tensor(pca.transform(part.numpy())) for part in (data.images, x)))
        return _share_right(by_code, data), _share_right(by_component, data)

    largest = largest_nuclear_norm(BATCH, WIDTH)
    shares = [-sign * x / largest for x in losses]
    return Run(shares, before, shared(), right(data.test_images), right(moved))


def _neighbours(known: Tensor, asked: Tensor) -> Tensor:
    """The row of `known` with the largest cosine with each of `asked`."""
    return cosines(asked, known).argmax(1)


def _share_right(neighbours: Tensor, data: Digits) -> float:
    return float((data.labels[neighbours] == data.test_labels).float().mean())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Near the bound and not beyond; views that share more than before; neighbours of one kind."""
    return [
        at_most(
            "no step goes beyond the largest nuclear norm (share of it)", [max(r.shares) for r in runs], 1.0
        ),
        at_least("and training comes near it (share of it)", [r.shares[-1] for r in runs], 0.9),
        at_least("nats that two views share, gained by training", [r.after - r.before for r in runs], 0.5),
        at_least(
            "neighbours of moved images: accuracy of codes less that of principal components",
            [r.moved[0] - r.moved[1] for r in runs],
            0.0,
        ),
        at_least(
            "neighbours of images as they are: accuracy of codes less that of principal components",
            [r.clean[0] - r.clean[1] for r in runs],
            0.0,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """How near to the largest norm training comes."""
    ax.plot(run.shares, marker="", label="norm of the centroids of a batch")
    ax.axhline(1.0, color="#666666", linewidth=0.8, label="the largest there is")
    ax.set(xlabel="step", ylabel="share of √(n·width)", ylim=(0.0, 1.05))
    ax.legend(loc="lower right")
