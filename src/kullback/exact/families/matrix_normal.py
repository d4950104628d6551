"""Matrix normal laws: the covariance is the Kronecker product of one of the rows and one of the columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.exact.families.normal import TRIANGULAR
from kullback.exact.law import REAL, Family
from kullback.exact.registry import closed_form, family
from kullback.exact.scatter import log_diagonal_ratio, off_diagonal_square
from kullback.exact.triangular import solve, transpose


class _MatrixNormal:
    def __init__(self, p: Any) -> None:
        self._loc, self._rows, self._columns = p["loc"], p["scale_tril_row"], p["scale_tril_column"]

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        n, m = self._loc.shape
        gap = np.linalg.solve(self._rows, x - self._loc)
        gap = np.linalg.solve(self._columns, np.swapaxes(gap, -1, -2))
        volume = m * np.sum(np.log(np.diag(self._rows))) + n * np.sum(np.log(np.diag(self._columns)))
        return -0.5 * np.sum(gap * gap, axis=(-2, -1)) - volume - 0.5 * n * m * math.log(2.0 * math.pi)

    def rvs(self, *, size: int, random_state: np.random.Generator) -> np.ndarray:
        noise = random_state.standard_normal((size, *self._loc.shape))
        return self._loc + self._rows @ noise @ self._columns.T


def _as_vector(p: Any) -> dict[str, Array]:
    """The law of the rows one after the other, whose factor is the Kronecker product of the two."""
    rows, columns, loc = p["scale_tril_row"], p["scale_tril_column"], p["loc"]
    n, m = loc.shape[-2:]
    product = rows[..., :, None, :, None] * columns[..., None, :, None, :]
    return {
        "loc": loc.reshape(*loc.shape[:-2], n * m),
        "scale_tril": product.reshape(*product.shape[:-4], n * m, n * m),
    }


MATRIX_NORMAL = family(
    Family(
        "matrix_normal",
        {"loc": REAL, "scale_tril_row": TRIANGULAR, "scale_tril_column": TRIANGULAR},
        frozen=_MatrixNormal,
        rank=2,
        ranks={"loc": 2, "scale_tril_row": 2, "scale_tril_column": 2},
        shape=lambda p: tuple(p["loc"].shape[-2:]),
        wider={"multivariate_normal": _as_vector},
    )
)


@closed_form("kl", MATRIX_NORMAL, MATRIX_NORMAL)
def matrix_normal(p: Any, q: Any) -> Array:
    """The multivariate normal form with E the Kronecker product of both factors' E, which is never formed."""
    rows, columns = (_whitened(p[name], q[name]) for name in ("scale_tril_row", "scale_tril_column"))
    xp = ops(p["loc"], q["loc"])
    first, second = (2.0 * log_diagonal_ratio(p[n], q[n]) for n in ("scale_tril_row", "scale_tril_column"))
    on = exp_remainder(first[..., :, None] + second[..., None, :])
    aside, below = off_diagonal_square(rows), off_diagonal_square(columns)
    kept_rows, kept_columns = xp.sum(xp.exp(first)), xp.sum(xp.exp(second))
    off = aside * (kept_columns + below) + kept_rows * below
    shift = solve(q["scale_tril_row"], p["loc"] - q["loc"])
    shift = solve(q["scale_tril_column"], transpose(shift))
    return 0.5 * (xp.sum(xp.sum(on)) + off + xp.sum(xp.sum(shift * shift)))


def _whitened(p: Array, q: Array) -> Array:
    """L_q⁻¹(L_p − L_q), which off the diagonal is L_q⁻¹L_p."""
    return solve(q, p - q)
