"""Speed of estimates from samples against the packages that offer the same estimate, one thread each.

    NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONPATH=PEERS python benchmarks/estimators.py [--only pair ...] [--runs 7]

PEERS is a folder with ennemi, npeet_plus and infomeasure; of these, and scikit-learn, those that import take part. The
baseline is the fastest of them by its median. Ours is the estimate at k = 3 that they make, and the default one with
its interval, against ours at k = 3.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

import measure
from kullback.estimators import KSG
from kullback.estimators.problem import read_joint
from kullback.estimators.trees import Tree

OURS, INTERVAL, NEAREST = "KSG(k=3)", "KSG() with interval", "two trees, k=5"
GOALS = {"pair 1e4": 1 / 4.5, "pair 1e5": 1 / 5, "pair 1e6": None, "blocks 3+3": 1 / 3.2, "KL 3": 1 / 2}
SETTING = measure.Setting("estimators.py", 1, ("kullback", "numpy", "scipy", "numba", "scikit-learn"))

Call = Callable[[], object]


def correlated(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    x = g.standard_normal((n, d))
    return x, 0.6 * x + 0.8 * g.standard_normal((n, d))


def peers(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, Call]]:
    """The estimates at k = 3 of the packages that are there."""
    alone = x.shape[1] == 1
    if alone:
        from sklearn.feature_selection import mutual_info_regression

        yield "scikit-learn", lambda: mutual_info_regression(x, y[:, 0], n_neighbors=3)
    for name in ("ennemi", "npeet_plus", "infomeasure"):
        try:
            package: Any = import_module(name)
        except ImportError:
            measure.progress(f"{name} does not import, left out")
            continue
        if name == "ennemi" and alone:
            yield name, lambda p=package: p.estimate_mi(y[:, 0], x[:, 0], k=3, max_threads=1)
        elif name == "npeet_plus":
            yield name, lambda p=package: p.mi(x, y, k=3)
        elif name == "infomeasure":
            yield name, lambda p=package: p.mutual_information(x, y, approach="metric", k=3)


def information(task: str, n: int, d: int, runs: int) -> Iterator[measure.Row]:
    x, y = correlated(n, d)
    kinds = ("continuous", "continuous", None)
    problem = read_joint(x, y, None, kinds=kinds, divergence=None, weights=None, missing="raise", seed=0)
    calls: dict[str, Call] = {OURS: lambda: KSG(k=3).statistic(problem), **dict(peers(x, y))}
    if n < 1_000_000:
        calls[INTERVAL] = lambda: KSG().estimate(problem)
    yield from rows(f"mutual information, {task}: n={n}, {d}+{d} columns", calls, runs, GOALS[task])


def divergence(task: str, n: int, d: int, runs: int) -> Iterator[measure.Row]:
    x, y = correlated(n, d)
    moved = y + 0.5

    def nearest() -> float:
        ours, theirs = Tree(x), Tree(moved)
        within, across = ours.neighbours(5)[0], theirs.neighbours(5, queries=x)[0]
        return float(d * np.log(across[:, -1] / within[:, -1]).mean() + np.log(n / (n - 1)))

    calls: dict[str, Call] = {NEAREST: nearest}
    for name in ("npeet_plus", "infomeasure"):
        try:
            package: Any = import_module(name)
        except ImportError:
            continue
        if name == "npeet_plus":
            calls[name] = lambda p=package: p.kldiv(x, moved, k=5, base=np.e)
        else:
            calls[name] = lambda p=package: p.kullback_leiber_divergence(x, moved, approach="metric", k=5)
    yield from rows(f"k-NN divergence, two trees: n={n}, {d} columns", calls, runs, GOALS[task])


def rows(task: str, calls: dict[str, Call], runs: int, goal: float | None) -> Iterator[measure.Row]:
    """Ours, which comes first, against the fastest peer, and the interval against one estimate."""
    samplers = {name: measure.timed(call) for name, call in calls.items()}
    taken = measure.alternate(samplers, runs=runs, task=task)
    ours = next(iter(calls))
    others = [name for name in calls if name not in (ours, INTERVAL)]
    if others:
        best = min(others, key=lambda name: statistics.median(x.cpu for x in taken[name]))
        yield measure.compared(SETTING, task, taken, candidate=ours, baseline=best, goal=goal)
    if INTERVAL in calls:
        yield measure.compared(SETTING, task, taken, candidate=INTERVAL, baseline=OURS, goal=15)


TASKS: dict[str, Callable[[int], Iterator[measure.Row]]] = {
    "pair 1e4": lambda runs: information("pair 1e4", 10_000, 1, runs),
    "pair 1e5": lambda runs: information("pair 1e5", 100_000, 1, runs),
    "pair 1e6": lambda runs: information("pair 1e6", 1_000_000, 1, runs),
    "blocks 3+3": lambda runs: information("blocks 3+3", 10_000, 3, runs),
    "KL 3": lambda runs: divergence("KL 3", 100_000, 3, runs),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    found = [row for task in given.only for row in TASKS[task](given.runs)]
    print(measure.table(found))
    measure.record(found)


if __name__ == "__main__":
    main()
