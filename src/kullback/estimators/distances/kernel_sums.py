"""Sums of a kernel over all pairs of rows, in blocks: what every kernel statistic and its error are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kernel = Callable[[Floats], Floats]  # of squared distances, elementwise

_BLOCK = 2_000_000  # pairs at a time: 16 MB an array


@dataclass(frozen=True)
class Sums:
    """Weighted means of k(x_i, y_j): `left` over j for each i, `right` over i for each j, and the mean of squares.

    Within one sample (`own`) a row is not its own partner, neither in the means nor in their weights.
    """

    left: Floats
    right: Floats
    square: float
    mean: float

    def times(self, factor: float) -> Sums:
        """The sums of the kernel times a factor."""
        return Sums(self.left * factor, self.right * factor, self.square * factor**2, self.mean * factor)


def across(kernel: Kernel, x: Floats, y: Floats, w: Floats, v: Floats) -> Sums:
    """The sums over pairs of two samples with normalised weights w and v."""
    left, right, square = np.empty(len(x)), np.zeros(len(y)), 0.0
    for rows, squares in blocks(x, y):
        k = kernel(squares)
        left[rows] = k @ v
        right += w[rows] @ k
        square += float(w[rows] @ (k * k) @ v)
    return Sums(left, right, square, float(w @ left))


def within(kernel: Kernel, x: Floats, w: Floats) -> Sums:
    """The sums over pairs of different rows of one sample, with weights that sum to 1 over the pairs."""
    left, square = np.empty(len(x)), 0.0
    own = 1.0 - w  # the weight of a row's partners
    for rows, squares in blocks(x, x):
        k = kernel(squares)
        here = np.arange(rows.start, rows.stop)
        k[here - rows.start, here] = 0.0
        left[rows] = (k @ w) / own[rows]
        square += float(w[rows] @ (k * k) @ w)
    pairs = float(w @ own)
    return Sums(left, left, square / pairs, float((w * own) @ left) / pairs)


def on_line(x: Floats, w: Floats) -> Sums:
    """`within` for k = |x_i − x_j| and one column, in one sort."""
    pull = _pull(x, x, w)
    own = 1.0 - w
    pairs = float(w @ own)
    first, second = float(w @ x), float(w @ (x * x))
    return Sums(pull / own, pull / own, 2.0 * (second - first**2) / pairs, float(w @ pull) / pairs)


def on_line_across(x: Floats, y: Floats, w: Floats, v: Floats) -> Sums:
    """`across` for k = |x_i − y_j| and one column, in one sort of each."""
    left, right = _pull(x, y, v), _pull(y, x, w)
    square = float(w @ (x * x) - 2.0 * (w @ x) * (v @ y) + v @ (y * y))
    return Sums(left, right, square, float(w @ left))


def _pull(x: Floats, y: Floats, v: Floats) -> Floats:
    """Σ_j v_j |x_i − y_j| for every i."""
    order = np.argsort(y)
    places, mass = y[order], v[order]
    below = np.concatenate([[0.0], np.cumsum(mass)])
    moment = np.concatenate([[0.0], np.cumsum(mass * places)])
    rank = np.searchsorted(places, x)
    return x * (2.0 * below[rank] - below[-1]) + moment[-1] - 2.0 * moment[rank]


def blocks(x: Floats, y: Floats) -> Iterator[tuple[slice, Floats]]:
    """Runs of rows of x with their squared distances from all of y."""
    step = max(1, _BLOCK // max(1, len(y)))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        squares = np.zeros((rows.stop - start, len(y)))
        for column in range(x.shape[1]):
            squares += (x[rows, column, None] - y[None, :, column]) ** 2
        yield rows, squares
