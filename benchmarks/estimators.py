"""Speed of estimates from samples against the packages that offer the same estimate, one thread each.

    NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONPATH=PEERS python benchmarks/estimators.py [--only TASK ...]

PEERS is a folder with ennemi, npeet_plus and infomeasure; of these, and scikit-learn, those that import take part. The
baseline is the fastest of them by its median, at the same k and with the same formula. Ours is timed with numba and, as
"no numba", with SciPy alone; the default estimate with its interval is held against one estimate at k = 3. At 10^6
rows only the two packages take part that are the fastest at 10^5.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from unittest import mock

import numpy as np

import kullback as kb
import measure
from kullback.estimators import KSG
from kullback.estimators.problem import JointSample, read_joint
from kullback.estimators.trees import Tree, tree

OURS, PLAIN, INTERVAL = "KSG(k=3)", "KSG(k=3), no numba", "KSG() with interval"
FASTEST = ("scikit-learn", "npeet_plus")
MUCH = 100_000  # rows from which a call takes a second somewhere
SETTING = measure.Setting("estimators.py", 1, ("kullback", "numpy", "scipy", "numba", "scikit-learn"))

Call = Callable[[], object]
Calls = dict[str, Call]


def correlated(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    x = g.standard_normal((n, d))
    return x, 0.6 * x + 0.8 * g.standard_normal((n, d))


def joint(x: np.ndarray, y: np.ndarray) -> JointSample:
    kinds = ("continuous", "continuous", None)
    return read_joint(x, y, None, kinds=kinds, divergence=None, weights=None, missing="raise", seed=0)


def installed(*names: str) -> dict[str, Any]:
    """The packages of these that import."""
    found = {}
    for name in names:
        try:
            found[name] = import_module(name)
        except ImportError:
            measure.progress(f"{name} does not import, left out")
    return found


def peers(x: np.ndarray, y: np.ndarray) -> Calls:
    """The estimates of mutual information at k = 3 of the packages that are there."""
    packages = installed("sklearn.feature_selection", "ennemi", "npeet_plus", "infomeasure")
    calls: Calls = {}
    for name, package in packages.items():
        if name == "npeet_plus":
            calls[name] = lambda p=package: p.mi(x, y, k=3)
        elif name == "infomeasure":
            calls[name] = lambda p=package: p.mutual_information(x, y, approach="metric", k=3)
        elif x.shape[1] > 1:
            continue
        elif name == "ennemi":
            calls[name] = lambda p=package: p.estimate_mi(y[:, 0], x[:, 0], k=3, max_threads=1)
        else:
            calls["scikit-learn"] = lambda p=package: p.mutual_info_regression(x, y[:, 0], n_neighbors=3)
    return calls


def without_numba(call: Call) -> Call:
    def plain() -> object:
        with mock.patch.object(tree, "_installed", return_value=False):
            return call()

    return plain


def information(n: int, d: int, goal: float, runs: int) -> Iterator[measure.Row]:
    task = f"mutual information: n={n}, {d}+{d} columns"
    x, y = correlated(n, d)
    problem = joint(x, y)
    others = peers(x, y)
    if n > MUCH:
        others = {name: call for name, call in others.items() if name in FASTEST}
    calls = {OURS: lambda: KSG(k=3).statistic(problem), INTERVAL: lambda: KSG().estimate(problem), **others}
    if n <= MUCH and d == 1:
        calls[PLAIN] = without_numba(calls[OURS])
    taken = timings(task, calls, runs, long=n >= MUCH)
    yield from against(task, taken, OURS, list(others), goal)
    if PLAIN in taken:
        yield from against(task, taken, PLAIN, list(others), 1 / 2.3)
    yield measure.compared(SETTING, task, taken, candidate=INTERVAL, baseline=OURS, goal=15)


def divergence(n: int, d: int, goal: float, runs: int) -> Iterator[measure.Row]:
    task = f"k-NN divergence, k=5: n={n}, {d} columns"
    x, y = correlated(n, d)
    moved = y + 0.5

    def nearest() -> float:
        within, across = Tree(x).neighbours(5)[0], Tree(moved).neighbours(5, queries=x)[0]
        return float(d * np.log(across[:, -1] / within[:, -1]).mean() + np.log(n / (n - 1)))

    calls: Calls = {"two trees": nearest}
    for name, p in installed("npeet_plus", "infomeasure").items():
        calls[name] = (
            (lambda p=p: p.kldiv(x, moved, k=5, base=np.e))
            if name == "npeet_plus"
            else (lambda p=p: p.kullback_leiber_divergence(x, moved, approach="metric", k=5))
        )
    yield from against(task, timings(task, calls, runs, long=True), "two trees", list(calls)[1:], goal)


def screening(n: int, columns: int, goal: float, runs: int) -> Iterator[measure.Row]:
    """Values alone of every column against one, at scikit-learn's own k, which the goal is about, and at ours."""
    from sklearn.feature_selection import mutual_info_regression

    g = np.random.default_rng(0)
    y = g.standard_normal(n)
    rho = np.linspace(0, 0.9, columns)
    x = rho * y[:, None] + np.sqrt(1 - rho**2) * g.standard_normal((n, columns))
    table = {"target": y, **{f"x{i}": column for i, column in enumerate(x.T)}}

    def ours(k: int) -> object:
        return kb.screen(table, target="target", neighbours=k, permutations=0, level=None, progress=False)

    task = f"screening: {columns} columns of {n} rows"
    calls: Calls = {}
    for k in (3, 10):
        calls[f"kb.screen, k={k}"] = lambda k=k: ours(k)
        calls[f"scikit-learn, k={k}"] = lambda k=k: mutual_info_regression(x, y, n_neighbors=k)
    taken = timings(task, calls, runs, long=True)
    for k, wanted in ((3, goal), (10, None)):
        yield measure.compared(
            SETTING, task, taken, candidate=f"kb.screen, k={k}", baseline=f"scikit-learn, k={k}", goal=wanted
        )


def timings(task: str, calls: Calls, runs: int, *, long: bool) -> dict[str, list[measure.Sample]]:
    """`long` where no call is so short that it has to be repeated."""
    sampler = measure.once if long else measure.timed
    samplers = {name: sampler(call) for name, call in calls.items()}
    return measure.alternate(samplers, runs=runs, task=task)


def against(
    task: str, taken: dict[str, list[measure.Sample]], ours: str, others: list[str], goal: float
) -> Iterator[measure.Row]:
    """Ours against the fastest of the others, where there is one."""
    if others:
        best = min(others, key=lambda name: statistics.median(x.cpu for x in taken[name]))
        yield measure.compared(SETTING, task, taken, candidate=ours, baseline=best, goal=goal)


TASKS: dict[str, Callable[[int], Iterator[measure.Row]]] = {
    "pair-1e4": lambda runs: information(10_000, 1, 1 / 4.5, runs),
    "pair-1e5": lambda runs: information(100_000, 1, 1 / 5, runs),
    "pair-1e6": lambda runs: information(1_000_000, 1, 1 / 4.5, runs),
    "blocks-3+3": lambda runs: information(10_000, 3, 1 / 3.2, runs),
    "divergence-3": lambda runs: divergence(100_000, 3, 1 / 2, runs),
    "divergence-10": lambda runs: divergence(10_000, 10, 1 / 1.7, runs),
    "screening": lambda runs: screening(2000, 500, 1 / 6, runs),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    measure.keep_heap()
    found = [row for task in given.only for row in TASKS[task](given.runs)]
    print(measure.table(found))
    measure.record(found)


if __name__ == "__main__":
    main()
