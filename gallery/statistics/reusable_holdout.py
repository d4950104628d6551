"""A holdout that one selects by becomes training data; answering through noise keeps it a holdout.

The paper shows that answers which are differentially private in the holdout stay true for an analyst who chooses each
question after the answers before. Thresholdout, its mechanism, answers from the training data as long as the holdout
agrees, and through noise where it does not. Here an analyst keeps, of thousands of attributes, those that the training
data and the holdout's answers both favour, lets the best of them vote on the label, and asks how often the vote is
right. Where no attribute tells anything the truth is one half.

Slots: privacy bounds the Rényi divergence of order ∞ between what is answered for two holdouts that differ in a row,
either one first. `ReusableHoldout` of `kullback.information`. Full size is little more: 10 000 attributes, 100 runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.information import ReusableHoldout

TITLE = "Preserving Statistical Validity in Adaptive Data Analysis"
REFERENCE = "dwork2015c"
RELATION = "core"
DIVERGENCES = ("renyi:inf",)
CLAIM = "A holdout asked of 4000 useless attributes overstates accuracy by over 0.05, Thresholdout by under 0.025."
STATUS = "reproduced"
SEEDS = 3

ROWS, TELLING = 10_000, 20
KEPT = (10, 30, 100, 200, 500)

Statistic = Callable[[np.ndarray], Any]
Ask = Callable[[Statistic], np.ndarray]


@dataclass(frozen=True)
class Run:
    """Accuracies of the votes of so many attributes: as the holdout told them, and on fresh rows."""

    plain: np.ndarray
    plain_fresh: np.ndarray
    noisy: np.ndarray
    noisy_fresh: np.ndarray
    signal: tuple[float, float]  # the best fresh accuracies where 20 attributes tell something


def run(seed: int, budget: Budget) -> Run:
    """Threshold and noise of the defaults."""
    return _run(seed, budget, threshold=0.04, noise=0.0025)


def control(seed: int, budget: Budget) -> Run:
    """No threshold and no noise: the holdout itself answers."""
    return _run(seed, budget, threshold=1e-12, noise=1e-12)


def _run(seed: int, budget: Budget, *, threshold: float, noise: float) -> Run:
    rng, attributes = np.random.default_rng(seed), budget.of(small=4000, full=10_000)
    found = []
    for lean in (0.0, 0.03):
        train, holdout, fresh = (_rows(rng, attributes, lean) for _ in range(3))
        box = ReusableHoldout(
            train, holdout, budget=2 * attributes, threshold=threshold, noise=noise, seed=seed
        )

        def plainly(statistic: Statistic, holdout: np.ndarray = holdout) -> np.ndarray:
            return np.asarray(statistic(holdout))

        def protected(statistic: Statistic, box: ReusableHoldout = box) -> np.ndarray:
            return box.ask(statistic).value

        found += [_analysed(train, ask, fresh) for ask in (plainly, protected)]
    plain, noisy, plain_signal, noisy_signal = found
    return Run(
        plain[0], plain[1], noisy[0], noisy[1], (float(plain_signal[1].max()), float(noisy_signal[1].max()))
    )


def _rows(rng: np.random.Generator, attributes: int, lean: float) -> np.ndarray:
    """Coins: the label first, then attributes, of which the first few are the label in so many more cases than half."""
    rows = rng.integers(0, 2, size=(ROWS, attributes + 1), dtype=np.int8)
    label = rows[:, :1]
    true = rng.random((ROWS, TELLING)) < 0.5 + lean
    rows[:, 1 : TELLING + 1] = np.where(true, label, 1 - label)
    return rows


def _analysed(train: np.ndarray, ask: Ask, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The accuracies that the analyst is told, and those on fresh rows."""
    seen, told = _agreement(train) - 0.5, ask(_agreement) - 0.5
    least = 0.5 / np.sqrt(ROWS)
    good = (seen * told > 0) & (np.abs(seen) > least) & (np.abs(told) > least)
    order = np.argsort(-np.abs(seen) * good, kind="stable")
    votes = [_vote(order[:k][good[order[:k]]], np.sign(seen)) for k in KEPT]
    return np.array([float(ask(vote)) for vote in votes]), np.array([vote(fresh) for vote in votes])


def _agreement(rows: np.ndarray) -> np.ndarray:
    """How often each attribute equals the label."""
    return np.count_nonzero(rows[:, 1:] == rows[:, :1], axis=0) / len(rows)


def _vote(kept: np.ndarray, sign: np.ndarray) -> Statistic:
    """How often the majority of the kept attributes, each for or against the label, is right; a tie counts half."""

    def accuracy(rows: np.ndarray) -> float:
        votes = (2.0 * rows[:, 1 + kept] - 1.0) @ sign[kept]
        right = np.sign(votes) * (2.0 * rows[:, 0] - 1.0)
        return float(np.mean(0.5 + 0.5 * right))

    return accuracy


def check(runs: Sequence[Run]) -> list[Verdict]:
    """What the two holdouts overstate where there is nothing to find, and that something is found where there is."""
    plain = [float(r.plain[-1] - r.plain_fresh[-1]) for r in runs]
    noisy = [float(r.noisy[-1] - r.noisy_fresh[-1]) for r in runs]
    return [
        at_least(f"accuracy overstated by the holdout itself, {KEPT[-1]} attributes", plain, 0.05),
        at_most("by Thresholdout", noisy, 0.025),
        at_least(
            "best fresh accuracy with Thresholdout where 20 attributes tell, over that with the holdout itself",
            [r.signal[1] / r.signal[0] for r in runs],
            0.95,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """What the analyst is told of votes of more and more useless attributes."""
    ax.plot(KEPT, run.plain, label="told by the holdout itself")
    ax.plot(KEPT, run.noisy, label="told by Thresholdout")
    ax.plot(KEPT, run.noisy_fresh, label="on fresh rows")
    ax.axhline(0.5, color="#888888", linewidth=0.8)
    ax.set(
        xscale="log", xlabel="attributes kept, none of which tells anything", ylabel="accuracy of their vote"
    )
    ax.legend()
