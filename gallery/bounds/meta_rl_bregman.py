"""Players who have met similar games before should start from the average of what solved those.

Learning in games by multiplicative weights costs KL(solution‖start) over the learning rate: nothing else of the start
matters. The paper therefore starts a new game at the mean of the solutions of earlier ones, the point of least mean KL
from them, and proves faster convergence where games are similar. Here ten-action zero-sum games scatter around one
base game, and optimistic multiplicative weights start from the mean of 30 earlier solutions or from uniform play.
The start holds a twentieth of uniform play too, for a solution may use an action that no earlier one did. KL tells
the two starts apart, and with them the gaps; among games of one start it hardly orders them (correlations −0.2 to 0.6).

Slots: the solution is p, the start q of `kb.kl`, the Bregman divergence of negative entropy, in that order.
The full-size version (Markov games) is described in the paper; we know of no repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.special import softmax

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most

TITLE = "Multi-Agent Meta-Reinforcement Learning: Sharper Convergence Rates with Task Similarity"
REFERENCE = "mao2023b"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Started at the mean of earlier solutions, play is half as far from equilibrium or less."
STATUS = "reproduced"
SEEDS = 3

ACTIONS, EARLIER, SPREAD, RATE, ROUNDS = 10, 30, 0.1, 0.1, 50
Start = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Run:
    """Of every new game and both starts: KL from its solution, and the duality gap round by round."""

    meta_kl: np.ndarray
    uniform_kl: np.ndarray
    meta_gaps: np.ndarray
    uniform_gaps: np.ndarray
    mean_kl: tuple[
        float, float
    ]  # of the earlier solutions from their mean, and from the nearest of other starts


def run(seed: int, budget: Budget) -> Run:
    """Earlier games around the same base as the new ones."""
    return _run(seed, budget, similar=True)


def control(seed: int, budget: Budget) -> Run:
    """Earlier games that have nothing to do with the new ones."""
    return _run(seed, budget, similar=False)


def _run(seed: int, budget: Budget, *, similar: bool) -> Run:
    rng = np.random.default_rng(seed)
    base, elsewhere = rng.normal(size=(2, ACTIONS, ACTIONS))
    earlier = [_solved(_near(base if similar else elsewhere, rng)) for _ in range(EARLIER)]
    uniform = np.full(ACTIONS, 1.0 / ACTIONS)
    centre = np.mean(earlier, axis=0)
    games = [_near(base, rng) for _ in range(budget.of(small=20, full=500))]
    starts: tuple[Start, Start] = (tuple(0.95 * centre + 0.05 * uniform), (uniform, uniform))
    kls = [[_from_solution(_solved(game), start) for game in games] for start in starts]
    gaps = [np.array([_gaps(game, start) for game in games]) for start in starts]
    others = rng.dirichlet(np.ones(ACTIONS), size=200)
    mean_kl = [
        float(np.mean([kb.kl(x, at) for x, _ in earlier]))
        for at in (centre[0], *(0.9 * centre[0] + 0.1 * others))
    ]
    return Run(np.array(kls[0]), np.array(kls[1]), gaps[0], gaps[1], (mean_kl[0], min(mean_kl[1:])))


def _near(game: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return game + SPREAD * rng.normal(size=game.shape)


def _solved(game: np.ndarray) -> Start:
    """Equilibrium strategies of the player who wants much and of the one who gives."""
    return _best(game), _best(-game.T)


def _best(game: np.ndarray) -> np.ndarray:
    n, m = game.shape
    sums, limits = np.append(np.ones(n), 0.0), [(0, 1)] * n + [(None, None)]
    costs, rows = np.append(np.zeros(n), -1.0), np.c_[-game.T, np.ones(m)]
    found = linprog(costs, A_ub=rows, b_ub=np.zeros(m), A_eq=sums[None], b_eq=[1.0], bounds=limits)
    return found.x[:n] / found.x[:n].sum()


def _from_solution(solution: Start, start: Start) -> float:
    return sum(float(kb.kl(p, q)) for p, q in zip(solution, start, strict=True))


def _gaps(game: np.ndarray, start: Start) -> np.ndarray:
    """What both players could still gain against the other's average play, after every round of learning."""
    scores, played = [np.log(s) for s in start], [np.zeros(ACTIONS), np.zeros(ACTIONS)]
    last, gaps = [np.zeros(ACTIONS), np.zeros(ACTIONS)], []
    for t in range(1, ROUNDS + 1):
        x, y = (softmax(s) for s in scores)
        gains = [game @ y, -game.T @ x]
        scores = [s + RATE * (2 * g - old) for s, g, old in zip(scores, gains, last, strict=True)]
        played, last = [played[0] + x, played[1] + y], gains
        gaps.append(((game @ played[1]).max() - (game.T @ played[0]).min()) / t)
    return np.array(gaps)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """The mean is the right start, it helps by half, and the start with less KL has the smaller gap."""
    return [
        at_least(
            "mean KL of earlier solutions from other starts, above that from their mean",
            [r.mean_kl[1] - r.mean_kl[0] for r in runs],
            0.0,
        ),
        at_most(
            "duality gap after 50 rounds, over that from uniform play",
            [float(r.meta_gaps[:, -1].mean() / r.uniform_gaps[:, -1].mean()) for r in runs],
            0.5,
        ),
        at_least(
            "correlation of the gap with KL(solution‖start), games of both starts together",
            [float(np.corrcoef(*_pairs(r))[0, 1]) for r in runs],
            0.5,
        ),
    ]


def _pairs(run: Run) -> np.ndarray:
    kls = np.append(run.meta_kl, run.uniform_kl)
    return np.stack([kls, np.append(run.meta_gaps[:, -1], run.uniform_gaps[:, -1])])


def figure(run: Run, ax: Any) -> None:
    """The gap of every game after 50 rounds against KL from its solution to the start."""
    for label, kls, gaps in (
        ("mean of earlier solutions", run.meta_kl, run.meta_gaps),
        ("uniform", run.uniform_kl, run.uniform_gaps),
    ):
        ax.plot(kls, gaps[:, -1], linestyle="", label=label)
    ax.set(xlabel="KL(solution‖start), both players", ylabel="duality gap after 50 rounds")
    ax.legend(title="start")
