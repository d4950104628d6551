"""Events too rare to be drawn are reached by a ladder of laws, each the nearest in KL to the best draws of the last.

The paper puts this cross-entropy method beside the Riemann hypothesis: points of the complex plane are drawn, those at
which zeta is small are kept, and the next points are drawn nearer to them. That finds zeros; it proves nothing about
the hypothesis, and neither does this entry. What is tested is the method: the probability that a standard normal
number exceeds 5, and the probability that a random point of the critical strip lies where |ζ| ≤ 0.001, around the
first zero. Both are known to first order, and for both crude sampling of as many points finds nothing or next to it.

Slots: the law given the event is p and the normal law fitted to it q of `kb.kl`, the least of which is maximum
likelihood. The full-size version is the paper's text, which has no code that we know of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from gallery.entry import Budget, Verdict, at_most
from kullback.exact import rare_event

TITLE = "Analysis on Riemann Hypothesis with Cross Entropy Optimization and Reasoning"
REFERENCE = "li2024"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = "20000 draws give a probability of 2.87e-7, and that of a disc around a zero of zeta, to a twentieth."
STATUS = "reproduced"
SEEDS = 3

LEVEL, SMALL = 5.0, 1e-3
ZERO = complex(0.5, 14.134725141734694)
MEAN, COVARIANCE = np.array([0.5, 14.0]), np.diag([0.1**2, 1.0])  # of the real and the imaginary part
TERMS = 48
Score = Callable[[np.ndarray], np.ndarray]
Method = Callable[[Score, float, np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Run:
    """Both probabilities over the truth, how far from the zero the best point was, and every point that was drawn."""

    tail: float
    disc: float
    distance: float
    drawn: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """By the ladder."""
    stage, final = budget.of(small=(2000, 10_000), full=(20_000, 1_000_000))

    def ladder(score: Score, level: float, mean: np.ndarray, covariance: np.ndarray) -> float:
        return rare_event(
            score, level, mean=mean, covariance=covariance, n=stage, final=final, seed=seed
        ).value

    return _run(ladder)


def control(seed: int, budget: Budget) -> Run:
    """By as many draws of the law itself."""
    rng, n = np.random.default_rng(seed), budget.of(small=20_000, full=2_000_000)

    def crude(score: Score, level: float, mean: np.ndarray, covariance: np.ndarray) -> float:
        return float(np.mean(score(rng.multivariate_normal(mean, covariance, size=n)) >= level))

    return _run(crude)


def _run(probability: Method) -> Run:
    tail = probability(lambda x: x[:, 0], LEVEL, np.zeros(1), np.eye(1))
    drawn: list[np.ndarray] = []

    def smallness(points: np.ndarray) -> np.ndarray:
        drawn.append(np.column_stack([points, -np.log(np.abs(_zeta(points[:, 0] + 1j * points[:, 1])))]))
        return drawn[-1][:, 2]

    disc = probability(smallness, -math.log(SMALL), MEAN, COVARIANCE)
    points = np.concatenate(drawn)
    best = points[points[:, 2].argmax()]
    return Run(tail / float(norm.sf(LEVEL)), disc / _truth(), abs(complex(best[0], best[1]) - ZERO), points)


def _zeta(s: np.ndarray) -> np.ndarray:
    """By the alternating series, whose partial sums are averaged until they agree; for real parts above 0."""
    terms = (-1.0) ** np.arange(TERMS) * np.exp(-s[:, None] * np.log(np.arange(1.0, TERMS + 1.0)))
    sums = np.cumsum(terms, axis=1)
    while sums.shape[1] > TERMS // 3:
        sums = 0.5 * (sums[:, 1:] + sums[:, :-1])
    return sums[:, -1] / (1.0 - 2.0 ** (1.0 - s))


def _truth() -> float:
    """The disc where |ζ'| |s − zero| is at most `SMALL`, times the density there."""
    step = 1e-4
    slope = abs(np.subtract(*_zeta(np.array([ZERO + step, ZERO - step])))) / (2.0 * step)
    densities = norm.pdf([ZERO.real, ZERO.imag], MEAN, np.sqrt(np.diag(COVARIANCE)))
    return math.pi * (SMALL / slope) ** 2 * float(np.prod(densities))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Both probabilities within a twentieth, and the zero where it is."""
    return [
        at_most("P(X > 5), relative error", [abs(r.tail - 1.0) for r in runs], 0.05),
        at_most("P(|ζ| ≤ 0.001), relative error", [abs(r.disc - 1.0) for r in runs], 0.05),
        at_most("distance of the best point from the first zero", [r.distance for r in runs], 1e-3),
    ]


def figure(run: Run, ax: Any) -> None:
    """The points that were drawn, and those at which zeta is small."""
    hits = run.drawn[:, 2] >= -math.log(SMALL)
    few = run.drawn[:: max(1, len(run.drawn) // 3000)]
    distance = np.abs(few[:, 0] + 1j * few[:, 1] - ZERO)
    ax.plot(distance, np.exp(-few[:, 2]), linestyle="", alpha=0.3, label="drawn")
    near = run.drawn[hits][:300]
    ax.plot(
        np.abs(near[:, 0] + 1j * near[:, 1] - ZERO), np.exp(-near[:, 2]), linestyle="", label="|ζ| ≤ 0.001"
    )
    ax.set(xscale="log", yscale="log", xlabel="distance from the first zero", ylabel="|ζ|")
    ax.legend()
