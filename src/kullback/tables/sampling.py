"""A uniform sample of the rows of several tables in one pass, fixed by its seed whatever the size of the batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from kullback.tables.sources import Source

Frame = nw.DataFrame[Any]


@dataclass(frozen=True)
class Sample:
    """Sampled rows in pieces, by table, and the number of rows that each table has."""

    pieces: tuple[tuple[Frame, ...], ...]
    rows: tuple[int, ...]


def pooled_sample(
    sources: Sequence[Source], columns: Sequence[str], size: int, seed: int, on_batch: Callable[[int], None]
) -> Sample:
    """`size` rows of all tables together, each equally likely; all of them where there are fewer.

    Every row draws a random key in the order of the tables; the rows with the smallest keys stay. `on_batch` hears
    how many rows have been seen.
    """
    rng = np.random.default_rng(seed)
    reservoir = _Reservoir(size)
    rows = []
    for table, source in enumerate(sources):
        seen = 0
        for batch in source.batches(columns):
            reservoir.offer(table, batch, rng.random(len(batch)))
            seen += len(batch)
            on_batch(sum(rows) + seen)
        rows.append(seen)
    reservoir.tighten()
    pieces = [
        tuple(frame for home, frame, _ in reservoir.held if home == table) for table in range(len(sources))
    ]
    return Sample(tuple(pieces), tuple(rows))


class _Reservoir:
    """The rows with the smallest keys so far; it holds at most three times as many as it is to keep."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bound = np.inf
        self.held: list[tuple[int, Frame, NDArray[np.float64]]] = []

    def offer(self, table: int, batch: Frame, keys: NDArray[np.float64]) -> None:
        bound = self.bound
        if keys.size > self.size:
            bound = min(bound, float(np.partition(keys, self.size)[self.size]))
        chosen = np.flatnonzero(keys < bound)
        if chosen.size:
            self.held.append((table, batch[chosen.tolist(), :], keys[chosen]))
        if sum(kept.size for _, _, kept in self.held) > 2 * self.size:
            self.tighten()

    def tighten(self) -> None:
        keys = np.concatenate([kept for _, _, kept in self.held]) if self.held else np.empty(0)
        if keys.size <= self.size:
            return
        self.bound = float(np.partition(keys, self.size)[self.size])
        self.held = [self._below(*piece) for piece in self.held if (piece[2] < self.bound).any()]

    def _below(
        self, table: int, frame: Frame, keys: NDArray[np.float64]
    ) -> tuple[int, Frame, NDArray[np.float64]]:
        chosen = np.flatnonzero(keys < self.bound)
        if chosen.size == keys.size:
            return table, frame, keys
        return table, frame[chosen.tolist(), :], keys[chosen]
