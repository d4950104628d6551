"""Graphs of divergences as inline SVG, without a plotting library and without a script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, MARGIN = 560, 300, 40
STEPS = 200


@dataclass(frozen=True)
class Line:
    """A function over [0, right end], with the name that the key shows; it may be infinite at 0."""

    name: str
    f: Callable[[float], float]


@dataclass(frozen=True)
class Frame:
    """The axes: how far to the right, which marks below, what the axis shows, where the lines leave at the top."""

    right: float
    marks: tuple[float, ...]
    caption: str
    top: float

    def x(self, t: float) -> float:
        """Horizontal place, in pixels."""
        return MARGIN + (WIDTH - 1.5 * MARGIN) * t / self.right

    def y(self, f: float) -> float:
        """Vertical place, in pixels."""
        return HEIGHT - MARGIN - (HEIGHT - 1.5 * MARGIN) * f / self.top


def svg(lines: Sequence[Line], *, marks: tuple[float, ...], caption: str, top: float | None = None) -> str:
    """Every line over 0 ≤ t ≤ the last mark, cut off where it leaves the frame; no blank lines, for Markdown."""
    right = marks[-1]
    at = [right * i / STEPS for i in range(STEPS + 1)]
    values = [[line.f(t) for t in at] for line in lines]
    frame = Frame(right, marks, caption, _top(values) if top is None else top)
    parts = [_axes(frame)]
    for i, (line, row) in enumerate(zip(lines, values, strict=True)):
        inside = [(t, f) for t, f in zip(at, row, strict=True) if f <= frame.top]
        points = " ".join(f"{frame.x(t):.1f},{frame.y(f):.1f}" for t, f in inside)
        parts += [f'<polyline class="line{i}" points="{points}"/>', _key(i, line.name)]
    label = escape(f"{caption}: {', '.join(line.name for line in lines)}", quote=True)
    picture = f'role="img" aria-label="{label}"'
    return f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" {picture}>{"".join(parts)}</svg>'


def _top(values: Sequence[Sequence[float]]) -> float:
    """All of the lowest line, and as much of the others as leaves it a quarter of the height."""
    ends = [row[-1] for row in values if math.isfinite(row[-1])]
    starts = [row[0] for row in values if math.isfinite(row[0])]
    return min(1.15 * max([*ends, *starts]), 4 * min(ends))


def _axes(frame: Frame) -> str:
    left, right, bottom, top = frame.x(0), frame.x(frame.right), frame.y(0), frame.y(frame.top)
    step = _round_step(frame.top / 4)
    rows = [
        f'<line class="grid" x1="{left}" x2="{right}" y1="{frame.y(f):.1f}" y2="{frame.y(f):.1f}"/>'
        f'<text x="{left - 6}" y="{frame.y(f) + 4:.1f}" text-anchor="end">{f:g}</text>'
        for f in (step * i for i in range(int(frame.top / step) + 1))
    ]
    columns = [
        f'<text x="{frame.x(t):.1f}" y="{bottom + 18}" text-anchor="middle">{t:g}</text>' for t in frame.marks
    ]
    axes = f'<path class="axis" d="M{left},{top} V{bottom} H{right}"/>'
    caption = f'<text x="{right}" y="{bottom + 34}" text-anchor="end">{escape(frame.caption)}</text>'
    return "".join([*rows, *columns, axes, caption])


def _key(i: int, name: str) -> str:
    y = MARGIN / 2 + 16 * i + 2
    left = 0.35 * WIDTH
    stroke = f'<polyline class="line{i}" points="{left - 30},{y:.0f} {left - 6},{y:.0f}"/>'
    return f'{stroke}<text x="{left}" y="{y + 4:.0f}">{escape(name)}</text>'


def _round_step(rough: float) -> float:
    scale = 10.0 ** math.floor(math.log10(rough))
    return next(m * scale for m in (1.0, 2.0, 5.0, 10.0) if m * scale >= rough)
