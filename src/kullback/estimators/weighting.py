"""Weights of rows: what they may be, and when they say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError, ShapeError
from kullback.estimators.columns import columns_of


def read_weights(name: str, data: Any, n: int) -> NDArray[np.float64] | None:
    """Finite weights of at least 0, one a row, as given; None where all are equal, which is no weighting.

    Raises `ShapeError` or `InvalidInputError`.
    """
    if data is None:
        return None
    read = columns_of(name, data)
    if len(read) != 1 or len(read[0].values) != n:
        raise ShapeError(f"`{name}` needs one number for each of the {n} rows")
    weights = read[0].values.astype(np.float64)
    wrong = int((read[0].missing | (weights < 0)).sum())
    if wrong:
        raise InvalidInputError(f"{wrong} of the {n} values of `{name}` are negative, NaN or infinite")
    positive = weights[weights > 0]
    if not positive.size:
        raise InvalidInputError(f"every value of `{name}` is 0: no row is left")
    return None if positive.size == n and positive.min() == positive.max() else weights


def effective_rows(weights: NDArray[np.float64] | None, n: int) -> float:
    r"""Kish's effective number of rows, $(\sum w)^2 / \sum w^2$; `n` where there are no weights."""
    return float(n) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())
