"""Equal values in a column that is declared continuous: rounding, which is undone, or atoms, which are told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ATOM = 20  # times as many rows as a typical value has


@dataclass(frozen=True)
class Column:
    """The sorted values with ties spread out and their weights, whether the law has an atom, and what to tell."""

    values: Floats
    weights: Floats | None = None
    atom: bool = False
    share: float = 0.0
    notes: tuple[str, ...] = ()


def untied(x: Floats, weights: Floats | None = None) -> Column:
    r"""The values in order, equal ones spread evenly over their cell: half-way to the neighbours at each side.

    So the entropy of rounded data is that of the data before rounding, whatever the order of rows, without random
    numbers. A value off the lattice of the others that has over 20 times the rows of a typical one is an atom.
    """
    levels, counts = np.unique(x, return_counts=True)
    n = len(x)
    if len(levels) == 1:
        return Column(levels, atom=True, share=1.0, notes=("a constant column: its law is an atom",))
    w = None if weights is None else weights[np.lexsort((weights, x))]  # the order of rows says nothing
    if len(levels) == n:
        return Column(levels, w)
    share = float(counts[counts > 1].sum() / n)
    if counts.max() > max(10, _ATOM * np.median(counts)) and not _on_lattice(levels):
        note = (
            f"one value has {counts.max() / n:.0%} of the rows: an atom, so the differential entropy is -inf; "
            "split it off, or declare the column discrete"
        )
        return Column(np.sort(x), w, atom=True, share=share, notes=(note,))
    gaps = np.diff(levels)
    ends = np.concatenate([[levels[0] - gaps[0] / 2], levels[:-1] + gaps / 2, [levels[-1] + gaps[-1] / 2]])
    low, width = np.repeat(ends[:-1], counts), np.repeat(np.diff(ends), counts)
    rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    spread = low + width * (rank + 0.5) / np.repeat(counts, counts)
    alone = np.repeat(counts == 1, counts)
    spread[alone] = np.repeat(levels, counts)[alone]
    return Column(
        spread, w, share=share, notes=(f"{share:.1%} of the rows are tied; spread over their cells",)
    )


def _on_lattice(levels: Floats) -> bool:
    """Whether all values are multiples of the smallest gap, as rounded numbers are."""
    steps = (levels - levels[0]) / np.diff(levels).min()
    return bool(np.all(np.abs(steps - np.round(steps)) < 1e-6 * np.maximum(steps, 1.0)))
