"""The Bures distance of covariances: how far one centred normal law has to be moved to become another."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.exact.triangular import transpose

_STEPS = 100  # halvings of a condition number, and a few more
_STILL = 1e-14


def squared_bures(p: Array, q: Array) -> Array:
    r"""$\operatorname{tr}(S + R - 2(S^{1/2} R S^{1/2})^{1/2})$ of $S = LL^\top$ and $R = MM^\top$, from L and M.

    With the optimal map T it is $\|(T - I) L\|^2$. In the coordinates $T = L^{-\top} H L^{-1}$ with
    $H = (L^\top R L)^{1/2}$ and $W = L^\top L$ the change Z = H − W solves
    $\frac12 ((H + W) Z + Z (H + W)) = L^\top (R - S) L$, whose right side comes from M − L: near equality nothing
    cancels, and what H lacks in digits it lacks relative to H.
    """
    xp = ops(p, q)
    step = q - p
    change = transpose(p) @ (step @ transpose(q) + p @ transpose(step)) @ p
    product = transpose(q) @ p
    turn = _polar(xp, product)
    root = _symmetric(transpose(turn) @ product)
    moved = transpose(xp.inv(p)) @ _lyapunov(xp, root + transpose(p) @ p, 2.0 * _symmetric(change))
    return xp.sum(xp.sum(moved * moved))


def _symmetric(x: Array) -> Array:
    return 0.5 * (x + transpose(x))


def _polar(xp: Namespace, x: Array) -> Array:
    """The orthogonal factor, by Newton's iteration; each step is scaled until the factor is near."""
    x = x / _size(xp, x)
    for _ in range(_STEPS):
        inverse = transpose(xp.inv(x))
        scale = xp.sqrt(_size(xp, inverse) / _size(xp, x))
        following = 0.5 * (scale * x + inverse / scale)
        moved, x = _size(xp, following - x), following
        if xp.concrete(moved) and not bool(xp.any(moved > _STILL * _size(xp, x))):
            break
    return x


def _lyapunov(xp: Namespace, a: Array, c: Array) -> Array:
    """X with A X + X A = C for positive definite A, by the iteration for the sign of a matrix."""
    size = _size(xp, a)
    a, c = a / size, c / size
    for _ in range(_STEPS):
        inverse = xp.inv(a)
        scale = xp.sqrt(_size(xp, inverse) / _size(xp, a))
        following = 0.5 * (scale * a + inverse / scale)
        c = 0.5 * (scale * c + inverse @ c @ inverse / scale)
        moved, a = _size(xp, following - a), _symmetric(following)
        if xp.concrete(moved) and not bool(xp.any(moved > _STILL * _size(xp, a))):
            break
    return 0.5 * _symmetric(c)


def _size(xp: Namespace, x: Array) -> Array:
    """The Frobenius norm over the root of the dimension, (..., 1, 1), as a constant."""
    total = xp.sum(xp.sum(xp.detach(x) ** 2))
    return xp.sqrt(total)[..., None, None] / math.sqrt(np.shape(x)[-1])
