"""One run of the command line: check everything that can be checked first, compare, write, print, judge the gates."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kullback.divergences import FDivergence
from kullback.divergences.catalogue import catalogue
from kullback.errors import InvalidInputError
from kullback.progress import Reporter
from kullback.tables import adjust, gates, markdown, page, readers, serial, summary, terminal
from kullback.tables.comparison import compare
from kullback.tables.report import Report
from kullback.tables.sources import open_source
from kullback.tables.writing import check_target, write_atomically
from kullback.wording import file_name, visible

PASSED, HIT, BAD_INPUT = 0, 1, 2
_WRITERS: dict[str, Callable[[Report], str]] = {
    "html": page.render,
    "json": serial.dumps,
    "markdown": markdown.render,
}
_PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_PREFIXES = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_WIDEST = 120  # a longer line of a table is hard to follow


@dataclass(frozen=True)
class Job:
    """What the command line asks for, with names still to be resolved."""

    before: str  # not a Path, which would make http:/ of http://
    after: str
    measure: str
    adjust: str
    columns: Sequence[str] | None
    exclude: Sequence[str] | None
    options: Mapping[str, Any]
    wanted: Mapping[str, Path | None]
    failing: Sequence[str]
    max_bytes: str
    quiet: bool


def run(job: Job) -> int:
    """Do it, and give the exit status; raises `KullbackError` for bad input, with nothing half written."""
    gates.check_names(job.failing)
    targets = _targets(job)
    report = _compared(job)
    texts = {kind: _WRITERS[kind](report) for kind in targets}
    for kind, path in targets.items():
        write_atomically(path, texts[kind])
    hits = gates.hits(report, job.failing)
    _print(_lines(report, targets, hits, job.quiet))
    if not report.columns:
        raise InvalidInputError(
            "no column could be compared, so there is no verdict; the table above says why"
        )
    return HIT if hits else PASSED


def _targets(job: Job) -> dict[str, Path]:
    """Where to write, asked before the work: a mistake should not cost an hour."""
    targets = {kind: check_target(path) for kind, path in job.wanted.items() if path is not None}
    taken = {os.path.realpath(job.before), os.path.realpath(job.after)}
    for path in targets.values():
        if os.path.realpath(path) in taken:
            raise InvalidInputError(f"{file_name(path)} is named twice; a report needs a file of its own")
        taken.add(os.path.realpath(path))
    return targets


def _compared(job: Job) -> Report:
    measure = catalogue().find(job.measure)
    if not isinstance(measure, FDivergence):
        raise InvalidInputError(f"{measure} is not an f-divergence, which counts of cells need; try js or kl")
    limit = size_in_bytes(job.max_bytes)
    with readers.blame(job.before, job.after), Reporter(quiet=job.quiet) as progress:
        tables = []
        for path in (job.before, job.after):
            progress(f"reading {file_name(path, 36)}", 0, 0)
            tables.append(open_source(path, path, max_bytes=limit))
        return compare(
            *tables,
            measure=measure,
            adjust=adjust.find(job.adjust),
            columns=None if job.columns is None else _split(job.columns),
            exclude=_split(job.exclude or ()),
            progress=progress,
            **job.options,
        )


def _split(values: Sequence[str]) -> list[str]:
    """Names between commas; quotation marks hold together a name that has a comma itself.

    >>> _split(["age,plan", '"a,b"'])
    ['age', 'plan', 'a,b']
    """
    return [name for row in csv.reader(values, skipinitialspace=True) for name in row]


def size_in_bytes(text: str) -> int:
    """A size for people as a number of bytes.

    >>> size_in_bytes("500MB"), size_in_bytes("2 GiB"), size_in_bytes("4096")
    (500000000, 2147483648, 4096)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise InvalidInputError(
            f"--max-bytes is {visible(text, 20)!r}; expected a size such as 500MB or 8GiB"
        )
    return int(float(found[1]) * (_PREFIXES | _BINARY_PREFIXES)[(found[2] or "").lower()])


def _lines(
    report: Report, targets: Mapping[str, Path], hits: Sequence[str], quiet: bool
) -> list[terminal.Line]:
    if quiet:
        return [[(summary.headline(report), "")]]
    lines = list(terminal.lines(report, min(shutil.get_terminal_size().columns, _WIDEST)))
    lines += [[(f"{kind}: {file_name(path)}", "")] for kind, path in targets.items()]
    return lines + [[(f"gate hit, exit status {HIT}: {hit}", terminal.QUIET)] for hit in hits]


def _print(lines: Sequence[terminal.Line]) -> None:
    """Coloured on a terminal, plain elsewhere; a reader who leaves early (`| head`) is no error."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    try:
        for line in lines:
            console.print(Text.assemble(*line))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
