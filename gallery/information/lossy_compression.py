"""Information between images, by way of a few codes: compress both sides first, then count neighbours.

In hundreds of dimensions neighbours say little of the information between two variables. But images that come from a
few numbers can be given back by a few codes, and by the data-processing inequality I(c(X); c(Y)) ≤ I(X; Y): what codes
lose makes the answer smaller, not larger. The paper tests this on images drawn from pairs of known information and then
watches a convolutional network learn. Here each image is a soft spot at a place in the plane with noise on every pixel,
the places of a pair share a known information, and principal components are the codes. A critic of the whole images
(MINE), trained briefly at the small budget, is the rival. The network's information plane is not run.

Slots: I(X; Y) = KL(p_xy‖p_x p_y), the joint law first. `compress=` of `kb.mutual_information` and its nearest-neighbour
method. The full-size version, with autoencoders and digits, is in the authors' repository Information-v3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.estimators import KSG, DonskerVaradhan, PrincipalComponents, Training

TITLE = "Information Bottleneck Analysis of Deep Neural Networks via Lossy Compression"
REFERENCE = "butakov2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Four codes of each image tell up to 2 nats to within 0.25; whole images tell less well by neighbours or MINE."
STATUS = "reproduced"
SEEDS = 3

TRUE = (0.0, 1.0, 2.0, 3.0)  # nats
SIDE, NOISE, COMPONENTS = 24, 0.25, 4
CODES, WHOLE, CRITIC = "four components", "whole images", "a critic of whole images"


@dataclass(frozen=True)
class Run:
    """What each way finds for every true information, in nats; the critic is asked for one of them only."""

    found: dict[str, list[float]]
    critic: float


def run(seed: int, budget: Budget) -> Run:
    """Codes in the directions in which the images vary most."""
    return _run(seed, budget, shuffled=False)


def control(seed: int, budget: Budget) -> Run:
    """Pixels in another order in every image: variance is left, but codes know no place."""
    return _run(seed, budget, shuffled=True)


def _run(seed: int, budget: Budget, *, shuffled: bool) -> Run:
    rng, n = np.random.default_rng(seed), budget.of(small=700, full=10_000)
    training = Training(steps=budget.of(small=60, full=5000))
    found: dict[str, list[float]] = {CODES: [], WHOLE: []}
    pairs = [_pair(rng, n, information) for information in TRUE]
    for x, y in pairs:
        seen = rng.permuted(x, axis=1) if shuffled else x
        codes = kb.mutual_information(
            seen, y, method=KSG(), compress=PrincipalComponents(components=COMPONENTS)
        )
        found[CODES].append(codes.value)
        found[WHOLE].append(kb.mutual_information(x, y, method=KSG()).value)
    critic = kb.mutual_information(*pairs[-1], method=DonskerVaradhan(training=training), seed=seed)
    return Run(found, critic.value)


def _pair(rng: np.random.Generator, n: int, information: float) -> tuple[np.ndarray, np.ndarray]:
    """Images of two spots whose places share this much: half of it in each coordinate."""
    correlation = math.sqrt(-math.expm1(-information))
    first, second = rng.normal(size=(2, n, 2))
    second = correlation * first + math.sqrt(1 - correlation**2) * second
    x, y = (_spots(ndtr(z)) for z in (first, second))
    return x + NOISE * rng.normal(size=x.shape), y + NOISE * rng.normal(size=y.shape)


def _spots(places: np.ndarray) -> np.ndarray:
    """A soft spot of a third of the side at each place of the unit square, as rows of pixels."""
    grid = (np.arange(SIDE) + 0.5) / SIDE
    lines = np.exp(-0.5 * ((grid - places[..., None]) / 0.3) ** 2)
    return (lines[:, 0, :, None] * lines[:, 1, None, :]).reshape(len(places), -1)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Four components find what is there, neighbours of whole images do not, and no way finds more."""
    truth = np.array(TRUE)
    errors = [np.array(r.found[CODES]) - truth for r in runs]
    pairs = list(zip(runs, errors, strict=True))
    whole = [abs(r.found[WHOLE][-1] - truth[-1]) / abs(e[-1]) for r, e in pairs]
    critic = [abs(r.critic - truth[-1]) / abs(e[-1]) for r, e in pairs]
    return [
        at_most(
            "largest error by four components up to 2 nats",
            [float(np.abs(e[:-1]).max()) for e in errors],
            0.25,
        ),
        at_most("most that they find beyond the truth, nats", [float(e.max()) for e in errors], 0.1),
        at_least("error of neighbours in whole images at 3 nats, over that", whole, 1.0),
        at_least("error of the critic there, over that", critic, 1.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """What is found against what is there."""
    ax.plot(TRUE, TRUE, color="#999999", linestyle=":", marker="", label="the truth")
    for name, values in run.found.items():
        ax.plot(TRUE, values, label=f"neighbours, {name}")
    ax.plot(TRUE[-1:], [run.critic], linestyle="", markersize=8, label=CRITIC)
    ax.set(xlabel="true information, nats", ylabel="found, nats")
    ax.legend()
