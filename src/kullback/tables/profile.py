"""What has been counted of one table: a profile knows no statistics, and statistics see nothing but profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kullback.errors import InvalidInputError
from kullback.tables.cells import Cells, Key
from kullback.tables.counting import Tally, tally
from kullback.tables.kinds import Kind, NotComparable
from kullback.tables.sources import Source, open_source
from kullback.wording import visible


@dataclass(frozen=True)
class Profile:
    r"""The counts of one table on given cells; profiles of its parts add up to the profile of the whole.

    $$\text{counts}(A \cup B) = \text{counts}(A) + \text{counts}(B)$$

    `rows` is the number of rows, `cells` and `counts` are by column; a count that is 0 is not listed. A profile is all
    that `compare` needs of a table: kilobytes, however many rows were read.

    Raises `InvalidInputError` where profiles on different cells are added.

    >>> import polars as pl
    >>> from kullback.tables import Profile, cut
    >>> table = pl.DataFrame({"plan": ["free", "paid", "free"]})
    >>> cells = cut(table, table)
    >>> half = Profile.of(table[:1], cells) + Profile.of(table[1:], cells)
    >>> half == Profile.of(table, cells), half.counts["plan"]["free"]
    (True, 2)
    """

    rows: int
    cells: Mapping[str, Cells]
    counts: Mapping[str, Mapping[Key, int]]

    @classmethod
    def of(cls, table: Any, cells: Mapping[str, Cells]) -> Profile:
        r"""Count a table (any frame that narwhals knows, or a path) on cells that `cut` made.

        $$\text{counts}_c = \#\{\text{rows in cell } c\}$$

        Raises `InvalidInputError` where a column is missing or holds another kind of values than its cells.

        >>> import polars as pl
        >>> from kullback.tables import cut
        >>> table = pl.DataFrame({"x": [True, None, True]})
        >>> dict(Profile.of(table, cut(table, table)).counts["x"])
        {True: 2, None: 1}
        """
        source = open_source(table, "table")
        _check_columns(source, cells)
        return counted(source, cells)

    def __add__(self, other: object) -> Profile:
        """The profile of both tables' rows together."""
        if not isinstance(other, Profile):
            return NotImplemented
        if self.cells != other.cells:
            raise InvalidInputError(
                "profiles on different cells do not add up; count both on the cells of one `cut`"
            )
        counts = {name: Counter(own) + Counter(other.counts[name]) for name, own in self.counts.items()}
        return Profile(self.rows + other.rows, self.cells, counts)


def counted(
    source: Source, cells: Mapping[str, Cells], on_batch: Callable[[int], None] = lambda _: None
) -> Profile:
    """The profile of an opened table; `on_batch` hears how many rows have been counted."""
    counts: dict[str, Tally] = {name: Counter() for name in cells}
    rows = 0
    for batch in source.batches(list(cells)):
        rows += len(batch)
        for name, partition in cells.items():
            counts[name].update(tally(batch[name], partition))
        on_batch(rows)
    return Profile(rows if cells else source.rows(), dict(cells), counts)


def _check_columns(source: Source, cells: Mapping[str, Cells]) -> None:
    for name, partition in cells.items():
        kind = source.kinds.get(name, NotComparable("it is missing"))
        if isinstance(kind, NotComparable):
            raise InvalidInputError(f"{source.name} cannot be counted: column {visible(name)}: {kind.reason}")
        if kind.name not in (partition.kind, "empty"):
            raise InvalidInputError(
                f"{source.name} cannot be counted: column {visible(name)} holds {kind.name} ({kind.shown}), "
                f"its cells are for {partition.kind}"
            )
    assert all(isinstance(source.kinds[name], Kind) for name in cells)
