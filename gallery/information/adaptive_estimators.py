"""Do networks compress what they know of their input? Bins that fit each layer also see units that have no end.

Binned activations have an entropy I(X; T), which bins of equal width make depend on the scale of the units; a rectifier
has no largest value. The paper's bins, drawn anew for each layer, hold equally many of its distinct values. It finds
that compression needs no saturation, differs much between starts, and grows with an L2 penalty. Here a narrow network
learns a symmetric function of 12 bits, with and without the penalty. So short a training ends in a constant at the
paper's penalty of 0.015; at the 0.001 that leaves a network, the penalty takes nothing from the last layer.

Slots: I(X; T) = KL(p_xt‖p_x p_t), which is the entropy of T as T is a function of X; `information_plane` of
`kullback.information`. The full-size version (8000 epochs, 50 starts) is in the authors' repository
adaptive_estimators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import accuracy, batches, train
from gallery.toys.twelve_bits import ACTIVATIONS, WIDTHS, hidden, network, patterns
from kullback.estimators import PlugIn
from kullback.information import DistinctBins, EqualWidthBins, information_plane

TITLE = "Adaptive Estimators Show Information Compression in Deep Neural Networks"
REFERENCE = "chelombiev2019"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Bins of distinct values give activations, cubes and exponentials one entropy; an L2 penalty takes bits away."
STATUS = "mixed"
SEEDS = 3

PENALTY = 0.001
ADAPTIVE, EQUAL = DistinctBins(30), EqualWidthBins(30)


@dataclass(frozen=True)
class Run:
    """In bits: entropies of warped activations, and what each layer tells of input and label, by setting."""

    warped: tuple[float, float]  # the range over three warps, of adaptive bins and of equal widths
    planes: dict[tuple[str, bool], list[tuple[float, float]]]
    accuracies: dict[tuple[str, bool], float]
    label: float  # H(Y)


def run(seed: int, budget: Budget) -> Run:
    """Bins that hold equally many distinct values."""
    return _run(seed, budget, ADAPTIVE)


def control(seed: int, budget: Budget) -> Run:
    """Bins of equal width."""
    return _run(seed, budget, EQUAL)


def _run(seed: int, budget: Budget, bins: DistinctBins | EqualWidthBins) -> Run:
    rng = np.random.default_rng(seed)
    layer = np.maximum(rng.normal(size=(1000, 10)) @ rng.normal(size=(10, 3)), 0)
    warps, constant = (layer, layer**3, np.expm1(layer)), np.zeros(1000, dtype=int)
    ranges = [
        np.ptp([told.bits.value for told, _ in information_plane(warps, constant, coding=b)])
        for b in (bins, EQUAL)
    ]
    x, y = patterns()
    planes, accuracies, steps = {}, {}, budget.of(small=1500, full=128_000)
    for key in product(ACTIVATIONS, (False, True)):
        net = _trained(key[0], x, y, PENALTY * key[1], steps, seed)
        with torch.no_grad():
            accuracies[key] = accuracy(net(x), y)
        points = information_plane(hidden(net, x), y, coding=bins)
        planes[key] = [(p.complexity.bits.value, p.relevance.bits.value) for p in points]
    label = kb.entropy(y.numpy(), kind="discrete", method=PlugIn()).bits.value
    return Run((float(ranges[0]), float(ranges[1])), planes, accuracies, label)


def _trained(name: str, x: Tensor, y: Tensor, penalty: float, steps: int, seed: int) -> nn.Sequential:
    net, rows = network(name, seed=seed), batches(len(x), 256, seed=seed)

    def loss(step: int) -> Tensor:
        size = torch.stack([p.square().sum() for p in net.parameters() if p.ndim == 2]).sum()
        return functional.cross_entropy(net(x[rows(step)]), y[rows(step)]) + 0.5 * penalty * size

    train(net, loss, steps=steps, rate=4e-3)
    return net


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Bins that do not see the scale, information within its limits, and less of it under the penalty."""
    points = [(r, i, j) for r in runs for plane in r.planes.values() for i, j in plane]
    beyond = max(max(i - 12, j - r.label, -j) for r, i, j in points)
    return [
        at_most("range of adaptive entropies over three warps, bits", [r.warped[0] for r in runs], 1e-9),
        at_least("of those of equal width, bits", [r.warped[1] for r in runs], 1.0),
        at_most("I(X; T) beyond 12 bits, or I(T; Y) beyond H(Y)", beyond, 1e-9),
        at_least(
            "bits the penalty takes from a layer that knows Y, tanh", [_taken(r, "tanh") for r in runs], 0
        ),
        at_least("the same, rectifiers", [_taken(r, "rectifier") for r in runs], 0.0),
    ]


def _taken(r: Run, name: str) -> float:
    """NaN where the network with the penalty has not learnt the label: a constant compresses everything."""
    if r.accuracies[name, True] < 0.95:
        return float("nan")
    return r.planes[name, False][-1][0] - r.planes[name, True][-1][0]


def figure(run: Run, ax: Any) -> None:
    """What each layer tells of the input, first to last."""
    for (name, penalised), plane in run.planes.items():
        ax.plot(range(1, len(WIDTHS)), [i for i, _ in plane], label=f"{name}, penalty" if penalised else name)
    ax.set(xlabel="layer", ylabel="I(X; T) in bits", xticks=range(1, len(WIDTHS)), ylim=(0, 12.5))
    ax.legend()
