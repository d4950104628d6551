"""Compression with a prescribed law of the output: what can be kept of a source if the result must look like y?

A source X is sent through a code T of entropy at most R, and Y is made from T so that it has exactly a given law. The
paper makes I(X; Y) large in two steps: a code T = g(X) by merging masses greedily, which leaves no more than h_b of the
second largest mass of the rate unused, and a coupling of T and Y of nearly least entropy. Here the source is the law of
the characters of program text, Y one of sixteen equally likely symbols, and the rival a code that cuts the alphabet
into equal parts. Merging keeps more in the code at every rate; in the output it does not, since its masses, one large
and many small, couple worse with equally likely symbols than equal parts do.

Slots: I(X; Y) = KL(p_xy‖p_x p_y), the joint law first. `greedy_compression`, `greedy_coupling` and `through_bottleneck`
of `kullback.information`. The full-size version, with a game in which a message is hidden in moves, is the authors'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.text import ALPHABET, characters
from kullback.information import (
    Compression,
    greedy_compression,
    greedy_coupling,
    through_bottleneck,
)

TITLE = "Minimum Entropy Coupling with Bottleneck"
REFERENCE = "ebrahimi2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Greedy merging leaves at most h_b(p₍₂₎) of the rate unused, and keeps more than a quantiser."
STATUS = "mixed"
SEEDS = 3

RATES = tuple(math.log(2) * r for r in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5))  # nats
SYMBOLS = 16


@dataclass(frozen=True)
class Run:
    """Unused rates over their bound, excess of couplings in bits, and what codes and outputs tell in bits."""

    unused: np.ndarray
    excess: np.ndarray
    kept: tuple[np.ndarray, np.ndarray]  # bits in the codes, merged and of the quantiser
    greedy: np.ndarray
    quantised: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Codes by greedy merging."""
    return _run(seed, budget, _merged)


def control(seed: int, budget: Budget) -> Run:
    """Codes by the quantiser in their place."""
    return _run(seed, budget, _quantised)


def _merged(p: np.ndarray, rate: float) -> Compression:
    return greedy_compression(p, rate=rate)


def _quantised(p: np.ndarray, rate: float) -> Compression:
    """The items in order, cut into as many equal groups as the rate surely allows."""
    groups = max(1, math.floor(math.exp(rate) + 1e-9))
    codes = np.arange(len(p)) * groups // len(p)
    return Compression(codes, np.bincount(codes, weights=p).astype(float))


def _run(seed: int, budget: Budget, code: Any) -> Run:
    rng, trials = np.random.default_rng(seed), budget.of(small=300, full=20_000)
    unused = []
    for _ in range(trials):
        p = rng.dirichlet(np.ones(rng.integers(3, 20)))
        rate = rng.uniform(0.1, 1.0) * _entropy(p)
        second = np.sort(p)[-2]
        unused.append((rate - code(p, rate).entropy) / _entropy(np.array([second, 1 - second])))
    pairs = [greedy_coupling(*rng.dirichlet(np.ones(20), size=2)) for _ in range(trials // 3)]
    source = _source(rng)
    bits = math.log(2)
    return Run(
        np.array(unused),
        np.array([c.entropy - c.lower_bound for c in pairs]) / bits,
        (
            np.array([code(source, r).entropy / bits for r in RATES]),
            np.array([_quantised(source, r).entropy / bits for r in RATES]),
        ),
        np.array([_told(code(source, r), source) for r in RATES]),
        np.array([_told(_quantised(source, r), source) for r in RATES]),
    )


def _source(rng: np.random.Generator) -> np.ndarray:
    """The law of the characters in half of the text, in an order without meaning."""
    text = characters()
    start = int(rng.integers(len(text) // 2))
    counts = np.bincount(text[start : start + len(text) // 2], minlength=len(ALPHABET))
    return rng.permutation(counts / counts.sum())


def _told(code: Compression, p: np.ndarray) -> float:
    return through_bottleneck(code, p, np.full(SYMBOLS, 1 / SYMBOLS)).information / math.log(2)


def _entropy(p: np.ndarray) -> float:
    return float(kb.kl.entropy(p))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The two guarantees, and the comparison with the quantiser."""
    return [
        at_most("unused rate over h_b(p₍₂₎), largest", [float(r.unused.max()) for r in runs], 1.0 + 1e-9),
        at_least("and smallest: the rate is kept", [float(r.unused.min()) for r in runs], -1e-9),
        at_most(
            "greedy coupling above its lower bound, bits",
            [float(r.excess.max()) for r in runs],
            math.log2(math.e) / math.e,
        ),
        at_least(
            "bits in the code beyond the quantiser's, least over the rates",
            [float(np.min(r.kept[0] - r.kept[1])) for r in runs],
            0.0,
        ),
        at_least(
            "bits in the output beyond the quantiser's, least over the rates",
            [float(np.min(r.greedy - r.quantised)) for r in runs],
            0.0,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """What code and output tell of the source at each rate."""
    rates = np.array(RATES) / math.log(2)
    ax.plot(rates, rates, marker="", label="the rate itself")
    ax.plot(rates, run.kept[0], label="code by merging")
    ax.plot(rates, run.greedy, label="output of merging")
    ax.plot(rates, run.kept[1], label="code of the quantiser")
    ax.plot(rates, run.quantised, label="output of the quantiser")
    ax.set(xlabel="rate R in bits", ylabel="bits about the source")
    ax.legend()
