"""Do networks compress what they know of their input? Bins that fit each layer also see units that have no end.

Binned activations have an entropy I(X; T), which bins of equal width make depend on the scale of the units; a rectifier
has no largest value. The paper's bins, drawn anew for each layer, hold equally many of its distinct values. It finds
that compression needs no saturation, differs much between starts, and grows with an L2 penalty. Here a narrow network
learns a symmetric function of 12 bits, with and without the penalty. So short a training ends in a constant at the
paper's penalty of 0.015; at the 0.001 that leaves a network, the penalty takes nothing from the last layer.

Slots: I(X; T) = KL(p_xt‖p_x p_t), which is the entropy of T as T is a function of X. `kb.entropy` counts the rows. The
full-size version (8000 epochs, 50 starts) is in the authors' repository adaptive_estimators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import accuracy, batches, train
from kullback.estimators import PlugIn

TITLE = "Adaptive Estimators Show Information Compression in Deep Neural Networks"
REFERENCE = "chelombiev2019"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Bins of distinct values give activations, cubes and exponentials one entropy; an L2 penalty takes bits away."
STATUS = "mixed"
SEEDS = 3

BINS, PENALTY = 30, 0.001
WIDTHS = (12, 10, 7, 5, 4, 3)
ACTIVATIONS = {"tanh": nn.Tanh, "rectifier": nn.ReLU}


@dataclass(frozen=True)
class Run:
    """In bits: entropies of warped activations, and what each layer tells of input and label, by setting."""

    warped: tuple[float, float]  # the range over three warps, of adaptive bins and of equal widths
    planes: dict[tuple[str, bool], list[tuple[float, float]]]
    accuracies: dict[tuple[str, bool], float]
    label: float  # H(Y)


def run(seed: int, budget: Budget) -> Run:
    """Bins that hold equally many distinct values."""
    return _run(seed, budget, _adaptive)


def control(seed: int, budget: Budget) -> Run:
    """Bins of equal width."""
    return _run(seed, budget, _equal_width)


def _adaptive(t: np.ndarray) -> np.ndarray:
    """One set of edges for all units of the layer."""
    distinct = np.unique(t)
    return np.digitize(t, np.unique(distinct[np.arange(BINS) * len(distinct) // BINS]))


def _equal_width(t: np.ndarray) -> np.ndarray:
    return np.digitize(t, np.linspace(t.min(), t.max(), BINS + 1)[1:-1])


def _run(seed: int, budget: Budget, binning: Callable[[np.ndarray], np.ndarray]) -> Run:
    rng = np.random.default_rng(seed)
    layer = np.maximum(rng.normal(size=(1000, 10)) @ rng.normal(size=(10, 3)), 0)
    warps = layer, layer**3, np.expm1(layer)
    ranges = tuple(float(np.ptp([_entropy(b(w)) for w in warps])) for b in (binning, _equal_width))
    x, y = _patterns()
    planes, accuracies, steps = {}, {}, budget.of(small=1500, full=128_000)
    for key in product(ACTIVATIONS, (False, True)):
        net = _trained(key[0], x, y, PENALTY * key[1], steps, seed)
        with torch.no_grad():
            layers = [net[: 2 * k](x).numpy() for k in range(1, len(WIDTHS))]
            accuracies[key] = accuracy(net(x), y)
        planes[key] = [_told(binning(t), y.numpy()) for t in layers]
    return Run((ranges[0], ranges[1]), planes, accuracies, _entropy(y.numpy()[:, None]))


def _patterns() -> tuple[Tensor, Tensor]:
    """All 4096 patterns of 12 bits, as ±1, and whether neighbours on the ring are equal more often than not."""
    bits = (np.arange(4096)[:, None] >> np.arange(12)) & 1
    equal = (bits == np.roll(bits, 1, axis=1)).sum(axis=1)
    return torch.tensor(2.0 * bits - 1.0, dtype=torch.float32), torch.tensor(equal > 6, dtype=torch.long)


def _trained(name: str, x: Tensor, y: Tensor, penalty: float, steps: int, seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [part for n, m in pairwise(WIDTHS) for part in (nn.Linear(n, m), ACTIVATIONS[name]())]
        net = nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 2))
    rows = batches(len(x), 256, seed=seed)

    def loss(step: int) -> Tensor:
        size = torch.stack([p.square().sum() for p in net.parameters() if p.ndim == 2]).sum()
        return functional.cross_entropy(net(x[rows(step)]), y[rows(step)]) + 0.5 * penalty * size

    train(net, loss, steps=steps, rate=4e-3)
    return net


def _entropy(codes: np.ndarray) -> float:
    """In bits, of rows."""
    return kb.entropy(codes, kind="discrete", method=PlugIn()).bits.value


def _told(codes: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """I(X; T) = H(T), and I(T; Y) = H(T) − H(T|Y)."""
    all_of_it = _entropy(codes)
    return all_of_it, all_of_it - sum(float(np.mean(y == c)) * _entropy(codes[y == c]) for c in (0, 1))


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
