"""The compiled k-d tree: points lie in leaf order, a node is a run of them with its box, the median splits by index.

`by_numba` gives these functions their arrays and threads; each works on a range of queries and writes in place. The
children of a node lie side by side at `left` and `left + 1`; `left` is −1 at a leaf. Boxes hold the least and largest
coordinates, so many equal points make boxes without extent, never a deep tree. Euclidean distances are squared until
they are compared with a radius or leave.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_DEEP = 128  # twice the levels that 2^63 points need


@njit(cache=True, nogil=True)
def _swap(points, order, i, j):
    for a in range(points.shape[1]):
        points[i, a], points[j, a] = points[j, a], points[i, a]
    order[i], order[j] = order[j], order[i]


@njit(cache=True, nogil=True)
def _select(points, order, axis, low, high, middle):
    """Quickselect: what belongs at `middle` by `axis` goes there, smaller ones before it, larger behind."""
    while low < high:
        pivot = points[(low + high) // 2, axis]
        i = low
        j = high
        while i <= j:
            while points[i, axis] < pivot:
                i += 1
            while points[j, axis] > pivot:
                j -= 1
            if i <= j:
                _swap(points, order, i, j)
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break


@njit(cache=True, nogil=True)
def _bound(points, start, stop, low, high):
    for a in range(points.shape[1]):
        least = points[start, a]
        most = least
        for i in range(start + 1, stop):
            value = points[i, a]
            if value < least:
                least = value
            elif value > most:
                most = value
        low[a] = least
        high[a] = most


@njit(cache=True, nogil=True)
def build(points, order, leaf):
    """Brings points and their row numbers into leaf order; the nodes as (left, start, stop, low, high)."""
    n, d = points.shape
    room = 4 * (n // leaf + 2)
    left = np.full(room, -1, np.int64)
    start = np.zeros(room, np.int64)
    stop = np.full(room, n, np.int64)
    low = np.empty((room, d))
    high = np.empty((room, d))
    made = 1
    node = 0
    while node < made:
        begin = start[node]
        end = stop[node]
        _bound(points, begin, end, low[node], high[node])
        if end - begin > leaf:
            middle = (begin + end) // 2
            _select(points, order, np.argmax(high[node] - low[node]), begin, end - 1, middle)
            left[node] = made
            start[made] = begin
            stop[made] = middle
            start[made + 1] = middle
            stop[made + 1] = end
            made += 2
        node += 1
    return left[:made], start[:made], stop[:made], low[:made], high[:made]


@njit(cache=True, nogil=True, inline="always")
def _apart(points, j, p, euclid):
    total = 0.0
    for a in range(p.size):
        x = abs(points[j, a] - p[a])
        if euclid is not None:
            total += x * x
        else:
            total = x if x > total else total
    return total


@njit(cache=True, nogil=True, inline="always")
def _gap(low, high, node, p, euclid):
    """The least distance that a point of the box can have."""
    total = 0.0
    for a in range(p.size):
        x = low[node, a] - p[a]
        y = p[a] - high[node, a]
        x = y if y > x else x  # `max` would mind NaN, at a cost
        if euclid is not None:
            total += x * x if x > 0.0 else 0.0
        else:
            total = x if x > total else total
    return total


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
def _within(distance, radius, euclid):
    return (distance if euclid is None else np.sqrt(distance)) < radius


@njit(cache=True, nogil=True, inline="always")
def _nearest_first(low, high, child, p, euclid, stack, gaps, top, last):
    """Puts the children on the stack, the nearer one on top, the other only where it can hold a neighbour."""
    near = _gap(low, high, child, p, euclid)
    far = _gap(low, high, child + 1, p, euclid)
    first = child
    if far < near:
        near, far = far, near
        first = child + 1
    if far < last:
        stack[top] = 2 * child + 1 - first
        gaps[top] = far
        top += 1
    stack[top] = first
    gaps[top] = near
    return top + 1


@njit(cache=True, nogil=True)
def neighbours(points, nodes, queries, own, euclid, begin, end, distances, places):
    """The nearest points of each query, ascending; with `own`, query i is point i and not its own neighbour."""
    left, start, stop, low, high = nodes
    k = distances.shape[1]
    found = np.empty(k)  # buffers of their own stay in registers and the nearest cache
    where = np.empty(k, np.int64)
    stack = np.empty(_DEEP, np.int64)
    gaps = np.empty(_DEEP)
    p = np.empty(points.shape[1])  # of its own, so that the compiler knows that nothing else changes it
    for i in range(begin, end):
        p[:] = queries[i]
        me = i if own else -1
        found[:] = np.inf
        last = np.inf
        stack[0] = 0
        gaps[0] = 0.0
        top = 1
        while top > 0:
            top -= 1
            node = stack[top]
            if gaps[top] >= last:
                continue
            if left[node] >= 0:
                top = _nearest_first(low, high, left[node], p, euclid, stack, gaps, top, last)
                continue
            for j in range(start[node], stop[node]):
                x = _apart(points, j, p, euclid)
                if x < last and j != me:
                    t = k - 1
                    while t > 0 and found[t - 1] > x:
                        found[t] = found[t - 1]
                        where[t] = where[t - 1]
                        t -= 1
                    found[t] = x
                    where[t] = j
                    last = found[k - 1]
        for t in range(k):
            distances[i, t] = found[t] if euclid is None else np.sqrt(found[t])
            places[i, t] = where[t]


@njit(cache=True, nogil=True)
def count(points, nodes, queries, radii, euclid, begin, end, inside):
    """How many points lie within the one radius of each query."""
    left, start, stop, low, high = nodes
    stack = np.empty(_DEEP, np.int64)
    p = np.empty(points.shape[1])
    for i in range(begin, end):
        p[:] = queries[i]
        radius = radii[i]
        total = 0
        stack[0] = 0
        top = 1
        while top > 0:
            top -= 1
            node = stack[top]
            near, far = _extent(low, high, node, p, euclid)
            if not _within(near, radius, euclid):
                continue
            if _within(far, radius, euclid):
                total += stop[node] - start[node]
            elif left[node] >= 0:
                stack[top] = left[node] + 1
                stack[top + 1] = left[node]
                top += 2
            else:
                for j in range(start[node], stop[node]):
                    total += _within(_apart(points, j, p, euclid), radius, euclid)  # no branch to foresee
        inside[i] = total


@njit(cache=True, nogil=True, inline="always")
def _open(low, high, node, p, i, radii, first, behind, euclid):
    """Which of the radii [first, behind) of query i cut the box: those before miss it, those behind hold all of it."""
    near, far = _extent(low, high, node, p, euclid)
    while first < behind and not _within(near, radii[i, first], euclid):
        first += 1
    while first < behind and _within(far, radii[i, behind - 1], euclid):
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
def _first_within(x, radii, i, first, behind, euclid):
    """The first of the ascending radii [first, behind) that reaches x; `behind` where none does."""
    t = behind
    while t > first and _within(x, radii[i, t - 1], euclid):
        t -= 1
    return t


@njit(cache=True, nogil=True)
def counts(points, nodes, queries, radii, euclid, begin, end, inside):
    """How many points lie within each of a query's ascending radii (m, r): one descent settles them all.

    `steps` are the differences of the counts from radius to radius.
    """
    left, start, stop, low, high = nodes
    steps = np.zeros(radii.shape[1] + 1, np.int64)
    stack = np.empty((_DEEP, 3), np.int64)  # a node and the radii [first, behind) that its parent left open
    p = np.empty(points.shape[1])
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
            for j in range(start[node], stop[node]):
                x = _apart(points, j, p, euclid)
                steps[_first_within(x, radii, i, first, behind, euclid)] += 1
            steps[behind] -= stop[node] - start[node]
        total = 0
        for t in range(radii.shape[1]):
            total += steps[t]
            inside[i, t] = total


@njit(cache=True, nogil=True)
def spread(points, nodes, radii, amounts, euclid, sums, lazy):
    """Adds `amounts` (n, r + 1, c) of each point to all points closer than its radii.

    A point that is inside from radius t on gets `amounts[i, t]`; the last entry, of no radius, is 0. What a whole node
    gets waits in `lazy` (nodes, c) until `settle`.
    """
    left, start, stop, low, high = nodes
    stack = np.empty((_DEEP, 3), np.int64)
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
            for j in range(start[node], stop[node]):
                x = _apart(points, j, p, euclid)
                t = _first_within(x, radii, i, first, behind, euclid)
                if t < behind:
                    for c in range(sums.shape[1]):
                        sums[j, c] += amounts[i, t, c] - amounts[i, behind, c]


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


@njit(cache=True, nogil=True)
def homes(nodes, queries, found):
    """The leaf that each query would fall in: asked in this order, queries find their nodes in the cache."""
    left, _, _, low, high = nodes
    p = np.empty(queries.shape[1])
    for i in range(len(queries)):
        p[:] = queries[i]
        node = 0
        while left[node] >= 0:
            child = left[node]
            near = _gap(low, high, child, p, None)
            node = child + 1 if _gap(low, high, child + 1, p, None) < near else child
        found[i] = node
