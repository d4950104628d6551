"""How one column is cut: the cells, their keys and their names. Nothing here has seen a row or a statistic.

A key names a cell inside its column: an interval is a number counted from the left, a category is its own text, a
boolean itself, −∞ and +∞ are themselves, `MISSING` is None. Two tables counted on equal cells can be compared cell by
cell, and counts of parts of a table can be added.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import ClassVar

from kullback.tables import edge_names


@dataclass(frozen=True, order=True)
class Other:
    """One of the cells that share out the categories without a cell of their own."""

    index: int


Key = int | float | str | bool | Other | None
MISSING = None
ANY_VALUE = "any value"


class Cells(ABC):
    """The partition of one column; equal partitions compare equal."""

    kind: ClassVar[str]

    def name(self, key: Key) -> str:
        """The cell's name for people."""
        return "(missing)" if key is MISSING else self._value_name(key)

    @abstractmethod
    def _value_name(self, key: Key) -> str:
        """The name of a cell that holds values."""

    @abstractmethod
    def order(self, pooled: Mapping[Key, int]) -> list[Key]:
        """The keys of `pooled` (rows of both tables by cell) in the order in which people expect them."""


@dataclass(frozen=True)
class NumberCells(Cells):
    """Half-open intervals [edge, next edge) over the numbers; an atom v is [v, the next number after v)."""

    edges: tuple[float, ...]
    integer: bool = False
    kind: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        _check_increasing(self.edges)

    def _value_name(self, key: Key) -> str:
        if isinstance(key, float):
            return "−∞" if key < 0 else "+∞"
        assert isinstance(key, int)
        return self._names[key]

    @cached_property
    def _names(self) -> list[str]:
        if not self.edges:
            return [ANY_VALUE]
        if self.integer:
            return edge_names.of_integers([int(edge) for edge in self.edges])
        return edge_names.of_floats(self.edges)

    def order(self, pooled: Mapping[Key, int]) -> list[Key]:
        """From −∞ to +∞, missing last."""
        return sorted(pooled, key=_place_on_line)


@dataclass(frozen=True)
class DateCells(Cells):
    """Half-open intervals of time; edges in microseconds since 1970 (UTC where the column has a time zone)."""

    edges: tuple[int, ...]
    daily: bool = False
    zone: str | None = None
    kind: ClassVar[str] = "date"

    def __post_init__(self) -> None:
        _check_increasing(self.edges)

    def _value_name(self, key: Key) -> str:
        assert isinstance(key, int)
        return self._names[key]

    @cached_property
    def _names(self) -> list[str]:
        return edge_names.of_dates(self.edges, self.daily, self.zone) if self.edges else [ANY_VALUE]

    def order(self, pooled: Mapping[Key, int]) -> list[Key]:
        """From early to late, missing last."""
        return sorted(pooled, key=_place_on_line)


@dataclass(frozen=True)
class CategoryCells(Cells):
    """A cell for every category, or for the `named` ones only, with `others` cells that share out the rest by hash."""

    named: frozenset[str] | None = None
    others: int = 64
    kind: ClassVar[str] = "category"

    def key(self, category: str) -> Key:
        """The cell of a category."""
        if self.named is None or category in self.named:
            return category
        return Other(_hash(category) % self.others)

    def closed_on_largest(self, rows: Mapping[str, int], limit: int) -> CategoryCells:
        """The same cells with names for the largest categories only: at most `limit`, each of two rows or more.

        Among equals the hash decides, not the alphabet, in which identifiers may stand in the order of their age. Where
        no category has two rows, they are identifiers, of which cells can show nothing: these share a single one.
        """
        repeated = [category for category, number in rows.items() if number > 1]
        repeated.sort(key=lambda category: (-rows[category], _hash(category), category))
        return CategoryCells(frozenset(repeated[:limit]), self.others if repeated else 1)

    def _value_name(self, key: Key) -> str:
        return f"(other {key.index + 1})" if isinstance(key, Other) else str(key)

    def order(self, pooled: Mapping[Key, int]) -> list[Key]:
        """The largest category first, then the shared cells, missing last."""
        return sorted(
            pooled, key=lambda key: (key is MISSING, isinstance(key, Other), -pooled[key], self.name(key))
        )


@dataclass(frozen=True)
class BooleanCells(Cells):
    """False, true, missing."""

    kind: ClassVar[str] = "boolean"

    def _value_name(self, key: Key) -> str:
        return "true" if key else "false"

    def order(self, pooled: Mapping[Key, int]) -> list[Key]:
        """False, true, missing."""
        return sorted(pooled, key=lambda key: (key is MISSING, bool(key)))


def _hash(category: str) -> int:
    """Of the text alone, so that every engine and machine agrees; numbered names must spread like any others."""
    return int.from_bytes(blake2b(category.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _place_on_line(key: Key) -> tuple[bool, float, int]:
    if key is MISSING:
        return True, 0.0, 0
    assert isinstance(key, (int, float))
    if isinstance(key, float):
        return False, key, 0
    return False, 0.0, key


def _check_increasing(edges: tuple[float, ...]) -> None:
    if any(not math.isfinite(edge) for edge in edges):
        raise ValueError(f"edges are finite numbers; got {edges}")
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges increase strictly; got {edges}")
