"""What `compare` returns: plain frozen data, with every number that the terminal, the page and the JSON show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from os import PathLike
from pathlib import Path

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
    contribution: float  # this cell's share of the divergence


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
    divergence: Answer  # bias-corrected, with its interval
    plugin: float  # the same before the correction of its bias
    p_value: float  # exact, by permutation of the counts
    q_value: float  # after the correction over columns
    accuracy: Answer  # best possible accuracy of telling the tables apart, (1 + TV)/2
    detectable: float  # smallest divergence that this many rows would show
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
    schema: bool = False  # only one table has the column, or its type differs between them


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
    unit: str  # of the measure: nats, or none for a pure number
    unit_limit: float  # upper limit of the measure, math.inf where it has none
    level: float
    alpha: float
    min_effect: float  # in the unit of the measure
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

    @property
    def verdict(self) -> Verdict:
        """Drift where a column drifts; otherwise "can't tell" where one is open; otherwise the same."""
        found = {column.verdict for column in self.columns}
        return next((v for v in (Verdict.DRIFT, Verdict.CANT_TELL) if v in found), Verdict.SAME)

    @property
    def drifted(self) -> tuple[Column, ...]:
        """The columns that drift."""
        return tuple(column for column in self.columns if column.verdict is Verdict.DRIFT)

    def named(self, before: str, after: str) -> Report:
        """The same report with these names for the two tables."""
        return replace(self, before=replace(self.before, name=before), after=replace(self.after, name=after))

    def __getitem__(self, name: str) -> Column:
        """The column of this name."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise KeyError(self._absence(name))
        return found

    def _absence(self, name: str) -> str:
        from kullback.wording import visible

        reason = next((skipped.reason for skipped in self.skipped if skipped.name == name), None)
        if reason is not None:
            return f"column {visible(name)!r} was not compared: {visible(reason, 200)}"
        known = ", ".join(visible(column.name, 24) for column in self.columns[:8])
        return f"no column {visible(name)!r}; there is {known}{', …' if len(self.columns) > 8 else ''}"

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __bool__(self) -> bool:
        """A report is one, also where no column could be compared."""
        return True

    def table(self, *, width: int = 80) -> str:
        """The report as text in lines of at most `width` cells."""
        from kullback.tables import terminal

        return terminal.plain(self, width)

    def __str__(self) -> str:
        return self.table()

    def to_markdown(self) -> str:
        """The report as a table for a pull request, in the markdown of GitHub."""
        from kullback.tables import markdown

        return markdown.render(self)

    def to_html(self, path: str | PathLike[str]) -> Path:
        """Write the report as one page that needs nothing else: no script, no network; returns its path."""
        from kullback.tables import page, writing

        return writing.write_atomically(path, page.render(self))

    def to_json(self, path: str | PathLike[str]) -> Path:
        """Write every number of the report as JSON, which `kullback.tables.serial.load` reads back."""
        from kullback.tables import serial, writing

        return writing.write_atomically(path, serial.dumps(self))
