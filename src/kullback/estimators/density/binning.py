"""Rows become masses on the nodes of a grid, and masses become densities by convolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import convolve1d

Floats = NDArray[np.float64]

_BLOCK = 1 << 13  # rows whose temporaries stay in cache, and on the heap rather than in pages of their own
_DIRECT = 256  # taps up to which a direct sum costs less than transforms


def positions(x: Floats, low: float, step: float) -> Floats:
    """Where the values lie on a grid, in steps from its first node."""
    moved = x - low
    moved /= step
    return moved


def line_masses(x: Floats, low: float, step: float, nodes: int, weights: Floats | None = None) -> Floats:
    """Every row's weight shared between the two nodes beside it, in proportion to nearness. Source: [wand1994]."""
    whole, part = np.zeros(nodes + 1), np.zeros(nodes + 1)
    size = max(_BLOCK, 4 * nodes)
    for start in range(0, len(x), size):
        at = positions(x[start : start + size], low, step)
        cell = at.astype(np.intp)
        at -= cell
        w = None if weights is None else weights[start : start + size]
        whole += np.bincount(cell, w, nodes + 1)
        part += np.bincount(cell, at if w is None else at * w, nodes + 1)
    whole -= part
    whole[1:] += part[:-1]
    return whole[:nodes]


def plane_masses(
    rows: Floats, lows: Floats, steps: Floats, nodes: int, weights: Floats | None = None
) -> Floats:
    """The same in two dimensions: four nodes about a row share its weight."""
    sums = np.zeros((4, (nodes + 1) ** 2))
    size = max(_BLOCK, (nodes + 1) ** 2)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        u, v = (positions(block[:, j], lows[j], steps[j]) for j in (0, 1))
        i, j = u.astype(np.intp), v.astype(np.intp)
        u -= i
        v -= j
        cell = i * (nodes + 1) + j
        w = np.ones(len(block)) if weights is None else weights[start : start + size]
        for k, share in enumerate((w, u * w, v * w, u * v * w)):
            sums[k] += np.bincount(cell, share, (nodes + 1) ** 2)
    none, first, second, both = sums.reshape(4, nodes + 1, nodes + 1)
    masses = none - first - second + both
    masses[1:] += (first - both)[:-1]
    masses[:, 1:] += (second - both)[:, :-1]
    masses[1:, 1:] += both[:-1, :-1]
    return masses[:nodes, :nodes]


def smoothed(masses: Floats, taps: Floats, axis: int = 0) -> Floats:
    """The masses convolved with symmetric taps along one axis, 0 beyond the ends of the grid."""
    if len(taps) <= _DIRECT:
        return convolve1d(masses, taps, axis=axis, mode="constant")
    n, reach = masses.shape[axis], len(taps) // 2
    size = next_fast_len(n + 2 * reach, real=True)
    shape = [1] * masses.ndim
    shape[axis] = -1
    spectrum = np.asarray(rfft(masses, size, axis=axis)) * np.asarray(rfft(taps, size)).reshape(shape)
    found = np.asarray(irfft(spectrum, size, axis=axis))
    kept = np.moveaxis(np.moveaxis(found, axis, 0)[reach : reach + n], 0, axis)
    return np.maximum(kept, 0.0)  # the transforms round a true 0 to either side of it
