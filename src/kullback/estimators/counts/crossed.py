"""Counts of two variables crossed, within the classes of a third where there is one: value and moments of D_f."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence
from kullback.estimators.counts.tally import Counts, Weights, count, summed
from kullback.estimators.problem import JointSample

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Crossed:
    """The cells of a table that have rows, with the row, the column and the layer (the class of z) of each.

    Rows and columns are numbered within their layer, so that a table without a condition is one layer. Only occupied
    cells are kept: a large alphabet makes no large table.
    """

    counts: Counts
    row: Index
    column: Index
    layer: Index

    @cached_property
    def n(self) -> float:
        """The number of rows of data."""
        return float(self.layers.sum())

    @cached_property
    def rows(self) -> Counts:
        """The margin over the columns."""
        return summed(self.row, self.counts)

    @cached_property
    def columns(self) -> Counts:
        """The margin over the rows."""
        return summed(self.column, self.counts)

    @cached_property
    def layers(self) -> Counts:
        """The rows of data in each layer."""
        return summed(self.layer, self.counts)

    @cached_property
    def shares(self) -> tuple[Counts, Counts, Counts, Counts]:
        """Within the layer of each cell: its share, those of its row and column, and the layer's share of all."""
        total = self.layers[self.layer]
        return (
            self.counts / total,
            self.rows[self.row] / total,
            self.columns[self.column] / total,
            total / self.n,
        )

    @cached_property
    def masses(self) -> tuple[Counts, Counts]:
        """What each cell has, and what the product of its margins gives it: equal to the bit where they are equal."""
        total = self.layers[self.layer]
        both = self.counts * total, self.rows[self.row] * self.columns[self.column]
        return both[0] / (total * self.n), both[1] / (total * self.n)

    @cached_property
    def log_ratio(self) -> Counts:
        """log of the first mass over the second."""
        p, q = self.masses
        return np.log1p((p - q) / q)

    @cached_property
    def freedom(self) -> float:
        """The degrees of freedom of independence, Σ (rows − 1)(columns − 1) over the layers."""
        return float(((self._wide - 1) * (self._high - 1)).sum())

    @cached_property
    def _high(self) -> Counts:
        return np.bincount(_first(self.row, self.layer), minlength=len(self.layers)).astype(float)

    @cached_property
    def _wide(self) -> Counts:
        return np.bincount(_first(self.column, self.layer), minlength=len(self.layers)).astype(float)

    @cached_property
    def expected_empty(self) -> float:
        """How many cells would be without rows if the variables were independent."""
        return self.over_cells(lambda rows: np.exp(-rows))

    def over_cells(self, of: Callable[[Counts], Counts]) -> float:
        """The sum over all cells, empty ones too, of a function of the rows that independence expects there."""
        found = 0.0
        for layer, n in enumerate(self.layers):
            here = self.layer == layer
            high, often = np.unique(self.rows[np.unique(self.row[here])], return_counts=True)
            wide, times = np.unique(self.columns[np.unique(self.column[here])], return_counts=True)
            found += float(often @ of(np.outer(high, wide) / n) @ times)
        return found

    def value(self, measure: FDivergence) -> float:
        """The divergence of the observed cells from the product of the observed margins."""
        inside = np.sort(measure.terms(*self.masses, validate=False))
        return float(inside.sum()) + float(_priced(measure, np.array(self.empty)))

    @property
    def empty(self) -> float:
        """What the product of the margins gives to cells without rows; 0 to the bit where there are none."""
        return float(self.lacking @ self.layers) / self.n

    @cached_property
    def lacking(self) -> Counts:
        """The same within each layer."""
        expected = self.rows[self.row] * self.columns[self.column]
        left = self.layers**2 - summed(self.layer, expected)
        full = np.bincount(self.layer) == self._high * self._wide
        return np.where(full, 0.0, left / self.layers**2)

    def variance(self, measure: FDivergence) -> float:
        r"""To first order, $\frac1n \mathrm{Var}$ of a row's influence on the divergence.

        $$f'(t_{ab}) + \sum_j q_j\, g(t_{aj}) + \sum_i p_i\, g(t_{ib}), \qquad g(t) = f(t) - t f'(t), \quad
          t_{ab} = \frac{p_{ab}}{p_a q_b}$$
        """
        share, p, q, weight = self.shares
        tilt = measure.tilt(self.log_ratio)
        along = self._average(measure, self.row, q, tilt, self._wide)
        down = self._average(measure, self.column, p, tilt, self._high)
        score = measure.slope(self.log_ratio) + along[self.row] + down[self.column]
        mean = summed(self.layer, share * score)
        local = summed(self.layer, measure.terms(share, p * q, validate=False)) + _priced(
            measure, self.lacking
        )
        influence = score - mean[self.layer] + local[self.layer]
        mass = share * weight
        return float(mass @ (influence - mass @ influence) ** 2) / self.n

    def _average(
        self, measure: FDivergence, line: Index, other: Counts, tilt: Counts, across: Counts
    ) -> Counts:
        """Σ over a row or column of margin × tilt, empty cells included; `across` lines cross it in its layer."""
        full = np.bincount(line) == across[_first(line, self.layer)]
        lacking = np.where(full, 0.0, 1.0 - summed(line, other))
        return summed(line, other * tilt) + _priced(measure, lacking)

    def bias(self, measure: FDivergence, *, beside: float = 0.0) -> float:
        r"""To second order, how much the plug-in divergence is too large on average.

        $$\frac1{2n} \sum_{ab} t^2 f''(t)\, p_a q_b
          \Big[\frac1{p_{ab}} - \frac1{p_a} - \frac1{q_b} + 2t - 1\Big] + \frac1n \sum_{ab} g(t) (p_{ab} - p_a q_b)$$

        in each layer; $\frac{f''(1)}{2n} (r - 1)(c - 1)$ at independence, Miller and Madow's correction for kl. f'' is
        read no nearer to 1 than `beside`, in the log-ratio, where f has a kink there.
        """
        share, p, q, _ = self.shares
        product = p * q
        ratio = share / product
        spread = 1.0 / share - 1.0 / p - 1.0 / q + 2.0 * ratio - 1.0
        where = np.copysign(np.maximum(np.abs(self.log_ratio), beside), self.log_ratio)
        curved = measure.curvature(where) * product * spread
        shifted = measure.tilt(self.log_ratio) * (share - product)
        empty = _priced(measure, self.lacking)
        return (0.5 * float(curved.sum()) + float(shifted.sum()) - float(empty.sum())) / self.n


