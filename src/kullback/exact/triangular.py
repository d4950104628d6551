"""Triangular factors in plain array operations, so that every library differentiates them."""

from __future__ import annotations

import numpy as np

from kullback._ops import Array, ops


def transpose(x: Array) -> Array:
    """The matrices with their last two axes exchanged."""
    return ops(x).moveaxis(x, -1, -2)


def solve(lower: Array, right: Array) -> Array:
    """L⁻¹ B for lower-triangular L; the leading axes broadcast."""
    if lower.shape[-1] == 1:
        return right / lower
    return ops(lower, right).solve_lower(lower, right)


def factor(matrix: Array) -> tuple[Array, Array]:
    """The lower-triangular factor of symmetric matrices, and which of them are positive definite."""
    xp = ops(matrix)
    n = matrix.shape[-1]
    if xp.NAME == "numpy" and n > 1:
        try:
            return np.linalg.cholesky(matrix), np.ones(matrix.shape[:-2], dtype=bool)
        except np.linalg.LinAlgError:
            pass  # one of them is not; the halves tell which
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
