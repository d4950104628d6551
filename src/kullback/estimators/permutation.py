"""p-values by permutation: of independence, where y's rows change places, and of equality, where labels do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.method import DivergenceMethod, InformationMethod
from kullback.estimators.problem import JointSample, TwoSamples
from kullback.estimators.samples import Sample
from kullback.estimators.trees import Tree
from kullback.estimators.weighting import placed

_NEAR = 5  # rows, the row itself among them: fewer hardly move anything, more reach beyond what is alike
_APART = 1e3


def p_value(observed: float, draw: Callable[[], float], draws: int, *, enough: int | None = None) -> float:
    r"""The share of draws under the null that are at least as large, counting the data: never 0.

    $$p = \frac{1 + \#\{T_\text{permuted} \ge T\}}{1 + \text{draws}}$$

    A test at level α rejects a true null with probability at most α. With `enough` the draws stop at that many that
    are as large, and $p = \text{enough} / \text{draws so far}$, which is as valid and soon done for a large p.
    Source: [phipson2010], [besag1991].

    >>> p_value(3.0, iter([1.0, 5.0, 2.0]).__next__, 3)
    0.5
    """
    if draws < 1:
        raise InvalidInputError(f"permutations must be at least 1, got {draws!r}")
    reached = threshold(observed)
    exceeding = 0
    for done in range(1, draws + 1):
        exceeding += draw() >= reached
        if exceeding == enough:
            return exceeding / done
    return (1 + exceeding) / (1 + draws)


def threshold(observed: float) -> float:
    """From where on a draw is as large: values that differ by the rounding of another order of summation are equal.

    >>> threshold(0.0)
    -1e-12
    """
    return observed - 1e-12 * max(1.0, abs(observed)) if math.isfinite(observed) else observed


def independence(
    method: InformationMethod, problem: JointSample, draws: int, *, enough: int | None = None
) -> float:
    """The p-value of "x and y are independent", rows of y exchanged with each other.

    With a discrete `given` the exchange stays within its classes, with a continuous one among the nearest rows in it,
    which makes the p-value good only as far as x hardly changes with `given` there. Raises `UnsupportedPairError` for
    weights, under which the rows cannot be exchanged. Source: [runge2018].
    """
    if problem.weights is not None:
        raise UnsupportedPairError(
            "rows of different weight cannot be exchanged: no permutation test with `weights`"
        )
    exchange = _exchange(problem, np.random.default_rng([problem.seed, 1]))

    def draw() -> float:
        return method.statistic(replace(problem, y=problem.y.take(exchange())))

    return p_value(method.statistic(problem), draw, draws, enough=enough)


def equality(method: DivergenceMethod, problem: TwoSamples, draws: int) -> float:
    """The p-value of "both samples have one law", rows exchanged between them.

    Raises `UnsupportedPairError` for weights, under which the rows cannot be exchanged.
    """
    if problem.weighted:
        raise UnsupportedPairError(
            "rows of different weight cannot be exchanged: no permutation test with weights"
        )
    rng = np.random.default_rng([problem.seed, 1])
    pool = _joined(problem.x, problem.y)
    n = problem.x.n

    def draw() -> float:
        order = rng.permutation(pool.n)
        return method.statistic(replace(problem, x=pool.take(order[:n]), y=pool.take(order[n:])))

    return p_value(method.statistic(problem), draw, draws)


def _exchange(problem: JointSample, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    """Draws of rows that leave every row at its condition, or near it."""
    if problem.given is None or problem.given.discrete:
        strata = np.zeros(problem.n, dtype=np.int64) if problem.given is None else problem.given.codes
        assert strata is not None
        return lambda: _within(strata, rng)
    near = _alike(problem.given)
    return lambda: _nearby(near, rng)


def _alike(given: Sample) -> np.ndarray:
    """Each row and those nearest to it in its own class, by normal scores, (n, k); itself where there are no more."""
    codes = np.zeros(given.n) if given.codes is None else given.codes
    scores = ndtri(placed(given.values, None))
    # classes lie far beyond the range of scores from each other
    tree = Tree(np.column_stack([scores, _APART * codes]).astype(np.float64))
    distances, rows = tree.neighbours(min(_NEAR, given.n) - 1)
    itself = np.arange(given.n)[:, None]
    return np.hstack([itself, np.where(distances < _APART / 2, rows, itself)])


def _nearby(near: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each row one of those near it, as far as possible one that no other row has taken."""
    choices = rng.permuted(near, axis=1).tolist()
    rows = np.empty(len(near), dtype=np.int64)
    free = [True] * len(near)
    for i in rng.permutation(len(near)).tolist():
        chosen = next((j for j in choices[i] if free[j]), choices[i][-1])
        free[chosen] = False
        rows[i] = chosen
    return rows


def _within(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random permutation of the rows that maps every stratum to itself."""
    shuffled = rng.permutation(len(strata))
    rows = np.empty(len(strata), dtype=np.int64)
    rows[np.argsort(strata, kind="stable")] = shuffled[np.argsort(strata[shuffled], kind="stable")]
    return rows


def _joined(x: Sample, y: Sample) -> Sample:
    codes = None if x.codes is None or y.codes is None else np.concatenate([x.codes, y.codes])
    return replace(x, values=np.concatenate([x.values, y.values]), codes=codes)
