"""The columns that laws are fitted to: scores of their ranks, or the values in units of their spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.special import ndtri, stdtrit

from kullback.estimators.mixtures.law import Floats, Ints
from kullback.estimators.problem import JointSample
from kullback.estimators.ratios.rows import in_order, standardised
from kullback.estimators.weighting import mid_ranks


def normal_scores(values: Floats) -> Floats:
    """Quantiles of the standard normal law at (rank − ½)/n, equal values at their mean rank."""
    return np.asarray(ndtri(levels(values)))


def student_quantiles(at: Floats, freedom: float) -> Floats:
    """Quantiles of Student's law at levels of n rows, 2n − 1 at most, however many columns there are."""
    halves = 2 * len(at)
    table = np.asarray(stdtrit(freedom, np.arange(1, halves) / halves))
    return table[np.rint(halves * at).astype(np.int64) - 1]


def levels(values: Floats) -> Floats:
    """(rank − ½)/n of each value in its column, equal values at their mean rank."""
    return (mid_ranks(values) - 0.5) / len(values)


def columns(problem: JointSample) -> tuple[Floats, Floats, tuple[str, ...]]:
    """x and y without the columns that others of theirs determine, rows in an order that depends on nothing but them.

    A column that is a linear or a monotone function of others of the same variable adds no information.
    """
    order = in_order(np.hstack([problem.x.values, problem.y.values]))
    kept, notes = [], []
    for sample in (problem.x, problem.y):
        values = standardised(sample.values[order])
        free = values[:, _independent(values)]
        free = free[:, _independent(normal_scores(free))] if free.shape[1] else free
        gone = sample.dimension - free.shape[1]
        if gone:
            notes.append(f"{gone} columns of `{sample.name}` are constant or determined by others: left out")
        kept.append(free)
    return kept[0], kept[1], tuple(notes)


def tied(values: Floats) -> bool:
    """Whether any column has a value twice."""
    return bool((np.diff(np.sort(values, axis=0), axis=0) == 0).any())


def _independent(values: Floats) -> Ints:
    """The numbers of columns that are no linear function of the others."""
    centred = values - values.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    moving = np.flatnonzero(length > 0)
    if not moving.size:
        return moving
    factors: Any = qr(centred[:, moving] / length[moving], mode="r", pivoting=True)
    r, order = factors
    rank = int((np.abs(np.diag(r)) > len(values) * np.finfo(np.float64).eps).sum())
    return moving[np.sort(order[:rank])]
