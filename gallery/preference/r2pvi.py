"""An agent that learns from recorded transitions, for a world that may differ from the one that was recorded.

A robust agent plans for the worst transitions near those it knows. The paper takes transitions that are mixtures of a
few laws, lets each law move at a price on its divergence, whatever the divergence, and takes off what the records leave
uncertain. Here is the paper's chain of five states and sixteen actions, with one change: the short way to the pay, sure
in the paper, fails one time in twenty, because no price on KL or χ² moves a sure law. At prices at which the exact
robust plan goes the long way, plans are learnt from recordings of random actions and then face worlds in which the
short way fails more often. The paper's other claim, that prices are cheaper to plan with than balls, is not tried.

Slots: D(adversary‖nominal law), adversary first; the paper's total variation is `kb.total_variation`, its χ²
`kb.pearson_chi2`. The full-size code is the authors' repository Robust-Regularized-Pessimistic-Value-Iteration.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.losses import robust

TITLE = "Robust Offline Reinforcement Learning with Linearly Structured f-Divergence Regularization"
REFERENCE = "tang2025b"
RELATION = "core"
DIVERGENCES = ("total_variation", "kl", "pearson_chi2")
CLAIM = "From 400 recordings, where the short way always fails: 0.1 more pay than the plan that is not robust, or more."
STATUS = "reproduced"
SEEDS = 3

DELTA, XI, FAILS, NO_FEAR = 0.3, 0.2, 0.05, 1e6
Prices = dict[str, tuple[kb.FDivergence, float]]
PRICES: Prices = {"tv": (kb.total_variation, 1.0), "kl": (kb.kl, 0.2), "chi2": (kb.pearson_chi2, 0.05)}
PLAIN, SIZES, COMPARED = "not robust", (100, 400, 6400), 400
REWARDS = np.array([[0.0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]])  # a step, a law
WORLDS = (FAILS, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Run:
    """Mean pay in every world of each plan from 400 recordings, and what is lost of the robust value, by divergence."""

    pay: dict[str, np.ndarray]
    lost: dict[str, list[float]]  # by the number of recordings
    exact: list[float]  # chance of the short way under the exact robust plans


def run(seed: int, budget: Budget) -> Run:
    """Robust plans by three divergences, and a plan without."""
    return _run(seed, budget, PRICES)


def control(seed: int, budget: Budget) -> Run:
    """The price of leaving the nominal laws is beyond anything to be gained: no robustness."""
    return _run(seed, budget, {name: (d, NO_FEAR) for name, (d, _) in PRICES.items()})


def _run(seed: int, budget: Budget, prices: Prices) -> Run:
    rng, phi, repeats = np.random.default_rng(seed), _features(), budget.of(small=20, full=500)
    pay: dict[str, Any] = {name: np.zeros(len(WORLDS)) for name in (*prices, PLAIN)}
    lost = {name: [0.0] * len(SIZES) for name in prices}
    best = {
        name: robust.robust_value_iteration(d, phi, REWARDS, _laws(FAILS), penalty=price)
        for name, (d, price) in PRICES.items()
    }
    for (i, size), _ in itertools.product(enumerate(SIZES), range(repeats)):
        told = _recorded(rng, phi, size)
        for name, (d, price) in {**prices, PLAIN: (kb.kl, NO_FEAR)}.items():
            policy = robust.pessimistic_value_iteration(d, phi, REWARDS, *told, penalty=price).policy
            if size == COMPARED:
                pay[name] += [_worth(phi, policy, _expected, world) / repeats for world in WORLDS]
            if name in lost:
                true = _worth(phi, policy, partial(_least, *PRICES[name]), FAILS)
                lost[name][i] += (best[name].values[0, 0] - true) / repeats
    return Run(pay, lost, [float(phi[0, plan.policy[0, 0], 3]) for plan in best.values()])


def _features() -> np.ndarray:
    """φ (states, actions, laws): the action moves mass between going on along the chain and the short way."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=4)))
    short = DELTA + XI * signs.mean(1)
    phi = np.zeros((5, len(signs), 4))
    for state in range(3):
        phi[state, :, state], phi[state, :, 3] = 1.0 - short, short
    phi[3, :, 2] = phi[4, :, 3] = 1.0  # nothing for ever; pay for ever
    return phi


def _laws(fails: float) -> np.ndarray:
    """The next state under each law in the first two steps; the short way fails in the first."""
    onward, short = np.eye(5)[[1, 2, 3]], np.array([[0, 0, 0, fails, 1 - fails], [0, 0, 0, 0, 1]])
    return np.stack([np.vstack([onward, way]) for way in short])


def _recorded(rng: np.random.Generator, phi: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """States, actions and next states of episodes with random actions in the nominal world."""
    states, laws = np.zeros((4, size), int), _laws(FAILS)
    actions = rng.integers(phi.shape[1], size=(3, size))
    for h in range(2):
        chance = phi[states[h], actions[h]] @ laws[h]
        states[h + 1] = (chance.cumsum(1) < rng.random((size, 1))).sum(1)
    return states[:3], actions, states[1:]


def _worth(phi: np.ndarray, policy: np.ndarray, next_value: Callable[..., Any], fails: float) -> float:
    """The value of a policy at the start, by the value of the next state under each law."""
    value = np.zeros(len(phi))
    for h in reversed(range(3)):
        after = next_value(value, _laws(fails)[h]) if h < 2 else 0.0
        value = phi[np.arange(len(phi)), policy[h]] @ (REWARDS[h] + after)
    return float(value[0])


def _expected(value: np.ndarray, laws: np.ndarray) -> np.ndarray:
    return laws @ value


def _least(d: kb.FDivergence, price: float, value: np.ndarray, laws: np.ndarray) -> Any:
    return kb.lower_expectation(d, value, reference=laws, penalty=price).value


def check(runs: Sequence[Run]) -> list[Verdict]:
    """More pay where the world is worse, less where it is as recorded, and nearer to the best with more recordings."""
    gained = [[r.pay[name] - r.pay[PLAIN] for name in PRICES] for r in runs]
    losses = [np.sum(list(r.lost.values()), 0) for r in runs]
    return [
        at_most(
            "chance of the short way under the exact robust plans (largest)",
            [max(r.exact) for r in runs],
            0.11,
        ),
        at_least(
            "pay above the plain plan's, short way closed", [min(g[-1] for g in x) for x in gained], 0.1
        ),
        at_most("and in the recorded world (largest)", [max(g[0] for g in x) for x in gained], 0.0),
        at_most("robust value lost, 6400 recordings over 100", [x[-1] / x[0] for x in losses], 0.5),
    ]


def figure(run: Run, ax: Any) -> None:
    """The pay of every plan in worse and worse worlds."""
    for name, pay in run.pay.items():
        ax.plot(WORLDS, pay, label=name)
    ax.set(xlabel="chance that the short way fails", ylabel="mean pay")
    ax.legend()
