"""The figures of the page on estimates from samples, drawn from the runs that estimator_runs.py measured."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median

import chart
import estimator_choices
from estimator_runs import DIMENSIONS, RUNS, SATURATION_ROWS, TRUTHS, Run

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "accuracy.csv"
Row = dict[str, str]
LEAST = 0.65  # where the axis of coverage begins
OFTEN = 0.5  # share of the samples of a task from which on it counts as one with an interval
BANDS = ("KSG()", "EqualFrequencyBins()")


@cache
def runs() -> tuple[Run, ...]:
    """What was measured, as it was written."""
    kinds = {"figure": str, "law": str, "method": str, "n": int, "draws": int}
    with RUNS.open(newline="", encoding="utf-8") as file:
        return tuple(
            Run(**{name: kinds.get(name, float)(text) for name, text in row.items()})
            for row in csv.DictReader(file)
        )


def dimension(law: str) -> str:
    """Mean absolute error against the number of columns, a line a method."""
    found = [run for run in runs() if run.figure == "dimension" and run.law == law]
    series = [
        chart.Series(
            name, tuple(chart.Point(r.at, r.error, hollow=r.given < 0.5) for r in found if r.method == name)
        )
        for name in dict.fromkeys(r.method for r in found)
    ]
    return chart.lines(
        series,
        at=(0, *DIMENSIONS),
        levels=(0, 0.25, 0.5, 0.75, 1),
        caption="columns on each side",
        label="mean absolute error, nats",
    )


def saturation() -> str:
    """Values against the truth, with the intervals of two methods as bands."""
    found = [run for run in runs() if run.figure == "saturation"]
    names = list(dict.fromkeys(r.method for r in found))
    series = [
        chart.Series(
            name,
            tuple(_followed(r, name.startswith("KSG")) for r in found if r.method == name),
            band=name in BANDS,
        )
        for name in names
    ]
    truth = chart.Series("the truth", (chart.Point(0, 0), chart.Point(max(TRUTHS), max(TRUTHS))))
    most = math.log(SATURATION_ROWS // 2)  # of two folds, one is judged at a time
    cap = chart.Series(
        f"log {SATURATION_ROWS // 2}, InfoNCE's maximum",
        (chart.Point(0, most), chart.Point(max(TRUTHS), most)),
    )
    ticks = range(0, int(max(TRUTHS)) + 1, 2)
    return chart.lines(
        series,
        at=ticks,
        levels=ticks,
        caption="true information, nats",
        label="estimate, nats",
        plain=(truth, cap),
    )


def _followed(run: Run, judged: bool) -> chart.Point:
    """Hollow where the method says that it cannot vouch for an interval; bounds, open above, are not judged."""
    return chart.Point(run.at, run.value, run.low, run.high, hollow=judged and run.given < 0.5)


def coverage() -> str:
    """The share of intervals that hold the truth, for every method and law, in three groups."""
    groups = []
    for question in ("entropy", "divergence", "information"):
        found = [run for run in runs() if run.figure == f"coverage {question}"]
        groups.append((question, [_dot(run) for run in found]))
    return chart.dots(groups, aim=0.95, least=LEAST, caption="intervals at 95 % that hold the truth, in %")


def _dot(run: Run) -> chart.Dot:
    error = 1.96 * math.sqrt(0.95 * 0.05 / max(1.0, run.given * run.draws))
    remark = f"{100 * run.covered:.0f} %, {_width(run)} wide"
    return chart.Dot(f"{run.method}: {run.law}", run.covered, error, remark, hollow=run.covered < LEAST)


def _width(run: Run) -> str:
    width = run.high - run.low
    return f"{width:.2f}" if width > 0.1 else f"{width:.1g}"


def benchmark() -> str:
    """Coverage on published tasks by method, as the benchmark wrote it, or how to get it."""
    with BENCHMARK.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["family"] == "coverage"]
    if not rows:
        return "Not measured on this checkout: `python benchmarks/accuracy.py --family coverage` writes the numbers."
    names = dict.fromkeys(row["method"] for row in rows)
    head = [
        "| method | tasks | with an interval | which holds in 90 % or more | median | least | at |",
        "|---" * 7 + "|",
    ]
    return "\n".join([*head, *(_judged(name, [r for r in rows if r["method"] == name]) for name in names)])


def _judged(name: str, rows: Sequence[Row]) -> str:
    given = [row for row in rows if float(row["given"] or 0) >= OFTEN]
    if not given:
        return f"| `{name}` | {len(rows)} | 0 | – | – | – | – |"
    least = min(given, key=lambda row: float(row["covered"]))
    middle = median(float(row["covered"]) for row in given)
    fine = sum(float(row["covered"]) >= 0.9 for row in given)
    worst = f"{float(least['covered']):.2f} | `{least['problem']}`"
    return f"| `{name}` | {len(rows)} | {len(given)} | {fine} | {middle:.2f} | {worst} |"


FIGURES = {
    "error by dimension, normal": lambda: dimension("normal"),
    "error by dimension, bent": lambda: dimension("bent"),
    "saturation": saturation,
    "coverage": coverage,
    "coverage on the benchmark": benchmark,
    "what auto takes": estimator_choices.table,
}
