"""Intervals where f has a kink at 1: half of |p − q| in every cell, and what is smooth, on top."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from kullback.divergences import FDivergence
from kullback.estimators.counts.crossed import Crossed
from kullback.estimators.counts.tally import Counts

BESIDE = 1e-2  # of the log-ratio: where the curvature beside 1 is read, which differences may have to tell
NEXT = 1e-9  # of the log-ratio: where f' is read that jumps at 1
_REACH = 4.0  # standard deviations
_HALVINGS = 30


@dataclass(frozen=True)
class Folds:
    r"""By how much kinks in its cells may raise a plug-in divergence, for a jump of 1 in f' at 1.

    $$\tfrac12 \sum_i |d_i| - L, \qquad
      L = \tfrac12 \sum_i \big[ |d_i| (2\Phi(|d_i|/\sigma_i) - 1) - 2 \sigma_i \varphi(d_i/\sigma_i) \big]$$

    L is what a rule learnt on one half of the rows shows on the other: too small on average, as the plug-in value is
    too large. `short` is how far the latter stays behind what equality gives on average; `variance` is that of the sum
    of independent cells.
    """

    excess: float
    short: float
    variance: float

    @classmethod
    def of(cls, table: Crossed) -> Folds:
        """Those of the cells of a table against the product of its margins."""
        p, q = table.masses
        return cls._of(p - q, _spread(table), _excess_of_empty(table), 0.5 * table.empty)

    @classmethod
    def between(cls, p: Counts, q: Counts, n: int, m: int) -> Folds:
        """Those of the shares of two samples of n and m rows."""
        return cls._of(p - q, np.sqrt(p * (1.0 - p) / n + q * (1.0 - q) / m))

    @classmethod
    def _of(cls, gap: Counts, spread: Counts, of_empty: float = 0.0, observed: float = 0.0) -> Folds:
        gap = np.abs(gap)
        excess = float(excess_of(gap, spread).sum()) + of_empty
        observed += 0.5 * float(gap.sum())
        short = max(float(spread.sum()) / math.sqrt(2.0 * math.pi) - observed, 0.0)
        return cls(excess, short, 0.25 * float(spread @ spread))


def known(measure: FDivergence) -> bool:
    """Whether counts of equal laws have a known law: where f is curved at 1, or has a kink there and is curved beside.

    Not where f is flat at 1, where f' is steep without a bound, or where a kink is so near that it looks like one at 1.
    """
    if measure.curvature_at_one is not None:
        return measure.curvature_at_one > 0
    jump, near, far = _rises(measure)
    near, far = near - jump, far - jump  # a straight slope rises by a hundredth of the farther in the nearer
    return near <= 0.02 * far + 1e-9 * jump and (jump > 1e-4 * far or near > 0.002 * far)


def flat(measure: FDivergence) -> bool:
    """Whether f'' is 0 at 1, and f' has no jump there."""
    if measure.curvature_at_one is not None:
        return measure.curvature_at_one == 0
    _, near, far = _rises(measure)
    return near <= 0.002 * far


def _rises(measure: FDivergence) -> tuple[float, float, float]:
    """By how much f' rises at 1, and from one side of it to the other."""
    jump, near, far = (float(measure.slope(r) - measure.slope(-r)) for r in (NEXT, 1e-5, 1e-3))
    return jump, near, far


def jumps(measure: FDivergence, r: Counts, noise: Counts) -> tuple[Counts, Counts]:
    """Within reach of the noise of each log-ratio, the place other than 1 where f' jumps and by how much; else 0."""

    def slope(x: Counts) -> Counts:
        aside = np.where(np.abs(x) < NEXT, np.copysign(NEXT, x), x)  # at 1 itself f' may be either
        return np.asarray(measure.slope(aside)) - 0.5 * rise * np.sign(aside)

    rise = measure.jump_at_one
    low, high = r - _REACH * noise, r + _REACH * noise
    at_low, at_high = slope(low), slope(high)
    with np.errstate(invalid="ignore"):  # slopes beyond float64 tell of no jump
        least = 1e-3 * (at_high - at_low)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            at = slope(middle)
            left = at - at_low > at_high - at
            low, at_low = np.where(left, low, middle), np.where(left, at_low, at)
            high, at_high = np.where(left, middle, high), np.where(left, at, at_high)
        found = at_high - at_low
    return high, np.where(found > least, found, 0.0)


def roundness(measure: FDivergence) -> float:
    """The larger f'' beside 1, on top of a kink there."""
    return float(np.max(measure.curvature(np.array([-BESIDE, BESIDE]))))


def excess_of(gap: Counts, spread: Counts) -> Counts:
    """½ [|d| 2 (1 − Φ) + 2 σ φ] at |d|/σ."""
    steps = np.divide(gap, spread, where=spread > 0, out=np.full_like(gap, math.inf))
    density = np.exp(-0.5 * steps**2) / math.sqrt(2.0 * math.pi)
    return gap * ndtr(-steps) + spread * density


def _spread(table: Crossed) -> Counts:
    """The standard deviation of p_ab − p_a q_b in every cell, from the three places where a row may be."""
    share, p, q, weight = table.shares
    inside = share * (1.0 - p - q) ** 2 + (p - share) * q**2 + (q - share) * p**2
    variance = np.maximum(inside - (share - 2.0 * p * q) ** 2, 0.0)
    return np.sqrt(weight * variance / table.n)


def _excess_of_empty(table: Crossed) -> float:
    """That of the cells without rows: all cells, as if their gaps were their masses, less those that have rows."""

    def excess(rows: Counts) -> Counts:
        return excess_of(rows, np.sqrt(rows)) / table.n

    occupied = table.rows[table.row] * table.columns[table.column] / table.layers[table.layer]
    return max(table.over_cells(excess) - float(excess(occupied).sum()), 0.0)
