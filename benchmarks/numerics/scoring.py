"""Scores of functions against exact answers, and the tables that they make."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import measure
from numerics import truth

Function = Callable[..., float]
Case = tuple[str, Iterable[tuple[Any, Any]]]
Scores = dict[str, dict[str, "Score"]]


@dataclass
class Score:
    """How one function did on the draws of one case."""

    errors: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, error: float, value: float) -> None:
        """One more draw."""
        self.errors.append(error)
        self.values.append(value)

    @property
    def worst(self) -> float:
        """The largest relative error among the results that are numbers; NaN where none is."""
        return max((e for e in self.errors if not math.isnan(e)), default=math.nan)

    @property
    def median(self) -> float:
        """The median relative error among the results that are numbers."""
        found = [e for e in self.errors if not math.isnan(e)]
        return float(np.median(found)) if found else math.nan

    @property
    def negative(self) -> float:
        """The share of negative results."""
        return sum(v < 0 for v in self.values) / len(self.values)

    @property
    def not_a_number(self) -> float:
        """The share of results that are NaN."""
        return sum(map(math.isnan, self.values)) / len(self.values)

    def __str__(self) -> str:
        shares = ((self.negative, "negative"), (self.not_a_number, "NaN"))
        parts = [] if math.isnan(self.worst) else [f"{self.worst:.0e} / {self.median:.0e}"]
        return ", ".join(parts + [f"{share:.0%} {what}" for share, what in shares if share])


@dataclass
class Section:
    """One table: cases down, functions across; the last functions are this library's."""

    title: str
    note: str
    scores: Scores
    ours: tuple[str, ...]
    headline: str  # the case that the summary shows

    def markdown(self) -> str:
        """Title, note and table."""
        columns = list(dict.fromkeys(name for row in self.scores.values() for name in row))
        lines = [
            f"### {self.title}",
            "",
            self.note,
            "",
            cells("case", *columns),
            cells(*["---"] * (1 + len(columns))),
        ]
        lines += [cells(case, *(str(row.get(c, "–")) for c in columns)) for case, row in self.scores.items()]
        return "\n".join(lines)

    def summary(self) -> str:
        """The headline case: the best peer and ours."""
        row = self.scores[self.headline]
        peers = [name for name in row if name not in self.ours]
        best = min(peers, key=lambda name: (row[name].not_a_number, row[name].worst))
        return cells(f"{self.title}: {self.headline}", f"{best}: {row[best]}", str(row[self.ours[0]]))


def cells(*texts: str) -> str:
    """One line of a markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in texts) + " |"


def scored(cases: Iterable[Case], functions: dict[str, Function], exact: Callable[[Any, Any], Any]) -> Scores:
    """Every function on every draw, against `exact`."""
    scores: Scores = {}
    for case, draws in cases:
        measure.progress("accuracy", case)
        row = scores.setdefault(case, {})
        for p, q in draws:
            true = exact(p, q)
            for name, function in functions.items():
                got = function(p, q)
                row.setdefault(name, Score()).add(truth.relative_error(got, true), got)
    measure.progress()
    return scores
