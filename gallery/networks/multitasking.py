"""A network of Hebb's rule recalls several memories at once where the memories leave sites blank.

Each pattern is ±1 or blank at every site, blank with probability d. The sites at which the first pattern is blank are
free to recall the second one, and so on: recalled strengths fall like a power, (1 − d) d^k. Where nearly everything
is blank the strengths come closer to each other. The network sees no pattern, only noisy examples of each, and it does
not matter whether it is told which belong together. Every site starts at the first pattern that is not blank there;
what is shown is that this state is one of rest. From a state that knows the first pattern only, it is not always found.

Slots: none, no divergence takes part; the paper is here as a neighbour. The full-size version is a phase diagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gallery.entry import Budget, Verdict, at_most

TITLE = "Parallel Learning by Multitasking Neural Networks"
REFERENCE = "agliari2023"
RELATION = "far"
DIVERGENCES = ()
CLAIM = "Patterns blank with probability d are recalled together, with strengths (1 − d) d^k up to d = 0.4."
STATUS = "reproduced"
SEEDS = 3

PATTERNS, EXAMPLES, QUALITY = 4, 30, 0.8  # QUALITY is the correlation of an example with its pattern
BLANKS = (0.1, 0.25, 0.4, 0.7)
HIERARCHIES = 3  # the first of these, where strengths are powers; in the last they come closer


@dataclass(frozen=True)
class Run:
    """By d, the strengths of recall in falling order: told which examples belong together, and not told."""

    told: np.ndarray
    untold: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Learn from examples, follow the field to rest."""
    return _run(seed, budget, blank=True)


def control(seed: int, budget: Budget) -> Run:
    """Random signs in place of blanks: the ordinary network, which recalls one."""
    return _run(seed, budget, blank=False)


def _run(seed: int, budget: Budget, *, blank: bool) -> Run:
    rng = np.random.default_rng(seed)
    sites = budget.of(small=20_000, full=500_000)
    found = [_recalled(rng, sites, d, blank) for d in BLANKS]
    return Run(*np.array(found).transpose(1, 0, 2))


def _recalled(rng: np.random.Generator, sites: int, d: float, blank: bool) -> list[np.ndarray]:
    signs = rng.choice(np.array([-1.0, 1.0], np.float32), size=(PATTERNS, sites))
    patterns = signs * (rng.random((PATTERNS, sites)) >= d) if blank else signs
    kept = rng.random((PATTERNS, EXAMPLES, sites), dtype=np.float32) < 0.5 * (1.0 + QUALITY)
    examples = patterns[:, None] * np.where(kept, np.float32(1.0), np.float32(-1.0))
    first = np.argmax(patterns != 0, axis=0)  # that has something to say
    start = np.where((patterns == 0).all(0), signs[0], patterns[first, np.arange(sites)]).astype(np.float32)
    return [_strengths(patterns, rows, start) for rows in (examples.mean(1), examples.reshape(-1, sites))]


def _strengths(patterns: np.ndarray, learnt: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Align all sites with the field of Hebb's rule until none changes; the overlaps with the patterns."""
    for _ in range(50):
        field = (learnt @ state) @ learnt
        moved = np.where(field != 0, np.sign(field), state)
        if np.array_equal(moved, state):
            break
        state = moved
    return -np.sort(-np.abs(patterns @ state)) / len(state)


def powers(d: float) -> np.ndarray:
    """The strengths of the hierarchical regime."""
    return (1.0 - d) * d ** np.arange(PATTERNS)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Powers where few sites are blank, closer ones where most are, however it was taught."""
    expected = np.array([powers(d) for d in BLANKS[:HIERARCHIES]])
    off = [np.abs(r.told[:HIERARCHIES] - expected).max() for r in runs]
    spread = [np.ptp(r.told[-1]) / np.ptp(powers(BLANKS[-1])) for r in runs]
    return [
        at_most("strength less its power of d, largest up to d = 0.4", off, 0.02),
        at_most("strongest less weakest at d = 0.7, over that of the powers", spread, 0.9),
        at_most("change by not being told, largest", [np.abs(r.told - r.untold).max() for r in runs], 0.02),
    ]


def figure(run: Run, ax: Any) -> None:
    """Strengths by pattern; lines are the powers."""
    order = np.arange(1, PATTERNS + 1)
    for d, told in zip(BLANKS, run.told, strict=True):
        (line,) = ax.plot(order, told, linestyle="none", markersize=6, label=f"blank with probability {d:g}")
        ax.plot(order, powers(d), color=line.get_color(), marker="", linewidth=0.8, linestyle="-")
    ax.set(xlabel="pattern; lines are powers of d", ylabel="strength of recall", xticks=order)
    ax.legend()
