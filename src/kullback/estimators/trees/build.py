"""The compiled k-d tree itself: points in leaf order, nodes as runs of them with their boxes, leaves of one width.

The children of a node lie side by side at `left` and `left + 1`; `left` is −1 at a leaf. Runs are split by index, the
first half a multiple of `WIDTH`, so that leaf number b holds the points from b·WIDTH on and only the last leaf can be
short. Boxes hold the least and largest coordinates, so many equal points make boxes without extent, never a deep tree.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WIDTH = 32  # points in a leaf: whole vectors, of which a compiler makes straight code
_SAMPLE = 31  # values from which a pivot is guessed
_SPREAD = 128  # values that tell which axis is the longest


@njit(cache=True, nogil=True, inline="always")
def _split(keys, rows, pivot, low, high, equal):
    """Brings the keys below the pivot, or those `equal` to it, to the front of [low, high); where they end."""
    i = low
    for j in range(low, high):  # no branch to foresee: each key is moved, the border only past small ones
        key = keys[j]
        row = rows[j]
        keys[j] = keys[i]
        rows[j] = rows[i]
        keys[i] = key
        rows[i] = row
        i += key <= pivot if equal else key < pivot
    return i


@njit(cache=True, nogil=True)
def _pivot(keys, low, high, target, sample):
    """A key that probably lies just beyond the target, on the side of the longer part, which then falls away."""
    step = (high - low) // sample.size
    for t in range(sample.size):
        key = keys[low + t * step]
        u = t
        while u > 0 and sample[u - 1] > key:
            sample[u] = sample[u - 1]
            u -= 1
        sample[u] = key
    at = (target - low) * sample.size // (high - low)
    at += 3 if 2 * (target - low) < high - low else -3
    return sample[min(max(at, 0), sample.size - 1)]


@njit(cache=True, nogil=True)
def _select(keys, rows, low, high, target, sample):
    """What belongs at `target` among the keys of [low, high) goes there, none larger before it, none smaller behind."""
    while high - low > 1:
        many = high - low > 4 * sample.size
        pivot = _pivot(keys, low, high, target, sample) if many else keys[(low + high) // 2]
        border = _split(keys, rows, pivot, low, high, False)
        if target < border:
            high = border
        elif border > low:
            low = border
        else:  # the pivot is the least: what equals it need not be looked at again
            low = _split(keys, rows, pivot, low, high, True)
            if target < low:
                return


@njit(cache=True, nogil=True)
def _longest(points, rows, begin, end):
    """The axis along which some of the points lie widest apart."""
    axis = 0
    widest = -1.0
    for a in range(points.shape[1]):
        least = np.inf
        most = -np.inf
        for i in range(begin, end, max(1, (end - begin) // _SPREAD)):
            x = points[rows[i], a]
            least = x if x < least else least  # `min` would mind NaN, at a cost
            most = x if x > most else most
        if most - least > widest:
            widest = most - least
            axis = a
    return axis


@njit(cache=True, nogil=True)
def _boxes(points, left, start, stop):
    """The least and largest coordinates of each node, children before parents."""
    made, d = left.size, points.shape[1]
    low = np.full((made, d), np.inf)
    high = np.full((made, d), -np.inf)
    for node in range(made - 1, -1, -1):
        child = left[node]
        for a in range(d):
            if child >= 0:
                low[node, a] = min(low[child, a], low[child + 1, a])
                high[node, a] = max(high[child, a], high[child + 1, a])
                continue
            least = np.inf
            most = -np.inf
            for i in range(start[node], stop[node]):
                x = points[i, a]
                least = x if x < least else least
                most = x if x > most else most
            low[node, a] = least
            high[node, a] = most
    return low, high


@njit(cache=True, nogil=True)
def build(points):
    """The row numbers of points (n, d) in leaf order, the points in it, the nodes and how each is split.

    Nodes are (left, start, stop, low, high), splits an axis and a value.
    """
    n = len(points)
    rows = np.arange(n)
    keys = np.empty(n)
    sample = np.empty(_SAMPLE)
    room = 4 * (n // WIDTH + 2)
    left = np.full(room, -1, np.int64)
    start = np.zeros(room, np.int64)
    stop = np.full(room, n, np.int64)
    axes = np.zeros(room, np.int64)
    cuts = np.zeros(room)
    made = 1
    node = 0
    while node < made:
        begin = start[node]
        end = stop[node]
        if end - begin > WIDTH:
            axis = _longest(points, rows, begin, end)
            for i in range(begin, end):
                keys[i] = points[rows[i], axis]
            middle = begin + ((end - begin + 1) // 2 + WIDTH - 1) // WIDTH * WIDTH
            _select(keys, rows, begin, end, middle, sample)
            left[node], axes[node], cuts[node] = made, axis, keys[middle]
            start[made], stop[made] = begin, middle
            start[made + 1], stop[made + 1] = middle, end
            made += 2
        node += 1
    ordered = points[rows]
    low, high = _boxes(ordered, left[:made], start, stop)
    nodes = left[:made], start[:made], stop[:made], low, high
    return rows, ordered, nodes, (axes[:made], cuts[:made])


@njit(cache=True, nogil=True)
def pack(points):
    """The points, leaf by leaf and axis by axis, (leaves, d, WIDTH); the last leaf is filled up with infinity."""
    n, d = points.shape
    blocks = np.full(((n + WIDTH - 1) // WIDTH, d, WIDTH), np.inf)
    for i in range(n):
        for a in range(d):
            blocks[i // WIDTH, a, i % WIDTH] = points[i, a]
    return blocks


@njit(cache=True, nogil=True)
def settle_in(nodes, splits, queries):
    """The queries by the leaf that each falls in, as (rows, leaves): neighbours then follow each other."""
    left, start, stop, _, _ = nodes
    axes, cuts = splits
    home = np.empty(len(queries), np.int64)
    behind = np.zeros(stop.max() // WIDTH + 2, np.int64)
    for i in range(len(queries)):
        node = 0
        while left[node] >= 0:
            node = left[node] + (queries[i, axes[node]] >= cuts[node])
        home[i] = start[node] // WIDTH
        behind[home[i] + 1] += 1
    behind = np.cumsum(behind)
    rows = np.empty(len(queries), np.int64)
    for i in range(len(queries)):
        rows[behind[home[i]]] = i
        behind[home[i]] += 1
    return rows, home[rows]
