"""Curves of a training as one SVG file, without a plotting library and without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 360, 260, 48, 40, 56
_COLOURS = ("#c2410c", "#2563eb", "#15803d")
_STYLE = (
    "text{font:12px sans-serif;fill:#57606a}.grid{stroke:#57606a;stroke-opacity:.2}"
    ".axis{stroke:#57606a;fill:none}polyline{fill:none;stroke-width:2}"
)


@dataclass(frozen=True)
class Line:
    """A curve: its name, where it was looked at, what was seen."""

    name: str
    at: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Curves over one pair of axes, the vertical one from 0."""

    caption: str
    lines: Sequence[Line]


def svg(panels: Sequence[Panel], *, below: str) -> str:
    """The panels side by side; `below` is what the horizontal axes count.

    >>> svg([Panel("loss", [Line("train", [0, 1], [2.0, 1.0])])], below="steps").count("<polyline")
    2
    """
    parts = [
        f'<g transform="translate({i * _WIDTH},0)">{_panel(panel, below)}</g>'
        for i, panel in enumerate(panels)
    ]
    label = escape(
        "; ".join(f"{p.caption}: {', '.join(x.name for x in p.lines)}" for p in panels), quote=True
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH * len(panels)} {_HEIGHT}" role="img" '
        f'aria-label="{label}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, below: str) -> str:
    lines = [_finite(line) for line in panel.lines]
    right = max([x for line in lines for x in line.at], default=1.0) or 1.0
    top = 1.05 * max([y for line in lines for y in line.values], default=1.0) or 1.0
    bottom, wide, tall = _HEIGHT - _BOTTOM, _WIDTH - _LEFT - 16, _HEIGHT - _BOTTOM - _TOP

    def place(x: float, y: float) -> str:
        return f"{_LEFT + wide * x / right:.1f},{bottom - tall * y / top:.1f}"

    parts = [f'<path class="axis" d="M{_LEFT},{_TOP} V{bottom} H{_LEFT + wide}"/>']
    for y in _ticks(top):
        height = bottom - tall * y / top
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + wide}" y1="{height:.1f}" y2="{height:.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{y:g}</text>')
    parts += [
        f'<text x="{_LEFT + wide * x / right:.1f}" y="{bottom + 16}" text-anchor="middle">{x:g}</text>'
        for x in _ticks(right)
    ]
    parts.append(f'<text x="{_LEFT + wide}" y="{bottom + 32}" text-anchor="end">{escape(below)}</text>')
    parts.append(f'<text x="{_LEFT}" y="14" font-weight="bold">{escape(panel.caption)}</text>')
    for i, (line, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        points = " ".join(place(x, y) for x, y in zip(line.at, line.values, strict=True))
        x, y = _LEFT + 150 * (i % 2), 30 + 15 * (i // 2)
        parts.append(f'<polyline stroke="{colour}" points="{points}"/>')
        parts.append(f'<polyline stroke="{colour}" points="{x},{y} {x + 18},{y}"/>')
        parts.append(f'<text x="{x + 24}" y="{y + 4}">{escape(line.name)}</text>')
    return "".join(parts)


def _finite(line: Line) -> Line:
    pairs = [(x, y) for x, y in zip(line.at, line.values, strict=True) if math.isfinite(y)]
    return Line(line.name, [x for x, _ in pairs], [y for _, y in pairs])


def _ticks(top: float) -> list[float]:
    scale = 10.0 ** math.floor(math.log10(top / 4))
    step = next(m * scale for m in (1.0, 2.0, 5.0, 10.0) if m * scale >= top / 4)
    return [round(step * i, 12) for i in range(int(top / step) + 1)]
