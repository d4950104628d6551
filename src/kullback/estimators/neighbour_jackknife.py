"""Neighbour estimates with one row left out, for every row at once: only those who counted it as a neighbour change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def columns(ks: tuple[int, ...]) -> tuple[int, ...]:
    """The orders of neighbours that the grid needs: each k, and the one that takes its place after a deletion.

    >>> columns((1, 2, 5))
    (1, 2, 3, 5, 6)
    """
    return tuple(sorted({*ks, *(k + 1 for k in ks)}))


def at(reach: Floats, ks: tuple[int, ...], *, beyond: int = 0) -> Floats:
    """The columns of `reach`, which has one for each of `columns(ks)`, that belong to k + `beyond`: (rows, K)."""
    return reach[:, np.searchsorted(columns(ks), np.add(ks, beyond))]


def widening(reach: Floats, rows: Rows, ks: tuple[int, ...], count: int) -> Floats:
    r"""By how much the log-measures of all balls grow when row j of those searched is left out, (K, count).

    $$R_k(j) = \sum_{i:\, j \in N_k(i)} \big(u_{k+1}(i) - u_k(i)\big)$$

    `reach` is u at `columns(ks)`, `rows` the neighbours of each i from the nearest on, `count` the rows searched.

    >>> widening(np.array([[0.0, 3.0], [1.0, 1.5]]), np.array([[2], [2]]), (1,), 3).tolist()
    [[0.0, 0.0, 3.5]]
    """
    gaps = at(reach, ks, beyond=1) - at(reach, ks)
    grown: Floats = np.empty((len(ks), count))
    for out, k, gap in zip(grown, ks, gaps.T, strict=True):
        out[:] = np.bincount(rows[:, :k].ravel(), weights=np.repeat(gap, k), minlength=count)
    return grown


def entropies(reach: Floats, rows: Rows, ks: tuple[int, ...]) -> tuple[Floats, Floats]:
    r"""The estimates $\psi(n) - \psi(k) + \overline{u_k}$, (K,), and the same without each row, (K, n)."""
    n = len(reach)
    own = at(reach, ks).T
    total = own.sum(axis=1)
    k = digamma(np.array(ks, dtype=np.float64))
    left = total[:, None] - own + widening(reach, rows, ks, n)
    return digamma(n) - k + total / n, digamma(n - 1) - k[:, None] + left / (n - 1)


def divergences(
    near: Floats, rows_x: Rows, far: Floats, rows_y: Rows, ks: tuple[int, ...], m: int
) -> tuple[Floats, Floats, Floats]:
    r"""The estimates $\psi(m+1) - \psi(n) + \overline{v_k - u_k}$, (K,), without each row of x, (K, n), of y, (K, m).

    `near` is u, of balls that reach neighbours in x; `far` is v, of those that reach neighbours in y.
    """
    n = len(near)
    local = (at(far, ks) - at(near, ks)).T
    total = local.sum(axis=1)
    values = digamma(m + 1) - digamma(n) + total / n
    left = total[:, None] - local - widening(near, rows_x, ks, n)
    without_x = digamma(m + 1) - digamma(n - 1) + left / (n - 1)
    without_y = digamma(m) - digamma(n) + (total[:, None] + widening(far, rows_y, ks, m)) / n
    return values, without_x, without_y
