"""A classifier that tells pairs from shuffled pairs certifies how much the two halves of a pair say about each other.

Mutual information is a KL that nobody can optimise directly, so that many maximise a Jensen–Shannon divergence by a
classifier instead. The paper finds the largest KL that every JS guarantees, which turns the classifier's cross-entropy
into a lower bound of mutual information, and reports that it scatters less than bounds that aim at KL itself. Here a
network learns pairs of correlated normal vectors, whose information is known, and bounds are read off fresh pairs.

Slots: pairs are p, shuffled pairs q, in both divergences. Full size (other pairs, and representations learned by the
bound): the repository ReubenDo/JSDlowerbound. The bound is steady and safe but not close: above 2 nats it misses a
quarter, which is the price of what JS says at best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import batches, perceptron, train
from kullback.bounds import jensen_shannon, nwj

TITLE = "Connecting Jensen-Shannon and Kullback-Leibler Divergences: A New Bound for Representation Learning"
REFERENCE = "dorent2025"
RELATION = "core"
DIVERGENCES = ("js", "kl")
CLAIM = "Through JS, a classifier bounds mutual information from below with less scatter than a bound of KL itself."
STATUS = "reproduced"
SEEDS = 3

CORRELATIONS = (0.3, 0.6, 0.9)
DIMENSION, PAIRS, LOOKS = 3, 4000, 12


@dataclass(frozen=True)
class Run:
    """Of each correlation: the truth, and both bounds on several fresh samples."""

    truth: list[float]
    through_js: list[np.ndarray]
    of_kl: list[np.ndarray]


def run(seed: int, budget: Budget) -> Run:
    """JS to KL by the sharp inequality."""
    return _run(seed, budget, lambda js: kb.bound(kb.kl, given=kb.js, at=js).low)


def control(seed: int, budget: Budget) -> Run:
    """Without the inequality: JS itself for the bound, which is safe too, but says little."""
    return _run(seed, budget, lambda js: js)


def _run(seed: int, budget: Budget, to_kl: Any) -> Run:
    found = [_bounds(seed, budget, rho, to_kl) for rho in CORRELATIONS]
    truth = [-0.5 * DIMENSION * math.log1p(-(rho**2)) for rho in CORRELATIONS]
    return Run(truth, [js for js, _ in found], [kl for _, kl in found])


def _bounds(seed: int, budget: Budget, rho: float, to_kl: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two bounds by one classifier, on fresh samples."""
    g = torch.Generator().manual_seed(seed)
    net, rows = perceptron((3 * DIMENSION, 32, 1), seed=seed), batches(PAIRS, 512, seed=seed)

    def draw() -> tuple[Tensor, Tensor]:
        x, noise = torch.randn(2, PAIRS, DIMENSION, generator=g)
        return x, rho * x + math.sqrt(1.0 - rho**2) * noise

    def logits(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of pairs, and of pairs shuffled within the batch."""
        return tuple(net(torch.cat([x * z, x * x, z * z], -1))[:, 0] for z in (y, y.roll(1, 0)))  # type: ignore[return-value]

    x, y = draw()
    steps = budget.of(small=300, full=5000)
    train(net, lambda s: -jensen_shannon(*logits(x[rows(s)], y[rows(s)])).value, steps=steps, rate=5e-3)
    with torch.no_grad():
        scores = [logits(*draw()) for _ in range(LOOKS)]
    js = np.array([to_kl(max(float(jensen_shannon(*pair)), 0.0)) for pair in scores])
    return js, np.array([float(nwj(1.0 + p, 1.0 + q)) for p, q in scores])


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Below the truth, more than half of it, and steadier than the other bound."""
    share = [[float(x.mean()) / t for x, t in zip(r.through_js, r.truth, strict=True)] for r in runs]
    return [
        at_most("the bound over the truth, at most", [max(s) for s in share], 1.0),
        at_least("the bound over the truth, at least", [min(s) for s in share], 0.5),
        at_most(
            "scatter of the bound over that of NWJ, largest of the correlations",
            [max(float(a.std() / b.std()) for a, b in zip(r.through_js, r.of_kl, strict=True)) for r in runs],
            1.0,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """Both bounds on every fresh sample against the truth."""
    ax.plot(
        [0, max(run.truth)], [0, max(run.truth)], color="#999999", linestyle=":", marker="", label="truth"
    )
    for label, bounds in (("NWJ", run.of_kl), ("through JS", run.through_js)):
        spread = [float(b.std()) for b in bounds]
        means = [float(b.mean()) for b in bounds]
        ax.errorbar(run.truth, means, yerr=spread, capsize=3, linestyle="", label=label)
    ax.set(xlabel="mutual information (nats)", ylabel="bound (nats)")
    ax.legend()
