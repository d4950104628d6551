"""Compiled runs of a sorted column: what lies within reach of each of its places, found outwards from the place."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _within(distance, radius, strict):
    return distance < radius or (distance == radius and not strict)


@njit(cache=True, nogil=True)
def _last_right(column, i, radius, j, strict):
    """The last place from j on whose value is within the radius of place i: steps double, then halve."""
    n = column.size
    step = 1
    while j + step < n and _within(column[j + step] - column[i], radius, strict):
        j += step
        step *= 2
    while step > 0:
        if j + step < n and _within(column[j + step] - column[i], radius, strict):
            j += step
        step //= 2
    return j


@njit(cache=True, nogil=True)
def _first_left(column, i, radius, j, strict):
    step = 1
    while j - step >= 0 and _within(column[i] - column[j - step], radius, strict):
        j -= step
        step *= 2
    while step > 0:
        if j - step >= 0 and _within(column[i] - column[j - step], radius, strict):
            j -= step
        step //= 2
    return j


@njit(cache=True, nogil=True)
def strips(column, places, radii, strict, begin, end, bounds):
    """The runs [first, behind) of a sorted column that lie within ascending radii (m, r) of its places (m,).

    A place whose radius holds nothing, not even itself, has an empty run.
    """
    for q in range(begin, end):
        i = places[q]
        low = i
        high = i
        for t in range(radii.shape[1]):
            radius = radii[q, t]
            empty = not _within(0.0, radius, strict)
            if not empty:
                high = _last_right(column, i, radius, high, strict)
                low = _first_left(column, i, radius, low, strict)
            bounds[q, t, 0] = low
            bounds[q, t, 1] = low if empty else high + 1
