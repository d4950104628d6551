"""Regression through a bottleneck whose prediction error and information are Cauchy–Schwarz divergences of kernels.

Variational bottlenecks for regression assume normal codes and errors. The paper puts Cauchy–Schwarz divergences for
both KLs, which kernels of a batch estimate in closed form, and finds better predictions that attacks hurt less. The
scale is the divergence's own: of two normal laws, half of it is at most their KL. Here a perceptron learns from 300
patients how diabetes proceeds, by squares and by the bottleneck; then test inputs are attacked. The price takes
information out of the codes, but at this size squares predict better, and an attack does not always hurt them more.

Slots: `cauchy_schwarz_bottleneck` of `kullback.losses.bottleneck` is D_CS(p(y|x)‖p(ŷ|x)), targets first, plus the price
of D_CS(p(x,t)‖p(x)p(t)). Its weight of a pair is symmetric, where the authors' code has a sum of squares. The full-size
version (four larger data sets) is in the authors' repository, under the name of the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import batches, perceptron, train
from kullback.losses import bottleneck

TITLE = "Cauchy-Schwarz Divergence Information Bottleneck for Regression"
REFERENCE = "yu2024"
RELATION = "core"
DIVERGENCES = ("cauchy_schwarz", "kl")
CLAIM = (
    "At the price 0.01 an attack raises the error less than that of a network that was trained by squares."
)
STATUS = "mixed"
SEEDS = 3

PRICES = (0.01, 1.0)  # one of the paper's grid for the comparison with squares, and its highest
REACHES = (0.0, 0.1, 0.2, 0.3)  # of the attack, in standard deviations of each input
TRAINED = 300  # patients of 442
NAMES = ("squares", "bottleneck, price 0", *(f"bottleneck, price {price:g}" for price in PRICES))


@dataclass(frozen=True)
class Run:
    """Root mean squared errors by reach of the attack, what codes tell of test inputs, and the divergence itself."""

    errors: dict[str, np.ndarray]
    told: dict[str, float]
    largest: float  # ½ D_CS / KL over random pairs of normal laws

    def hurt(self, name: str) -> float:
        """What an attack that reaches 0.2 adds to the error."""
        return float(self.errors[name][2] - self.errors[name][0])


def run(seed: int, budget: Budget) -> Run:
    """The paper's prices."""
    return _run(seed, budget, PRICES)


def control(seed: int, budget: Budget) -> Run:
    """Information costs nothing."""
    return _run(seed, budget, (0.0, 0.0))


def _run(seed: int, budget: Budget, prices: Sequence[float]) -> Run:
    x, y = _patients(seed)
    steps, errors, told = budget.of(small=300, full=3000), {}, {}
    for name, price in zip(NAMES, (None, 0.0, *prices), strict=True):
        net = _trained(x[:TRAINED], y[:TRAINED], price, steps, seed)
        errors[name] = np.array([_error(net, x[TRAINED:], y[TRAINED:], reach) for reach in REACHES])
        with torch.no_grad():
            told[name] = float(bottleneck.cauchy_schwarz_information(x[TRAINED:], net[:4](x[TRAINED:])))
    return Run(errors, told, _largest(seed))


def _patients(seed: int) -> tuple[Tensor, Tensor]:
    """Ten measurements and the progression of diabetes after a year, standardised by those for training."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    both = np.random.default_rng(seed).permutation(np.column_stack([x, y]))
    both = (both - both[:TRAINED].mean(axis=0)) / both[:TRAINED].std(axis=0)
    return torch.tensor(both[:, :-1]).float(), torch.tensor(both[:, -1:]).float()


def _trained(x: Tensor, y: Tensor, price: float | None, steps: int, seed: int) -> nn.Sequential:
    net, rows = perceptron((x.shape[1], 64, 64, 1), seed=seed), batches(len(x), 128, seed=seed)

    def loss(step: int) -> Tensor:
        inputs, target = x[rows(step)], y[rows(step)]
        if price is None:
            return functional.mse_loss(net(inputs), target)
        return bottleneck.cauchy_schwarz_bottleneck(
            inputs, net[:4](inputs), target, net(inputs), price=price, target_width=1.0
        )

    train(net, loss, steps=steps)
    return net


def _error(net: nn.Sequential, x: Tensor, y: Tensor, reach: float) -> float:
    """After one step of the attack that knows the network: every input moves by `reach` up the slope of the error."""
    moved = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(functional.mse_loss(net(moved), y), moved)
    with torch.no_grad():
        return float(functional.mse_loss(net(x + reach * slope.sign()), y).sqrt())


def _largest(seed: int) -> float:
    rng = np.random.default_rng(seed)
    p, q = (stats.norm(rng.normal(size=5000), np.exp(rng.normal(size=5000))) for _ in range(2))
    cauchy, kullback = (np.asarray(kb.between(d, p, q).value) for d in (kb.cauchy_schwarz, kb.kl))
    return float((0.5 * cauchy / kullback).max())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The divergence is what it should be, the price works, and attacks hurt less than after squares."""
    squares, free, ours, dear = NAMES
    largest = [r.largest for r in runs]
    left = [r.told[dear] / r.told[free] for r in runs]
    clean = [r.errors[squares][0] - r.errors[ours][0] for r in runs]
    saved = {name: [r.hurt(name) - r.hurt(ours) for r in runs] for name in (squares, free)}
    return [
        at_most("half of D_CS over KL, the most of 5000 pairs of normal laws", largest, 1.0),
        at_most("share of D_CS(x; t) that the price 1 leaves", left, 0.8),
        at_least("error that an attack adds after squares, less ours", saved[squares], 0.0),
        at_least("the same at price 0, less ours", saved[free], 0.0),
        at_least("test error after squares, less ours", clean, 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """Errors under attack."""
    for name, errors in run.errors.items():
        ax.plot(REACHES, errors, label=name)
    ax.set(xlabel="reach of the attack, standard deviations", ylabel="root mean squared error of the test")
    ax.legend()
