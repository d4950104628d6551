"""Learning to learn from few examples as one hierarchical Bayesian model whose parts all have closed forms.

Every task has its own weights θ, drawn from a normal law N(μ, Σ) that the tasks share and nobody knows. The paper
holds a normal-inverse-Wishart law over (μ, Σ) and a normal law for each θ; given the first, the best second is the
solution of a linear system, without any inner loop to differentiate through. Here the tasks are regressions with four
examples of five inputs each, for which that is exact, so that both levels are improved in turn until they agree. New
tasks are then solved by the shared law alone.

Slots: posterior first, prior second on both levels: `kb.kl`. The full-size version, niwmeta, is for deep networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma
from scipy.stats import multivariate_normal

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.exact import NormalInverseWishart

TITLE = "A Hierarchical Bayesian Model for Deep Few-Shot Meta Learning"
REFERENCE = "kim2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Four examples and a law learnt from 60 other tasks: at most half of the error of either alone."
STATUS = "reproduced"
SEEDS = 3

INPUTS, EXAMPLES, TASKS, NOISE = 5, 4, 60, 0.25  # NOISE is a variance


@dataclass(frozen=True)
class Run:
    """Mean squared errors on new tasks, by method, and the ELBO after every round."""

    errors: dict[str, float]
    elbo: np.ndarray


@dataclass(frozen=True)
class Task:
    """What the examples of a regression say of its weights θ: −½ θᵀAθ + θᵀb with A the precision and b the pull."""

    precision: np.ndarray
    pull: np.ndarray
    theta: np.ndarray


def run(seed: int, budget: Budget) -> Run:
    """Thirty rounds on the tasks at hand, then new ones."""
    return _run(seed, rounds=30, new=budget.of(small=200, full=5000))


def control(seed: int, budget: Budget) -> Run:
    """The shared law stays at its prior: no learning from other tasks."""
    return _run(seed, rounds=0, new=budget.of(small=200, full=5000))


def _run(seed: int, *, rounds: int, new: int) -> Run:
    rng = np.random.default_rng(seed)
    mu, sigma = rng.normal(size=INPUTS), 0.3 * np.eye(INPUTS) + 0.2
    tasks = [_task(rng, mu, sigma) for _ in range(TASKS)]
    prior = NormalInverseWishart(np.zeros(INPUTS), 0.01, (INPUTS + 2.0) * np.eye(INPUTS), INPUTS + 2.0)
    shared, elbo = prior, []
    for _ in range(rounds):
        guides = [_local(task, shared.loc, _mean_precision(shared)) for task in tasks]
        elbo.append(_elbo(tasks, guides, shared, prior))
        shared = _shared(guides, prior)
    return Run(_errors([_task(rng, mu, sigma) for _ in range(new)], shared, mu, sigma), np.array(elbo))


def _task(rng: np.random.Generator, mu: np.ndarray, sigma: np.ndarray) -> Task:
    theta, x = rng.multivariate_normal(mu, sigma), rng.normal(size=(EXAMPLES, INPUTS))
    y = x @ theta + np.sqrt(NOISE) * rng.normal(size=EXAMPLES)
    return Task(x.T @ x / NOISE, x.T @ y / NOISE, theta)


def _mean_precision(shared: NormalInverseWishart) -> np.ndarray:
    return shared.df * np.linalg.inv(shared.scale_matrix)


def _local(task: Task, center: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and covariance of the best normal law of θ for what is known of the shared one."""
    covariance = np.linalg.inv(task.precision + precision)
    return covariance @ (task.pull + precision @ center), covariance


def _shared(
    guides: Sequence[tuple[np.ndarray, np.ndarray]], prior: NormalInverseWishart
) -> NormalInverseWishart:
    """The best law of (μ, Σ) for the guides of all tasks."""
    means, total = np.array([m for m, _ in guides]), prior.precision_scale + len(guides)
    center = (prior.precision_scale * prior.loc + means.sum(0)) / total
    off, shift = means - center, prior.loc - center
    scale = prior.scale_matrix + off.T @ off + prior.precision_scale * np.outer(shift, shift)
    return NormalInverseWishart(center, total, scale + sum(v for _, v in guides), prior.df + len(guides))


def _elbo(
    tasks: Sequence[Task], guides: Any, shared: NormalInverseWishart, prior: NormalInverseWishart
) -> float:
    """What the examples say, less the divergences of both levels."""
    covariance: Any = shared.scale_matrix / shared.df
    plugged = multivariate_normal(shared.loc, covariance)
    # KL(guide‖N(μ, Σ)) is on average that from the law with the mean precision, and the price of not knowing (μ, Σ)
    halves = 0.5 * (shared.df - np.arange(INPUTS))
    price = 0.5 * (INPUTS / shared.precision_scale + np.sum(np.log(0.5 * shared.df) - digamma(halves)))
    value = -kb.between(kb.kl, shared, prior).value - len(tasks) * price
    for task, (mean, covariance) in zip(tasks, guides, strict=True):
        value += mean @ task.pull - 0.5 * np.sum(task.precision * (covariance + np.outer(mean, mean)))
        value -= kb.between(kb.kl, multivariate_normal(mean, covariance), plugged).value
    return value


def _errors(tasks: Sequence[Task], shared: Any, mu: np.ndarray, sigma: np.ndarray) -> dict[str, float]:
    """The mean of ‖estimate − θ‖², which is the error on new inputs."""
    learnt, true = (shared.loc, _mean_precision(shared)), (mu, np.linalg.inv(sigma))
    found = {
        "the task alone": [np.linalg.pinv(t.precision) @ t.pull for t in tasks],
        "other tasks alone": [shared.loc for _ in tasks],
        "both": [_local(t, *learnt)[0] for t in tasks],
        "with the true law": [_local(t, *true)[0] for t in tasks],
    }
    theta = np.array([t.theta for t in tasks])
    return {name: float(np.square(each - theta).sum(1).mean()) for name, each in found.items()}


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Near the best there is, far from either alone, by rounds none of which loses."""
    errors = [r.errors for r in runs]
    alone = [e["both"] / min(e["the task alone"], e["other tasks alone"]) for e in errors]
    return [
        at_most(
            "error over that with the true law", [e["both"] / e["with the true law"] for e in errors], 1.3
        ),
        at_most("error over the smaller one of the task alone and others alone", alone, 0.5),
        at_least("change of the ELBO in a round", [np.diff(r.elbo).min(initial=0.0) for r in runs], -1e-9),
    ]


def figure(run: Run, ax: Any) -> None:
    """The errors of the four."""
    ax.barh(list(run.errors)[::-1], list(run.errors.values())[::-1], zorder=2)
    ax.set(xlabel="mean squared error on new tasks")
    ax.grid(visible=False, axis="y")
