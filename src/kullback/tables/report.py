"""What `compare` returns: plain frozen data, with every number that the terminal, the page and the JSON show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kullback.answer import Answer


class Verdict(Enum):
    """What may be said of one column: it drifts, it is the same, or there are too few rows to tell."""

    DRIFT = "drift"
    SAME = "same"
    CANT_TELL = "can't tell"


@dataclass(frozen=True)
class Cell:
    """One cell of one column in both tables: an interval, a category, an atom, or the missing values."""

    label: str
    before: int
    after: int
    contribution: float  # this cell's share of the divergence, in nats


@dataclass(frozen=True)
class Column:
    """One column that could be compared."""

    name: str
    kind: str  # "number", "category", "date" or "boolean"
    before: int  # rows counted
    after: int
    missing_before: int
    missing_after: int
    cells: tuple[Cell, ...]
    divergence: Answer  # bias-corrected, with its interval, in nats
    plugin: float  # the same before the correction of its bias
    p_value: float  # exact, by permutation of the counts
    q_value: float  # after the correction over columns
    accuracy: Answer  # best possible accuracy of telling the tables apart, (1 + TV)/2
    detectable: float  # smallest divergence that this many rows would show, in nats
    verdict: Verdict
    rows_needed: int | None  # per table, where the verdict is "can't tell"
    new: tuple[str, ...]  # categories of `after` that `before` lacks
    gone: tuple[str, ...]
    change: str  # one phrase for people: what changed
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """One column that could not be compared, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Table:
    """What was read: a name for people, and its size."""

    name: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Settings:
    """Every choice that the numbers depend on."""

    measure: str
    unit_limit: float  # upper limit of the measure in nats, math.inf where it has none
    level: float
    alpha: float
    min_effect: float  # in nats
    adjust: str
    bins: int
    permutations: int
    seed: int


@dataclass(frozen=True)
class Report:
    """Two tables, compared column by column; columns are sorted by verdict, then by divergence, largest first."""

    before: Table
    after: Table
    settings: Settings
    columns: tuple[Column, ...]
    skipped: tuple[Skipped, ...]
    seconds: float
    notes: tuple[str, ...] = ()
