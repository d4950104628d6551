"""Densities on grids: the rows shared between nodes, smoothed by a kernel, read off between the nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError, ShapeError
from kullback.estimators.columns import columns_of
from kullback.estimators.density.bandwidth import Bandwidth, Silverman
from kullback.estimators.density.binning import line_masses, plane_masses, positions, smoothed
from kullback.estimators.density.kernels import Gaussian, Kernel
from kullback.estimators.weighting import read_weights, worth

Floats = NDArray[np.float64]

_RULE, _KERNEL = Silverman(), Gaussian()
_FIRST = {1: 1024, 2: 256}  # cells an axis, before the bandwidth is known
_MOST = {1: 1 << 20, 2: 2048}
_CELLS_A_BANDWIDTH = 4.0
_UNSEEN = 1e-3  # cells: what a rule says where the grid is too coarse to show any spread


@dataclass(frozen=True)
class GridDensity:
    r"""A kernel density estimate on the nodes of a grid, $\hat p(x) = \sum_i w_i K_h(x - x_i) / \sum_i w_i$.

    `axes` holds one array of nodes for each of the one or two columns, `density` the values on them, `bandwidth` the
    kernel's standard deviation for each column and `n` the effective number of rows, $(\sum w)^2 / \sum w^2$.
    `grid_density` makes one. Source: [parzen1962].

    >>> from kullback.estimators import grid_density
    >>> p = grid_density([0.0], bandwidth=1.0)
    >>> round(float(p.pdf([0.0])[0]), 4)
    0.3989
    """

    axes: tuple[Floats, ...]
    density: Floats
    bandwidth: tuple[float, ...]
    n: float
    kernel: Kernel

    @property
    def log_density(self) -> Floats:
        """Its logarithm on the nodes, −inf where no kernel reaches."""
        with np.errstate(divide="ignore"):
            return np.log(self.density)

    def pdf(self, points: Any) -> Floats:
        r"""The density at points (n,) or (n, columns), by cubic interpolation; 0 where no kernel reaches.

        Raises `ShapeError` where the points have another number of columns than the grid.

        >>> from kullback.estimators import grid_density
        >>> grid_density([0.0], bandwidth=1.0).pdf([100.0]).tolist()
        [0.0]
        """
        rows = _rows("points", points)
        if rows.shape[1] != len(self.axes):
            raise ShapeError(f"points have {rows.shape[1]} columns, the density has {len(self.axes)}")
        return interpolated(self.axes, self.density, rows)

    def logpdf(self, points: Any) -> Floats:
        r"""The logarithm of `pdf`, −inf where no kernel reaches.

        >>> from kullback.estimators import grid_density
        >>> round(float(grid_density([0.0], bandwidth=1.0).logpdf([0.0])[0]), 4)
        -0.9189
        """
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(points))

    def effective_neighbours(self, points: Any) -> Floats:
        r"""How many rows make the density at each point, $\hat p(x) / (K_h(0)/n)$: under 3 it tells of single rows.

        >>> from kullback.estimators import grid_density
        >>> round(float(grid_density([0.0, 0.0], bandwidth=1.0).effective_neighbours([0.0])[0]), 3)
        2.0
        """
        return self.pdf(points) / self.height

    @property
    def height(self) -> float:
        """What one row adds to the density at its own place, K_h(0)/n."""
        peak = float(self.kernel.density(np.zeros(1))[0])
        return math.prod(peak / h for h in self.bandwidth) / self.n


def grid_density(
    x: Any,
    *,
    bandwidth: Bandwidth | float = _RULE,
    kernel: Kernel = _KERNEL,
    cells: int | None = None,
    weights: Any = None,
) -> GridDensity:
    r"""The kernel density estimate of x on a grid, in time linear in the rows: shared between nodes, then convolved.

    $$\hat p(x) = \frac{\sum_i w_i \prod_j K\big((x_j - x_{ij}) / h_j\big) / h_j}{\sum_i w_i}$$

    `x` (n,) or (n, 2). `bandwidth` is a rule, `Silverman()` (the default), `Scott()` or `ImprovedSheatherJones()`,
    or a number, the standard deviation of the kernel for both columns. `cells` is their number across the range of
    the data along each axis; by default as many as give four a bandwidth. The grid goes on beyond the data as far
    as the kernel reaches. That sharing a row between nodes widens the kernel is compensated. Scale and place of the
    data change nothing.

    Raises `InvalidInputError` for missing or infinite values, a rule on a constant column, weights that leave less
    than two rows' worth, and a bandwidth smaller than a cell. Source: [parzen1962], [silverman1986], [wand1994].

    >>> p = grid_density([-1.0, 1.0], bandwidth=1.0)
    >>> round(float(p.pdf([0.0])[0]), 4)  # the normal density at 1
    0.242
    """
    rows = _rows("x", x)
    n, d = rows.shape
    if d > 2:
        raise ShapeError(f"a grid serves one or two columns, got {d}")
    w = read_weights("weights", weights, n)
    size = float(n) if w is None else worth(w, n)
    lows, highs = rows.min(axis=0), rows.max(axis=0)
    if not np.all(np.isfinite(lows + (highs - lows))):
        raise InvalidInputError("x has missing or infinite values, or spans more than float64 holds")
    spans = _spans(lows, highs, bandwidth)
    asked = _FIRST[d] if cells is None else cells
    if asked < 2:
        raise InvalidInputError(f"cells must be at least 2, got {cells!r}")
    while True:
        steps = spans / asked
        masses = _masses(rows, lows, steps, asked + 1, w)
        h = np.maximum(_in_steps(bandwidth, masses, steps, size), _UNSEEN)
        if cells is not None or h.min() >= _CELLS_A_BANDWIDTH or asked >= _MOST[d]:
            break
        asked = min(_MOST[d], max(2 * asked, math.ceil(asked * 1.5 * _CELLS_A_BANDWIDTH / h.min())))
    if h.min() < 1:
        raise InvalidInputError(
            f"the bandwidth is {h.min():.3g} of a cell with {asked} cells across the data; take more cells, "
            "a wider bandwidth, or fewer outliers (a transform such as asinh draws them in)"
        )
    return _built(masses, lows, steps, h, size, kernel)


def _built(
    masses: Floats, lows: Floats, steps: Floats, h: Floats, size: float, kernel: Kernel
) -> GridDensity:
    """The masses, with room at the ends, smoothed along each axis."""
    pads = [math.ceil(kernel.radius * width) for width in h]
    found = np.pad(masses / masses.sum(), [(pad, pad) for pad in pads])
    for axis, width in enumerate(h):
        # a row shared between two nodes has variance 1/6 of a step already
        found = smoothed(found, kernel.taps(math.sqrt(width * width - 1 / 6)), axis) / steps[axis]
    axes = tuple(
        low + step * np.arange(-pad, found.shape[k] - pad)
        for k, (low, step, pad) in enumerate(zip(lows, steps, pads, strict=True))
    )
    return GridDensity(axes, found, tuple(float(v) for v in h * steps), size, kernel)


def interpolated(axes: tuple[Floats, ...], values: Floats, rows: Floats) -> Floats:
    """Values on nodes read off between them, by the cubic through the four nearest along each axis; never below 0."""
    at = [
        positions(np.ascontiguousarray(rows[:, k]), a[0], (a[-1] - a[0]) / (len(a) - 1))
        for k, a in enumerate(axes)
    ]
    inside = np.logical_and.reduce([(p >= 1) & (p <= len(a) - 3) for p, a in zip(at, axes, strict=True)])
    found = np.zeros(len(rows))
    picked = [p[inside] for p in at]
    cells = [p.astype(np.intp) for p in picked]
    shares = [_cubic(p - c) for p, c in zip(picked, cells, strict=True)]
    total = np.zeros(len(picked[0]))
    if len(axes) == 1:
        for a in range(4):
            total += shares[0][a] * values[cells[0] + (a - 1)]
    else:
        flat, width = values.ravel(), values.shape[1]
        corner = (cells[0] - 1) * width + cells[1] - 1
        for a in range(4):
            for b in range(4):
                total += shares[0][a] * shares[1][b] * flat[corner + (a * width + b)]
    found[inside] = np.maximum(total, 0.0)  # the cubic may pass below 0 where the density ends
    return found


def _cubic(u: Floats) -> tuple[Floats, ...]:
    """Lagrange's weights of the nodes −1, 0, 1, 2 at u in [0, 1]."""
    a, b, c = u + 1, u - 1, u - 2
    return -u * b * c / 6, a * b * c / 2, -a * u * c / 2, a * u * b / 6


