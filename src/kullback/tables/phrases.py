"""What a column's numbers mean, in words: what changed, and what a reader has to know about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence
from kullback.estimators.counts import sparse, statistics
from kullback.tables.cells import CategoryCells
from kullback.tables.report import Settings
from kullback.wording import amount, count, several, share, visible, with_unit

if TYPE_CHECKING:
    from kullback.tables.columns import Measured, Pair


def change(pair: Pair, contributions: Sequence[float]) -> str:
    """One phrase for what changed: the median's cell where it moved, else the cell that contributes most."""
    if not any(contributions):
        return "nothing"
    medians = _median(pair, pair.before), _median(pair, pair.after)
    top = int(np.argmax(contributions))
    name = visible(pair.cells.name(pair.keys[top]), 40)
    before, after = pair.before[top] / pair.before.sum(), pair.after[top] / pair.after.sum()
    if pair.keys[top] is not None and None not in medians and medians[0] != medians[1]:
        return f"median {medians[0]} → {medians[1]}"
    if isinstance(pair.keys[top], str) and before == 0:
        return f"new: {name} ({share(after)})"
    if isinstance(pair.keys[top], str) and after == 0:
        return f"gone: {name} ({share(before)})"
    return f"{name}: {share(before)} → {share(after)}"


def _median(pair: Pair, counts: NDArray[np.int64]) -> str | None:
    """The name of the cell that holds the median; `None` where there is no order or no value."""
    if pair.cells.kind not in ("number", "date"):
        return None
    values = [i for i, key in enumerate(pair.keys) if key is not None]
    below = np.cumsum(counts[values])
    if below.size == 0 or below[-1] == 0:
        return None
    return pair.cells.name(pair.keys[values[int(np.searchsorted(below, below[-1] / 2))]])


def notes(measured: Measured, measure: FDivergence, q_value: float, settings: Settings) -> tuple[str, ...]:
    """Everything about a column's numbers that they do not say themselves."""
    found = [
        *_infinite(measured.pair, measure),
        *_shared_cells(measured.pair, measure),
        *_small_cells(measured.pair),
    ]
    answer = measured.divergence
    if q_value <= settings.alpha and answer.low < settings.min_effect:
        size = with_unit(amount(settings.min_effect), settings.unit)
        what = (
            f"it is smaller than {size}"
            if answer.high < settings.min_effect
            else f"not that it reaches {size}"
        )
        found.append(f"a difference is proven, {what}")
    if measured.test.limit:
        found.append("p is the chi-square limit: the table has too many rows to permute")
    return tuple(found)


def _infinite(pair: Pair, measure: FDivergence) -> Iterator[str]:
    a, b = pair.before, pair.after
    lacking = np.zeros(a.size, dtype=bool)
    for price, counts, empty, here, there in (
        (measure.at_infinity, a, (b == 0) & (a > 0), "before", "after"),
        (measure.at_zero, b, (a == 0) & (b > 0), "after", "before"),
    ):
        if math.isfinite(price) or not empty.any():
            continue
        lacking |= empty
        yield (
            f"{measure.name} is infinite: {several(int(empty.sum()), 'cell')} with "
            f"{share(counts[empty].sum() / counts.sum())} of the rows {here} {'has' if empty.sum() == 1 else 'have'} "
            f"none {there}"
        )
    if not lacking.any():
        return
    kept = ~lacking
    if a[kept].sum() and b[kept].sum():
        shared = amount(statistics.plugin(measure, a[kept], b[kept]))
        yield f"on the cells that both have it is {with_unit(shared, measure.unit)}"
    with_prior = amount(float(measure(statistics.smoothed(a), statistics.smoothed(b))))
    yield f"with half a row added to every cell (Jeffreys' prior) it is {with_unit(with_prior, measure.unit)}"


def _shared_cells(pair: Pair, measure: FDivergence) -> Iterator[str]:
    if not isinstance(pair.cells, CategoryCells) or pair.cells.named is None:
        return
    before, after = pair.shared
    hidden = pair.hidden(measure)
    most = f"at most {with_unit(amount(hidden), measure.unit)}" if math.isfinite(hidden) else "any divergence"
    own = several(
        len(pair.cells.named), "category has a cell of its own", "categories have cells of their own"
    )
    yield (
        f"{own}; the others ({share(before)} of the rows before, {share(after)} after) share "
        f"{several(pair.cells.others, 'cell')}, which can only lower the divergence and hide {most}"
    )


def _small_cells(pair: Pair) -> Iterator[str]:
    left = sparse.joined(pair.before, pair.after)[0].size
    if left < pair.before.size:
        yield (
            f"{several(pair.before.size, 'cell')} joined to {count(left)} for value and interval: "
            f"the smaller table expects less than {sparse.LEAST_EXPECTED} rows in some"
        )
