"""Two discrete laws on their common points, up to where nothing is left that counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.law import Law

_MOST = 4_000_000  # points
_NEGLIGIBLE = 1e-20
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Atoms:
    """The points, both masses there, what these may be off by, and the moment of what is left out."""

    x: np.ndarray
    log_p: np.ndarray
    log_q: np.ndarray
    left: float

    @property
    def p(self) -> np.ndarray:
        """The masses of the first law."""
        return np.exp(self.log_p)

    @property
    def q(self) -> np.ndarray:
        """The masses of the second law."""
        return np.exp(self.log_q)

    @property
    def rounding(self) -> np.ndarray:
        """What the difference of the masses may be off by."""
        return sum(_mass_error(z) for z in (self.log_p, self.log_q))  # type: ignore[return-value]


def _mass_error(log_mass: np.ndarray) -> np.ndarray:
    some = np.isfinite(log_mass)
    safe = np.where(some, log_mass, 0.0)
    return np.where(some, 4.0 * _EPSILON * (1.0 + np.abs(safe)) * np.exp(safe), 0.0)


def atoms(p: Law, q: Law, *, moment: float = 0.0) -> Atoms:
    """All points, or those beyond which the moment of that order of both laws is negligible.

    Raises `UnsupportedPairError` for other than discrete laws with a first point.
    """
    supports = [law.support for law in (p, q)]
    for law, support in zip((p, q), supports, strict=True):
        if support is None or not support.discrete or not math.isfinite(support.low):
            raise UnsupportedPairError(
                f"enumeration needs discrete laws with a first point; {law.name} is not one"
            )
    low, high = min(s.low for s in supports if s), max(s.high for s in supports if s)
    blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    start, size, left = low, 128, math.inf
    while start <= high and left > _NEGLIGIBLE:
        x = np.arange(start, min(start + size, high + 1), dtype=float)
        blocks.append((x, p.everywhere(x), q.everywhere(x)))
        mass = np.exp(blocks[-1][1]) + np.exp(blocks[-1][2])
        start, size = x[-1] + 1, 2 * size
        if start - low > _MOST:
            raise ConvergenceError(f"{start - low:g} points do not exhaust {p.name} and {q.name}")
        # a first block without mass is not yet the tail
        left = float(np.sum(mass * (1.0 + np.abs(x)) ** moment)) if _complete(blocks) else math.inf
    found = Atoms(*(np.concatenate(z) for z in zip(*blocks, strict=True)), left=0.0 if start > high else left)
    if not _complete(blocks):
        raise UnsupportedPairError(f"the points of {p.name} and {q.name} are not one step apart")
    return found


def _complete(blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> bool:
    return all(abs(1.0 - sum(np.exp(b[i]).sum() for b in blocks)) < 1e-9 for i in (1, 2))
