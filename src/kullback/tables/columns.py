"""One column of two profiles: everything that the report says about it, put together."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.divergences import FDivergence
from kullback.tables import phrases, statistics
from kullback.tables.cells import MISSING, Cells, Key
from kullback.tables.permutation import PermutationTest, statistic_for
from kullback.tables.profile import Profile
from kullback.tables.report import Cell, Column, Settings, Verdict
from kullback.tables.variation import best_accuracy
from kullback.tables.verdict import detectable, judge, rows_needed

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """The counts of one column in both tables, on the cells that have rows in either, in the order of the report."""

    name: str
    cells: Cells
    keys: tuple[Key, ...]
    before: Counts
    after: Counts

    @classmethod
    def of(cls, name: str, before: Profile, after: Profile) -> Pair:
        """The pair of one column of two profiles on the same cells."""
        cells = before.cells[name]
        pooled = Counter(before.counts[name]) + Counter(after.counts[name])
        keys = tuple(cells.order(pooled))
        counts = [
            np.array([profile.counts[name].get(key, 0) for key in keys], dtype=np.int64)
            for profile in (before, after)
        ]
        return cls(name, cells, keys, *counts)

    @property
    def has_values(self) -> bool:
        """Whether a single row of either table holds a value."""
        return any(key is not MISSING for key in self.keys)

    def missing(self, counts: Counts) -> int:
        """How many rows lack a value."""
        return int(counts[self.keys.index(MISSING)]) if MISSING in self.keys else 0

    def categories(self, having: Counts, lacking: Counts) -> tuple[str, ...]:
        """The categories by name that one table has and the other lacks, the largest first."""
        found = [
            i for i, key in enumerate(self.keys) if isinstance(key, str) and having[i] and not lacking[i]
        ]
        return tuple(str(self.keys[i]) for i in sorted(found, key=lambda i: (-having[i], str(self.keys[i]))))

    def test(self, measure: FDivergence, seed: int) -> PermutationTest:
        """The permutation test of this column; its draws depend on its name and the seed, not on other columns."""
        return PermutationTest(statistic_for(measure), self.before, self.after, (seed, self.name))


@dataclass(frozen=True)
class Measured:
    """A column with its divergence, before the p-values of the other columns are known."""

    pair: Pair
    divergence: Answer
    test: PermutationTest

    @classmethod
    def of(cls, pair: Pair, measure: FDivergence, settings: Settings) -> Measured:
        """Estimate the divergence of a pair and prepare its test."""
        divergence = statistics.estimate(measure, pair.before, pair.after, settings.level)
        return cls(pair, divergence, pair.test(measure, settings.seed))

    def column(self, measure: FDivergence, q_value: float, settings: Settings) -> Column:
        """The report's column."""
        pair, a, b = self.pair, self.pair.before, self.pair.after
        found = judge(self.divergence, q_value, alpha=settings.alpha, min_effect=settings.min_effect)
        contributions = measure.terms(a, b, counts=True).tolist()
        return Column(
            name=pair.name,
            kind=pair.cells.kind,
            before=int(a.sum()),
            after=int(b.sum()),
            missing_before=pair.missing(a),
            missing_after=pair.missing(b),
            cells=tuple(
                Cell(pair.cells.name(key), int(x), int(y), contribution)
                for key, x, y, contribution in zip(pair.keys, a, b, contributions, strict=True)
            ),
            divergence=self.divergence,
            plugin=statistics.plugin(measure, a, b),
            p_value=self.test.p_value,
            q_value=q_value,
            accuracy=best_accuracy(a, b, settings.level),
            detectable=detectable(measure, a, b, alpha=settings.alpha),
            verdict=found,
            rows_needed=self._rows_needed(measure, settings) if found is Verdict.CANT_TELL else None,
            new=pair.categories(b, a),
            gone=pair.categories(a, b),
            change=phrases.change(pair, contributions),
            notes=phrases.notes(self, measure, q_value, settings),
        )

    def _rows_needed(self, measure: FDivergence, settings: Settings) -> int | None:
        return rows_needed(
            measure,
            self.pair.before,
            self.pair.after,
            self.divergence,
            alpha=settings.alpha,
            min_effect=settings.min_effect,
        )


def rank(column: Column) -> tuple[int, float]:
    """Where a column stands in the report: by verdict, then by divergence, the largest first."""
    order = (Verdict.DRIFT, Verdict.CANT_TELL, Verdict.SAME)
    value = column.divergence.value
    return order.index(column.verdict), -value if math.isfinite(value) else -math.inf
