"""Two samples that hold the same rows: copies of one sample, of which no method can tell how two draws differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.method import Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.weighting import shares

SAME = "both samples hold the same rows; they are not two draws"
_ATOMS = 0.5  # share of rows that others repeat, above which independent draws may well be equal


def judged(problem: TwoSamples, found: Estimate) -> Estimate:
    """The estimate; of copies 0 exactly, or what their weights make different, and in no case an interval.

    Statistics that leave pairs of a row with itself out are negative for copies, because these pairs are still there
    across the samples. Rows that mostly repeat within both samples are atoms, whose counts may agree by chance.
    """
    x, y = problem.x.values, problem.y.values
    if not _alike(x, y):
        return found
    rows_x, of_x = np.unique(x, axis=0, return_inverse=True)
    rows_y, of_y = np.unique(y, axis=0, return_inverse=True)
    if not np.array_equal(rows_x, rows_y) or max(len(rows_x) / len(x), len(rows_y) / len(y)) < 1 - _ATOMS:
        return found
    mass_x = np.bincount(of_x.ravel(), shares(problem.weights_x, len(x)))
    mass_y = np.bincount(of_y.ravel(), shares(problem.weights_y, len(y)))
    if np.allclose(mass_x, mass_y, rtol=1e-12, atol=0.0):
        return Estimate(0.0, 0.0, distrust=SAME)
    return replace(found, distrust=SAME)


def _alike(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether the samples have the same range in every column, which is cheap and rare."""
    return np.array_equal(x.min(axis=0), y.min(axis=0)) and np.array_equal(x.max(axis=0), y.max(axis=0))
