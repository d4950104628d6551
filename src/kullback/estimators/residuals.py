"""Columns less what others foretell of them: what is left to say once the others are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

Floats = NDArray[np.float64]
_PIECES = 3  # of a cubic spline between quantiles of a column
_ROWS = 10  # for each function that is fitted
_LEAST = 0.2  # of the mean deviation, where the fitted one would be smaller
_ROUNDING = 1e-9  # a residual of so small a share of its column is none


def residuals(columns: Floats, given: Floats) -> Floats:
    r"""Each column (n, d) less its mean given others, over its mean deviation given them.

    $$r = \frac{x - \hat m(z)}{\hat s(z)}$$

    For a fixed z that is an invertible map of x, so that the information of x and y given z is that of their residuals,
    while the neighbours of a row differ less in what z explains. Both functions are least squares in cubic splines of
    each column of z, and products of two; in its columns alone where the rows are few. A column that z determines
    has residuals 0.

    >>> z = np.arange(80.0)
    >>> residuals(np.column_stack([z**2, z + np.tile([1.0, -1.0], 40)]), z[:, None])[40:44].round(1).tolist()
    [[0.0, 1.0], [0.0, -1.0], [0.0, 1.0], [0.0, -1.0]]
    """
    functions = _functions(given)
    if functions is None:
        return columns
    left = columns - functions @ np.linalg.lstsq(functions, columns, rcond=None)[0]
    left[:, np.abs(left).max(axis=0) <= _ROUNDING * np.abs(columns).max(axis=0)] = 0.0
    deviations = np.abs(left)
    mean = deviations.mean(axis=0)
    spread = functions @ np.linalg.lstsq(functions, deviations, rcond=None)[0]
    return left / np.where(mean > 0, np.maximum(spread, _LEAST * mean), 1.0)


def _functions(given: Floats) -> Floats | None:
    """What to regress on, (n, functions), or None where the rows carry none."""
    n, d = given.shape
    one = np.ones((n, 1))
    pairs = [given[:, [i]] * given[:, [j]] for i in range(d) for j in range(i)]
    bent = np.hstack([one, *(_splines(z) for z in given.T), *pairs])
    for found in (bent, np.hstack([one, given])):
        if found.shape[1] * _ROWS <= n:
            return found
    return None


def _splines(z: Floats) -> Floats:
    """Cubic B-splines with knots at quantiles, less the last: they add up to 1."""
    knots = np.unique(np.quantile(z, np.linspace(0, 1, _PIECES + 1)))
    ends = np.repeat(knots[[0, -1]], 3)
    found = BSpline.design_matrix(z, np.concatenate([ends[:3], knots, ends[3:]]), 3)
    return found.toarray()[:, :-1]
