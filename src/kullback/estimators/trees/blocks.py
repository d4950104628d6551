"""What the compiled searches do with many points or boxes at a time, in code without branches.

Queries that lie together are searched together: the tree is descended once for the box about them, which yields the
leaves that can matter to any, with their boxes axis by axis; what matters to one query is then found among these.
Euclidean distances are squared, as are the radii that they are compared with. `euclid` is True or None: None lets the
compiler drop the squares.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kullback.estimators.trees.build import WIDTH

DEEP = 128  # twice the levels that 2^63 points need
ROOM = 512  # leaves that are looked at together
FEW = 4  # queries that are not worth a descent for them together
RARE = 32  # where fewer than one in so many of them matters to a query, a descent for it alone is cheaper


@njit(cache=True, nogil=True, inline="always")
def _with(total, x, euclid):
    """The distance that a coordinate makes of the distance without it."""
    if euclid is not None:
        return total + x * x
    x = abs(x)
    return x if x > total else total  # `max` would mind NaN, at a cost


@njit(cache=True, nogil=True, inline="always")
def _past(total, low, high, least, most, euclid):
    """The same for the gap between the intervals [low, high] and [least, most] in a coordinate."""
    x = low - most
    y = least - high
    x = y if y > x else x
    if euclid is not None:
        return total + (x * x if x > 0.0 else 0.0)
    return x if x > total else total


@njit(cache=True, nogil=True, inline="always")
def scan(blocks, b, p, euclid, apart):
    """The distances of a point from all of a leaf, three axes at a time, so that sums stay in registers."""
    head = (p.size - 1) % 3 + 1
    if head == 1:
        for j in range(WIDTH):
            apart[j] = _with(0.0, blocks[b, 0, j] - p[0], euclid)
    elif head == 2:
        x, y = p[0], p[1]
        for j in range(WIDTH):
            apart[j] = _with(_with(0.0, blocks[b, 0, j] - x, euclid), blocks[b, 1, j] - y, euclid)
    else:
        x, y, z = p[0], p[1], p[2]
        for j in range(WIDTH):
            flat = _with(_with(0.0, blocks[b, 0, j] - x, euclid), blocks[b, 1, j] - y, euclid)
            apart[j] = _with(flat, blocks[b, 2, j] - z, euclid)
    for a in range(head, p.size, 3):
        x, y, z = p[a], p[a + 1], p[a + 2]
        for j in range(WIDTH):
            total = _with(_with(apart[j], blocks[b, a, j] - x, euclid), blocks[b, a + 1, j] - y, euclid)
            apart[j] = _with(total, blocks[b, a + 2, j] - z, euclid)


@njit(cache=True, nogil=True, inline="always")
def closer(apart, radius):
    """How many of the distances from a leaf's points are less than the radius."""
    total = 0
    for j in range(WIDTH):
        total += apart[j] < radius  # no branch to foresee
    return total


@njit(cache=True, nogil=True, inline="always")
def gap(low, high, node, least, most, euclid):
    """The least distance between points of a node's box and of the box [least, most]."""
    total = 0.0
    for a in range(least.size):
        total = _past(total, low[node, a], high[node, a], least[a], most[a], euclid)
    return total


@njit(cache=True, nogil=True, inline="always")
def _width(low, high, node, least, most, euclid):
    """The largest distance between points of a node's box and of the box [least, most]."""
    total = 0.0
    for a in range(least.size):
        x = high[node, a] - least[a]
        y = most[a] - low[node, a]
        total = _with(total, y if y > x else x, euclid)
    return total


@njit(cache=True, nogil=True)
def box(queries, first, behind, least, most):
    """The box about the queries [first, behind)."""
    for a in range(least.size):
        least[a] = queries[first, a]
        most[a] = least[a]
        for i in range(first + 1, behind):
            x = queries[i, a]
            least[a] = x if x < least[a] else least[a]
            most[a] = x if x > most[a] else most[a]


@njit(cache=True, nogil=True)
def together(homes, first):
    """The end of the queries from `first` on that fall in one leaf, as many as a leaf can hold at most."""
    behind = first + 1
    while behind < homes.size and behind - first < WIDTH and homes[behind] == homes[first]:
        behind += 1
    return behind


@njit(cache=True, nogil=True)
def whole(homes, begin):
    """The first place from `begin` on with a leaf of its own: results do not depend on where threads divide."""
    while 0 < begin < homes.size and homes[begin] == homes[begin - 1]:
        begin += 1
    return begin


@njit(cache=True, nogil=True, inline="always")
def fork(low, high, child, least, most, reach, euclid, stack, gaps, top):
    """Puts the children nearer than `reach` on the stack, the nearer one on top."""
    near = gap(low, high, child, least, most, euclid)
    far = gap(low, high, child + 1, least, most, euclid)
    first = child
    if far < near:
        near, far = far, near
        first = child + 1
    if far < reach:
        stack[top] = 2 * child + 1 - first
        gaps[top] = far
        top += 1
    if near < reach:
        stack[top] = first
        gaps[top] = near
        top += 1
    return top


@njit(cache=True, nogil=True)
def collect(nodes, least, most, homes, inner, reach, euclid, stack, top, near, lows, highs):
    """Goes on with a descent until `near` is full: leaves closer than `reach` to the box, but not `homes`.

    Returns how many, the stack's new top, and how many points lie in nodes of which all is closer than `inner`.
    """
    left, start, stop, low, high = nodes
    gaps = np.empty(DEEP)
    found = 0
    sure = 0
    while top > 0 and found < near.size:
        top -= 1
        node = stack[top]
        if inner > 0.0 and _width(low, high, node, least, most, euclid) < inner:
            sure += stop[node] - start[node]
        elif left[node] >= 0:
            top = fork(low, high, left[node], least, most, reach, euclid, stack, gaps, top)
        elif start[node] // WIDTH < homes[0] or start[node] // WIDTH >= homes[1]:
            near[found] = start[node] // WIDTH
            for a in range(least.size):
                lows[a, found] = low[node, a]
                highs[a, found] = high[node, a]
            found += 1
    return found, top, sure


@njit(cache=True, nogil=True)
def from_boxes(lows, highs, found, p, euclid, gaps):
    """The least distances of a point from `found` boxes."""
    gaps = gaps[:found]
    gaps[:] = 0.0
    for a in range(p.size):
        low, high, x = lows[a, :found], highs[a, :found], p[a]
        for c in range(found):
            gaps[c] = _past(gaps[c], low[c], high[c], x, x, euclid)
