"""Samples that hardly meet: what a bounded divergence may be below its largest value, although no row says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence
from kullback.estimators.method import Estimate

Floats = NDArray[np.float64]
_NEAR = 0.85  # of the largest value: from there on few rows or none tell how much the laws share


def separated(x: Floats, y: Floats) -> bool:
    """Whether in some column every row of one sample lies below all rows of the other."""
    below, above = x.max(axis=0) < y.min(axis=0), y.max(axis=0) < x.min(axis=0)
    return bool(np.any(below | above))


def of_separated(noun: FDivergence, n: float, m: float) -> Estimate:
    r"""The largest value, and below it what laws may have that put no row across a cut.

    A law that puts none of n rows there puts at most $1 - (\alpha/2)^{1/n}$ there, and by data processing the
    divergence is at least that of both laws on the two sides of the cut.
    """
    top = noun.upper_bound

    def interval(level: float) -> tuple[float, float]:
        p, q = (1.0 - (0.5 * (1.0 - level)) ** (1.0 / size) for size in (n, m))
        if p + q >= 1.0:  # so few rows say nothing
            return 0.0, top
        return float(noun(np.array([1.0 - p, p]), np.array([q, 1.0 - q]))), top

    told = "all rows of one sample lie below all rows of the other in one column: the largest value, or close to it"
    return Estimate(top, top / min(n, m), interval=interval, notes=(told,))


def not_certain(noun: FDivergence, found: Estimate, least: float) -> Estimate:
    """The estimate; where it is near the largest value, its error is at least what one row across a cut changes."""
    if not noun.bounded or found.value < _NEAR * noun.upper_bound:
        return found
    across = np.array([1.0 - 1.0 / least, 1.0 / least])
    step = noun.upper_bound - float(noun(across, across[::-1]))
    return replace(found, standard_error=max(found.standard_error, step))
