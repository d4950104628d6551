"""Candidates compete on rows that they have not seen: how well do they tell the sample's pairs from shuffled ones?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kullback.estimators.method import Estimate
from kullback.estimators.mixtures.law import Floats, Ints, Law, pointwise

_SHIFTS = 4  # shuffled pairs for each row

Fit = Callable[[Floats], Law]


@dataclass(frozen=True)
class Candidate:
    """A family of laws, and the columns that it is fitted to.

    `again` makes it anew of some of the rows, where columns that were fitted themselves leave a bias.
    """

    name: str
    x: Floats
    y: Floats
    fit: Fit
    again: Callable[[Ints], Candidate] | None = None

    @property
    def law(self) -> Law:
        """Fitted to all rows."""
        return self.fit(np.hstack([self.x, self.y]))

    @property
    def flattering(self) -> float:
        """The mean log-ratio of the rows that it is fitted to."""
        return float(pointwise(self.law, self.x, self.y).mean())


@dataclass(frozen=True)
class Judged:
    """The log-ratios `held` of the rows by laws that have not seen them, and the mean `trained` of those that have.

    `gains` is each row's part of the skill.
    """

    candidate: Candidate
    held: Floats
    trained: float
    gains: Floats

    @cached_property
    def skill(self) -> float:
        """A lower bound, in expectation, of the Jensen–Shannon information."""
        return float(self.gains.mean())

    @property
    def value(self) -> float:
        """The mean of both, in which what the parameters cost and what they flatter by cancels to first order."""
        return 0.5 * (float(self.held.mean()) + self.trained)

    @property
    def gap(self) -> float:
        """Half of what they differ by."""
        return 0.5 * (self.trained - float(self.held.mean()))

    @property
    def standard_error(self) -> float:
        """The standard deviation of the mean of the log-ratios."""
        return _error(self.held)

    def beats(self, other: Judged, errors: float) -> bool:
        """Whether the skill is larger by so many standard errors of the difference."""
        return self.skill - other.skill > errors * _error(self.gains - other.gains)


def estimated(judged: Judged, folds: int, seed: int) -> Estimate:
    r"""The information that the candidate says there is.

    With columns that were fitted as well: $V_n + (V_n - V_{n/K}) / (K^r - 1)$, V the mean over fitted rows of K folds,
    each with columns of its own. This removes a bias that falls as $n^{-r}$. Here r is 1; under heavy tails it may be
    as low as ½, and what that would move the value further is in doubt. Source: [quenouille1956].
    """
    if judged.candidate.again is None:
        return Estimate(judged.value, judged.standard_error, judged.gap)
    fold = _folds(len(judged.held), folds, np.random.default_rng([seed, 2]))
    parts = [judged.candidate.again(np.flatnonzero(fold == k)).flattering for k in range(folds)]
    whole = judged.candidate.flattering
    fast, slow = ((whole - float(np.mean(parts))) / (folds**r - 1) for r in (1.0, 0.5))
    return Estimate(whole + fast, judged.standard_error, abs(slow - fast))


def judge(candidate: Candidate, folds: int, seed: int) -> Judged:
    r"""Cross-fit the candidate; its skill is the held-out bound on the Jensen–Shannon information,
    $\log 2 - \tfrac12 E_{p}\log(1 + e^{-s}) - \tfrac12 E_{q}\log(1 + e^{s})$, q the law of shuffled pairs.

    All candidates see the same folds and the same pairs. Source: [goodfellow2014].
    """
    x, y, n = candidate.x, candidate.y, len(candidate.x)
    rng = np.random.default_rng([seed, 2])
    fold = _folds(n, folds, rng)
    held, apart, trained = np.empty(n), np.zeros(n), []
    for k in range(folds):
        seen, rest = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        law = candidate.fit(np.hstack([x[seen], y[seen]]))
        held[rest] = pointwise(law, x[rest], y[rest])
        trained.append(float(pointwise(law, x[seen], y[seen]).mean()))
        order = rng.permutation(rest)
        for j in range(1, _SHIFTS + 1):
            apart[order] += np.logaddexp(0.0, pointwise(law, x[order], y[np.roll(order, j)])) / _SHIFTS
    gains = math.log(2) - 0.5 * (np.logaddexp(0.0, -held) + apart)
    return Judged(candidate, held, float(np.mean(trained)), gains)


def _folds(n: int, folds: int, rng: np.random.Generator) -> Ints:
    """The fold of each row."""
    return rng.permutation(n) % folds


def _error(terms: Floats) -> float:
    return float(terms.std()) / math.sqrt(len(terms))
