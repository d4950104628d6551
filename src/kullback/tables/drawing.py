"""Where each mark of the page stands: plain geometry, in the units of the drawings, without a word of markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kullback.tables import summary
from kullback.tables.report import Cell, Column, Report
from kullback.wording import amount, label, several, share

WIDTH = 800.0
_MOST_CATEGORIES = 12
_MOST_LABELS = 24
_LETTER = 6.2  # the width that a letter of a label takes


@dataclass(frozen=True)
class Dot:
    """One row of the ranked plot, in per cent of its width."""

    at: float
    low: float
    high: float
    beyond: bool  # the value or the upper end is infinite


@dataclass(frozen=True)
class Scale:
    """The axis of the ranked plot: square roots, so that small effects do not crowd at zero."""

    top: float

    def place(self, value: float) -> float:
        """Where a value stands, in per cent of the axis."""
        return 100.0 * math.sqrt(min(max(value, 0.0) / self.top, 1.0))

    def ticks(self) -> list[tuple[float, str]]:
        """Round values at about equal distances."""
        rounded = sorted({float(f"{self.top * (k / 4) ** 2:.1g}") for k in (1, 2, 3)})
        return [(0.0, "0"), *((self.place(x), amount(x, 1)) for x in rounded if x < self.top)]


@dataclass(frozen=True)
class Bar:
    """One cell of a histogram: the shares of both tables, and its part of the difference."""

    label: str
    title: str
    before: float
    after: float
    weight: float
    mark: str = ""  # "new" or "gone"

    @property
    def side(self) -> str:
        """The table that holds more of this cell, which colours its contribution."""
        return "after" if self.after > self.before else "before"

    @property
    def numbers(self) -> str:
        """Both shares, for reading."""
        return f"{share(self.before)} → {share(self.after)}"


@dataclass(frozen=True)
class Box:
    """A rectangle, or the place of a text with its width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A cell as it is drawn."""

    bar: Bar
    before: Box
    after: Box
    weight: Box
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Histogram:
    """A drawing: its marks, the lines of its axis, and where the contributions begin."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    height: float
    upright: bool
    turned: bool = False


def scale_of(report: Report) -> Scale:
    """An axis that holds every finite end and the smallest effect that counts."""
    ends = [x for column in report.columns for x in (column.divergence.value, column.divergence.high)]
    finite = [x for x in ends if math.isfinite(x)]
    return Scale(max([*finite, 1.5 * report.settings.min_effect, 1e-12]) * 1.02)


def dot(column: Column, scale: Scale) -> Dot:
    """Where a column's effect and its interval stand."""
    answer = column.divergence
    ends = [
        100.0 if math.isinf(x) and x > 0 else scale.place(x) for x in (answer.value, answer.low, answer.high)
    ]
    return Dot(*ends, beyond=math.isinf(answer.high))


def histogram(column: Column) -> Histogram:
    """Upright bars in order for numbers and dates, lying bars by size for categories and truth values."""
    new, gone = set(column.new), set(column.gone)
    cells = zip(column.cells, summary.shares(column), summary.weights(column), strict=True)
    bars = [
        _bar(label(cell.label, 40), *pair, weight, _mark(cell, new, gone)) for cell, pair, weight in cells
    ]
    return _upright(bars) if column.kind in ("number", "date") else _lying(_largest(bars))


def _bar(name: str, before: float, after: float, weight: float, mark: str = "") -> Bar:
    return Bar(name, f"{name}: {share(before)} → {share(after)}", before, after, weight, mark)


def _mark(cell: Cell, new: set[str], gone: set[str]) -> str:
    return "new" if cell.label in new else "gone" if cell.label in gone else ""


def _largest(bars: list[Bar]) -> list[Bar]:
    """The categories that matter most by share or by contribution, in the report's order, the rest in one."""
    if len(bars) <= _MOST_CATEGORIES:
        return bars
    ranked = sorted(range(len(bars)), key=lambda i: -max(bars[i].before, bars[i].after, bars[i].weight))
    kept, rest = sorted(ranked[: _MOST_CATEGORIES - 1]), [bars[i] for i in ranked[_MOST_CATEGORIES - 1 :]]
    before, after, weight = (
        math.fsum(getattr(bar, key) for bar in rest) for key in ("before", "after", "weight")
    )
    name = several(len(rest), "other category", "other categories")
    return [*(bars[i] for i in kept), _bar(name, before, after, weight)]


def _upright(bars: Sequence[Bar]) -> Histogram:
    """Bars side by side over one line; below them the contributions, up where the second table has more."""
    left, base, tall, deep = 44.0, 160.0, 145.0, 32.0
    zero = base + deep + 14
    step = (WIDTH - left) / max(len(bars), 1)
    every = math.ceil(len(bars) / _MOST_LABELS) if bars else 1
    labels = [label(bar.label, 18) if i % every == 0 else "" for i, bar in enumerate(bars)]
    longest = _LETTER * max(map(len, labels), default=0)
    turned = longest > step * every
    top, heaviest = _largest_share(bars), max([bar.weight for bar in bars], default=0) or 1.0
    marks = []
    for i, (bar, name) in enumerate(zip(bars, labels, strict=True)):
        x, wide = left + i * step + 0.1 * step, 0.4 * step
        high, deeper = (tall * part / top for part in (bar.before, bar.after))
        weight = deep * bar.weight / heaviest
        up = zero - weight if bar.side == "after" else zero
        boxes = (
            Box(x, base - high, wide, high),
            Box(x + wide, base - deeper, wide, deeper),
            Box(x, up, 2 * wide, weight),
        )
        marks.append(Mark(bar, *boxes, name, x + wide, zero + deep + 14))
    below = 0.65 * longest + 14 if turned else 14.0
    ticks = tuple((base - tall * part / top, share(part)) for part in _round_parts(top))
    return Histogram(tuple(marks), ticks, zero, zero + deep + 14 + below, True, turned)


def _lying(bars: Sequence[Bar]) -> Histogram:
    """One row for each category; the contributions on the right, to the right where the second table has more."""
    left, long, zero, wide, row, thick = 210.0, 230.0, 690.0, 90.0, 30.0, 10.0
    top, heaviest = _largest_share(bars), max([bar.weight for bar in bars], default=0) or 1.0
    marks = []
    for i, bar in enumerate(bars):
        y = i * row + (row - 2 * thick) / 2
        before, after = (long * part / top for part in (bar.before, bar.after))
        weight = wide * bar.weight / heaviest
        start = zero if bar.side == "after" else zero - weight
        boxes = (
            Box(left, y, before, thick),
            Box(left, y + thick, after, thick),
            Box(start, y, weight, 2 * thick),
        )
        marks.append(Mark(bar, *boxes, label(bar.label, 28), left + max(before, after) + 8, y + thick))
    return Histogram(tuple(marks), (), zero, row * len(bars), False)


def _largest_share(bars: Sequence[Bar]) -> float:
    return max((max(bar.before, bar.after) for bar in bars), default=0.0) or 1.0


def _round_parts(top: float) -> list[float]:
    """Three lines at most, at round shares."""
    step = next(
        s for s in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, top) if s <= 0.7 * top or s == top
    )
    return [step * i for i in range(math.floor(top / step) + 1)]
