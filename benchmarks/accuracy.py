"""Accuracy of estimates from samples, on problems whose answers are known: errors, intervals and seconds.

    python benchmarks/accuracy.py [--family 1 2 own ...] [--methods auto KSG ...] [--n 10000] [--seeds 3]

Families 1 and 2 are the 40 and 13 tasks of Czyż et al.; 3 goes up to 10 nats; `own` is the one that choices are
tuned on; `failures` has data on which well-known estimators fail; `pairs` and `entropies` ask the other two verbs.
`coverage` takes the tasks of family 1 in up to three dimensions at 500 rows and 100 seeds and says how often the
interval holds the truth, and how wide it is next to 3.92 standard deviations of the value; a question mark says that
less than nine in ten have one.

A method is named by its class and takes its default parameters; without --methods all that serve a problem are asked,
except those that train networks. Results go to accuracy.csv one by one, so that a run that is stopped is not lost;
--budget is in seconds of CPU time, 600 unless told. --figure draws the errors of the last family, sorted, as SVG for
the pages of the documentation.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import kullback as kb
from kullback.estimators.catalogue import methods
from kullback.estimators.method import DivergenceMethod, EntropyMethod, InformationMethod
from measure import duration, machine, progress

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("tests", "docs"))
# the curves of the documentation, and the problems that the tests of the methods use as well
import curve  # pyright: ignore[reportMissingImports]
from problems import (  # pyright: ignore[reportMissingImports]
    samples_benchmark,
    samples_entropies,
    samples_failures,
    samples_lowdim,
    samples_own,
    samples_pairs,
)

RESULTS = Path(__file__).with_name("accuracy.csv")
Problem = Any  # one of the three kinds of problems/samples_problem.py
NETWORKS = (".critics.", ".neural.")
CLOSE = 0.05  # nats


def narrow() -> tuple[Problem, ...]:
    """The tasks of family 1 in up to three dimensions."""
    return tuple(p for p in samples_benchmark.benchmark_1() if max(p.dims) <= 3)


FAMILIES: dict[str, Callable[[], tuple[Problem, ...]]] = {
    "1": samples_benchmark.benchmark_1,
    "2": samples_benchmark.benchmark_2,
    "3": samples_lowdim.benchmark_3,
    "own": samples_own.own,
    "failures": samples_failures.failures,
    "coverage": narrow,
    "pairs": samples_pairs.pairs,
    "own-pairs": samples_pairs.own_pairs,
    "entropies": samples_entropies.entropies,
    "own-entropies": samples_entropies.own_entropies,
}
SIZES = {"failures": (samples_failures.ROWS, 10), "coverage": (500, 100)}  # rows and seeds, unless told


@dataclass(frozen=True)
class Result:
    """One line of accuracy.csv: a method on a problem, over several seeds."""

    family: str
    problem: str
    method: str
    n: int
    seeds: int
    dims: int
    truth: float
    mean: float
    error: float  # mean absolute error
    deviation: float  # of the values over the seeds
    covered: float  # share of the intervals that hold the truth
    width: float  # median width of the interval
    given: float  # share of the estimates that have one
    seconds: float  # median CPU time of one estimate
    date: str
    version: str
    machine: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a newer result replaces."""
        return self.family, self.problem, self.method, str(self.n)


def known() -> dict[str, Any]:
    """Every method that needs no parameter, by the name of its class."""
    found: dict[str, Any] = {"auto": "auto"}
    every: list[Any] = [*methods(EntropyMethod), *methods(InformationMethod), *methods(DivergenceMethod)]
    for method in every:
        try:
            found[method.__name__] = method()
        except TypeError:  # a parameter without a default
            continue
    return found


def measured(family: str, problem: Problem, name: str, method: Any, n: int, seeds: int) -> Result | None:
    """None where the method does not serve the problem."""
    answers, seconds = [], []
    for seed in range(seeds):
        start = time.process_time()
        try:
            answers.append(problem.ask(n, seed, method=method))
        except kb.errors.KullbackError as refused:
            progress(f"  {name} refuses {problem.name}: {str(refused)[:60]}", "refused")
            return None
        seconds.append(time.process_time() - start)
    values = np.array([float(a.value) for a in answers])
    some = [a for a in answers if np.isfinite(a.high - a.low)]
    holds = [a.low - problem.error <= problem.truth <= a.high + problem.error for a in some]
    return Result(
        family,
        problem.name,
        name,
        n,
        seeds,
        int(np.max(problem.dims)),
        problem.truth,
        float(values.mean()),
        float(np.abs(values - problem.truth).mean()) if np.isfinite(problem.truth) else float("nan"),
        float(values.std(ddof=1)) if seeds > 1 else float("nan"),
        float(np.mean(holds)) if some else float("nan"),
        float(np.median([a.high - a.low for a in some])) if some else float("nan"),
        len(some) / len(answers),
        float(np.median(seconds)),
        dt.date.today().isoformat(),
        kb.__version__,
        machine(),
    )


def run(family: str, chosen: dict[str, Any], options: argparse.Namespace) -> Iterator[Result]:
    """Every method on every problem of a family, as long as the budget lasts."""
    rows, draws = SIZES.get(family, (10_000, 3))
    n, seeds = options.n or rows, options.seeds or draws
    problems = [p for p in FAMILIES[family]() if options.only in p.name]
    for i, problem in enumerate(problems):
        for name, method in chosen.items():
            if time.process_time() > options.budget:
                progress(f"the budget of {options.budget:g} s is spent at {problem.name}, {name}")
                return
            progress(f"{family} {i + 1}/{len(problems)} {problem.name}", name)
            result = measured(family, problem, name, method, n, seeds)
            if result is not None:
                record(result)
                yield result


