"""The graph of generators, f(t) against t = p/q, as one inline SVG without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from kullback import FDivergence

WIDTH, HEIGHT, MARGIN = 560, 300, 40
RIGHTMOST = 4.0  # of t
STEPS = 200


def svg(divergences: Sequence[FDivergence]) -> str:
    """One line a divergence over 0 ≤ t ≤ 4, cut off where it leaves the frame; no blank lines, for Markdown."""
    tallest = _tallest(divergences)
    parts = [_frame(tallest)]
    for i, d in enumerate(divergences):
        points = " ".join(f"{_x(t):.1f},{_y(f, tallest):.1f}" for t, f in _samples(d, tallest))
        parts.append(f'<polyline class="line{i}" points="{points}"/>')
        parts.append(
            f'<text class="name" x="{MARGIN + 150}" y="{MARGIN / 2 + 16 * i + 6:.0f}">{escape(d.name)}</text>'
        )
        parts.append(_key(i))
    names = escape(", ".join(d.name for d in divergences))
    label = f'role="img" aria-label="f(t) of {names}"'
    return f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{"".join(parts)}</svg>'


def _tallest(divergences: Sequence[FDivergence]) -> float:
    ends = [float(d.value(math.log(RIGHTMOST))) for d in divergences]
    starts = [d.at_zero for d in divergences if math.isfinite(d.at_zero)]
    return min(1.15 * max([*ends, *starts]), 4 * min(ends))


def _samples(d: FDivergence, tallest: float) -> list[tuple[float, float]]:
    at = [RIGHTMOST * i / STEPS for i in range(STEPS + 1)]
    values = [(t, float(d.value(math.log(t))) if t else d.at_zero) for t in at]
    return [(t, f) for t, f in values if f <= tallest]


def _x(t: float) -> float:
    return MARGIN + (WIDTH - 1.5 * MARGIN) * t / RIGHTMOST


def _y(f: float, tallest: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - 1.5 * MARGIN) * f / tallest


def _frame(tallest: float) -> str:
    left, right, bottom, top = _x(0), _x(RIGHTMOST), _y(0, tallest), _y(tallest, tallest)
    step = _round_step(tallest / 4)
    levels = [step * i for i in range(int(tallest / step) + 1)]
    rows = [
        f'<line class="grid" x1="{left}" x2="{right}" y1="{_y(f, tallest):.1f}" y2="{_y(f, tallest):.1f}"/>'
        f'<text x="{left - 6}" y="{_y(f, tallest) + 4:.1f}" text-anchor="end">{f:g}</text>'
        for f in levels
    ]
    columns = [f'<text x="{_x(t):.1f}" y="{bottom + 18}" text-anchor="middle">{t}</text>' for t in range(5)]
    axes = f'<path class="axis" d="M{left},{top} V{bottom} H{right}"/>'
    caption = f'<text x="{right}" y="{bottom + 34}" text-anchor="end">t = p/q</text>'
    return "".join([*rows, *columns, axes, caption])


def _key(i: int) -> str:
    y = MARGIN / 2 + 16 * i + 2
    return f'<polyline class="line{i}" points="{MARGIN + 120},{y:.0f} {MARGIN + 144},{y:.0f}"/>'


def _round_step(rough: float) -> float:
    scale = 10.0 ** math.floor(math.log10(rough))
    return next(m * scale for m in (1.0, 2.0, 5.0, 10.0) if m * scale >= rough)
