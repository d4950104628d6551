"""The compiled twin of the NumPy code of `ksg_pass.run`, for pairs of normal scores: one walk over the rows."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def hand_out(pair, begin, found, grid, weights, psi, sums):
    """Adds what rows from `begin` on give to themselves and others, by order of k; see `ksg_pass` for the terms.

    `pair` is (column, places), `found` the distances, neighbours and both strips of a block of rows. `grid` (3, K)
    holds k, and where the radii of order k and k + 1 lie among the strips. `sums` are what is added to: the digammas
    over all rows (K,); those of a row and the change of all by its deletion (n, c); the steps of that change along
    each margin (n + 1, c); and the counts at each k (n, K, 2).
    """
    column, places = pair
    distances, near, across, along = found
    total, own, change, steps_x, steps_y, counts = sums
    size = grid.shape[1]
    gained = np.empty(size)
    share = np.empty((2, size))
    for q in range(len(distances)):
        i = begin + q
        for t in range(size):
            here, behind = grid[1, t], grid[2, t]
            x = across[q, here, 1] - across[q, here, 0] - 1
            y = along[q, here, 1] - along[q, here, 0] - 1
            share[0, t] = 1.0 / x if x > 0 else 0.0
            share[1, t] = 1.0 / y if y > 0 else 0.0
            here_psi = psi[x + 1] + psi[y + 1]
            later_x = max(across[q, behind, 1] - across[q, behind, 0] - 1, 1)
            later_y = max(along[q, behind, 1] - along[q, behind, 0] - 1, 1)
            gained[t] = psi[later_x] + psi[later_y] + share[0, t] + share[1, t] - here_psi
            total[t] += here_psi
            counts[i, t, 0] = x
            counts[i, t, 1] = y
            for c in range(len(weights)):
                own[i, c] += here_psi * weights[c, t]
        for c in range(len(weights)):
            _to_neighbours(near, q, grid, weights, c, gained, change)
            for t in range(size):
                here = grid[1, t]
                x_part = share[0, t] * weights[c, t]
                y_part = share[1, t] * weights[c, t]
                change[i, c] += x_part + y_part
                steps_x[across[q, here, 0], c] += x_part
                steps_x[across[q, here, 1], c] -= x_part
                steps_y[along[q, here, 0], c] += y_part
                steps_y[along[q, here, 1], c] -= y_part
        _at_the_edge(column, places, i, distances, near, q, grid, weights, share, change)


@njit(cache=True, nogil=True, inline="always")
def _to_neighbours(near, q, grid, weights, c, gained, change):
    """A neighbour's deletion changes the terms of every k that reaches it."""
    t = grid.shape[1] - 1
    given = 0.0
    for r in range(grid[0, t] - 1, -1, -1):
        while t >= 0 and grid[0, t] > r:
            given += gained[t] * weights[c, t]
            t -= 1
        change[near[q, r], c] += given


@njit(cache=True, nogil=True, inline="always")
def _at_the_edge(column, places, i, distances, near, q, grid, weights, share, change):
    """Takes back what neighbours got that lie on the edge of a strip, not inside, where the next lies further."""
    for t in range(grid.shape[1]):
        radius = distances[q, grid[0, t] - 1]
        r = grid[0, t] - 1 if distances[q, grid[0, t]] > radius else -1
        while r >= 0 and distances[q, r] >= radius:
            j = near[q, r]
            lost = 0.0
            if abs(column[i] - column[j]) >= radius:
                lost += share[0, t]
            if abs(column[places[i]] - column[places[j]]) >= radius:
                lost += share[1, t]
            for c in range(len(weights)):
                change[j, c] -= lost * weights[c, t]
            r -= 1