def record(result: Result) -> None:
    """Writes the result in place of an older one of the same family, problem, method and size."""
    names = [field.name for field in fields(Result)]
    lines = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            lines = [row for row in csv.DictReader(file) if key(row) != result.key]
    lines.append({name: written(getattr(result, name)) for name in names})
    lines.sort(key=lambda row: row["family"])  # stable: within a family the order of measurement
    draft = RESULTS.with_suffix(".csv.new")
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    draft.replace(RESULTS)


def key(row: dict[str, str]) -> tuple[str, str, str, str]:
    return row["family"], row["problem"], row["method"], row["n"]


def written(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def table(results: Sequence[Result], *, coverage: bool) -> str:
    """Problems down, five methods across, 80 columns: mean less truth, or coverage and relative width.

    A star marks a method most of whose intervals miss, a question mark one that often gives none.
    """
    lines: list[str] = []
    names = list(dict.fromkeys(r.method for r in results))
    problems = list(dict.fromkeys((r.problem, r.truth) for r in results))
    cells = {(r.problem, r.method): r for r in results}
    for start in range(0, len(names), 5):
        some = names[start : start + 5]
        lines += ["", f"{'':<23}{'truth':>7}" + "".join(f"{name[:9]:>10}" for name in some)]
        for problem, truth in problems:
            found = [cells.get((problem, name)) for name in some]
            row = "".join(f"{cell(r, coverage):>10}" for r in found)
            lines.append(f"{problem[-23:]:<23}{truth:7.3f}{row}")
        lines += summary([[r for r in results if r.method == name] for name in some])
    return "\n".join(lines)


def cell(result: Result | None, coverage: bool) -> str:
    if result is None:
        return "-"
    if coverage:
        ideal = 3.92 * result.deviation
        mark = "" if result.given >= 0.9 else "?"  # many have no interval
        return f"{mark}{result.covered:.2f} {result.width / ideal if ideal else float('nan'):.2f}"
    mark = "*" if result.covered < 0.5 else ""  # most intervals miss
    return f"{result.mean - result.truth:+.3f}{mark}"


def summary(columns: Sequence[Sequence[Result]]) -> list[str]:
    """Mean absolute error by dimension, how many are close, how often intervals hold, how long it takes."""

    def line(name: str, make: Callable[[Sequence[Result]], str]) -> str:
        return f"{name:<30}" + "".join(f"{make(column):>10}" for column in columns)

    def mean_error(low: int, high: int) -> Callable[[Sequence[Result]], str]:
        def make(column: Sequence[Result]) -> str:
            found = [r.error for r in column if low <= r.dims <= high and np.isfinite(r.error)]
            return f"{np.mean(found):.4f}" if found else "-"

        return make

    def close(column: Sequence[Result]) -> str:
        return f"{sum(abs(r.mean - r.truth) < CLOSE for r in column)}/{len(column)}"

    return [
        line("mean absolute error", mean_error(1, 10**6)),
        line("  up to 3 dimensions", mean_error(1, 3)),
        line("  4 to 9", mean_error(4, 9)),
        line("  10 and more", mean_error(10, 10**6)),
        line(f"within {CLOSE:g} of the truth", close),
        line("intervals that hold the truth", lambda c: f"{np.nanmean([r.covered for r in c]):.3f}"),
        line("CPU of one estimate, median", lambda c: duration(float(np.median([r.seconds for r in c])))),
        line("CPU of one estimate, longest", lambda c: duration(max(r.seconds for r in c))),
    ]


def figure(results: Sequence[Result]) -> str:
    """The error of every method over the tasks, the easiest first: a low line is a good method."""

    def line(name: str) -> curve.Line:
        errors = sorted(r.error for r in results if r.method == name and np.isfinite(r.error))
        places = np.linspace(0, 1, len(errors))
        return curve.Line(name, lambda t: float(np.interp(t, places, errors)))

    names = dict.fromkeys(r.method for r in results)
    caption = "share of the tasks, by mean absolute error in nats"
    return curve.svg([line(name) for name in names], marks=(0, 0.25, 0.5, 0.75, 1), caption=caption, top=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=["1", "2"])
    parser.add_argument("--methods", nargs="+", default=[], help="names of classes, or auto")
    parser.add_argument("--n", type=int, default=0, help="rows; 10000 unless the family says otherwise")
    parser.add_argument("--seeds", type=int, default=0, help="draws; 3 unless the family says otherwise")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of CPU time in all")
    parser.add_argument("--only", default="", help="problems whose name contains this")
    parser.add_argument("--figure", type=Path, help="an SVG file to write")
    options = parser.parse_args()
    available = known()
    wrong = set(options.methods) - set(available)
    if wrong:
        parser.error(f"no method {', '.join(sorted(wrong))}; there are {', '.join(sorted(available))}")
    quick = [k for k, m in available.items() if not any(part in type(m).__module__ for part in NETWORKS)]
    chosen = {name: available[name] for name in options.methods or quick}
    warnings.simplefilter("ignore")
    for family in options.family:
        results = list(run(family, chosen, options))
        if results:
            print(f"\nfamily {family}, n = {results[0].n}, {results[0].seeds} seeds")
            print(table(results, coverage=family == "coverage"))
            if options.figure:
                options.figure.write_text(figure(results), encoding="utf-8")


if __name__ == "__main__":
    main()
