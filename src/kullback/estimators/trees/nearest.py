"""The compiled search for the nearest neighbours of queries in leaf order."""

from __future__ import annotations

import numpy as np
from numba import njit

from kullback.estimators.trees.blocks import (
    DEEP,
    FEW,
    RARE,
    ROOM,
    box,
    collect,
    fork,
    from_boxes,
    scan,
    together,
    whole,
)
from kullback.estimators.trees.build import WIDTH


@njit(cache=True, nogil=True, inline="always")
def _enter(apart, b, found, where, q):
    """Enters points of leaf b into the ascending list of query q where they are closer than its last."""
    k = found.shape[1]
    last = found[q, k - 1]
    for j in range(WIDTH):
        x = apart[j]
        if x < last:
            t = k - 1
            while t > 0 and found[q, t - 1] > x:
                found[q, t] = found[q, t - 1]
                where[q, t] = where[q, t - 1]
                t -= 1
            found[q, t] = x
            where[q, t] = b * WIDTH + j
            last = found[q, k - 1]


@njit(cache=True, nogil=True, inline="always")
def _about(home, k, leaves):
    """So many leaves about one, [from, to), that k neighbours are among their points."""
    some = min(1 + 4 * k // (3 * WIDTH), leaves)
    begin = min(home - home % some, leaves - some)
    return begin, begin + some


@njit(cache=True, nogil=True)
def _at_home(blocks, queries, first, size, homes, own, euclid, found, where):
    """Searches the leaves [from, to) about queries; with `own`, query i is point i and not its own neighbour."""
    apart = np.empty(WIDTH)
    p = np.empty(queries.shape[1])  # of its own, so that the compiler knows that nothing else changes it
    found[:size] = np.inf
    for q in range(size):
        p[:] = queries[first + q]
        for b in range(*homes):
            scan(blocks, b, p, euclid, apart)
            if own and b == (first + q) // WIDTH:
                apart[(first + q) % WIDTH] = np.inf
            _enter(apart, b, found, where, q)


@njit(cache=True, nogil=True)
def _among(blocks, queries, first, size, near, count, lows, highs, euclid, found, where):
    """Searches those of the leaves that can hold a neighbour; how often one of them could."""
    apart = np.empty(WIDTH)
    gaps = np.empty(ROOM)
    p = np.empty(queries.shape[1])
    searched = 0
    for q in range(size):
        p[:] = queries[first + q]
        from_boxes(lows, highs, count, p, euclid, gaps)
        for c in range(count):
            if gaps[c] < found[q, -1]:
                scan(blocks, near[c], p, euclid, apart)
                _enter(apart, near[c], found, where, q)
                searched += 1
    return searched


@njit(cache=True, nogil=True)
def _alone(blocks, nodes, p, homes, euclid, stack, top, found, where, q):
    """Goes on with a descent for one query."""
    left, start, _, low, high = nodes
    apart = np.empty(WIDTH)
    gaps = np.zeros(DEEP)
    while top > 0:
        top -= 1
        node = stack[top]
        if gaps[top] >= found[q, -1]:
            continue
        b = start[node] // WIDTH
        if left[node] >= 0:
            top = fork(low, high, left[node], p, p, found[q, -1], euclid, stack, gaps, top)
        elif b < homes[0] or b >= homes[1]:
            scan(blocks, b, p, euclid, apart)
            _enter(apart, b, found, where, q)


@njit(cache=True, nogil=True)
def _elsewhere(blocks, nodes, queries, first, size, homes, euclid, rooms, found, where):
    """Searches all leaves but `homes`: those near the queries' box, or near each query where few of these matter."""
    least, most, near, lows, highs, stack = rooms
    box(queries, first, first + size, least, most)
    stack[0] = 0
    top = 1
    few = size <= FEW
    while top > 0 and not few:
        reach = found[:size, -1].max()
        count, top, _ = collect(nodes, least, most, homes, 0.0, reach, euclid, stack, top, near, lows, highs)
        searched = _among(blocks, queries, first, size, near, count, lows, highs, euclid, found, where)
        few = RARE * searched < size * count
    for q in range(size if top > 0 else 0):
        _alone(blocks, nodes, queries[first + q], homes, euclid, stack.copy(), top, found, where, q)


@njit(cache=True, nogil=True)
def neighbours(blocks, nodes, asked, own, euclid, begin, end, named, distances, places):
    """The nearest points of queries [begin, end), ascending, into the rows of the queries.

    `asked` are the queries in leaf order, their rows and their leaves; `named` are the numbers of the points.
    """
    queries, rows, homes = asked
    k, d = distances.shape[1], queries.shape[1]
    rooms = (
        np.empty(d), np.empty(d), np.empty(ROOM, np.int64), np.empty((d, ROOM)), np.empty((d, ROOM)),
        np.empty(DEEP, np.int64),
    )  # fmt: skip
    found = np.empty((WIDTH, k))
    where = np.zeros((WIDTH, k), np.int64)
    first, end = whole(homes, begin), whole(homes, end)
    while first < end:
        behind = together(homes, first)
        size = behind - first
        about = _about(homes[first], k, len(blocks))
        _at_home(blocks, queries, first, size, about, own, euclid, found, where)
        _elsewhere(blocks, nodes, queries, first, size, about, euclid, rooms, found, where)
        for q in range(size):
            row = rows[first + q]
            for t in range(k):
                distances[row, t] = found[q, t] if euclid is None else np.sqrt(found[q, t])
                places[row, t] = named[where[q, t]]
        first = behind
