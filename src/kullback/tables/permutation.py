"""Exact p-values from counts alone: under label permutation the counts of one table are multivariate hypergeometric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, chdtrc

from kullback.divergences import FDivergence, js
from kullback.tables.adjust import Adjustment

Counts = NDArray[np.int64]

# numpy's hypergeometric draws refuse larger totals
LARGEST_TOTAL = 10**9
# how many cells one block of draws may fill (memory), and one column in all (time: about two seconds)
_BLOCK = 2_000_000
_MOST_CELLS = 10_000_000
# how sure a comparison with the cut has to be before the draws stop
_SURE = 0.99


def statistic_for(measure: FDivergence) -> FDivergence:
    """What is permuted: the measure itself where it is bounded, else js, which no rare category makes infinite."""
    return measure if measure.bounded else js


@dataclass
class PermutationTest:
    r"""The test of one column: how many of the permutations so far are at least as far apart as the tables are.

    $$p = \frac{1 + \#\{D_\text{permuted} \ge D\}}{1 + \text{draws}}$$

    never 0, and exact: a test at level α rejects equal laws with probability at most α. Source: [phipson2010].
    Above 10⁹ rows the chi-square limit stands in (`limit` is then true).
    """

    measure: FDivergence
    before: Counts
    after: Counts
    seed: tuple[int, str]
    draws: int = 0
    exceeding: int = 0
    rng: np.random.Generator = field(init=False)
    observed: float = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed[0], crc32(self.seed[1].encode("utf-8", "surrogatepass"))])
        self.observed = float(self._distances(self.before[None, :])[0])

    @property
    def limit(self) -> bool:
        """Whether the table is too large to permute."""
        return int(self.before.sum() + self.after.sum()) >= LARGEST_TOTAL

    @property
    def trivial(self) -> bool:
        """Whether every permutation gives the same counts."""
        return self.before.size < 2

    @property
    def p_value(self) -> float:
        """The p-value of the draws so far."""
        if self.trivial:
            return 1.0
        return self._limit_p_value() if self.limit else (1 + self.exceeding) / (1 + self.draws)

    def bounds(self) -> tuple[float, float]:
        """Between which values the p-value of all permutations lies, almost surely (Clopper and Pearson)."""
        if self.trivial or self.limit:
            return self.p_value, self.p_value
        k, n, tail = self.exceeding, self.draws, (1 - _SURE) / 2
        low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
        high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
        return low, high

    def draw(self, number: int) -> None:
        """Add permutations until there are `number` of them, or as many as the time for one column allows."""
        if self.trivial or self.limit:
            return
        pooled, n = self.before + self.after, int(self.before.sum())
        # a distance that differs from the observed one by rounding alone is a tie, and ties count
        reached = self.observed * (1 - 1e-10) - 1e-15
        wanted = number if self.draws == 0 else min(number, _MOST_CELLS // pooled.size)
        while self.draws < wanted:
            size = min(wanted - self.draws, max(1, _BLOCK // pooled.size))
            drawn = self.rng.multivariate_hypergeometric(pooled, n, size=size, method="marginals")
            self.exceeding += int((self._distances(drawn) >= reached).sum())
            self.draws += size

    def _distances(self, before: Counts) -> NDArray[np.float64]:
        after = (self.before + self.after) - before
        p, q = before / self.before.sum(), after / self.after.sum()
        return np.asarray(self.measure(p, q, validate=False))

    def _limit_p_value(self) -> float:
        smooth = self.measure if self.measure.curvature_at_one else js
        n, m = int(self.before.sum()), int(self.after.sum())
        found = float(smooth(self.before, self.after, counts=True))
        chi_square = 2.0 * found / (smooth.curvature_at_one or 1.0) / (1.0 / n + 1.0 / m)
        # a probability too small for a float is still not 0
        return max(float(chdtrc(self.before.size - 1, chi_square)), math.ulp(0.0))


def decide(
    tests: Sequence[PermutationTest],
    matters: Sequence[bool],
    *,
    adjust: Adjustment,
    alpha: float,
    draws: int,
    on_column: Callable[[int], None] = lambda _: None,
) -> None:
    """Draw for every test; then ten and a hundred times as often where that can still turn a decision that matters.

    A column is settled when its q-value is on one side of α both at the lower and at the upper bounds of all p-values.
    """
    for done, test in enumerate(tests):
        test.draw(draws)
        on_column(done + 1)
    for more in (10, 100):
        bounds = [test.bounds() for test in tests]
        q_low, q_high = (adjust([pair[side] for pair in bounds]) for side in (0, 1))
        for test, low, high, open_ in zip(tests, q_low, q_high, matters, strict=True):
            if open_ and low <= alpha < high:
                test.draw((draws + 1) * more - 1)
