"""How many different things does a sample hold? The exponential of the entropy of its similarities counts them.

Averages of pairwise dissimilarity miss what the Vendi score sees: that attributes go together. It is 1 when all items
are alike and n when none resembles another; it grows with the classes that a generator still draws, and stops at the
number of images that it has learnt by heart. Here samples of handwritten digits stand for generators: some that know
one class, two, and so on to ten, and some that repeat a few images.

Slots: von Neumann's entropy of K/n, log n less KL(λ‖uniform) of its eigenvalues λ: `vendi` of `kullback.information`.
The full-size version, images and molecules under learnt embeddings, is in the authors' repository Vendi-Score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most, close
from gallery.toys.digits import digits
from kullback.information import kernel_matrix, vendi

TITLE = "The Vendi Score: A Diversity Evaluation Metric for Machine Learning"
REFERENCE = "friedman2023"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Two independent attributes of 3 values score 4.76, tied ones 3, at the same average dissimilarity."
STATUS = "reproduced"
SEEDS = 3

KERNEL = kb.GaussianKernel(
    1.0
)  # images lie in the unit cube of 64 dimensions, about 2 apart in a class, 3 beyond
COPIES = (1, 2, 5, 20, 100)
INDEPENDENT = math.exp(math.log(3) / 3 + 2 * math.log(6) / 3)  # eigenvalues 1/3 and four times 1/6


@dataclass(frozen=True)
class Run:
    """Scores by classes drawn and by images repeated, and those of independent and of tied attributes."""

    classes: np.ndarray
    copied: np.ndarray
    attributes: tuple[float, float]
    dissimilarity: tuple[float, float]
    rare: tuple[
        float, float
    ]  # the share by which one odd item among 100 raises the score of order ½ and of ∞


def run(seed: int, budget: Budget) -> Run:
    """The scores under the similarity of the things."""
    return _run(seed, budget, alike=1.0)


def control(seed: int, budget: Budget) -> Run:
    """Similarity switched off: every item counts as unlike every other, so that only n is left."""
    return _run(seed, budget, alike=0.0)


def _run(seed: int, budget: Budget, *, alike: float) -> Run:
    def score(k: np.ndarray, order: float = 1.0) -> float:
        return float(vendi(alike * k + (1 - alike) * np.eye(len(k)), order=order))

    data, rng, n = digits(seed), np.random.default_rng(seed), budget.of(small=200, full=1000)
    images, labels = data.images.numpy().astype(float), data.labels.numpy()

    def drawn(rows: np.ndarray) -> float:
        return score(kernel_matrix(images[rng.choice(rows, n)], kernel=KERNEL))

    order = rng.permutation(10)
    classes = [drawn(np.flatnonzero(np.isin(labels, order[:k]))) for k in range(1, 11)]
    copied = [drawn(rng.choice(len(images), m, replace=False)) for m in COPIES]
    shape, colour = np.divmod(np.arange(9), 3)
    free, tied = _attributes(shape, colour), _attributes(shape, shape)
    odd = np.zeros(101)
    odd[0] = 1.0
    rare = tuple(score(np.equal.outer(odd, odd).astype(float), q) - 1 for q in (0.5, math.inf))
    return Run(
        np.array(classes),
        np.array(copied),
        (score(free), score(tied)),
        (1 - float(free.mean()), 1 - float(tied.mean())),
        (rare[0], rare[1]),
    )


def _attributes(shape: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The share of attributes that two items have in common."""
    return 0.5 * np.equal.outer(shape, shape) + 0.5 * np.equal.outer(colour, colour)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """What is by hand, what grows with the classes, and what repetition cannot feign."""
    return [
        close("independent shape and colour", [r.attributes[0] for r in runs], INDEPENDENT, within=1e-9),
        close("shape and colour that go together", [r.attributes[1] for r in runs], 3.0, within=1e-9),
        close(
            "which average dissimilarity does not see (its difference)",
            [r.dissimilarity[0] - r.dissimilarity[1] for r in runs],
            0.0,
            within=1e-12,
        ),
        at_least(
            "the score of a generator of ten classes over that of one",
            [r.classes[9] / r.classes[0] for r in runs],
            2.0,
        ),
        at_least("rank correlation of score and classes", [_ranked(r.classes) for r in runs], 0.9),
        at_most("score over the number of images learnt by heart", [_largest(r) for r in runs], 1.0 + 1e-9),
        at_least(
            "order ½ sees one odd item of 101, order ∞ does not", [r.rare[0] - r.rare[1] for r in runs], 0.05
        ),
    ]


def _ranked(scores: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(scores)), np.arange(len(scores)))[0, 1])


def _largest(r: Run) -> float:
    return float(np.max(r.copied / np.array(COPIES)))


def figure(run: Run, ax: Any) -> None:
    """The score of samples of one class, two, to ten."""
    ax.plot(range(1, 11), run.classes, label="samples of so many classes of digits")
    ax.plot(COPIES[:3], run.copied[:3], label="so many images, repeated")
    ax.set(xlabel="classes, or images", ylabel="Vendi score", ylim=(0, None))
    ax.legend()
