"""What data show about themselves that a caller should know: atoms, copies, and few dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.problem import JointSample
from kullback.estimators.ratios.rows import in_order, standardised
from kullback.estimators.samples import Sample
from kullback.estimators.trees import Tree

Floats = NDArray[np.float64]

_LOOKED_AT = 2000  # rows that tell the dimension
_FLAT = 0.6  # of the columns: a dimension below that is told
_ATOM = 0.01  # share of rows with one value that is told
_COPIED = 0.01  # share of copies from which on no interval can be vouched for
_COINCIDENT = 1.1  # times as many different rows as different values: rounded, not copied


def notes(problem: JointSample) -> tuple[str, ...]:
    """What is worth telling about the continuous columns of each variable."""
    told = []
    copied = copies(problem)
    if copied:
        told.append(f"{copied:.2%} of the rows are copies of another")
    for sample in problem.variables:
        common = commonest(sample)
        if common > _ATOM:
            told.append(f"a column of `{sample.name}` has one value in {common:.0%} of the rows")
        elif sample.dimension > 1:
            found = dimension(sample.values)
            if found < _FLAT * sample.dimension:
                told.append(
                    f"the rows of `{sample.name}` fill about {found:.1f} of {sample.dimension} dimensions"
                )
    return tuple(told)


def atoms(problem: JointSample) -> float:
    """The largest share of the rows that have one value in one continuous column that varies."""
    return max(commonest(sample) for sample in problem.variables)


def commonest(sample: Sample) -> float:
    """The share of the commonest value of a continuous column, constant columns aside.

    >>> commonest(Sample("x", np.array([[0.0], [0.0], [1.0], [3.0]])))
    0.5
    """
    shares = [np.unique(column, return_counts=True)[1].max() / sample.n for column in sample.values.T]
    found = max((float(share) for share in shares if share < 1.0), default=0.0)
    return found if found > 1.0 / sample.n else 0.0


def copies(problem: JointSample) -> float:
    """The share of rows that are equal to an earlier one in every column, where some column is continuous."""
    if problem.discrete:
        return 0.0
    codes = [np.asarray(s.codes, dtype=np.float64)[:, None] for s in problem.variables if s.codes is not None]
    table = np.hstack([*(s.values for s in problem.variables), *codes])
    return 1.0 - len(np.unique(table, axis=0)) / problem.n


def copied(x: Floats, y: Floats) -> str:
    """Why rows that are copies of others leave no interval; empty where equal rows are those of rounded columns.

    Rounded values of x meet many of y, so that there are more different rows than values of either; a copy repeats
    both. Copies are neighbours of each other whatever x tells of y.

    >>> copied(np.array([[1.0], [2.0], [2.0]]), np.array([[0.5], [0.1], [0.1]]))[:26]
    '33% of the rows are copies'
    >>> copied(np.array([[1.0], [2.0], [2.0]]), np.array([[0.5], [0.1], [0.5]]))
    ''
    """
    different = _different(np.hstack([x, y]))
    share = 1.0 - different / len(x)
    if share <= _COPIED or different > _COINCIDENT * max(_different(x), _different(y)):
        return ""
    return f"{share:.0%} of the rows are copies of others, which are no rows of their own: leave copies out"


def _different(rows: Floats) -> int:
    return len(np.unique(rows, axis=0))


def dimension(values: Floats) -> float:
    r"""How many dimensions rows fill, from the distances to two neighbours: $m / \sum_i \log(r_{2,i} / r_{1,i})$.

    Of up to 2000 rows, each column in units of its spread; rows with a copy among them are left out. Exact on average
    for a uniform law. Source: [facco2017].

    >>> round(dimension(np.random.default_rng(0).uniform(size=(2000, 3)) @ np.eye(3, 6)), 1)
    2.9
    """
    rows = standardised(values)
    rows = rows[in_order(rows)]
    rows = rows[:: -(-len(rows) // _LOOKED_AT)]
    if len(rows) < 3:
        return float(values.shape[1])
    near = Tree(rows, metric="euclidean").neighbours(2)[0]
    near = near[near[:, 0] > 0]
    growth = float(np.log(near[:, 1] / near[:, 0]).sum())
    return len(near) / growth if growth > 0 else 0.0
