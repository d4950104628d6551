"""What a network's features are like during training, from the spectrum of a random walk among them.

Diffusion spectral entropy counts the directions that the walk still keeps apart; noise hardly moves it. During training
it rises as features spread (at a fixed bandwidth: on the unit sphere it falls first). Diffusion spectral mutual
information, by how much points of one class are less diverse than as many of all, rises too if the labels can be
learnt, and hardly if the network learns random ones by heart.
Here a perceptron with a hidden layer learns digits, and another one of the same start digits with random labels.

Slots: entropies of a spectrum; the information is of the kind KL(p_zy‖p_z p_y), features first. `diffusion_entropy` and
`diffusion_information` of `kullback.information`. The full-size version (convolutional and transformer networks, 962 of
them) is in the authors' repository DiffusionSpectralEntropy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most, close
from gallery.toys.digits import Digits, digits
from gallery.toys.nets import accuracy, batches, perceptron, train
from kullback.information import diffusion_entropy, diffusion_information

TITLE = "Assessing Neural Network Representations During Training Using Noise-Resilient Diffusion Spectral Entropy"
REFERENCE = "liao2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "After many steps a walk among 8 clusters has 3 bits; labels tell of features more and more as they are learnt."
STATUS = "reproduced"
SEEDS = 3

KERNEL, POINTS = (
    kb.GaussianKernel(10.0),
    kb.GaussianKernel(2.0),
)  # of the paper for features, and for known points
STEPS = (0, 20, 60, 200, 600)
RANDOM = 0.9  # another digit nine times of ten: the label says nothing of the image


@dataclass(frozen=True)
class Run:
    """In bits: entropy and information at the checkpoints of both networks, and the checks on points of known kind."""

    entropy: np.ndarray  # of the network that learns
    learnt: np.ndarray
    by_heart: np.ndarray
    accuracies: tuple[float, float]
    clusters: float
    dimensions: np.ndarray
    noisy: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Labels as they are, for the network that is to learn them."""
    return _run(seed, budget, flipped=0.0)


def control(seed: int, budget: Budget) -> Run:
    """Both networks get random labels: nothing to learn."""
    return _run(seed, budget, flipped=RANDOM)


def _run(seed: int, budget: Budget, *, flipped: float) -> Run:
    n, steps = budget.of(small=(400, STEPS), full=(1000, (*STEPS, 5000)))
    true, random = digits(seed, train=n, flipped=flipped), digits(seed, train=n, flipped=RANDOM)
    learnt, by_heart = _trained(true, steps, seed), _trained(random, steps, seed)
    rng = np.random.default_rng(seed)
    centres = np.repeat(20 * np.eye(8), 30, axis=0) + rng.normal(size=(240, 8))
    basis = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    sheets = [rng.normal(size=(300, d)) @ basis[:d] for d in (1, 2, 4, 8, 16)]
    return Run(
        np.array([_bits(z) for z in learnt[0]]),
        np.array([_told(z, true, seed) for z in learnt[0]]),
        np.array([_told(z, random, seed) for z in by_heart[0]]),
        (learnt[1], by_heart[1]),
        _bits(centres, POINTS, time=1000.0),
        np.array([_bits(z, POINTS) for z in sheets]),
        np.array([_bits(z + 0.3 * rng.normal(size=z.shape), POINTS) for z in sheets]),
    )


def _trained(data: Digits, steps: Sequence[int], seed: int) -> tuple[list[np.ndarray], float]:
    """The hidden features of the training images at the checkpoints, and the accuracy on their labels in the end."""
    net, rows = perceptron((64, 64, 10), seed=seed), batches(len(data.images), 64, seed=seed)
    features = []
    for before, after in zip((0, *steps), steps, strict=False):
        train(
            net,
            lambda step: functional.cross_entropy(net(data.images[rows(step)]), data.labels[rows(step)]),
            steps=after - before,
            rate=5e-3,
        )
        with torch.no_grad():
            features.append(net[:2](data.images).numpy().astype(float))
    with torch.no_grad():
        return features, accuracy(net(data.images), data.labels)


def _bits(z: np.ndarray, kernel: kb.GaussianKernel = KERNEL, time: float = 1.0) -> float:
    return float(diffusion_entropy(z, kernel=kernel, time=time)) / math.log(2)


def _told(z: np.ndarray, data: Digits, seed: int) -> float:
    return diffusion_information(z, data.labels.numpy(), kernel=KERNEL, draws=5, seed=seed).bits.value


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Clusters and dimensions are counted; entropy and information rise where something is learnt."""
    order = [float(np.diff(r.dimensions).min()) for r in runs]
    return [
        close("8 clusters after 1000 steps, bits", [r.clusters for r in runs], 3.0, within=0.01),
        at_least("the entropy of 1, 2, 4, 8 and 16 dimensions rises (least step, bits)", order, 0.0),
        at_least("and of their noisy copies", [float(np.diff(r.noisy).min()) for r in runs], 0.0),
        at_least("entropy gained in training, bits", [r.entropy[-1] - r.entropy[0] for r in runs], 0.0),
        at_least("information about labels gained, bits", [r.learnt[-1] - r.learnt[0] for r in runs], 0.1),
        at_most(
            "gained about random ones, over that about true ones",
            [(r.by_heart[-1] - r.by_heart[0]) / (r.learnt[-1] - r.learnt[0]) for r in runs],
            0.5,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """Information at the checkpoints, of the network that learns and of the one that learns by heart."""
    places = np.arange(len(run.learnt))
    ax.plot(places, run.entropy, label="entropy of the features")
    ax.plot(places, run.learnt, label="information about labels that can be learnt")
    ax.plot(places, run.by_heart, label="about random labels, learnt by heart")
    ax.set(xticks=places[: len(STEPS)], xticklabels=STEPS, xlabel="step of training", ylabel="bits")
    ax.legend()
