"""KL of two normal laws is not symmetric, but it cannot be small one way and arbitrarily large the other.

If KL(p‖q) is at most ε, the paper bounds KL(q‖p) by a number that holds in every dimension and is attained, and it
bounds KL(p‖s) from KL(p‖q) and KL(q‖s), a triangle inequality of sorts. Here random pairs of normal laws are moved
until their divergence is exactly ε, the other direction is measured, and the worst pair is put on the bound.

Slots: p first, q second, as in `kb.kl`. The full-size version is a proof; there is nothing to scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import root_scalar
from scipy.stats import multivariate_normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most, close
from kullback.bounds import gaussian_reverse_kl, gaussian_triangle

TITLE = "On the Properties of Kullback-Leibler Divergence Between Multivariate Gaussian Distributions"
REFERENCE = "zhang2023"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "KL(p‖q) ≤ 1 leaves KL(q‖p) at most 7.556, in every dimension, and one pair attains it."
STATUS = "reproduced"
SEEDS = 3

EPSILONS = (0.05, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Run:
    """Of every ε: the other direction of many random pairs, of the worst pair, and what the bound allows."""

    reverse: dict[float, np.ndarray]
    worst: dict[float, float]
    bound: dict[float, float]
    third_side: np.ndarray  # KL(p‖s) over its bound


def run(seed: int, budget: Budget) -> Run:
    """Random pairs in one to five dimensions, and the pair that differs in one variance only."""
    return _run(seed, budget, wider=True)


def control(seed: int, budget: Budget) -> Run:
    """The same search on the wrong branch: q narrower than p where the paper says wider."""
    return _run(seed, budget, wider=False)


def _run(seed: int, budget: Budget, *, wider: bool) -> Run:
    rng = np.random.default_rng(seed)
    pairs = budget.of(small=12, full=2000)
    reverse = {eps: np.array([_reverse(*_random_pair(rng, eps)) for _ in range(pairs)]) for eps in EPSILONS}
    worst = {eps: _reverse(_law([0.0], [[1.0]]), _one_variance(eps, wider)) for eps in EPSILONS}
    bound = {eps: gaussian_reverse_kl(eps).high for eps in EPSILONS}
    return Run(reverse, worst, bound, np.array([_third_side(rng) for _ in range(pairs)]))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """No pair beyond the bound, one pair on it, and the third side of no triangle too long."""
    largest = [max(float(np.max(r.reverse[e])) / r.bound[e] for e in EPSILONS) for r in runs]
    return [
        at_most("no random pair goes beyond the bound (largest share of it)", largest, 1.0 + 1e-9),
        at_least(
            "and yet the worst pair reaches it (smallest share)",
            [min(r.worst[e] / r.bound[e] for e in EPSILONS) for r in runs],
            1 - 1e-6,
        ),
        close("the bound at ε = 1", [r.bound[1.0] for r in runs], 7.556, within=5e-4),
        at_most(
            "the third side of a triangle over its bound", [float(r.third_side.max()) for r in runs], 1.0
        ),
    ]


def _law(mean: Any, covariance: Any) -> Any:
    return multivariate_normal(mean, covariance)


def _reverse(p: Any, q: Any) -> float:
    return kb.between(kb.kl, q, p).value


def _random_pair(rng: np.random.Generator, eps: float) -> tuple[Any, Any]:
    """A standard normal law and another, moved along a ray until KL(p‖q) is ε."""
    d = int(rng.integers(1, 6))
    shift, log_scale = rng.normal(size=d), rng.normal(size=d)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    p = _law(np.zeros(d), np.eye(d))

    def at(step: float) -> Any:
        return _law(step * shift, turn * np.exp(step * log_scale) @ turn.T)

    far = 1.0
    while kb.between(kb.kl, p, at(far)).value < eps:
        far *= 2.0
    return p, at(_at_distance(p, at, eps, 0.0, far))


def _one_variance(eps: float, wider: bool) -> Any:
    """The normal law of mean 0 that is ε from the standard one: wider (the paper's worst case) or narrower."""
    low, high = (1.0, 1e6) if wider else (1e-6, 1.0)
    return _law([0.0], [[_at_distance(_law([0.0], [[1.0]]), lambda v: _law([0.0], [[v]]), eps, low, high)]])


def _at_distance(p: Any, at: Callable[[float], Any], eps: float, low: float, high: float) -> float:
    return root_scalar(
        lambda x: kb.between(kb.kl, p, at(x)).value - eps, bracket=(low, high), xtol=1e-12
    ).root


def _third_side(rng: np.random.Generator) -> float:
    p, q = _random_pair(rng, 1e-3)
    shift, v = rng.normal(size=q.dim), rng.normal(size=q.dim)
    s = _law(q.mean + 0.02 * shift, q.cov * np.exp(0.02 * v[0]))
    sides = kb.between(kb.kl, p, q).value, kb.between(kb.kl, q, s).value
    return kb.between(kb.kl, p, s).value / gaussian_triangle(*sides).high


def figure(run: Run, ax: Any) -> None:
    """The other direction of every pair against ε, below the line that one pair attains."""
    ends = np.linspace(0.02, 2.2, 60)
    ax.plot(ends, [gaussian_reverse_kl(e).high for e in ends], marker="", label="the bound")
    for eps in EPSILONS:
        ax.plot(np.full(len(run.reverse[eps]), eps), run.reverse[eps], "o", color="#56b4e9", alpha=0.4)
    ax.plot(EPSILONS, [run.worst[e] for e in EPSILONS], "s", color="#d55e00", label="the worst pair")
    ax.set(yscale="log", xlabel="KL(p‖q)", ylabel="KL(q‖p)")
    ax.legend()
