"""What data show about themselves before a method is chosen, and what an estimate's size shows afterwards."""

from __future__ import annotations

import numpy as np

from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample


def atoms(problem: JointSample) -> float:
    """The largest share of the rows that have one value in one continuous column that varies."""
    return max((_commonest(sample) for sample in problem.variables), default=0.0)


def _commonest(sample: Sample) -> float:
    """The share of the commonest value of a column, constant columns aside.

    >>> _commonest(Sample("x", np.array([[0.0], [0.0], [1.0], [3.0]])))
    0.5
    """
    shares = [np.unique(column, return_counts=True)[1].max() / sample.n for column in sample.values.T]
    return max((float(share) for share in shares if share < 1.0), default=0.0)
