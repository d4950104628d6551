"""Charts of measurements as inline SVG: lines with marks, bands and rows of dots, in hues and shapes that print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, LINE = 560.0, 46.0, 16.0, 18.0
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4")
# circle, square, triangle, diamond and lozenge lying down: told apart without colour
SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z",
    "M-3.6,-3.6H3.6V3.6H-3.6Z",
    "M0,-4.8L4.6,3.6H-4.6Z",
    "M0,-5L4.2,0L0,5L-4.2,0Z",
    "M-5.5,0L0,-3L5.5,0L0,3Z",
)


@dataclass(frozen=True)
class Point:
    """A measured place: hollow where it has no interval, or where too few have one."""

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    hollow: bool = False


@dataclass(frozen=True)
class Series:
    """Points of one name, joined by a line; a band between their ends where they have any."""

    name: str
    points: tuple[Point, ...]
    marks: bool = True
    band: bool = False


@dataclass(frozen=True)
class Dot:
    """A row of a dot chart: what was measured, the share, and a remark at the right."""

    name: str
    share: float
    error: float
    remark: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Axes:
    """Numbers to pixels, both ways linear."""

    right: float
    top: float
    height: float
    bottom: float = 0.0
    head: float = 20.0

    def x(self, value: float) -> float:
        """Horizontal place, in pixels."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.right

    def y(self, value: float) -> float:
        """Vertical place, in pixels."""
        span = self.height - self.head - 44
        return self.height - 44 - span * (value - self.bottom) / (self.top - self.bottom)


def lines(
    series: Sequence[Series],
    *,
    at: Sequence[float],
    levels: Sequence[float],
    caption: str,
    label: str,
    plain: Sequence[Series] = (),
) -> str:
    """Series over the numbers `at`, with lines at `levels`; `plain` ones have neither hue nor mark."""
    head = 12 + LINE * math.ceil((len(series) + len(plain)) / 2)
    axes = Axes(1.04 * max(at), max(levels), 250 + head, min(levels), head)
    parts = [_grid(axes, at, levels, caption, label)]
    for i, one in enumerate(plain):
        parts += [_path(axes, one, "plain", "5 4"), _plain_key(len(series) + i, one.name)]
    parts += [_band(axes, one, i) for i, one in enumerate(series) if one.band]
    for i, one in enumerate(series):
        parts += [_path(axes, one, f"hue{i}", DASHES[i]), _key(i, one.name)]
        if one.marks:
            parts += [_mark(axes.x(p.x), axes.y(p.y), i, p.hollow) for p in _shown(axes, one.points)]
    return _picture(parts, axes.height, f"{label} against {caption}: " + ", ".join(s.name for s in series))


def dots(rows: Sequence[tuple[str, Sequence[Dot]]], *, aim: float, least: float, caption: str) -> str:
    """Groups of rows, one dot a row, on an axis from `least` to 1 with a line at `aim`."""
    left, right = 250.0, 445.0
    height = LINE * sum(len(group) + 1.4 for _, group in rows) + 52

    def x(share: float) -> float:
        return left + (right - left) * (min(max(share, least), 1.0) - least) / (1 - least)

    bottom = height - 40
    parts = [
        f'<path class="aim" d="M{x(aim):.1f},8V{bottom:.0f}"/>',
        f'<path class="axis" d="M{left},{bottom:.0f}H{right}"/>',
    ]
    marks = (least, (least + aim) / 2, aim)
    parts += [_text(x(share), bottom + 16, f"{100 * share:.4g}", "middle") for share in marks]
    parts.append(_text(right, bottom + 33, caption, "end"))
    y = 8.0
    for i, (title, group) in enumerate(rows):
        y += 1.2 * LINE
        parts.append(_text(4, y, title, "start", "head"))
        for row in group:
            y += LINE
            ends = f"M{x(row.share - row.error):.1f},{y - 4:.1f}H{x(row.share + row.error):.1f}"
            parts += [
                _text(12, y, row.name, "start"),
                f'<path class="rule" d="M{left},{y - 4:.1f}H{right}"/>',
                f'<path class="hue{i} whisker" d="{ends}"/>',
                _mark(x(row.share), y - 4, i, row.hollow),
                _text(right + 10, y, row.remark, "start"),
            ]
        y += 0.2 * LINE
    names = "; ".join(f"{row.name} {100 * row.share:.0f} %" for _, group in rows for row in group)
    return _picture(parts, height, f"{caption}: {names}")


def _picture(parts: Sequence[str], height: float, label: str) -> str:
    shown = f'role="img" aria-label="{escape(label, quote=True)}"'
    return f'<svg class="curve chart" viewBox="0 0 {WIDTH:g} {height:.0f}" {shown}>{"".join(parts)}</svg>'


def _grid(axes: Axes, at: Sequence[float], levels: Sequence[float], caption: str, label: str) -> str:
    left, right, floor = axes.x(0), axes.x(axes.right), axes.y(axes.bottom)
    parts = [
        f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{axes.y(v):.1f}" y2="{axes.y(v):.1f}"/>'
        + _text(left - 6, axes.y(v) + 4, f"{v:g}".replace("-", "−"), "end")
        for v in levels
    ]
    parts += [_text(axes.x(v), floor + 17, f"{v:g}", "middle") for v in at]
    parts.append(f'<path class="axis" d="M{left:.1f},{axes.y(axes.top):.1f}V{floor:.1f}H{right:.1f}"/>')
    parts += [_text(right, floor + 34, caption, "end"), _text(4, floor + 34, f"↑ {label}", "start")]
    return "".join(parts)


def _shown(axes: Axes, points: Sequence[Point]) -> list[Point]:
    return [p for p in points if axes.bottom <= p.y <= axes.top]


def _path(axes: Axes, series: Series, hue: str, dash: str) -> str:
    points = " ".join(f"{axes.x(p.x):.1f},{axes.y(p.y):.1f}" for p in _shown(axes, series.points))
    return f'<polyline class="{hue}" stroke-dasharray="{dash}" points="{points}"/>'


def _band(axes: Axes, series: Series, i: int) -> str:
    here = [p for p in series.points if math.isfinite(p.low) and math.isfinite(p.high)]
    edge = [(p.x, p.high) for p in here] + [(p.x, p.low) for p in reversed(here)]
    points = " ".join(f"{axes.x(x):.1f},{axes.y(min(max(y, axes.bottom), axes.top)):.1f}" for x, y in edge)
    return f'<polygon class="hue{i} band" points="{points}"/>'


def _mark(x: float, y: float, i: int, hollow: bool) -> str:
    kind = "hollow" if hollow else "full"
    return f'<path class="hue{i} mark {kind}" transform="translate({x:.1f},{y:.1f})" d="{SHAPES[i]}"/>'


def _place(i: int) -> tuple[float, float]:
    return LEFT + 10 + (i % 2) * (WIDTH - LEFT) / 2, 14 + LINE * (i // 2)


def _key(i: int, name: str) -> str:
    x, y = _place(i)
    stroke = (
        f'<polyline class="hue{i}" stroke-dasharray="{DASHES[i]}" points="{x},{y - 4} {x + 28},{y - 4}"/>'
    )
    return stroke + _mark(x + 14, y - 4, i, False) + _text(x + 36, y, name, "start")


def _plain_key(i: int, name: str) -> str:
    x, y = _place(i)
    stroke = f'<polyline class="plain" stroke-dasharray="5 4" points="{x},{y - 4} {x + 28},{y - 4}"/>'
    return stroke + _text(x + 36, y, name, "start")


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
