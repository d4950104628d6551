"""Information given a discrete variable: one question in each of its classes, and the average of the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample

Floats = NDArray[np.float64]


def strata(problem: JointSample) -> list[JointSample]:
    """The problem in every class of its discrete condition; the condition's continuous columns stay."""
    assert problem.given is not None
    assert problem.given.codes is not None
    codes = problem.given.codes
    rest = replace(problem.given, codes=None, classes=0) if problem.given.dimension else None
    order = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    whole = replace(problem, given=rest)
    return [_recoded(whole.take(rows)) for rows in order if rows.size]


def within(problem: JointSample, estimate: Callable[[JointSample], Estimate]) -> Estimate:
    """The average of the estimates in every class of a discrete condition; a class with too few rows is named."""
    parts, found = strata(problem), []
    for number, part in enumerate(parts):
        try:
            found.append(estimate(part))
        except InvalidInputError as error:
            raise InvalidInputError(
                f"class {number} of `given` (in sorted order) has {part.n} rows: {error}"
            ) from error
    return averaged(found, row_weights(parts))


def row_weights(parts: Sequence[JointSample]) -> list[Floats]:
    """The weights of the rows of each part, ones where there are none."""
    return [np.ones(part.n) if part.weights is None else part.weights for part in parts]


def average(values: Sequence[float], parts: Sequence[JointSample]) -> float:
    """The values of the parts, each as often as its rows."""
    return float(np.average(values, weights=[w.sum() for w in row_weights(parts)]))


def averaged(found: Sequence[Estimate], weights: Sequence[Floats]) -> Estimate:
    r"""$\sum_c p_c I_c$ with its error: that of each part, and that of the shares $p_c$ of the rows' `weights`.

    >>> averaged([Estimate(1.0, 0.3), Estimate(0.0, 0.4)], [np.ones(50), np.ones(50)]).value
    0.5
    """
    total = sum(w.sum() for w in weights)
    share = np.array([w.sum() for w in weights]) / total
    values = np.array([e.value for e in found])
    notes = tuple(dict.fromkeys(note for e in found for note in e.notes))
    distrust = next((e.distrust for e in found if e.distrust), "")
    value = float(share @ values)
    if math.isinf(value):
        return Estimate(value, math.inf, distrust=distrust, notes=notes)
    within = float(share**2 @ np.array([e.standard_error**2 for e in found]))
    between = float(np.array([w @ w for w in weights]) @ (values - value) ** 2) / total**2
    # what a method leaves of its bias it leaves in every class alike: these errors add up, they do not average out
    left = float(share @ np.array([e.bias_error for e in found]))
    error = math.sqrt(within + between)
    if all(e.interval is None for e in found):
        return Estimate(value, error, left, distrust=distrust, notes=notes)

    def interval(level: float) -> tuple[float, float]:
        z = float(ndtri(0.5 + level / 2))
        chance = share**2 @ np.array([_reach(e, level, z) ** 2 for e in found])
        low, high = np.sqrt(chance + z**2 * (between + left**2))
        return value - float(low), value + float(high)

    return Estimate(value, error, left, interval=interval, distrust=distrust, notes=notes)


def _reach(e: Estimate, level: float, z: float) -> Floats:
    """How far chance may have moved a part down and up, by its own interval where it has one. Source: [zou2008]."""
    if e.interval is None:
        return np.full(2, z * e.standard_error)
    low, high = e.interval(level)
    outer = np.array([e.value - low, high - e.value])
    return np.sqrt(np.maximum(outer**2 - (z * e.bias_error) ** 2, 0.0))


def _recoded(problem: JointSample) -> JointSample:
    """Codes without the classes that are not in this part."""
    return replace(problem, x=_dense(problem.x), y=_dense(problem.y))


def _dense(s: Sample) -> Sample:
    if s.codes is None:
        return s
    levels, codes = np.unique(s.codes, return_inverse=True)
    return replace(s, codes=codes.astype(np.int64), classes=len(levels))