def _masses(rows: Floats, lows: Floats, steps: Floats, nodes: int, weights: Floats | None) -> Floats:
    if rows.shape[1] == 1:
        return line_masses(rows[:, 0], lows[0], steps[0], nodes, weights)
    return plane_masses(rows, lows, steps, nodes, weights)


def _in_steps(bandwidth: Bandwidth | float, masses: Floats, steps: Floats, size: float) -> Floats:
    if not isinstance(bandwidth, Bandwidth):
        return bandwidth / steps
    d = masses.ndim
    margins = [masses] if d == 1 else [masses.sum(axis=1), masses.sum(axis=0)]
    return np.array([bandwidth.steps(m, size, d) for m in margins])


def _spans(lows: Floats, highs: Floats, bandwidth: Bandwidth | float) -> Floats:
    """The ranges of the columns; a constant one gets a grid of the kernel's width where that is known."""
    spans = highs - lows
    if isinstance(bandwidth, Bandwidth):
        if np.any(spans == 0):
            raise InvalidInputError("a column of x is constant: it has no density, and no rule a bandwidth")
        return spans
    if not (bandwidth > 0 and math.isfinite(bandwidth)):
        raise InvalidInputError(f"bandwidth must be a positive number or a rule, got {bandwidth!r}")
    return np.where(spans > 0, spans, bandwidth)


def _rows(name: str, data: Any) -> Floats:
    """A caller's numbers as rows of float64."""
    if not isinstance(data, np.ndarray) or data.dtype != np.float64 or data.ndim not in (1, 2):
        data = np.column_stack([c.values for c in columns_of(name, data)]).astype(np.float64)
    if not data.size:
        raise InvalidInputError(f"`{name}` has no rows")
    return data.reshape(len(data), -1)
