"""Information given a discrete variable: one question in each of its classes, and the average of the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kullback.estimators.method import Estimate
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample


def strata(problem: JointSample) -> list[JointSample]:
    """The problem in every class of its discrete condition; the condition's continuous columns stay."""
    assert problem.given is not None
    assert problem.given.codes is not None
    codes = problem.given.codes
    rest = replace(problem.given, codes=None, classes=0) if problem.given.dimension else None
    order = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    whole = replace(problem, given=rest)
    return [_recoded(whole.take(rows)) for rows in order if rows.size]


def averaged(found: Sequence[Estimate], sizes: Sequence[int]) -> Estimate:
    r"""$\sum_c p_c I_c$ with its error: that of each part, and that of the shares $p_c = n_c / n$.

    >>> averaged([Estimate(1.0, 0.3), Estimate(0.0, 0.4)], [50, 50]).value
    0.5
    """
    n = sum(sizes)
    share = np.array(sizes) / n
    values = np.array([e.value for e in found])
    notes = tuple(dict.fromkeys(note for e in found for note in e.notes))
    distrust = next((e.distrust for e in found if e.distrust), "")
    value = float(share @ values)
    if math.isinf(value):
        return Estimate(value, math.inf, distrust=distrust, notes=notes)
    within = float(share**2 @ np.array([e.standard_error**2 for e in found]))
    between = float(share @ (values - value) ** 2) / n
    # what a method leaves of its bias it leaves in every class alike: these errors add up, they do not average out
    left = float(share @ np.array([e.bias_error for e in found]))
    return Estimate(value, math.sqrt(within + between), left, distrust=distrust, notes=notes)


def _recoded(problem: JointSample) -> JointSample:
    """Codes without the classes that are not in this part."""
    return replace(problem, x=_dense(problem.x), y=_dense(problem.y))


def _dense(s: Sample) -> Sample:
    if s.codes is None:
        return s
    levels, codes = np.unique(s.codes, return_inverse=True)
    return replace(s, codes=codes.astype(np.int64), classes=len(levels))
