"""Normal scores, and what a density on a grid says at the rows that made it, with and without each row itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.estimators.density.grid import GridDensity, grid_density
from kullback.estimators.method import Estimate
from kullback.estimators.weighting import ranks, shares, worth

Floats = NDArray[np.float64]

_CAUTION = (
    1.5  # edges of the support make a bias of first order, which doubling the bandwidth shows only once
)
_FEWEST = 64  # cells an axis
_CELLS_A_BANDWIDTH = 5.0  # at which the error of a grid is some 1e-4 of the density's peak


def normal_scores(values: Floats, weights: Floats | None = None) -> Floats:
    """Each column mapped to the normal law by its ranks; equal values share the mean of theirs."""
    share = shares(weights, len(values))
    return np.column_stack([_scores(*ranks(column, share)) for column in values.T])


def _scores(below: Floats, above: Floats) -> Floats:
    return np.where(below < above, ndtri(below), -ndtri(above))


@dataclass(frozen=True)
class Smooth:
    """A kernel density drawn in about its mean so far that it has the variance of its rows.

    A kernel adds its own variance to that of the rows; drawn in, a normal law stays what it is at any bandwidth.
    """

    centred: Floats
    share: Floats  # of each row
    middle: Floats
    drawn: GridDensity  # of the centred rows
    shrink: float

    def pdf(self, points: Floats) -> Floats:
        """The density at points."""
        return self.drawn.pdf(points - self.middle)

    def without_self(self, at_rows: Floats) -> Floats:
        """The density at each of its own rows as the others make it."""
        # a row's kernel no longer sits on the row, but was drawn in with it
        away = self.centred * ((1 - self.shrink) / np.array(self.drawn.bandwidth))
        peak = self.drawn.height * self.drawn.n
        own = peak * self.share * np.exp(-0.5 * (away**2).sum(axis=1))
        return np.maximum(at_rows - own, 0.0) / (1 - self.share)


def smooth(rows: Floats, factor: float, weights: Floats | None = None) -> Smooth:
    """The density of rows (n, d) with the normal reference bandwidth of each column times `factor`."""
    n, d = rows.shape
    share = shares(weights, n)
    h = factor * worth(weights, n) ** (-1 / (d + 4))
    middle = share @ rows
    centred = rows - middle
    widths = h * np.sqrt(share @ centred**2)
    scaled = centred / widths
    cells = max(_FEWEST, math.ceil(_CELLS_A_BANDWIDTH * np.ptp(scaled, axis=0).max()))
    found = grid_density(scaled, bandwidth=1.0, cells=cells, weights=weights)
    shrink = 1 / math.sqrt(1 + h * h)
    widths = widths * shrink
    axes = tuple(a * w for a, w in zip(found.axes, widths, strict=True))
    drawn = GridDensity(
        axes, found.density / math.prod(widths), tuple(widths.tolist()), found.n, found.kernel
    )
    return Smooth(centred, share, middle, drawn, shrink)


def optimism(dimension: int) -> float:
    r"""The share of the gap between "with" and "without itself" that removes the bias of second order.

    Without itself a row is told of by an independent density, whose variance costs $\tfrac12 R(K) / (n h^d)$; with
    itself it gains $K(0) / (n h^d)$. For the Gaussian kernel $R(K) / K(0) = 2^{-d/2}$.
    """
    return 0.5 * 2 ** (-dimension / 2)


@dataclass(frozen=True)
class Reading:
    """An estimate at one bandwidth: its value, its standard error and the correction that the value contains."""

    value: float
    error: float
    correction: float


Read = Callable[[float], Reading]


def likeliest(read: Read, factors: tuple[float, ...]) -> float:
    """The factor under which the rows that are left out are told of best: no correction belongs in that."""

    def told(factor: float) -> float:
        found = read(factor)
        return found.value - found.correction

    return max(factors, key=told)


def settled(read: Read, factor: float, notes: tuple[str, ...] = (), distrust: str = "") -> Estimate:
    """The reading at one bandwidth; what half and double of it say is how wrong it may be beside chance."""
    narrow, middle, wide = (read(factor * k) for k in (0.5, 1.0, 2.0))
    error = max(middle.error, narrow.error)
    bias = math.hypot(middle.correction, _CAUTION * (middle.value - wide.value))
    return Estimate(middle.value, error, bias_error=bias, notes=notes, distrust=distrust)
