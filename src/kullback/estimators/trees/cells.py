"""The compiled search among pairs of normal scores, whose ranks are known: cells of ranks instead of a tree.

`column` holds the scores of n ranks, ascending; point i is `(column[i], column[places[i]])`. A cell is `side` ranks
wide and high, so that finding a point's cell is a division, and scores ascend over cells as ranks do. Cells lie in
memory column by column, and within a cell points ascend in x.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill(column, places, side):
    """The cells, as (start, points, rows): where each begins, and the points in their order with their rows."""
    n = column.size
    m = (n + side - 1) // side
    start = np.zeros(m * m + 1, np.int64)
    for i in range(n):
        start[(i // side) * m + places[i] // side + 1] += 1
    for c in range(m * m):
        start[c + 1] += start[c]
    points = np.empty((n, 2))
    rows = np.empty(n, np.int64)
    free = start[:-1].copy()
    for i in range(n):
        c = (i // side) * m + places[i] // side
        points[free[c], 0] = column[i]
        points[free[c], 1] = column[places[i]]
        rows[free[c]] = i
        free[c] += 1
    return start, points, rows


@njit(cache=True, nogil=True, inline="always")
def _scan(points, begin, end, me, x, y, found, where, last):
    """Enters the points that are closer than the last of those found; the distance of the last from then on."""
    k = found.size
    for j in range(begin, end):
        apart = abs(points[j, 0] - x)
        other = abs(points[j, 1] - y)
        apart = other if other > apart else apart  # `max` would mind NaN, at a cost
        if apart < last and j != me:
            t = k - 1
            while t > 0 and found[t - 1] > apart:
                found[t] = found[t - 1]
                where[t] = where[t - 1]
                t -= 1
            found[t] = apart
            where[t] = j
            last = found[k - 1]
    return last


@njit(cache=True, nogil=True)
def _borders(column, side, m):
    """The last score before each column of cells, and the first behind it."""
    before = np.full(m, -np.inf)
    behind = np.full(m, np.inf)
    for c in range(1, m):
        before[c] = column[c * side - 1]
        behind[c - 1] = column[c * side]
    return before, behind


@njit(cache=True, nogil=True)
def _nearest(cells, before, behind, a, b, me, found, where):
    """The nearest points of point `me` of cell (a, b): a rectangle of cells grows where the gap to its edge is least.

    A gap is the distance from the nearest score beyond the edge, so that a sum of them is never rounded past a point.
    """
    start, points, _ = cells
    m = before.size
    x = points[me, 0]
    y = points[me, 1]
    west, east, south, north = a, a, b, b
    found[:] = np.inf
    last = _scan(points, start[a * m + b], start[a * m + b + 1], me, x, y, found, where, np.inf)
    while True:
        left = x - before[west]
        right = behind[east] - x
        below = y - before[south]
        above = behind[north] - y
        across = left if left < right else right
        along = below if below < above else above
        if (across if across < along else along) >= last:
            return
        if across < along:
            if left < right:
                west -= 1
                c = west
            else:
                east += 1
                c = east
            last = _scan(points, start[c * m + south], start[c * m + north + 1], me, x, y, found, where, last)
            continue
        if below < above:
            south -= 1
            c = south
        else:
            north += 1
            c = north
        for r in range(west, east + 1):
            last = _scan(points, start[r * m + c], start[r * m + c + 1], me, x, y, found, where, last)


@njit(cache=True, nogil=True)
def nearest(column, side, cells, begin, end, first, distances, near):
    """The nearest rows of each, ascending, for the columns of cells [begin, end); entry 0 is about row `first`."""
    start, _, rows = cells
    m = (column.size + side - 1) // side
    before, behind = _borders(column, side, m)
    k = distances.shape[1]
    found = np.empty(k)
    where = np.empty(k, np.int64)
    for a in range(begin, end):
        for b in range(m):
            for p in range(start[a * m + b], start[a * m + b + 1]):
                _nearest(cells, before, behind, a, b, p, found, where)
                i = rows[p] - first
                for t in range(k):
                    distances[i, t] = found[t]
                    near[i, t] = rows[where[t]]


@njit(cache=True, nogil=True, inline="always")
def _edge(column, i, j, way, radius):
    """The last place in direction `way` that is closer to place i than the radius; j is closer, or i.

    Scores are smooth, so that the step from j to its neighbour tells nearly where it is; steps double from there.
    """
    here = column[i]
    room = column.size - 1 - j if way > 0 else j
    if room == 0:
        return j
    rest = radius - (column[j] - here) * way
    gap = (column[j + way] - column[j]) * way
    ahead = int(rest / gap) if rest < gap * room else room
    j += way * ahead
    room -= ahead
    step = 1
    if (column[j] - here) * way < radius:
        while step <= room and (column[j + way * step] - here) * way < radius:
            j += way * step
            room -= step
            step *= 2
        while step > 0:
            if step <= room and (column[j + way * step] - here) * way < radius:
                j += way * step
                room -= step
            step //= 2
        return j
    room = (j - i) * way
    while step < room and not (column[j - way * step] - here) * way < radius:
        j -= way * step
        room -= step
        step *= 2
    while step > 0:
        if step < room and not (column[j - way * step] - here) * way < radius:
            j -= way * step
            room -= step
        step //= 2
    return j - way


@njit(cache=True, nogil=True)
def strips(column, places, radii, begin, end, bounds):
    """As `strips.strips`, for scores and radii above 0: what is closer than each radius."""
    for q in range(begin, end):
        i = places[q]
        low = i
        high = i
        for t in range(radii.shape[1]):
            high = _edge(column, i, high, 1, radii[q, t])
            low = _edge(column, i, low, -1, radii[q, t])
            bounds[q, t, 0] = low
            bounds[q, t, 1] = high + 1
