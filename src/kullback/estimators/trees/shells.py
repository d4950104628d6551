"""The compiled descents for several radii of each point at once: counts within them, and amounts handed out by them.

Each descent keeps the radii that a node leaves open. Euclidean distances and radii are squared.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kullback.estimators.trees.blocks import DEEP, scan
from kullback.estimators.trees.build import WIDTH


@njit(cache=True, nogil=True, inline="always")
def _extent(low, high, node, p, euclid):
    """The least and the largest distance that a point of the box can have."""
    near = 0.0
    far = 0.0
    for a in range(p.size):
        x = low[node, a] - p[a]
        y = p[a] - high[node, a]
        ahead = y if y > x else x
        behind = -x if y > x else -y
        if euclid is not None:
            near += ahead * ahead if ahead > 0.0 else 0.0
            far += behind * behind
        else:
            near = ahead if ahead > near else near
            far = behind if behind > far else far
    return near, far


@njit(cache=True, nogil=True, inline="always")
def _open(low, high, node, p, i, radii, first, behind, euclid):
    """Which of the radii [first, behind) of query i cut the box: those before miss it, those behind hold all of it."""
    near, far = _extent(low, high, node, p, euclid)
    while first < behind and near >= radii[i, first]:
        first += 1
    while first < behind and far < radii[i, behind - 1]:
        behind -= 1
    return first, behind


@njit(cache=True, nogil=True, inline="always")
def _descend(stack, top, child, first, behind):
    for side in range(2):
        stack[top, 0] = child + side
        stack[top, 1] = first
        stack[top, 2] = behind
        top += 1
    return top


@njit(cache=True, nogil=True, inline="always")
def _first_within(x, radii, i, first, behind):
    """The first of the ascending radii [first, behind) that reaches x; `behind` where none does."""
    t = behind
    while t > first and x < radii[i, t - 1]:
        t -= 1
    return t


@njit(cache=True, nogil=True)
def counts(blocks, nodes, queries, radii, euclid, begin, end, inside):
    """How many points lie within each of a query's ascending radii (m, r): one descent settles them all.

    `steps` are the differences of the counts from radius to radius.
    """
    left, start, stop, low, high = nodes
    steps = np.zeros(radii.shape[1] + 1, np.int64)
    stack = np.empty((DEEP, 3), np.int64)  # a node and the radii [first, behind) that its parent left open
    apart = np.empty(WIDTH)
    p = np.empty(queries.shape[1])
    for i in range(begin, end):
        p[:] = queries[i]
        steps[:] = 0
        top = _descend(stack, 0, 0, 0, radii.shape[1]) - 1  # the root alone
        while top > 0:
            top -= 1
            node = stack[top, 0]
            given = stack[top, 2]
            first, behind = _open(low, high, node, p, i, radii, stack[top, 1], given, euclid)
            if behind < given:
                steps[behind] += stop[node] - start[node]
                steps[given] -= stop[node] - start[node]
            if first == behind:
                continue
            if left[node] >= 0:
                top = _descend(stack, top, left[node], first, behind)
                continue
            scan(blocks, start[node] // WIDTH, p, euclid, apart)
            for j in range(stop[node] - start[node]):
                steps[_first_within(apart[j], radii, i, first, behind)] += 1
            steps[behind] -= stop[node] - start[node]
        total = 0
        for t in range(radii.shape[1]):
            total += steps[t]
            inside[i, t] = total


@njit(cache=True, nogil=True)
def spread(points, blocks, nodes, radii, amounts, euclid, sums, lazy):
    """Adds `amounts` (n, r + 1, c) of each point to all points closer than its radii.

    A point that is inside from radius t on gets `amounts[i, t]`; the last entry, of no radius, is 0. What a whole node
    gets waits in `lazy` (nodes, c) until `settle`.
    """
    left, start, stop, low, high = nodes
    stack = np.empty((DEEP, 3), np.int64)
    apart = np.empty(WIDTH)
    p = np.empty(points.shape[1])
    for i in range(len(points)):
        p[:] = points[i]
        top = _descend(stack, 0, 0, 0, radii.shape[1]) - 1
        while top > 0:
            top -= 1
            node = stack[top, 0]
            given = stack[top, 2]
            first, behind = _open(low, high, node, p, i, radii, stack[top, 1], given, euclid)
            if behind < given:
                for c in range(lazy.shape[1]):
                    lazy[node, c] += amounts[i, behind, c] - amounts[i, given, c]
            if first == behind:
                continue
            if left[node] >= 0:
                top = _descend(stack, top, left[node], first, behind)
                continue
            scan(blocks, start[node] // WIDTH, p, euclid, apart)
            for j in range(stop[node] - start[node]):
                t = _first_within(apart[j], radii, i, first, behind)
                if t < behind:
                    for c in range(sums.shape[1]):
                        sums[start[node] + j, c] += amounts[i, t, c] - amounts[i, behind, c]


@njit(cache=True, nogil=True)
def settle(nodes, sums, lazy):
    """Hands what whole nodes were given to their points."""
    left, start, stop, _, _ = nodes
    for node in range(left.size):
        if left[node] >= 0:
            lazy[left[node]] += lazy[node]
            lazy[left[node] + 1] += lazy[node]
            continue
        for j in range(start[node], stop[node]):
            sums[j] += lazy[node]
