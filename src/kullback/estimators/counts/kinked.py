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
        gap, spread = np.abs(p - q), _spread(table)
        excess = float(_excess(gap, spread).sum()) + _excess_of_empty(table)
        observed = 0.5 * float(gap.sum()) + 0.5 * table.empty
        short = max(float(spread.sum()) / math.sqrt(2.0 * math.pi) - observed, 0.0)
        return cls(excess, short, 0.25 * float(spread @ spread))


def roundness(measure: FDivergence) -> float:
    """The larger f'' beside 1, on top of a kink there."""
    return float(np.max(measure.curvature(np.array([-BESIDE, BESIDE]))))


def _excess(gap: Counts, spread: Counts) -> Counts:
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
        return _excess(rows, np.sqrt(rows)) / table.n

    occupied = table.rows[table.row] * table.columns[table.column] / table.layers[table.layer]
    return max(table.over_cells(excess) - float(excess(occupied).sum()), 0.0)
