"""Mutual information beyond log N cannot be told from N examples; a distance of transport can, if the critic is smooth.

Two views share k factors of four values each, so that they have k log 4 nats in common. A contrastive critic that sees
N = 32 examples at a time reaches log 32 and has nothing more to learn. The paper takes the Wasserstein-1 distance of
the joint law from the product instead, with a penalty on the critic's slope. The critic here sees the difference of the
views, so that it can find the distance of the law of (x − y)/√2 from 0 at most, a lower bound of the dependency which
is known: every factor that differs, and three of four do, adds 1 to the square, hence E √B with B binomial.

Slots: the joint law first, the product of the margins second, in KL (mutual information) and in the distance. The
full-size version learns from drawn characters; no code of the authors' was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn import functional

from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import perceptron, train
from kullback.losses.contrast import info_nce, wasserstein_dependency

TITLE = "Wasserstein Dependency Measure for Representation Learning"
REFERENCE = "ozair2019"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "At 16 factors InfoNCE of 32 examples tells at most log 32 of 22.2 nats, and a smooth critic finds at least 0.8 of "
    "the distance that it can, as it does at 4."
)
STATUS = "reproduced"
SEEDS = 3

FACTORS, VALUES, BATCH = (1, 4, 16), 4, 32


@dataclass(frozen=True)
class Run:
    """By the number of factors: nats told by InfoNCE, and the distance that the smooth critic finds."""

    nats: dict[int, float]
    distance: dict[int, float]


def run(seed: int, budget: Budget) -> Run:
    """Two views with all factors in common."""
    return _run(seed, budget, shared=True)


def control(seed: int, budget: Budget) -> Run:
    """Two views with nothing in common."""
    return _run(seed, budget, shared=False)


def _run(seed: int, budget: Budget, *, shared: bool) -> Run:
    steps = budget.of(small=400, full=5000)
    return Run(
        {k: _nats(k, seed, steps, shared) for k in FACTORS},
        {k: _distance(k, seed, steps, shared) for k in FACTORS},
    )


def _views(k: int, count: int, rng: torch.Generator, shared: bool) -> tuple[Tensor, Tensor]:
    """One-hot factors, (count, 4k), of either view."""
    factors = [torch.randint(VALUES, (count, k), generator=rng) for _ in range(2)]
    x, y = (functional.one_hot(f, VALUES).flatten(1).float() for f in factors)
    return x, x.clone() if shared else y


def _nats(k: int, seed: int, steps: int, shared: bool) -> float:
    """What a critic of two encoders, trained by InfoNCE, tells of fresh examples."""
    nets = [perceptron((VALUES * k, 64, 32), seed=seed + i) for i in range(2)]
    rng = torch.Generator().manual_seed(seed)

    def loss(_: int) -> Tensor:
        x, y = _views(k, BATCH, rng, shared)
        return info_nce(nets[0](x) @ nets[1](y).T)

    train([w for net in nets for w in net.parameters()], loss, steps=steps, rate=3e-3)
    with torch.no_grad():
        return math.log(BATCH) - sum(float(loss(0)) for _ in range(50)) / 50


def _distance(k: int, seed: int, steps: int, shared: bool) -> float:
    """What a critic of both views with its slope held to 1 finds between the joint law and the product."""
    net, rng = perceptron((VALUES * k, 64, 64, 1), seed=seed), torch.Generator().manual_seed(seed)

    def critic(x: Tensor, y: Tensor) -> Tensor:
        return net(x - y)[:, 0]  # what tells pairs from others is how they differ

    def loss(count: int, penalty: float) -> Tensor:
        return wasserstein_dependency(critic, *_views(k, count, rng, shared), generator=rng, penalty=penalty)

    train(net, lambda _: loss(4 * BATCH, 10.0), steps=steps, rate=3e-3)
    with torch.no_grad():
        return -float(loss(4000, 0.0))


def _true_distance(k: int) -> float:
    """E √B: B of the k factors of a pair from the product differ, which a critic of x − y can tell at best."""
    return float(binom(k, 1 - 1 / VALUES).expect(lambda b: b**0.5))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """A cap on one side, none on the other."""
    cap, last = math.log(BATCH), FACTORS[-1]
    shares = {k: [r.distance[k] / _true_distance(k) for r in runs] for k in FACTORS}
    return [
        at_most("nats told by InfoNCE at 16 factors, less log 32", [r.nats[last] - cap for r in runs], 0.0),
        at_least("nats told by InfoNCE at one factor, of log 4 = 1.386", [r.nats[1] for r in runs], 1.2),
        at_least(
            "share of the distance found, the least over 1, 4 and 16 factors",
            map(min, zip(*shares.values(), strict=True)),
            0.8,
        ),
        at_most("and the largest", map(max, zip(*shares.values(), strict=True)), 1.1),
        at_most(
            "nats gained by InfoNCE from 4 to 16 factors, of 16.6 there are",
            [r.nats[last] - r.nats[4] for r in runs],
            0.5,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """Both measures over what they ought to be."""
    truth = {k: k * math.log(VALUES) for k in FACTORS}
    ax.plot(FACTORS, [run.nats[k] / truth[k] for k in FACTORS], label="InfoNCE, over the mutual information")
    found = [run.distance[k] / _true_distance(k) for k in FACTORS]
    ax.plot(FACTORS, found, label="critic with bounded slope, over the distance")
    ax.set(
        xscale="log",
        xticks=FACTORS,
        xticklabels=FACTORS,
        xlabel="factors in common",
        ylabel="share found",
        ylim=(0, 1.15),
    )
    ax.legend()
