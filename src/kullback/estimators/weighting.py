"""Weights of rows: what they may be, and when they say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.estimators.columns import columns_of
from kullback.wording import several

Floats = NDArray[np.float64]


def read_weights(name: str, data: Any, n: int) -> NDArray[np.float64] | None:
    """Finite weights of at least 0, one a row, as given; None where all are equal, which is no weighting.

    Raises `ShapeError`, `DTypeError` for what are no numbers, or `InvalidInputError`.
    """
    if data is None:
        return None
    read = columns_of(name, data)
    if len(read) != 1 or len(read[0].values) != n:
        came = f"{several(len(read[0].values), 'row')} of {several(len(read), 'column')}"
        raise ShapeError(f"`{name}` needs one number for each of the {n} rows; got {came}")
    if read[0].kind == "time" or read[0].values.dtype.kind in "US":
        raise DTypeError(f"`{name}` holds {'times' if read[0].kind == 'time' else 'text'}; expected numbers")
    weights = read[0].numbers
    wrong = int((read[0].missing | (weights < 0)).sum())
    if wrong:
        raise InvalidInputError(
            f"{wrong} of the {n} values of `{name}` are negative, missing, NaN or infinite"
        )
    positive = weights[weights > 0]
    if not positive.size:
        raise InvalidInputError(f"every value of `{name}` is 0: no row is left")
    return None if positive.size == n and positive.min() == positive.max() else weights


def shares(weights: Floats | None, n: int) -> Floats:
    """What part of the whole each of n rows is, (n,), summing to 1.

    >>> shares(np.array([1.0, 3.0]), 2).tolist()
    [0.25, 0.75]
    """
    if weights is None:
        return np.full(n, 1.0 / n)
    share = weights / weights.max()  # whose squares and sums stay in range
    return share / share.sum()


def ranks(values: Floats, share: Floats) -> tuple[Floats, Floats]:
    """The share of rows below each value of a column and the share above, half of the equal ones in both.

    Both, because near 1 one of them has digits that the other has lost.

    >>> ranks(np.array([5.0, 7.0]), np.array([0.25, 0.75]))[0].tolist()
    [0.125, 0.625]
    """
    levels, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, share, len(levels))
    below = np.cumsum(mass) - mass / 2
    above = np.cumsum(mass[::-1])[::-1] - mass / 2
    return below[inverse], above[inverse]


def mid_ranks(values: Floats) -> Floats:
    """The ranks from 1 of a column, or of each column; equal values share the mean of theirs.

    As SciPy's `rankdata`, whose module takes longer to load than this room.

    >>> mid_ranks(np.array([5.0, 7.0, 5.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    if values.ndim == 2:
        return np.column_stack([mid_ranks(column) for column in values.T]) if values.size else values
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def spread(influence: Floats, share: Floats) -> float:
    r"""The standard error of a weighted mean, $\sqrt{\sum_i s_i^2 (\varphi_i - \bar\varphi)^2 / (1 - \sum_i s_i^2)}$.

    >>> round(spread(np.array([-1.0, 1.0]), np.array([0.5, 0.5])), 12)
    1.0
    """
    moved = share * (influence - share @ influence)
    return float(np.sqrt(moved @ moved / (1.0 - share @ share)))


def placed(values: Floats, weights: Floats | None) -> Floats:
    """The ranks of each column (n, d) over n + 1, for weighted rows over the effective number of rows and 1.

    >>> placed(np.array([[5.0], [7.0], [6.0]]), None).ravel().tolist()
    [0.25, 0.75, 0.5]
    """
    n = len(values)
    if weights is None:
        return mid_ranks(values) / (n + 1)
    size, share = effective_rows(weights, n), shares(weights, n)
    below = [ranks(column, share)[0] for column in values.T]
    return (np.column_stack(below) * size + 0.5) / (size + 1)


def effective_rows(weights: NDArray[np.float64] | None, n: int) -> float:
    r"""Kish's effective number of rows, $(\sum w)^2 / \sum w^2$; `n` where there are no weights."""
    if weights is None:
        return float(n)
    share = shares(weights, n)
    return 1.0 / float(share @ share)


def worth(weights: Floats | None, n: int) -> float:
    """The effective number of rows, where weights leave at least two: below, one row is all that a density sees.

    Raises `InvalidInputError` where they do not.
    """
    size = effective_rows(weights, n)
    if weights is not None and size < 2:
        top = float(shares(weights, n).max())
        raise InvalidInputError(
            f"the weights make {n} rows worth {size:.3g}, and one row has {top:.0%} of the weight: a density needs at "
            "least 2; leave that row out, or scale its weight"
        )
    return size