def crossed(problem: JointSample) -> Crossed:
    """The cells that the rows of a problem occupy."""
    x, y = problem.x.codes, problem.y.codes
    z = np.zeros(problem.n, dtype=np.int64) if problem.given is None else problem.given.codes
    assert x is not None
    assert y is not None
    assert z is not None
    weights: Weights = problem.weights
    row, column = _numbered(x, z), _numbered(y, z)
    width = int(column.max()) + 1
    found, first, cell = np.unique(row * width + column, return_index=True, return_inverse=True)
    counts = count(cell, len(found), weights)
    layer = np.unique(z, return_inverse=True)[1]
    return Crossed(counts, row[first], column[first], layer[first])


def _numbered(line: Index, layer: Index) -> Index:
    """The lines of every layer, numbered from 0 without gaps."""
    return np.unique(layer * (int(line.max()) + 1) + line, return_inverse=True)[1]


def _priced(measure: FDivergence, lacking: Counts) -> Counts:
    """f(0) for what lacks rows, and nothing where nothing lacks them: f(0) may be infinite."""
    return np.multiply(measure.at_zero, lacking, where=lacking > 0.0, out=np.zeros_like(lacking))


def _first(line: Index, layer: Index) -> Index:
    """The layer of each line."""
    of = np.empty(int(line.max()) + 1, dtype=np.int64)
    of[line] = layer
    return of


def at_equality(measure: FDivergence, n: float) -> float:
    """The scale of the chi-square that the plug-in divergence is at independence; NaN where f has a kink at 1."""
    curvature = measure.curvature_at_one
    return math.nan if curvature is None else curvature / (2.0 * n)
