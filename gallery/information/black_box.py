"""How does a network learn? First its layers come to tell of the label, then they forget the input: two phases.

The information plane shows for each layer what it tells of the input and of the label. The paper saw a short phase in
which networks of tanh units fit, and a long one in which they compress. Later work (Saxe and others, 2018) found that
the bins make much of the second phase: saturated units fall into the outermost ones, and rectifiers do not compress.
Here both kinds learn a symmetric function of 12 bits. Data processing, no layer telling more than the one before it,
holds in a network whose layers pass on their bins, and not for bins that are put over a network afterwards. Where
each of the 4096 patterns has bins of its own, the layer tells 12 bits whatever it does.

Slots: I(X; T) = KL(p_xt‖p_x p_t) and I(T; Y) alike, by `information_plane` of `kullback.information`. The full-size
version (50 starts, 8000 epochs, the authors' label rule) is in the authors' repository IDNNs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gallery.entry import Budget, Verdict, at_least, at_most, close
from gallery.toys.nets import batches, train
from gallery.toys.twelve_bits import ACTIVATIONS, WIDTHS, hidden, network, patterns
from kullback.information import EqualWidthBins, information_plane

TITLE = "Opening the Black Box of Deep Neural Networks via Information"
REFERENCE = "shwartz2017"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "The last layer first gains bits about the label and then loses more than 0.3 bits about the input."
STATUS = "mixed"
SEEDS = 3

BINS = EqualWidthBins(30, (-1.0, 1.0))
FINE = EqualWidthBins(2**20, (-1.0, 1.0))


@dataclass(frozen=True)
class Run:
    """In bits: (checkpoints, layers, 2) by kind of unit, the layers that pass on bins, and the first in fine bins."""

    steps: np.ndarray
    planes: dict[str, np.ndarray]
    passed_on: np.ndarray
    fine: float


def run(seed: int, budget: Budget) -> Run:
    """The labels as they are."""
    x, y = patterns()
    return _run(seed, budget, x, y)


def control(seed: int, budget: Budget) -> Run:
    """Labels in random order: nothing to fit."""
    x, y = patterns()
    return _run(seed, budget, x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))])


def _run(seed: int, budget: Budget, x: Tensor, y: Tensor) -> Run:
    last = budget.of(small=1500, full=128_000)
    steps = np.unique(np.geomspace(1, last, 12).round().astype(int)) - 1
    planes, nets = {}, {}
    for name in ACTIVATIONS:
        nets[name], seen = _trained(name, x, y, steps, last, seed)
        planes[name] = np.stack([_way(list(layer), y, name) for layer in zip(*seen, strict=True)], axis=1)
    on = _points(_passing_bins_on(nets["tanh"], x), y, BINS)
    fine = _points(hidden(nets["tanh"], x)[:1], y, FINE)
    return Run(steps, planes, on, float(fine[0, 0]))


def _trained(
    name: str, x: Tensor, y: Tensor, steps: np.ndarray, last: int, seed: int
) -> tuple[nn.Sequential, list[list[np.ndarray]]]:
    """The network in the end, and the activations of its layers at the checkpoints."""
    net, rows, seen = network(name, seed=seed), batches(len(x), 256, seed=seed), []

    def loss(step: int) -> Tensor:
        if step in steps:
            seen.append(hidden(net, x))
        return functional.cross_entropy(net(x[rows(step)]), y[rows(step)])

    train(net, loss, steps=last, rate=4e-3)
    return net, seen


def _way(layer: Sequence[np.ndarray], y: Tensor, name: str) -> np.ndarray:
    """One layer through the plane, in the same bins at all checkpoints: rectifiers have those of all they ever were."""
    if name == "tanh":
        return _points(layer, y, BINS)
    return _points(layer, y, EqualWidthBins(30, (0.0, max(float(t.max()) for t in layer) or 1.0)))


def _passing_bins_on(net: nn.Sequential, t: Tensor) -> list[np.ndarray]:
    """What the layers are where each sees nothing but the middle of the bins of the one before."""
    found = []
    for k in range(len(WIDTHS) - 1):
        with torch.no_grad():
            codes = BINS.codes(net[2 * k : 2 * k + 2](t))
        found.append(2.0 * (codes + 0.5) / BINS.count - 1.0)
        t = torch.tensor(found[-1], dtype=torch.float32)
    return found


def _points(layers: Sequence[np.ndarray], y: Tensor, bins: EqualWidthBins) -> np.ndarray:
    points = information_plane(layers, y, coding=bins)
    return np.array([[p.complexity.bits.value, p.relevance.bits.value] for p in points])


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Fitting and then compression, and the laws that the plane has."""
    tanh, rectifier = ([r.planes[name][:, -1] for r in runs] for name in ACTIVATIONS)
    return [
        at_most(
            "what a layer tells beyond the one that passes its bins on to it, bits",
            [float(np.diff(r.passed_on, axis=0).max()) for r in runs],
            1e-9,
        ),
        close("I(X; T) of the first layer in a million bins", [r.fine for r in runs], 12.0, within=0.05),
        at_least("bits of the label gained by the last tanh layer", [p[-1, 1] - p[0, 1] for p in tanh], 0.3),
        at_least("bits of the input lost again by it", [_lost(p) for p in tanh], 0.3),
        at_least("bits of the input lost again by the last rectifiers", [_lost(p) for p in rectifier], 0.3),
    ]


def _lost(plane: np.ndarray) -> float:
    """By how much the end is below the most on the way."""
    return float(plane[:, 0].max() - plane[-1, 0])


def figure(run: Run, ax: Any) -> None:
    """The way of each tanh layer through the plane, its end in a ring."""
    for k in range(len(WIDTHS) - 1):
        path = run.planes["tanh"][:, k]
        (line,) = ax.plot(path[:, 0], path[:, 1], label=f"layer {k + 1}")
        ax.plot(*path[-1], "o", markersize=12, fillstyle="none", color=line.get_color())
    ax.set(xlabel="I(X; T) in bits, tanh, to the ring", ylabel="I(T; Y) in bits", ylim=(-0.03, 1.15))
    ax.legend(ncols=3, loc="upper center")
