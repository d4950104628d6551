"""An optimiser found by a search turns out to solve a constrained problem, and to obey a Lyapunov function.

Lion moves by the sign of its momentum and lets the parameters decay by λ, apart from the gradient. It thereby minimises
the loss within the box |x| ≤ 1/λ. For a convex K in place of the norm behind the sign it minimises f(x) + K*(λx)/λ.
With the logarithm of a sum of exponentials the step is a softmax, K* is the negative entropy, and the coupling of
parameters and momentum in the Lyapunov function, K(m) + K*(λx) − λmᵀx, is a Kullback-Leibler divergence.

Slots: parameters λx first, softmax of the momentum second: `kb.kl`. The full-size version, lion-pytorch and the search
in google's automl, trains language and vision models; here the losses are quadratics in 20 dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

import kullback as kb
from gallery.entry import Budget, Verdict, at_most, close

TITLE = "Lion Secretly Solves Constrained Optimization: As Lyapunov Predicts"
REFERENCE = "chen2024"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = "Lion with decay λ ends at the minimum in the box |x| ≤ 1/λ, which it enters at the rate λ or faster."
STATUS = "reproduced"
SEEDS = 3

DIMENSION, STEP, DECAY = 20, 1e-3, 1.0
BETA_NOW, BETA_LATER = 0.9, 0.99

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Run:
    """How far out of the box Lion is, and may be, at every step; where the entropic one ends, and its energy."""

    outside: np.ndarray
    allowed: np.ndarray
    excess_loss: float  # over the best within the box, relative
    to_optimum: float
    lyapunov: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Two optimisers of the family on one random quadratic."""
    return _run(seed, budget, coupled=False)


def control(seed: int, budget: Budget) -> Run:
    """Decay added to the gradient, as a penalty would be, and not to the step."""
    return _run(seed, budget, coupled=True)


def _run(seed: int, budget: Budget, *, coupled: bool) -> Run:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(DIMENSION, DIMENSION))
    quadratic, linear = a @ a.T / DIMENSION + 0.1 * np.eye(DIMENSION), 3.0 * rng.normal(size=DIMENSION)

    def loss(x: np.ndarray) -> float:
        return float(0.5 * x @ quadratic @ x - linear @ x)

    def slope(x: np.ndarray) -> np.ndarray:
        return quadratic @ x - linear

    steps = budget.of(small=30_000, full=300_000)
    sizes = STEP * np.maximum(0.01, 1.0 - np.arange(steps) / steps)
    far = 5.0 * rng.normal(size=DIMENSION)
    path, _ = _lion(np.sign, slope, far, sizes, coupled)
    outside = np.maximum(np.abs(path).max(1) - 1.0 / DECAY, 0.0)
    best = minimize(loss, np.zeros(DIMENSION), jac=slope, bounds=[(-1 / DECAY, 1 / DECAY)] * DIMENSION)
    corner = softmax(3.0 * rng.normal(size=DIMENSION)) / DECAY
    inner, momenta = _lion(softmax, slope, corner, sizes, False)  # coupled, it would leave the simplex
    return Run(
        outside,
        outside[0] * np.append(1.0, np.cumprod(1.0 - DECAY * sizes)),
        (loss(path[-1]) - best.fun) / abs(best.fun),
        kb.kl(DECAY * inner[-1], _entropic(loss, slope)),
        _lyapunov(loss, inner, momenta),
    )


def _lion(
    step: Map, slope: Map, x: np.ndarray, sizes: np.ndarray, coupled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and momenta at every step; `step` is the gradient of K."""
    m = np.zeros_like(x)
    path, momenta = [x], [m]
    for size in sizes:
        g = slope(x) + DECAY * x if coupled else slope(x)
        move = step(BETA_NOW * m - (1.0 - BETA_NOW) * g)
        m = BETA_LATER * m - (1.0 - BETA_LATER) * g
        x = x + size * (move if coupled else move - DECAY * x)
        path.append(x)
        momenta.append(m)
    return np.array(path), np.array(momenta)


def _entropic(loss: Callable[[np.ndarray], float], slope: Map) -> np.ndarray:
    """The p = λx that minimises f(x) + Σ p log p / λ on the simplex, by another method."""
    uniform = np.full(DIMENSION, 1.0 / DIMENSION)

    def value(z: np.ndarray) -> tuple[float, np.ndarray]:
        p = softmax(z)
        g = (slope(p / DECAY) + np.log(p)) / DECAY
        return loss(p / DECAY) + kb.kl(p, uniform) / DECAY, p * (g - p @ g)

    return softmax(minimize(value, np.zeros(DIMENSION), jac=True, options={"gtol": 1e-10}).x)


def _lyapunov(loss: Callable[[np.ndarray], float], path: np.ndarray, momenta: np.ndarray) -> np.ndarray:
    """f + K*(λx)/λ, and a multiple of the divergence of λx from what the momentum would have it be."""
    rate = (1.0 - BETA_LATER) / STEP  # of forgetting, in units of time
    ahead = (1.0 - BETA_NOW) / rate
    p = DECAY * path
    value = np.array([loss(x) for x in path]) + kb.kl(p, np.full_like(p, 1.0 / DIMENSION)) / DECAY
    return value + BETA_NOW / (1.0 + ahead * DECAY) / rate * kb.kl(p, softmax(momenta, axis=-1))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The problem that is solved, by both; the rate; an energy that falls."""
    rises = [np.diff(r.lyapunov).max() / (r.lyapunov[0] - r.lyapunov[-1]) for r in runs]
    ways = [(r.outside / r.allowed).max() for r in runs]
    return [
        close(
            "loss of Lion over the least in the box, relative",
            [r.excess_loss for r in runs],
            0.0,
            within=1e-3,
        ),
        at_most("distance to the box over that of decay alone", ways, 1 + 1e-9),
        at_most("KL of the entropic one from the minimum of f + K*", [r.to_optimum for r in runs], 1e-6),
        at_most("largest rise of its Lyapunov function over the whole fall", rises, 1e-9),
    ]


def figure(run: Run, ax: Any) -> None:
    """The way into the box, and the energy."""
    shown = slice(0, 8000, 20)
    at = np.arange(len(run.outside))[shown]
    ax.plot(at, run.outside[shown], marker="", label="Lion: distance to the box")
    ax.plot(at, run.allowed[shown], marker="", label="what decay alone would leave")
    ax.plot(at, (run.lyapunov - run.lyapunov[-1])[shown], marker="", label="entropic Lion: Lyapunov function")
    ax.set(yscale="log", xlabel="step", ylim=(1e-4, None))
    ax.legend()
