"""A loss for many classes that sees how far the label's output stands out, and needs three sums over the outputs.

The cost of a softmax grows with the number of classes, and what it lowers is not what is counted, say whether the right
word is among the ten first. The paper's loss is of the label's standard score: other outputs enter by their sum and the
sum of their squares, which an output layer gives without forming them, and an offset fits it to what is counted. Here
a network reads five characters of Python and tells the next two, one of hundreds of pairs. After a short training the
loss is ahead of softmax in the first ten, after ten times as long behind (seen once: .703, .717); a larger offset is no
better for the first place. The paper's factored update, 40 times faster, is not tried: one gradient is timed.

Slots: softmax is KL(label‖prediction), label first; the Z-loss is no divergence. In full it is a model of words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys import text
from gallery.toys.nets import perceptron, train
from kullback.losses import robust

TITLE = "The Z-loss: a shift and scale invariant classification loss belonging to the Spherical Family"
REFERENCE = "debrebisson2016"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = "More right answers among the first ten than softmax, and 0.05 more than Taylor softmax, also made of sums."
STATUS = "mixed"
SEEDS = 3

Loss = Callable[[Tensor, Tensor], Tensor]
READ, RARE, TEST, CLASSES, FIRST = 5, 100, 5000, 20_000, (1, 2, 5, 10, 20, 50, 100)


def _taylor(outputs: Tensor, labels: Tensor) -> Tensor:
    weights = 1.0 + outputs + 0.5 * outputs.square()
    return functional.nll_loss((weights / weights.sum(1, keepdim=True)).log(), labels)


Z: dict[str, Loss] = {f"Z-loss, offset {b}": partial(robust.z_loss, sharpness=1.0, offset=b) for b in (5, 10)}
LOW, HIGH, SOFTMAX, TAYLOR = *Z, "softmax", "Taylor softmax"  # sharpness, offsets, rate: by trial on seed 0
OTHERS: dict[str, Loss] = {SOFTMAX: functional.cross_entropy, TAYLOR: _taylor}


@dataclass(frozen=True)
class Run:
    """The share of test labels among the first k, by loss; of gradients from sums, the error and softmax's CPU time."""

    among: dict[str, list[float]]
    off: float  # relative to the gradient from the outputs
    longer: float  # over that from the sums


def run(seed: int, budget: Budget) -> Run:
    """Two offsets, softmax, and an older loss of the spherical family."""
    return _run(seed, budget, Z)


def control(seed: int, budget: Budget) -> Run:
    """The outputs are not standardised: Taylor softmax in the place of the Z-loss."""
    return _run(seed, budget, dict.fromkeys(Z, _taylor))


def _run(seed: int, budget: Budget, named: dict[str, Loss]) -> Run:
    steps, pairs = budget.of(small=300, full=20_000), _pairs(seed)
    among = {name: _learnt(loss, *pairs, seed, steps) for name, loss in {**named, **OTHERS}.items()}
    return Run(among, *_from_sums(seed, CLASSES))


def _pairs(seed: int) -> tuple[Tensor, Tensor]:
    """Five characters, and the class of the two after them; rare pairs are left out."""
    before, after = text.contexts(READ + 1)
    pair = before[:, READ] * len(text.ALPHABET) + after
    common = np.bincount(pair) >= RARE
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(common[pair]))
    return torch.tensor(before[rows, :READ]), torch.tensor((common.cumsum() - 1)[pair[rows]])


def _learnt(loss: Loss, inputs: Tensor, labels: Tensor, seed: int, steps: int) -> list[float]:
    """The share of test labels among the first k outputs after training."""
    g = torch.Generator().manual_seed(seed)
    net = perceptron((READ * len(text.ALPHABET), 64, int(labels.max()) + 1), seed=seed)

    def outputs(x: Tensor) -> Tensor:
        return net(functional.one_hot(x, len(text.ALPHABET)).flatten(1).float())

    def of_step(_: int) -> Tensor:
        rows = torch.randint(TEST, len(labels), (128,), generator=g)
        return loss(outputs(inputs[rows]), labels[rows])

    train(net, of_step, steps=steps * 2 // 3, rate=1e-2)
    train(net, of_step, steps=steps - steps * 2 // 3, rate=1e-3)
    found = outputs(inputs[:TEST]).detach()
    rank = (found > found.gather(1, labels[:TEST, None])).sum(1)
    return [float((rank < k).float().mean()) for k in FIRST]


def _from_sums(seed: int, classes: int) -> tuple[float, float]:
    """Gradients of an output layer: from sums against from outputs, and how much longer that of softmax takes."""
    g = torch.Generator().manual_seed(seed)
    weights = torch.randn(classes, 64, generator=g, dtype=torch.float64).requires_grad_()
    hidden = torch.randn(512, 64, generator=g, dtype=torch.float64)
    own = torch.randint(classes, (512,), generator=g)

    def by_sums() -> Tensor:
        total, squares = hidden @ weights.sum(0), (hidden @ (weights.T @ weights) * hidden).sum(1)
        label = (hidden * weights[own]).sum(1)
        return robust.z_loss_from_sums(total, squares, label, classes=classes, sharpness=1.0, offset=5.0)

    def timed(loss: Callable[[], Tensor]) -> tuple[Tensor, float]:
        start = time.process_time()
        (slope,) = torch.autograd.grad(loss(), weights)
        return slope, time.process_time() - start

    cheap, short = timed(by_sums)
    _, long = timed(lambda: functional.cross_entropy(hidden @ weights.T, own))
    true, _ = timed(lambda: Z[LOW](hidden @ weights.T, own))
    return float((cheap - true).norm() / true.norm()), long / short


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Ahead of softmax and of its own family; tuned by its offset; the same from sums, and cheaper."""

    def ahead(one: str, other: str, k: int) -> list[float]:
        return [r.among[one][FIRST.index(k)] - r.among[other][FIRST.index(k)] for r in runs]

    return [
        at_least("in the first ten: above softmax", ahead(LOW, SOFTMAX, 10), 0.0),
        at_least("in the first ten: above Taylor softmax", ahead(LOW, TAYLOR, 10), 0.05),
        at_least("first: larger offset above smaller", ahead(HIGH, LOW, 1), 0.0),
        at_least("in the first 50: smaller above larger", ahead(LOW, HIGH, 50), 0.0),
        at_most("gradient from the sums, relative error", [r.off for r in runs], 1e-9),
        at_least("20 000 classes: CPU time, softmax / sums", [r.longer for r in runs], 4.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """How often the label is among the first k."""
    for name, shares in run.among.items():
        ax.plot(FIRST, shares, label=name)
    ax.set(xscale="log", xlabel="k", ylabel="labels among the first k")
    ax.legend()
