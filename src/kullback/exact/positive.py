"""From a covariance or another positive definite matrix to its triangular factor, or to an error that tells why not."""

from __future__ import annotations

import numpy as np

from kullback._ops import Array, ops
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact.law import to_numpy
from kullback.exact.triangular import factor, transpose

_ASYMMETRY = 1e-10  # relative to the largest entry, as rounding leaves it


def lower_factor(what: str, matrix: Array) -> Array:
    """L lower-triangular with L Lᵀ the matrix, differentiable; the leading axes are a batch.

    Raises `ShapeError` for a matrix that is not square, `InvalidInputError` for one that is not symmetric, not finite
    or not positive definite to rounding, naming its smallest eigenvalue. `what` is what messages call it.
    """
    xp = ops(matrix)
    matrix = xp.to_float(xp.asarray(matrix), 64)
    _look_at(what, to_numpy(matrix))
    return factor(0.5 * (matrix + transpose(matrix)))[0]


def _look_at(what: str, matrix: np.ndarray) -> None:
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ShapeError(f"{what} has shape {matrix.shape}; expected a square matrix, or a batch of them")
    if not np.isfinite(matrix).all():
        raise InvalidInputError(f"{what} has entries that are not finite numbers")
    gap = float(np.max(np.abs(matrix - np.swapaxes(matrix, -1, -2))))
    if gap > _ASYMMETRY * float(np.max(np.abs(matrix))):
        raise InvalidInputError(f"{what} is not symmetric: entries differ by {gap:g}")
    values = np.linalg.eigvalsh(matrix).reshape(-1, matrix.shape[-1])
    bad = values[:, 0] <= np.finfo(float).eps * values[:, -1]
    if bad.any():
        lowest, largest = values[np.argmax(bad)][[0, -1]]
        raise InvalidInputError(
            f"{what} is not positive definite: its smallest eigenvalue is {lowest:g}, the largest {largest:g}; drop "
            "the directions without variance, or add some to the diagonal"
        )
