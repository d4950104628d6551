"""Triangular factors in plain array operations, so that every library differentiates them."""

from __future__ import annotations

import numpy as np

from kullback._ops import Array, ops


def transpose(x: Array) -> Array:
    """The matrices with their last two axes exchanged."""
    return ops(x).moveaxis(x, -1, -2)


def solve(lower: Array, right: Array) -> Array:
    """L⁻¹ B for lower-triangular L, by halves; the leading axes broadcast."""
    n = lower.shape[-1]
    if n == 1:
        return right / lower
    half = n // 2
    xp = ops(lower, right)
    top = solve(lower[..., :half, :half], right[..., :half, :])
    rest = right[..., half:, :] - lower[..., half:, :half] @ top
    bottom = solve(lower[..., half:, half:], rest)
    batch = np.broadcast_shapes(tuple(top.shape), (*bottom.shape[:-2], 1, 1))[:-2]
    top, bottom = (xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (top, bottom))
    return xp.concat([top, bottom], axis=-2)


def factor(matrix: Array) -> tuple[Array, Array]:
    """The lower-triangular factor of symmetric matrices, and which of them are positive definite."""
    xp = ops(matrix)
    n = matrix.shape[-1]
    if n == 1:
        good = matrix > 0
        return xp.sqrt(xp.where(good, matrix, 1.0)), good[..., 0, 0]
    half = n // 2
    left, left_good = factor(matrix[..., :half, :half])
    below = transpose(solve(left, transpose(matrix[..., half:, :half])))
    right, right_good = factor(matrix[..., half:, half:] - below @ transpose(below))
    top = xp.concat([left, xp.zeros_like(transpose(below))], axis=-1)
    return xp.concat([top, xp.concat([below, right], axis=-1)], axis=-2), left_good & right_good


def upper_factor(matrix: Array) -> tuple[Array, Array]:
    """U upper-triangular with U Uᵀ the matrix, and which of the matrices are positive definite."""
    xp = ops(matrix)
    turn = xp.asarray(np.eye(matrix.shape[-1])[::-1].copy(), like=matrix)
    turn = xp.to_float(turn, xp.precision(matrix))
    lower, good = factor(turn @ matrix @ turn)
    return turn @ lower @ turn, good


def diagonal(matrix: Array) -> Array:
    """The diagonal, as the last axis."""
    xp = ops(matrix)
    return xp.stack([matrix[..., i, i] for i in range(matrix.shape[-1])], axis=-1)
