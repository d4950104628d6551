"""How much a network's training loss may differ from its test loss, read off any of its layers, the deeper the better.

Given the weights, an example that they were trained on has another law than a new one. Every layer processes both, so
the KL between them falls from layer to layer, and with it a bound on the gap of the losses. A Wasserstein distance
gives a bound too, but need not fall itself; where it is least is the funnel. Noise takes a known share of the KL away.
Here deep linear networks learn to tell two normal clouds apart, as in the paper: they know the data by a mean only, so
that all laws are normal. Noisy tanh units follow, in bins. Not run: dropout, and networks of finitely many weights.

Slots: p is the law of what a layer makes of a training example, q that of a new one; p first. `divergence_gap` and
`gaussian_noise` of `kullback.bounds`; W₂ stands for W₁, which is no larger. We know of no repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor
from torch.distributions import MultivariateNormal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most, close
from gallery.toys.nets import train
from kullback.bounds import divergence_gap, gaussian_noise, kl_contraction

TITLE = "Information-Theoretic Generalization Bounds for Deep Neural Networks"
REFERENCE = "he2025"
RELATION = "core"
DIVERGENCES = ("kl", "wasserstein(2)")
CLAIM = "KL between training and test laws falls layer by layer; its bound, 4.5 gaps at the input, is 2.1 at the end."
STATUS = "reproduced"
SEEDS = 3

N, WIDTHS, SIGMA, UNITS = 20, (16, 8, 4, 2, 1), 0.7, 4
EDGES, CENTRES = np.linspace(-4.0, 4.0, 61)[1:-1], np.linspace(-4.0, 4.0, 121)[1::2]


@dataclass(frozen=True)
class Run:
    """Means over data sets: of the gap, and of what is said of each layer, from the input on."""

    gap: float
    kl: np.ndarray
    distance: np.ndarray
    slope: np.ndarray  # the distance times the Lipschitz constant of the loss as a function of the layer
    kept: tuple[float, float, float]  # of KL by a noisy unit, at most by its channel, at most by its noise
    behind: float  # the bound of the loss behind the noisy units over the gap there


def run(seed: int, budget: Budget) -> Run:
    """Training and new examples pass the same network."""
    return _run(seed, budget, old=False)


def control(seed: int, budget: Budget) -> Run:
    """New examples pass the network as it was before training: no processing of both laws."""
    return _run(seed, budget, old=True)


def _run(seed: int, budget: Budget, *, old: bool) -> Run:
    sets, rng = budget.of(small=100, full=5000), torch.Generator().manual_seed(seed)

    def draw(n: int, m: int) -> Tensor:
        return torch.randn((sets, n, m), generator=rng, dtype=torch.float64)

    # examples times their labels, which puts the clouds on top of each other and makes margins of outputs
    mean = torch.full((WIDTHS[0],), 0.25, dtype=torch.float64)
    seen, new = mean + draw(N, WIDTHS[0]), mean + draw(1000, WIDTHS[0])
    start = [draw(m, n) / (2 * n**0.5) for n, m in pairwise(WIDTHS)]
    layers = [w.clone().requires_grad_() for w in start]
    train(layers, lambda _: (1 - _chain(layers, seen.mT)).mean((1, 2)).sum(), steps=20, rate=0.01)
    trained = [w.detach() for w in layers]
    tested = start if old else trained
    means = seen.mean(1), mean.expand(sets, -1)
    depths = range(len(WIDTHS))
    laws = [(_law(trained[:i], means[0], 1 - 1 / N), _law(tested[:i], means[1], 1.0)) for i in depths]
    distance = np.array([kb.between(kb.wasserstein(2), *pair).value for pair in laws])
    rest = [_chain(tested[i:], torch.eye(w).double().expand(sets, w, w)) for i, w in enumerate(WIDTHS)]
    slopes = np.array([torch.linalg.matrix_norm(a, 2) / 2 for a in rest])
    return Run(
        float(_loss(_chain(tested, new.mT)).mean() - _loss(_chain(trained, seen.mT)).mean()),
        np.array([kb.between(kb.kl, *pair).value for pair in laws]).mean(1),
        distance.mean(1),
        (distance * slopes).mean(1),
        *_noise(*laws[-1]),
    )


def _chain(layers: Sequence[Tensor], columns: Tensor) -> Tensor:
    for w in layers:
        columns = w @ columns
    return columns


def _loss(margin: Tensor) -> Tensor:
    """Within [0, 1] and of slope 1/2 at most."""
    return (0.5 - 0.5 * margin).clamp(0.0, 1.0)


def _law(layers: Sequence[Tensor], mean: Tensor, variance: float) -> MultivariateNormal:
    """What the layers make of a normal example; one that was seen scatters about the mean of all a little less."""
    a = _chain(layers, torch.eye(WIDTHS[0], dtype=torch.float64))
    return MultivariateNormal((a @ mean[..., None])[..., 0], variance * (a @ a.mT).expand(len(mean), -1, -1))


def _binned(mean: Any, deviation: Any) -> np.ndarray:
    return np.diff(ndtr((EDGES - mean) / deviation), axis=1, prepend=0.0, append=1.0)


def _noise(p: MultivariateNormal, q: MultivariateNormal) -> tuple[tuple[float, float, float], float]:
    """Units tanh with noise, one after the other, behind the margin; all in bins."""
    channel = _binned(np.tanh(CENTRES)[:, None], SIGMA)
    first = np.stack([_binned(law.mean.numpy(), law.stddev.numpy()) for law in (p, q)])
    laws = [first @ np.linalg.matrix_power(channel, k) for k in range(UNITS + 1)]
    kl = np.array([np.mean(kb.kl(*pair, normalize=True)) for pair in laws])
    by_channel, by_noise = kl_contraction(channel).high, gaussian_noise(1.0, sigma=SIGMA).high
    gap = float(np.mean((laws[-1][1] - laws[-1][0]) @ _loss(torch.tensor(CENTRES)).numpy()))
    bound = divergence_gap([kl[0] * by_noise**UNITS], sigma=0.5).high
    return (float(np.max(kl[1:] / kl[:-1])), by_channel, by_noise), bound / abs(gap)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Both bounds hold at every layer, that of KL falls, and noise takes as much of it as it should."""
    known = WIDTHS[0] / 2 * np.log(N / (N - 1))
    by_kl = [min(divergence_gap([x], sigma=0.5).high for x in r.kl) / abs(r.gap) for r in runs]
    return [
        close("KL of the inputs over (d/2) log n/(n − 1)", [r.kl[0] / known for r in runs], 1.0, within=0.15),
        at_most("KL of a layer over the one before", [float(max(r.kl[1:] / r.kl[:-1])) for r in runs], 1.0),
        at_least("least bound from KL over the gap", by_kl, 1.0),
        at_least("from the Wasserstein distance", [r.slope.min() / abs(r.gap) for r in runs], 1.0),
        at_most("KL that a noisy unit keeps, over its bound", [r.kept[0] / r.kept[1] for r in runs], 1.0),
        at_most("and that bound over the one by noise alone", [r.kept[1] / r.kept[2] for r in runs], 1.0),
        at_least("bound behind the noisy units over the gap there", [r.behind for r in runs], 1.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """The bounds of each layer above the gap."""
    layers = range(len(WIDTHS))
    ax.plot(layers, [divergence_gap([x], sigma=0.5).high for x in run.kl], label="bound from KL")
    ax.plot(layers, run.slope, label="bound from the Wasserstein distance")
    ax.plot(layers, run.distance, label="that distance itself")
    ax.axhline(run.gap, color="#999999", linestyle=":", label="the gap of the losses")
    ax.set(xticks=layers, xlabel="layer", ylabel="loss, or distance", yscale="log", ylim=(0.02, 2))
    ax.legend()
