"""Rényi and alpha divergences by distances to neighbours, with the exact correction for their number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from kullback.divergences import Noun, alpha, bhattacharyya
from kullback.errors import InvalidInputError
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.ratios.rows import Floats, Rows, pair_of
from kullback.estimators.ratios.scores import mean
from kullback.estimators.ratios.views import View, refusal, view
from kullback.estimators.trees import Tree


@dataclass(frozen=True)
class NearestRatio(DivergenceMethod):
    r"""Rényi, alpha and Bhattacharyya divergences from distances to k-th neighbours.

    $$\widehat{\int p^a q^{1-a}} = \frac{B}{n} \sum_i \left(\frac{(n - 1)\, \rho_i^d}{m\, \nu_i^d}\right)^{1-a}, \qquad
    B = \frac{\Gamma(k)^2}{\Gamma(k - a + 1)\, \Gamma(k + a - 1)},$$

    with $\rho_i$ the distance from row i of p to its k-th neighbour in p and $\nu_i$ to that in q; a times this and
    1 − a times the same from the rows of q, so that the standard error is that of two means. B removes the bias of a
    finite k where the densities are flat over the neighbourhood; what curvature leaves is judged by doubling k, and
    widens the interval. Orders with $|a|, |a - 1| < k/2$, 0 and 1 excepted (`NearestKL` has these); continuous columns
    without weights. Where rows are repeated there is no interval. Raises `InvalidInputError` for at most 2k rows, or
    where a row occurs more than k times.
    Source: [poczos2011].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> answer = kb.estimate(kb.renyi(0.5), x[:2000] + 1.0, x[2000:], method=NearestRatio())  # exactly 1/4
    >>> answer.low < 0.25 < answer.high
    True
    """

    k: int = 5

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 2:
            raise InvalidInputError(f"k must be an integer of at least 2, got {self.k!r}; 5 is usual")

    @property
    def name(self) -> str:
        """The method and k."""
        return f"nearest ratio (k={self.k})"

    def refusal(self, problem: TwoSamples) -> str:
        """Why there is no correction for this divergence, or no distance; empty where there is."""
        if reason := refusal(problem.noun):
            return reason
        order = _order(problem.noun)
        if order is None or max(abs(order), abs(order - 1.0)) >= self.k / 2:
            return (
                f"{problem.noun.name} has no exact correction for k={self.k}: it exists for alpha(a), renyi(a), "
                "and bhattacharyya with a not 0 or 1 and |a|, |a - 1| < k/2; use ClassifierRatio()"
            )
        if not problem.x.continuous or problem.weighted:
            return (
                "distances need continuous columns, and neighbours rows of one weight; use ClassifierRatio()"
            )
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The divergence from the points of both samples, and the bias that doubling k reveals."""
        p, q = pair_of(problem)
        if min(p.n, q.n) <= 2 * self.k:
            raise InvalidInputError(
                f"need > {2 * self.k} rows of each sample for k={self.k}, got {p.n} and {q.n}"
            )
        order = _order(problem.noun)
        assert order is not None
        sides = _Side.of(p, q, 2 * self.k), _Side.of(q, p, 2 * self.k)
        seen = view(problem.noun, lambda _: math.nan)
        value, error = _read(seen, *sides, order, self.k)
        wide, _ = _read(seen, *sides, order, 2 * self.k)
        repeated = float(np.mean(np.concatenate([side.own[:, 0] for side in sides]) == 0.0))
        told = f"{repeated:.1%} of the rows are repeated, with no distance between them" if repeated else ""
        return Estimate(value, error, abs(value - wide), distrust=told, notes=seen.notes)


@dataclass(frozen=True)
class _Side:
    """Distances of one sample's rows to their neighbours in it and in the other, and the sizes and the dimension."""

    own: Floats
    other: Floats
    others: int
    dimension: int

    @staticmethod
    def of(mine: Rows, others: Rows, k: int) -> _Side:
        own = Tree(mine.values, metric="euclidean").neighbours(k)[0]
        other = Tree(others.values, metric="euclidean").neighbours(k, queries=mine.values)[0]
        if min(own[:, k // 2 - 1].min(), other[:, k // 2 - 1].min()) <= 0.0:
            raise InvalidInputError(
                f"a row occurs more than {k // 2} times, so that a k-th neighbour has no distance; "
                "raise k, or declare the columns discrete if the values are classes"
            )
        return _Side(own, other, others.n, mine.values.shape[1])

    def powers(self, order: float, k: int) -> Floats:
        """Unbiased terms of the integral of own^order other^(1 − order), where the densities are flat."""
        factor = 2.0 * gammaln(k) - gammaln(k - order + 1.0) - gammaln(k + order - 1.0)
        n = len(self.own)
        ratio = self.dimension * np.log(self.own[:, k - 1] / self.other[:, k - 1]) + math.log(
            (n - 1) / self.others
        )
        return np.exp(factor + (1.0 - order) * ratio)


def _read(seen: View, near: _Side, far: _Side, order: float, k: int) -> tuple[float, float]:
    """The divergence and its standard error: both samples give the integral, and their mix the influence."""
    at_p, var_p = mean(near.powers(order, k), None)
    at_q, var_q = mean(far.powers(1.0 - order, k), None)
    if seen.order is not None:
        logs = (math.log(at_p), math.sqrt(var_p) / at_p), (math.log(at_q), math.sqrt(var_q) / at_q)
        return seen.of_logs(*logs)
    value = at_p / (order - 1.0) - at_q / order - 1.0 / (order * (order - 1.0))
    return value, math.hypot(math.sqrt(var_p) / (order - 1.0), math.sqrt(var_q) / order)


def _order(noun: Noun) -> float | None:
    """The order of the alpha divergence behind this one; None where there is none, or KL."""
    if noun == bhattacharyya:
        return 0.5
    a = getattr(noun, "a", None)
    order = a if a is not None and noun == alpha(a) else getattr(noun, "order", None)
    return None if order in (0.0, 1.0) else order
