"""Critics of pairs and of two samples: trained on some rows, their scores read off others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kullback.estimators.critics.held_out import HeldOut
from kullback.estimators.critics.inputs import Split, partners
from kullback.estimators.critics.settings import Architecture, Joint, Training
from kullback.estimators.neural.networks import PairNetwork, pair_network
from kullback.estimators.neural.training import Gain, Scores, fit, log_mean_exp
from kullback.progress import Progress

Floats = NDArray[np.float64]
_SLICE = 1024  # rows of one look at held-out pairs: bounds the memory, changes no number


def pair_scores(
    x: Floats,
    y: Floats,
    split: Split,
    architecture: Architecture,
    training: Training,
    gain: Gain,
    held: int,
    rng: np.random.Generator,
    told: Progress,
) -> HeldOut:
    """The scores of one fold, `held` partners a row, by a critic trained on the others."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    network = pair_network(x.shape[1], y.shape[1], architecture, generator)
    train = [_floats(v[split.train], torch.float32) for v in (x, y)]
    watch = [_floats(v[split.watch], torch.float32) for v in (x, y)]
    wanted = training.partners if isinstance(architecture, Joint) else training.batch - 1
    watch_partners = torch.from_numpy(partners(len(split.watch), held, rng))

    def draw() -> Scores:
        rows = torch.randperm(len(split.train), generator=generator)[: training.batch]
        return _scores(network, train[0][rows], train[1][rows], _shifts(len(rows), wanted, generator))

    def watched() -> Scores:
        return _scores(network, watch[0], watch[1], watch_partners)

    fit(network, draw, watched, gain, training, told)
    with torch.no_grad():
        log_mean = log_mean_exp(_scores(network, watch[0].double(), watch[1].double(), watch_partners)[1])
        return _read(network, x[split.test], y[split.test], partners(len(split.test), held, rng), log_mean)


def sample_scores(
    p: tuple[Floats, Split],
    q: tuple[Floats, Split],
    build: Callable[[int, torch.Generator], nn.Module],
    training: Training,
    gain: Gain,
    rng: np.random.Generator,
    told: Progress,
) -> HeldOut:
    """The scores of one fold of two samples by a critic trained on the other folds."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    network = build(p[0].shape[1], generator)
    train = [_floats(v[s.train], torch.float32) for v, s in (p, q)]
    watch = [_floats(v[s.watch], torch.float32) for v, s in (p, q)]

    def draw() -> Scores:
        rows = [torch.randint(len(v), (training.batch,), generator=generator) for v in train]
        at_p, at_q = (network(v[r])[:, 0] for v, r in zip(train, rows, strict=True))
        return at_p, at_q

    def watched() -> Scores:
        return network(watch[0])[:, 0], network(watch[1])[:, 0]

    fit(network, draw, watched, gain, training, told)
    with torch.no_grad():
        log_mean = log_mean_exp(network(watch[1].double()))
        at_p, at_q = (network(_floats(v[s.test], torch.float64))[:, 0].numpy() for v, s in (p, q))
    return HeldOut(at_p, at_q, log_mean)


def _scores(network: PairNetwork, x: Tensor, y: Tensor, pairing: Tensor) -> Scores:
    a, b = network.left(x), network.right(y)
    return network.own(a, b), network.others(a, b, pairing)


def _shifts(n: int, wanted: int, generator: torch.Generator) -> Tensor:
    """For each row of a batch other rows of it: cyclic shifts, which pair no row with itself."""
    count = min(wanted, n - 1)
    steps = 1 + torch.randperm(n - 1, generator=generator)[:count]
    return (torch.arange(n)[:, None] + steps) % n


def _read(network: PairNetwork, x: Floats, y: Floats, pairing: NDArray[np.int64], log_mean: float) -> HeldOut:
    a, b = network.left(_floats(x, torch.float64)), network.right(_floats(y, torch.float64))
    others = [
        network.others(a[i : i + _SLICE], b, torch.from_numpy(pairing[i : i + _SLICE]))
        for i in range(0, len(pairing), _SLICE)
    ]
    return HeldOut(network.own(a, b).numpy(), torch.cat(others).numpy(), log_mean, pairing)


def _floats(x: Floats, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).to(dtype)
