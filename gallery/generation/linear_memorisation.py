"""Two models that never saw the same example agree long before they know what is in the data, or long after.

The simplest generative model is a normal law with the covariance of n examples in D dimensions. The data are noise
with one hidden direction of strength θ. Two such models of disjoint halves converge to each other gradually as n/D
grows. The hidden direction is found in a sharp transition at n/D = 1/θ², of which the convergence shows no trace:
matching the bulk of a law and finding its factors are two things, and the agreement of models tells of the first only.

Slots: one model first, the model of the other half second. The paper measures agreement by the samples that two models
draw from the same noise; that cosine is here too. The full-size version trains convolutional denoisers on photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.stats import multivariate_normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_most

TITLE = "Memorisation, Convergence and Generalisation in Generative Models"
REFERENCE = "maillard2026"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "KL of two models of disjoint data falls smoothly with n/D, by a law that knows nothing of the hidden "
    "direction, which appears at n/D = 1/θ²."
)
STATUS = "reproduced"
SEEDS = 3

STRENGTH = 1.0  # θ, so that the transition is at n/D = 1
RIDGE = 0.1  # keeps the model of fewer examples than dimensions a density
LOADS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # n/D


@dataclass(frozen=True)
class Run:
    """Of every load: the divergence of the two models a dimension, their cosine, the squared overlap."""

    divergence: np.ndarray
    cosine: np.ndarray
    overlap: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Two covariances of disjoint halves at every load."""
    return _run(seed, budget, disjoint=True)


def control(seed: int, budget: Budget) -> Run:
    """Both models learn from the same half: what then looks like convergence is memorising."""
    return _run(seed, budget, disjoint=False)


def _run(seed: int, budget: Budget, *, disjoint: bool) -> Run:
    rng = np.random.default_rng(seed)
    d = budget.of(small=600, full=2400)
    hidden = rng.normal(size=d)
    hidden /= np.linalg.norm(hidden)
    rows = []
    for load in LOADS:
        first = _covariance(rng, round(load * d), hidden)
        second = _covariance(rng, round(load * d), hidden) if disjoint else first
        (root, top), (other_root, other_top) = _root_and_top(first), _root_and_top(second)
        cosine = np.sum(root * other_root) / np.sqrt(np.trace(first) * np.trace(second))
        overlap = 0.5 * ((top @ hidden) ** 2 + (other_top @ hidden) ** 2)
        rows.append((_divergence(first, second), cosine, overlap))
    return Run(*np.array(rows).T)


def _covariance(rng: np.random.Generator, n: int, hidden: np.ndarray) -> np.ndarray:
    x = rng.normal(size=(n, len(hidden))) + np.sqrt(STRENGTH) * rng.normal(size=(n, 1)) * hidden
    return x.T @ x / n


def _root_and_top(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What turns noise into samples, and the direction of the largest variance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T, vectors[:, -1]


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    ridge: Any = RIDGE * np.eye(len(first))
    p, q = (multivariate_normal(cov=c + ridge) for c in (first, second))
    return kb.between(kb.kl, p, q).value / len(first)


def bulk_divergence(load: float) -> float:
    """The limit of KL a dimension for data without any factor, by the mean inverse eigenvalue m after the ridge."""
    c, r = 1.0 / load, RIDGE
    m = (np.sqrt((1.0 + c + r) ** 2 - 4.0 * c) - (1.0 - c + r)) / (2.0 * c * r)
    return 0.5 * ((1.0 + r) * m - 1.0)


def bulk_cosine(load: float) -> float:
    """Its cosine: independent covariances are free of each other, so that only the mean root eigenvalue counts."""
    c = 1.0 / load
    low, high = (1.0 - np.sqrt(c)) ** 2, (1.0 + np.sqrt(c)) ** 2
    half, middle = 0.5 * (high - low), 0.5 * (high + low)

    def density(
        angle: float,
    ) -> float:  # of Marchenko and Pastur, times √x, without its square roots at the ends
        return (half * np.sin(angle)) ** 2 / (2 * np.pi * c * np.sqrt(middle - half * np.cos(angle)))

    return quad(density, 0.0, np.pi)[0] ** 2


def recovery(load: float) -> float:
    """The squared overlap in the limit: nothing below the transition."""
    return max(0.0, (1.0 - 1.0 / (load * STRENGTH**2)) / (1.0 + 1.0 / (load * STRENGTH)))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The divergence and the cosine keep to the bulk at every load; the overlap has a transition."""
    divergence, cosine, limit = (
        np.array([law(load) for load in LOADS]) for law in (bulk_divergence, bulk_cosine, recovery)
    )
    far = np.array(LOADS) >= 4.0 / STRENGTH**2
    off = [abs(r.divergence / divergence - 1.0).max() for r in runs]
    turned = [abs(r.cosine - cosine).max() for r in runs]
    lost = [abs(r.overlap - limit)[far].max() for r in runs]
    return [
        at_most("KL over its limit for the bulk alone, farthest from 1 at any load", off, 0.05),
        at_most("cosine of samples less its limit, largest at any load", turned, 0.03),
        at_most("squared overlap at a quarter of the transition", [r.overlap[0] for r in runs], 0.05),
        at_most("squared overlap less its limit, largest from 4 times the transition on", lost, 0.05),
    ]


def figure(run: Run, ax: Any) -> None:
    """Two curves without a kink, and one with."""
    ends = np.geomspace(LOADS[0], LOADS[-1], 120)
    for label, found, limit in (
        ("cosine of two models' samples", run.cosine, bulk_cosine),
        ("overlap with the hidden direction", run.overlap, recovery),
        ("KL of two models, a dimension", run.divergence, bulk_divergence),
    ):
        (line,) = ax.plot(LOADS, found, linestyle="none", markersize=6, label=label)
        ax.plot(ends, [limit(load) for load in ends], color=line.get_color(), marker="", linestyle="-")
    ax.set(xscale="log", ylim=(-0.03, 1.6), xlabel="examples a dimension, n/D; lines are the limits")
    ax.legend(loc="upper right")
