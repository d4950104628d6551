"""Noise with a memory, as a sum of a few processes without one, and what inference under it costs.

Fractional Brownian motion of Hurst index H remembers its whole past. The paper writes it as a weighted sum of K
Ornstein-Uhlenbeck processes that share one Brownian motion, with the weights of least mean square error in closed
form. A posterior over paths is then a drift u added to that motion, and its divergence from the prior is ½∫E u² dt.
Here: the error by K; H told from 64 paths; and, for a path seen at 20 times, the nats by which the ELBO of the best
posterior of this form misses the log-likelihood, where u may look at the state of the processes and where it may not.

Slots: posterior over paths first, prior second: `kb.kl`. A path is 400 increments of the Brownian motion, whose
variance u leaves alone. The full-size version learns drifts as networks and predicts video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.special import gamma, gammainc
from scipy.stats import multivariate_normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_most, close

TITLE = "Variational Inference for SDEs Driven by Fractional Noise"
REFERENCE = "daems2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Three processes give fractional Brownian motion to 1 % of its variance; of five, 64 paths tell H to 0.05."
STATUS = "reproduced"
SEEDS = 3

HURSTS = (0.3, 0.5, 0.7, 0.9)
COUNTS = (1, 2, 3, 5)
TIMES = np.linspace(0.05, 1.0, 20)
NOISE = 0.3  # standard deviation of an observation


@dataclass(frozen=True)
class Run:
    """Errors by H and K over the variance, how far H is missed, nats by which posteriors miss the evidence."""

    errors: np.ndarray
    missed: float
    gap: float
    coarse_gap: float  # with half as many steps
    unsteered_gap: float


def run(seed: int, budget: Budget) -> Run:
    """Weights, paths, and a posterior."""
    return _run(seed, budget, optimal=True)


def control(seed: int, budget: Budget) -> Run:
    """Processes with equal weights, of the right mean square: a memory that does not know H."""
    return _run(seed, budget, optimal=False)


def _run(seed: int, budget: Budget, *, optimal: bool) -> Run:
    errors = np.array([[_weights(h, k, optimal)[2] for k in COUNTS] for h in HURSTS])
    rng = np.random.default_rng(seed)
    missed = max(_missed(rng, h, budget.of(small=64, full=1024), optimal) for h in (0.3, 0.7))
    (gap, unsteered), (coarse, _) = (_gaps(budget.of(small=400, full=1600) // each) for each in (1, 2))
    return Run(errors, missed, gap, coarse, unsteered)


def _weights(hurst: float, count: int, optimal: bool = True) -> tuple[np.ndarray, np.ndarray, float]:
    """Rates γ and weights ω of the processes, and the mean square error on [0, 1] over that of no process at all."""
    rates = np.geomspace(0.05, 20.0, count) if count > 1 else np.ones(1)
    sums, power = np.add.outer(rates, rates), hurst + 0.5
    inner = 1.0 / sums + np.expm1(-sums) / sums**2
    cross = rates**-power * (gammainc(power, rates) - power / rates * gammainc(power + 1.0, rates))
    square = 1.0 / (2.0 * hurst * (2.0 * hurst + 1.0) * gamma(power) ** 2)
    equal = np.full(count, np.sqrt(square / inner.sum()))
    weights = np.linalg.lstsq(inner, cross, rcond=1e-12)[0] if optimal else equal
    return rates, weights, float(1.0 + (weights @ inner @ weights - 2.0 * cross @ weights) / square)


def _covariance(hurst: float, optimal: bool) -> np.ndarray:
    """Of the sum of five processes at the times of observation, and of the noise."""
    rates, weights, _ = _weights(hurst, 5, optimal)
    late, early = np.maximum.outer(TIMES, TIMES), np.minimum.outer(TIMES, TIMES)
    found = np.diag(np.full_like(TIMES, NOISE**2))
    for (g, a), (h, b) in product(zip(rates, weights, strict=True), repeat=2):
        found += a * b * np.exp(-g * (late - early)) * -np.expm1(-(g + h) * early) / (g + h)
    return found


def _missed(rng: np.random.Generator, hurst: float, paths: int, optimal: bool) -> float:
    """Draw paths of the true motion; how far from H the likeliest one of a grid is."""
    n, power = len(TIMES), hurst - 0.5

    def moment(late: float, early: float) -> float:
        if late == early:
            return late ** (2.0 * hurst) / (2.0 * hurst)
        return quad(lambda s: (late - s) ** power, 0.0, early, weight="alg", wvar=(0.0, power))[0]

    true = np.array([[moment(max(s, t), min(s, t)) for s in TIMES] for t in TIMES]) / gamma(power + 1.0) ** 2
    seen = rng.multivariate_normal(np.zeros(n), true + NOISE**2 * np.eye(n), size=paths)
    grid = np.linspace(0.1, 0.9, 17)
    told = [_normal(_covariance(h, optimal)).logpdf(seen).sum() for h in grid]
    return round(abs(float(grid[np.argmax(told)]) - hurst), 9)


def _gaps(steps: int) -> tuple[float, float]:
    """KL to the exact posterior, which the ELBO lacks, with a drift that looks at the state and one that does not."""
    rates, weights, _ = _weights(0.3, 5)
    dt = 1.0 / steps
    ages = TIMES[:, None] - (np.arange(steps) + 0.5) * dt
    kernel = np.where(ages > 0, (weights * np.exp(-rates * ages[..., None])).sum(-1), 0.0)
    exact = np.linalg.inv(np.eye(steps) / dt + kernel.T @ kernel / NOISE**2)
    lower = np.linalg.cholesky(exact)
    steered = lower / np.diag(
        lower
    )  # every increment keeps its drift given those before it, and the variance dt
    gaps = [kb.between(kb.kl, _normal(dt * m @ m.T), _normal(exact)).value for m in (steered, np.eye(steps))]
    return gaps[0], gaps[1]


def _normal(covariance: Any) -> Any:
    return multivariate_normal(cov=covariance)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Errors that fall with K to 1 %, H found, an ELBO that becomes exact with the step, but for the drift's sight."""
    return [
        at_most(
            "error over variance with three processes, any H", [r.errors[:, 2].max() for r in runs], 0.01
        ),
        at_most("change of error with more processes, any H", [np.diff(r.errors).max() for r in runs], 0.0),
        at_most("distance of the likeliest H from 0.3 and from 0.7", [r.missed for r in runs], 0.05),
        close(
            "gap of the ELBO at twice the step over it", [r.coarse_gap / r.gap for r in runs], 2.0, within=0.2
        ),
        at_most(
            "gap over that of a drift that ignores the state", [r.gap / r.unsteered_gap for r in runs], 0.05
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The error by the number of processes."""
    for hurst, errors in zip(HURSTS, run.errors, strict=True):
        ax.plot(COUNTS, errors, label=f"H = {hurst:g}")
    ax.set(yscale="log", xlabel="processes", ylabel="mean square error over variance", xticks=COUNTS)
    ax.legend()
