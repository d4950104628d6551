"""Columns less what others foretell of them: what is left to say once the others are known."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

Floats = NDArray[np.float64]
_PIECES = 3  # of a cubic spline between quantiles of a column
_ROWS = 10  # for each function that is fitted
_LEAST = 0.2  # of the mean deviation, where the fitted one would be smaller
_ROUNDING = 1e-9  # a residual of so small a share of its column is none


class Columns(NamedTuple):
    """Columns (n, d) as they are, and as normal scores, in which equal values are put in an order."""

    values: Floats
    scores: Floats


def residuals(x: Columns, given: Columns) -> Floats:
    r"""Each column (n, d) of x, or its scores, less the mean given z, over the mean deviation given z.

    $$r = \frac{t - \hat m(z)}{\hat s(z)}, \qquad t = x \text{ or } t = \text{score}(x)$$

    For a fixed z that is an invertible map of x, so that the information of x and y given z is that of their residuals,
    while the neighbours of a row differ less in what z explains. Both functions are least squares in cubic splines of
    each column of z or of its scores, and products of two; in the columns alone where the rows are few. Of the four
    that is taken by which z foretells most, $H(t) - H(r) - \overline{\log \hat s}$, by spacings over √n places; where
    so many values are equal, only scores will do. A column that z determines has residuals 0. The same for other units.

    >>> z = np.arange(80.0)
    >>> x = np.column_stack([z**2, z + np.tile([1.0, -1.0], 40)])
    >>> residuals(Columns(x, x), Columns(z[:, None], z[:, None]))[40:44].round(1).tolist()
    [[0.0, 1.0], [0.0, -1.0], [0.0, 1.0], [0.0, -1.0]]
    """
    bases = [_functions(given.scores), _functions(_levelled(given.values))]
    fitted = [functions for functions in bases if functions is not None]
    if not fitted:
        return x.scores
    pairs = zip(_levelled(x.values).T, x.scores.T, strict=True)
    return np.column_stack([_best(*pair, fitted) for pair in pairs])


def _levelled(values: Floats) -> Floats:
    """Columns about their medians, within ±1."""
    away = values - np.median(values, axis=0)
    return away / np.abs(away).max(axis=0)


def _best(values: Floats, scores: Floats, bases: list[Floats]) -> Floats:
    """The residuals of a column, or of its scores, that say least beyond one of the bases."""
    # gaps between scores have no noise, by which the entropy of values is less
    noise = 0.5 / _step(len(values))
    kinds = ((scores, -noise), (values, 0.0))
    found = [_left(t, functions, allowance) for t, allowance in kinds for functions in bases]
    return max(found, key=lambda pair: pair[1])[0]


def _left(t: Floats, functions: Floats, allowance: float) -> tuple[Floats, float]:
    """The residuals of t, and how much the functions foretell of it, with an allowance."""
    left = t - functions @ np.linalg.lstsq(functions, t, rcond=None)[0]
    if np.abs(left).max() <= _ROUNDING * np.abs(t).max():
        return np.zeros_like(t), np.inf
    deviation = np.abs(left)
    spread = functions @ np.linalg.lstsq(functions, deviation, rcond=None)[0]
    spread = np.maximum(spread, _LEAST * deviation.mean())
    left = left / spread
    return left, _entropy(t) - _entropy(left) - float(np.log(spread).mean()) + allowance


def _entropy(t: Floats) -> float:
    """The entropy of a column up to a constant of its length, by the gaps between values some places apart."""
    ascending, step = np.sort(t), _step(len(t))
    gaps = ascending[step:] - ascending[:-step]
    return float(np.log(np.maximum(gaps, np.finfo(float).tiny)).mean())


def _step(n: int) -> int:
    return round(math.sqrt(n))


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
