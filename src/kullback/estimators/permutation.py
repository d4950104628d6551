"""p-values by permutation: of independence, where y's rows change places, and of equality, where labels do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.method import DivergenceMethod, InformationMethod
from kullback.estimators.problem import JointSample, TwoSamples
from kullback.estimators.samples import Sample


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
    # values that differ by the rounding of another order of summation are equal
    reached = observed - 1e-12 * max(1.0, abs(observed))
    exceeding = 0
    for done in range(1, draws + 1):
        exceeding += draw() >= reached
        if exceeding == enough:
            return exceeding / done
    return (1 + exceeding) / (1 + draws)


def independence(
    method: InformationMethod, problem: JointSample, draws: int, *, enough: int | None = None
) -> float:
    """The p-value of "x and y are independent", rows of y exchanged with each other.

    With a discrete `given` the exchange stays within its classes. Raises `UnsupportedPairError` for a continuous one
    and for weights, under which the rows cannot be exchanged.
    """
    if problem.weights is not None:
        raise UnsupportedPairError(
            "rows of different weight cannot be exchanged: no permutation test with `weights`"
        )
    if problem.given is not None and not problem.given.discrete:
        raise UnsupportedPairError(
            "a permutation within a continuous `given` does not exist; cut it into classes"
        )
    rng = np.random.default_rng([problem.seed, 1])
    strata = np.zeros(problem.n, dtype=np.int64) if problem.given is None else problem.given.codes
    assert strata is not None

    def draw() -> float:
        rows = _within(strata, rng)
        return method.statistic(replace(problem, y=problem.y.take(rows)))

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


def _within(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random permutation of the rows that maps every stratum to itself."""
    shuffled = rng.permutation(len(strata))
    rows = np.empty(len(strata), dtype=np.int64)
    rows[np.argsort(strata, kind="stable")] = shuffled[np.argsort(strata[shuffled], kind="stable")]
    return rows


def _joined(x: Sample, y: Sample) -> Sample:
    codes = None if x.codes is None or y.codes is None else np.concatenate([x.codes, y.codes])
    return replace(x, values=np.concatenate([x.values, y.values]), codes=codes)
