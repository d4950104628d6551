"""Images are encoded without labels by making two views agree feature by feature, and no two features tell the same.

One network sees two disturbed views of every image. The loss takes the correlations of every feature of one view with
every feature of the other and draws their matrix to the identity: ones on the diagonal (the views agree), zeros off it
(no redundancy). The second half is what keeps a symmetric pair of networks, without negatives or a predictor, from
saying one thing with all features. Here a perceptron of handwritten digits is trained so, and with either half alone.

Slots: there is no divergence in the loss. The redundancy of normal features is KL(joint law‖product of the margins),
`kb.kl`, whose leading term the second half is; it is measured. The full-size version trains ResNet-50 on ImageNet, in
the authors' repository barlowtwins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.digits import Digits, digits, view
from gallery.toys.nets import batches, perceptron, train
from kullback.information import spectral_entropy
from kullback.losses.contrast import barlow_twins, cross_correlation

TITLE = "Barlow Twins: Self-Supervised Learning via Redundancy Reduction"
REFERENCE = "zbontar2021"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = (
    "Features of two views correlate above 0.9 with themselves and below 0.1 with each other, and a linear reader with "
    "100 labels is right more often by 5 points than with either half of the loss alone."
)
STATUS = "mixed"
SEEDS = 3

BATCH, WIDTH, LABELS = 256, 32, 100
REDUNDANCY = 0.05  # λ; the paper's 0.005 is for 8192 features, of which far more pairs add up


@dataclass(frozen=True)
class Codes:
    """On new images: mean C on and |C| off the diagonal, nats that features share, how many there are in effect."""

    own: float
    others: float
    nats: float
    rank: float
    accuracy: float  # of a linear reader


@dataclass(frozen=True)
class Run:
    """The codes of the loss, of its halves, and of the network before training."""

    both: Codes
    agreement: Codes
    decorrelation: Codes
    untrained: Codes


def run(seed: int, budget: Budget) -> Run:
    """The whole loss against its halves."""
    return _run(seed, budget, redundancy=REDUNDANCY)


def control(seed: int, budget: Budget) -> Run:
    """Features may repeat each other."""
    return _run(seed, budget, redundancy=0.0)


def _run(seed: int, budget: Budget, *, redundancy: float) -> Run:
    data, steps = digits(seed), budget.of(small=400, full=20_000)
    return Run(
        _trained(data, redundancy, steps, seed),
        _trained(data, 0.0, steps, seed),
        _trained(data, 1e6, steps, seed),  # next to which the diagonal counts for nothing
        _trained(data, redundancy, 0, seed),
    )


def _trained(data: Digits, redundancy: float, steps: int, seed: int) -> Codes:
    rng = torch.Generator().manual_seed(seed)
    net, rows = perceptron((64, 128, 64, WIDTH), seed=seed), batches(len(data.images), BATCH, seed=seed)

    def loss(step: int) -> Tensor:
        x = data.images[rows(step)]
        return barlow_twins(net(view(x, rng)), net(view(x, rng)), redundancy=redundancy)

    train(net, loss, steps=steps, rate=2e-3)
    return _codes(net, data, rng)


@torch.no_grad()
def _codes(net: nn.Module, data: Digits, rng: torch.Generator) -> Codes:
    first, second = (net(view(data.test_images, rng)).double() for _ in range(2))
    within, across = cross_correlation(first, first), cross_correlation(first, second)
    unit = torch.eye(WIDTH, dtype=torch.float64)
    joint, product = (MultivariateNormal(torch.zeros(WIDTH).double(), c) for c in (within, unit))
    return Codes(
        float(across.diagonal().mean()),
        float(across[unit == 0].abs().mean()),
        float(kb.between(kb.kl, joint, product).value),
        math.exp(float(spectral_entropy(within.numpy()))),
        _read(net(data.images[:LABELS]), data.labels[:LABELS], net(data.test_images), data.test_labels),
    )


def _read(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor) -> float:
    scale = known.std()
    reader = LogisticRegression(max_iter=1000).fit((known / scale).numpy(), labels.numpy())
    return float((reader.predict((asked / scale).numpy()) == truth.numpy()).mean())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """A matrix near the identity; features that do not collapse; codes that a linear reader understands."""
    ranks = [r.both.rank / r.agreement.rank for r in runs]
    nats = [r.agreement.nats - r.both.nats for r in runs]
    return [
        at_least("two views of new images: mean C on the diagonal", [r.both.own for r in runs], 0.9),
        at_most("and mean |C| off it", [r.both.others for r in runs], 0.1),
        at_least("features in effect, over those left where only agreement counts", ranks, 3.0),
        at_least("nats that features share, fewer than where only agreement counts", nats, 1.0),
        *(_gain(runs, half) for half in ("agreement", "decorrelation", "untrained")),
    ]


def _gain(runs: Sequence[Run], half: str) -> Verdict:
    gains = [r.both.accuracy - getattr(r, half).accuracy for r in runs]
    return at_least(f"accuracy with {LABELS} labels, less that of: {half}", gains, 0.05)


def figure(run: Run, ax: Any) -> None:
    """The accuracy of a linear reader beside what the features share."""
    for name, codes in vars(run).items():
        ax.plot(codes.nats, codes.accuracy, linestyle="none", markersize=7, label=name)
    ax.set(
        xlabel="KL(joint‖product) of the features, in nats",
        ylabel=f"accuracy with {LABELS} labels",
        ylim=(0, 1),
    )
    ax.legend()
