"""Which of very many variables tell of an outcome? Mutual information ranks those that correlation does not see.

The paper screens high-dimensional data by estimates of mutual information, its new one from kernel densities that are
smoothed on a grid by fast Fourier transforms. Linear effects are found by correlation just as well; effects without a
linear part, as of a square, only by information. Here five of many columns drive an outcome, linearly, by their
squares, or by their squares through a threshold, and every column is screened.

Slots: I(X; Y) = KL(p_xy‖p_x p_y), the joint law first. `kb.screen` ranks the columns by neighbours; `GridInformation`
is the estimate from densities on a grid. The full-size version (brain images of 900 people) is the authors' fastHDMI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most, close
from kullback.estimators import GridInformation

TITLE = "fastHDMI: Fast Mutual Information Estimation for High-Dimensional Data"
REFERENCE = "yang2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Squares: screening by information puts the driving columns first (AUROC ≥ 0.95), by correlation not (≤ 0.75)."
STATUS = "reproduced"
SEEDS = 3

ROWS, DRIVING = 500, 5
TRUTH = -0.5 * float(np.log1p(-0.36))  # of two normal columns with correlation 0.6


@dataclass(frozen=True)
class Run:
    """AUROC of the ranking of columns by outcome, of each way to rank; and the grid's estimate where truth is known."""

    neighbours: dict[str, float]
    grid: dict[str, float]
    correlation: dict[str, float]
    known: float
    scores: np.ndarray  # of the columns by neighbours, for the squares


def run(seed: int, budget: Budget) -> Run:
    """The outcome of the same rows."""
    return _run(seed, budget, matched=True)


def control(seed: int, budget: Budget) -> Run:
    """The outcome of other rows: nothing to find."""
    return _run(seed, budget, matched=False)


def _run(seed: int, budget: Budget, *, matched: bool) -> Run:
    rng, columns = np.random.default_rng(seed), budget.of(small=100, full=5000)
    x = rng.normal(size=(ROWS, columns))
    noise, driving = rng.normal(size=ROWS), x[:, :DRIVING]
    square = (driving**2).sum(axis=1) + 0.5 * noise
    outcomes = {"linear": driving.sum(axis=1) + noise, "square": square, "binary": square > np.median(square)}
    if not matched:
        outcomes = {name: rng.permutation(y) for name, y in outcomes.items()}
    scores = {name: _screened(x, y) for name, y in outcomes.items()}
    grid = {name: _on_grid(x, outcomes[name]) for name in ("linear", "square")}
    correlation = {name: np.abs(np.corrcoef(x.T, y)[-1, :-1]) for name, y in outcomes.items()}
    pair = rng.normal(size=(2, 5000))
    own = pair[0] if matched else rng.permutation(pair[0])
    known = kb.mutual_information(own, 0.6 * pair[0] + 0.8 * pair[1], method=GridInformation()).value
    return Run(_ranked(scores), _ranked(grid), _ranked(correlation), known, scores["square"])


def _screened(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The information of each column by `kb.screen`, in the order of the columns."""
    table = {f"x{j}": x[:, j] for j in range(x.shape[1])} | {"y": y}
    found = kb.screen(table, target="y", permutations=0, level=None, progress=False)
    by_name = {f.column: f.answer.value for f in found}
    return np.array([by_name[f"x{j}"] for j in range(x.shape[1])])


def _on_grid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    method = GridInformation(bandwidth=1.0)
    return np.array([kb.mutual_information(column, y, method=method).value for column in x.T])


def _ranked(scores: dict[str, np.ndarray]) -> dict[str, float]:
    """How often a driving column stands before another one, by outcome."""
    return {name: float(roc_auc_score(np.arange(len(s)) < DRIVING, s)) for name, s in scores.items()}


def check(runs: Sequence[Run]) -> list[Verdict]:
    """All rank linear effects, information alone those of squares, and the grid knows a known number."""
    return [
        at_least("squares by neighbours", [r.neighbours["square"] for r in runs], 0.95),
        at_least("squares by densities on a grid", [r.grid["square"] for r in runs], 0.95),
        at_most(
            "squares by correlation, on average",
            float(np.mean([r.correlation["square"] for r in runs])),
            0.75,
        ),
        at_least("squares through a threshold, by neighbours", [r.neighbours["binary"] for r in runs], 0.95),
        at_least(
            "linear effects by any of the three",
            [min(r.neighbours["linear"], r.grid["linear"], r.correlation["linear"]) for r in runs],
            0.95,
        ),
        close("the grid's nats where the truth is known", [r.known for r in runs], TRUTH, within=0.03),
    ]


def figure(run: Run, ax: Any) -> None:
    """The ranking of columns for the outcome of squares."""
    order = np.argsort(-run.scores)
    place, driving = np.arange(1, len(order) + 1), order < DRIVING
    ax.plot(place[~driving], run.scores[order][~driving], linestyle="", label="other columns")
    ax.plot(place[driving], run.scores[order][driving], linestyle="", markersize=7, label="driving columns")
    ax.set(xlabel="rank of the column", ylabel="estimated information in nats", xscale="log")
    ax.legend()
