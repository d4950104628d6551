"""The compiled search for the k-th neighbour in the plane, which two columns ask for: `kernels` written out for 2."""

from __future__ import annotations

import numpy as np
from numba import njit

_DEEP = 128


@njit(cache=True, nogil=True, inline="always")
def _gap(low, high, node, x, y):
    gap = max(low[node, 0] - x, x - high[node, 0])
    other = max(low[node, 1] - y, y - high[node, 1])
    return other if other > gap else gap


@njit(cache=True, nogil=True, inline="always")
def _fork(low, high, child, x, y, stack, gaps, top, last):
    """Puts the children on the stack, the nearer one on top, the other only where it can hold a neighbour."""
    first = child
    second = child + 1
    near = _gap(low, high, first, x, y)
    far = _gap(low, high, second, x, y)
    if far < near:
        near, far = far, near
        first, second = second, first
    if far < last:
        stack[top] = second
        gaps[top] = far
        top += 1
    stack[top] = first
    gaps[top] = near
    return top + 1


@njit(cache=True, nogil=True)
def kth(points, nodes, k, begin, end, distances):
    """The largest-difference distance of each point from its k-th neighbour."""
    left, start, stop, low, high = nodes
    found = np.empty(k)
    stack = np.empty(_DEEP, np.int64)
    gaps = np.empty(_DEEP)
    for i in range(begin, end):
        x = points[i, 0]
        y = points[i, 1]
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
                top = _fork(low, high, left[node], x, y, stack, gaps, top, last)
                continue
            for j in range(start[node], stop[node]):
                apart = abs(points[j, 0] - x)
                other = abs(points[j, 1] - y)
                apart = other if other > apart else apart  # `max` would mind NaN, at a cost
                if apart < last and j != i:
                    t = k - 1
                    while t > 0 and found[t - 1] > apart:
                        found[t] = found[t - 1]
                        t -= 1
                    found[t] = apart
                    last = found[k - 1]
        distances[i] = last
