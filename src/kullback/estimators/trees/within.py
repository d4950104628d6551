"""The compiled count of the points within one radius of each query, queries in leaf order."""

from __future__ import annotations

import numpy as np
from numba import njit

from kullback.estimators.trees.blocks import (
    DEEP,
    RARE,
    ROOM,
    box,
    closer,
    collect,
    from_boxes,
    scan,
    together,
    whole,
)
from kullback.estimators.trees.build import WIDTH


@njit(cache=True, nogil=True)
def _among(blocks, queries, first, behind, radii, near, count, lows, highs, euclid, inside):
    """Counts in those of the leaves that a query's radius reaches; how often one did."""
    apart = np.empty(WIDTH)
    gaps = np.empty(ROOM)
    p = np.empty(queries.shape[1])
    searched = 0
    for i in range(first, behind):
        p[:] = queries[i]
        from_boxes(lows, highs, count, p, euclid, gaps)
        for c in range(count):
            if gaps[c] < radii[i]:
                scan(blocks, near[c], p, euclid, apart)
                inside[i] += closer(apart, radii[i])
                searched += 1
    return searched


@njit(cache=True, nogil=True)
def _alone(blocks, nodes, p, radius, euclid, stack, top, rooms):
    """Goes on with a descent for one query."""
    _, _, near, lows, highs, _ = rooms
    apart = np.empty(WIDTH)
    total = 0
    while top > 0:
        count, top, sure = collect(nodes, p, p, (0, 0), radius, radius, euclid, stack, top, near, lows, highs)
        total += sure
        for c in range(count):
            scan(blocks, near[c], p, euclid, apart)
            total += closer(apart, radius)
    return total


@njit(cache=True, nogil=True)
def _group(blocks, nodes, queries, first, behind, radii, euclid, rooms, inside):
    """Counts for queries that lie together: leaves near their box, or for each alone where few of these matter."""
    least, most, near, lows, highs, stack = rooms
    box(queries, first, behind, least, most)
    inner, reach = radii[first:behind].min(), radii[first:behind].max()
    inside[first:behind] = 0
    stack[0] = 0
    top = 1
    while top > 0:
        count, top, sure = collect(
            nodes, least, most, (0, 0), inner, reach, euclid, stack, top, near, lows, highs
        )
        inside[first:behind] += sure
        searched = _among(blocks, queries, first, behind, radii, near, count, lows, highs, euclid, inside)
        if top > 0 and RARE * searched < (behind - first) * count:
            for i in range(first, behind):
                inside[i] += _alone(blocks, nodes, queries[i], radii[i], euclid, stack.copy(), top, rooms)
            return


@njit(cache=True, nogil=True)
def count(blocks, nodes, queries, homes, radii, euclid, begin, end, inside):
    """How many points lie within the one radius of each query of [begin, end)."""
    d = queries.shape[1]
    rooms = (
        np.empty(d), np.empty(d), np.empty(ROOM, np.int64), np.empty((d, ROOM)), np.empty((d, ROOM)),
        np.empty(DEEP, np.int64),
    )  # fmt: skip
    first, end = whole(homes, begin), whole(homes, end)
    while first < end:
        behind = together(homes, first)
        _group(blocks, nodes, queries, first, behind, radii, euclid, rooms, inside)
        first = behind
