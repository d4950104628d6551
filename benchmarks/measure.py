"""Times callables in alternating rounds, keeps the ratios in results.csv and prints them.

The machines that this runs on are shared. So candidate and baseline take turns within a round, in an order that
rotates, and a ratio is formed inside each round: what slows both cancels. CPU time decides; wall time is kept beside.
"""

from __future__ import annotations

import csv
import ctypes
import datetime as dt
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).with_name("results.csv")
_SHORTEST = 0.05  # seconds: a shorter call is repeated, so that a sample is far above the clock's resolution


@dataclass(frozen=True)
class Sample:
    """One call's cost; the peak resident memory in MB only where a process of its own was measured."""

    cpu: float
    wall: float
    peak_mb: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of results.csv; seconds are CPU time, and a goal is the largest ratio that meets it."""

    date: str
    script: str
    task: str
    candidate: str
    baseline: str
    median_seconds: float
    baseline_seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    goal: float | None
    wall_seconds: float
    baseline_wall_seconds: float
    peak_mb: float | None
    baseline_peak_mb: float | None
    runs: int
    threads: int
    versions: str
    machine: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What a newer measurement replaces."""
        return self.script, self.task, self.candidate


@dataclass(frozen=True)
class Setting:
    """What is the same for every row of a run: the script, its threads, the packages whose versions matter."""

    script: str
    threads: int
    packages: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()  # names and versions in the environments of other processes

    @property
    def versions(self) -> str:
        """Python and the packages, as one cell."""
        found = [f"{name} {version(name)}" for name in self.packages]
        return "; ".join([f"python {platform.python_version()}", *found, *self.elsewhere])


def timed(call: Callable[[], object]) -> Callable[[], Sample]:
    """A sampler of `call`, repeated for as long as the clock needs.

    Every sample begins with a call that is not counted: it finds the caches and the heap as the previous turn left
    them, which is not what the call costs in a loop.
    """
    call()
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    repeats = max(2, round(_SHORTEST / once))

    def sample() -> Sample:
        call()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            call()
        return Sample((time.process_time() - cpu) / repeats, (time.perf_counter() - wall) / repeats)

    return sample


def once(call: Callable[[], object]) -> Callable[[], Sample]:
    """A sampler of a call that takes a second or more: no repetition, and one call beforehand that is not counted."""
    call()

    def sample() -> Sample:
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        return Sample(time.process_time() - cpu, time.perf_counter() - wall)

    return sample


def keep_heap() -> None:
    """Asks glibc to keep freed memory; elsewhere nothing happens.

    By default it returns large blocks to the kernel in some states of the heap and not in others, and the kernel
    zeroes them when they come back. That doubles the time of a call with large temporaries in some rounds: noise, and
    in these tasks at the expense of the peer.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return  # said from outside
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 25)
        libc.mallopt(trim_threshold, 1 << 30)


def alternate(
    samplers: Mapping[str, Callable[[], Sample]], *, runs: int, task: str
) -> dict[str, list[Sample]]:
    """`runs` rounds in which every sampler has one turn, the first one moving back by one each round."""
    taken: dict[str, list[Sample]] = {name: [] for name in samplers}
    order = list(samplers)
    progress(task)
    for i in range(runs):
        for name in order:
            progress(task, f"{i + 1} of {runs}: {name}")
            taken[name].append(samplers[name]())
        order.append(order.pop(0))
    progress()
    return taken


def compared(
    setting: Setting,
    task: str,
    taken: Mapping[str, Sequence[Sample]],
    *,
    candidate: str,
    baseline: str,
    goal: float | None = None,
    clock: Literal["cpu", "wall"] = "cpu",
) -> Row:
    """Medians of both, and the median and the extremes of the ratios formed round by round, of CPU or of wall time."""
    ours, theirs = taken[candidate], taken[baseline]
    ratios = [getattr(x, clock) / getattr(y, clock) for x, y in zip(ours, theirs, strict=True)]
    return Row(
        date=dt.date.today().isoformat(),
        script=setting.script,
        task=task,
        candidate=candidate,
        baseline=baseline,
        median_seconds=statistics.median(x.cpu for x in ours),
        baseline_seconds=statistics.median(x.cpu for x in theirs),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        goal=goal,
        wall_seconds=statistics.median(x.wall for x in ours),
        baseline_wall_seconds=statistics.median(x.wall for x in theirs),
        peak_mb=_peak(ours),
        baseline_peak_mb=_peak(theirs),
        runs=len(ours),
        threads=setting.threads,
        versions=setting.versions,
        machine=machine(),
    )


def _peak(samples: Sequence[Sample]) -> float | None:
    peaks = [x.peak_mb for x in samples if x.peak_mb is not None]
    return statistics.median(peaks) if peaks else None


def machine() -> str:
    """Processor and number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    model = model or platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def record(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Writes the rows, in place of older ones of the same script, task and candidate."""
    replaced = {row.key for row in rows}
    names = [field.name for field in fields(Row)]
    lines = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            older = list(csv.DictReader(file))
        lines = [line for line in older if (line["script"], line["task"], line["candidate"]) not in replaced]
    lines += [{name: _written(getattr(row, name)) for name in names} for row in rows]
    lines.sort(key=lambda line: line["script"])  # stable: within a script the order of measurement
    draft = path.with_suffix(".csv.new")
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    draft.replace(path)


def _written(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Row]) -> str:
    """The rows as text of at most 80 columns, grouped by task and baseline."""
    lines: list[str] = []
    group = None
    for row in rows:
        if group != (row.task, row.baseline):
            group = (row.task, row.baseline)
            lines += [
                "",
                row.task[:80],
                _line(f"  against {row.baseline}", "CPU", "base", "ratio", "low-high", "goal"),
            ]
        spread = f"{row.ratio_low:.3g}-{row.ratio_high:.3g}"
        lines.append(
            _line(
                f"  {row.candidate}",
                duration(row.median_seconds),
                duration(row.baseline_seconds),
                f"{row.ratio:.3g}",
                spread,
                _goal(row),
            )
        )
        if row.peak_mb and row.baseline_peak_mb:
            size, base = f"{row.peak_mb:.0f} MB", f"{row.baseline_peak_mb:.0f} MB"
            lines.append(
                _line("    peak memory", size, base, f"{row.peak_mb / row.baseline_peak_mb:.3g}", "", "")
            )
    return "\n".join(lines)


def _line(name: str, ours: str, base: str, ratio: str, spread: str, goal: str) -> str:
    return f"{name[:33]:<33} {ours:>8} {base:>8} {ratio:>7} {spread:>12} {goal:>7}".rstrip()


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{'ok' if row.ratio <= row.goal else 'over'} {row.goal:.3g}"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def progress(text: str = "", step: str = "") -> None:
    """One line on stderr, which on a terminal the next one overwrites; elsewhere steps are left out."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{f'{text} {step}'.strip()[:79]}", end="", file=sys.stderr, flush=True)
    elif text and not step:
        print(text, file=sys.stderr, flush=True)
