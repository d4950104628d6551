"""Where two densities on the line are looked at: pieces between quantiles, and logarithmic pieces towards the ends."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from kullback.errors import UnsupportedPairError
from kullback.exact.law import Law, Support

_LEVELS = np.array([1e-12, 1e-8, 1e-5, 1e-3, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999, 1 - 1e-5, 1 - 1e-8])
_FARTHEST = 1e150  # squares of points stay finite
_SPAN = 8.0  # of distances from an end, within a panel that is not logarithmic
_STEPS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass(frozen=True)
class Panel:
    """A stretch [low, high] of t, with x = t, or x = base + width·(eᵗ − 1), or x = base + width·e⁻ᵗ."""

    low: float
    high: float
    kind: str = "plain"
    base: float = 0.0
    width: float = 1.0
    endless: bool = False
    name: str = ""

    def at(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The points for nodes in (−1, 1), and what a unit of the node's weight is worth there."""
        half = 0.5 * (self.high - self.low)
        t = self.low + half * (nodes + 1.0)
        if self.kind == "plain":
            return t, np.full_like(t, half)
        if self.kind == "out":
            return self.base + self.width * np.expm1(t), half * abs(self.width) * np.exp(t)
        return self.base + self.width * np.exp(-t), half * abs(self.width) * np.exp(-t)

    def halves(self) -> tuple[Panel, Panel]:
        """The two halves in t."""
        middle = 0.5 * (self.low + self.high)
        return replace(self, high=middle), replace(self, low=middle)


def panels(p: Law, q: Law) -> list[Panel]:
    """Pieces that cover both supports, finest where either law has its mass."""
    laws = (*p.leaves, *q.leaves)
    supports = [_support(law) for law in laws]
    low, high = min(s.low for s in supports), max(s.high for s in supports)
    marks = [_landmarks(law, s) for law, s in zip(laws, supports, strict=True)]
    spread = max(x[-1] for x in marks) - min(x[0] for x in marks)
    marks += [_outwards(x, spread) for x in marks]
    points = np.concatenate([*marks, [end for s in supports for end in (s.low, s.high)]])
    points = np.unique(points[(points > low) & (points < high) & (np.abs(points) < _FARTHEST)])
    found = [Panel(float(a), float(b)) for a, b in itertools.pairwise(points)]
    # a jump or a singularity of one law at an end inside the other's support is approached logarithmically too
    inner = {end for s in supports for end in (s.low, s.high) if low < end < high}
    found = [piece for panel in found for piece in _refined(panel, inner)]
    anchors = [end for end in (low, high, *inner) if math.isfinite(end)]
    found = [_stretched(panel, [*anchors, float(np.median(points))]) for panel in found]
    first, last = float(points[0]), float(points[-1])
    spread = last - first if last > first else max(abs(first), 1.0)
    return found + _towards(low, first, -spread) + _towards(high, last, spread)


def _outwards(marks: np.ndarray, spread: float) -> np.ndarray:
    """From a law's own scale to that of all in growing steps: its tails are seen where another law is wider or far."""
    middle = 0.5 * (marks[0] + marks[-1])
    half = max(0.5 * (marks[-1] - marks[0]), float(np.spacing(abs(middle))))
    steps = half * 2.0 ** np.arange(1.0, max(math.log2(spread / half), 1.0))
    return np.concatenate([middle - steps, middle + steps])


def _refined(panel: Panel, ends: set[float]) -> list[Panel]:
    a, b = panel.low, panel.high
    if a not in ends and b not in ends:
        return [panel]
    middle = 0.5 * (a + b)
    left = _inwards(a, middle) if a in ends else [Panel(a, middle)]
    right = _inwards(b, middle) if b in ends else [Panel(middle, b)]
    return left + right


def _stretched(panel: Panel, anchors: list[float]) -> Panel:
    """In the logarithm of the distance from the first anchor that one end is many times closer to than the other."""
    for anchor in anchors if panel.kind == "plain" else ():
        a, b = panel.low - anchor, panel.high - anchor
        near, far = sorted((abs(a), abs(b)))
        if a * b > 0 and far > _SPAN * near:
            return Panel(-math.log(far), -math.log(near), "in", anchor, math.copysign(1.0, a))
    return panel


def _towards(end: float, start: float, spread: float) -> list[Panel]:
    if math.isfinite(end):
        return _inwards(end, start) if end != start else []
    limit = math.log(_FARTHEST / abs(spread))
    name = "-infinity" if end < 0 else "infinity"
    marks = [*(t for t in _STEPS if t < limit), limit]
    return [
        Panel(a, b, "out", start, spread, endless=b > 0.5 * limit and a >= 0.25 * limit, name=name)
        for a, b in itertools.pairwise(marks)
    ]


def _inwards(end: float, start: float) -> list[Panel]:
    """From `start` to the finite `end`, in the logarithm of the distance, down to what double precision resolves."""
    width = start - end
    limit = math.log(abs(width)) + 650.0 if end == 0 else math.log(abs(width) / (4.0 * np.spacing(abs(end))))
    marks = [*(t for t in _STEPS if t < limit), max(limit, 0.5)]
    return [
        Panel(a, b, "in", end, width, endless=end == 0 and a >= 0.25 * limit, name=f"{end:g}")
        for a, b in itertools.pairwise(marks)
    ]


def _support(law: Law) -> Support:
    found = law.support
    if found is None or found.discrete:
        raise UnsupportedPairError(f"quadrature needs laws with densities on the line; {law.name} is not one")
    return found


def _landmarks(law: Law, support: Support) -> np.ndarray:
    with np.errstate(all="ignore"):
        found = law.quantile(_LEVELS)
    if found is None or not np.isfinite(found).any():
        found = _searched(law, support)
    return found[np.isfinite(found)]


def _searched(law: Law, support: Support) -> np.ndarray:
    """Quantiles from the density on a wide grid, for a law that cannot tell them."""
    size = np.logspace(-12, 12, 4001)
    grid = np.concatenate([-size[::-1], [0.0], size])
    if math.isfinite(support.low) and math.isfinite(support.high):
        grid = np.linspace(support.low, support.high, 4003)[1:-1]
    elif math.isfinite(support.low):
        grid = support.low + size
    elif math.isfinite(support.high):
        grid = support.high - size[::-1]
    with np.errstate(all="ignore"):
        weight = np.exp(law.log_density()(grid)) * np.gradient(grid)
    weight = np.where(np.isfinite(weight), weight, 0.0)
    total = np.cumsum(weight)
    if not total[-1] > 0:
        raise UnsupportedPairError(
            f"no mass of {law.name} was found between -1e12 and 1e12; rescale the variable"
        )
    return np.interp(_LEVELS, total / total[-1], grid)
