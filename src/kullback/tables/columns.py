"""One column of two profiles: everything that the report says about it, put together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.divergences import FDivergence, total_variation
from kullback.estimators.counts import statistics
from kullback.tables import phrases
from kullback.tables.cells import MISSING, CategoryCells, Cells, Key, Other
from kullback.tables.permutation import PermutationTest, statistic_for
from kullback.tables.plan import cells_for
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
    finer: tuple[Counts, Counts] | None = None  # the counts of every category, where the cells share out some

    @classmethod
    def of(cls, name: str, before: Profile, after: Profile, *, max_categories: int) -> Pair:
        """The pair of one column of two profiles on the same cells, with so many categories in cells of their own."""
        cells, counts = before.cells[name], (before.counts[name], after.counts[name])
        keys, a, b = _aligned(cells, *counts)
        categories = sum(isinstance(key, str) for key in keys)
        if not isinstance(cells, CategoryCells) or cells.named is not None or categories <= max_categories:
            return cls(name, cells, keys, a, b)
        pooled = {key: counts[0][key] + counts[1][key] for key in keys if isinstance(key, str)}
        folded = cells.closed_on_largest(pooled, max_categories)
        few = _aligned(folded, _folded(counts[0], folded), _folded(counts[1], folded))
        return cls(name, folded, *few, finer=(a, b))

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

    def hidden(self, measure: FDivergence) -> float:
        """How much divergence the cells that categories share can hide at most: 0 where there are none.

        Of categories that were counted, what they add to the plug-in value, which is too large on average; of others
        the general bound: Σ q f(p/q) over any cells is at most f(0) q + f°(0) p there.
        """
        if self.finer is not None:
            shown = statistics.plugin(measure, self.before, self.after)
            whole = statistics.plugin(measure, *self.finer)
            return whole - shown if math.isfinite(shown) else 0.0
        before, after = self.shared
        return (measure.at_zero * after if after else 0.0) + (measure.at_infinity * before if before else 0.0)

    @property
    def shared(self) -> tuple[float, float]:
        """The shares of the rows before and after whose category has no cell of its own."""
        others = np.array([isinstance(key, Other) for key in self.keys])
        return float(self.before[others].sum() / self.before.sum()), float(
            self.after[others].sum() / self.after.sum()
        )

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
        hidden = pair.hidden(measure)
        divergence = statistics.estimate(measure, pair.before, pair.after, settings.level, hidden=hidden)
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
            accuracy=best_accuracy(a, b, settings.level, hidden=pair.hidden(total_variation)),
            detectable=detectable(measure, a, b, alpha=settings.alpha),
            verdict=found,
            rows_needed=self._rows_needed(measure, settings) if found is Verdict.CANT_TELL else None,
            new=pair.categories(b, a),
            gone=pair.categories(a, b),
            change=phrases.change(pair, contributions),
            notes=phrases.notes(self, measure, q_value, settings),
        )

    def _rows_needed(self, measure: FDivergence, settings: Settings) -> int | None:
        a, b = self.pair.before, self.pair.after
        if self.divergence.value < settings.min_effect <= self.pair.hidden(measure):
            return None  # what the shared cells hide does not shrink with the number of rows
        # longer tables are cut into more cells, where so few rows were what limited their number
        cut_short = a.size >= cells_for(settings.bins, (int(a.sum()), int(b.sum()))) < settings.bins
        return rows_needed(
            measure,
            a,
            b,
            self.divergence,
            alpha=settings.alpha,
            min_effect=settings.min_effect,
            cells=settings.bins if cut_short and self.pair.cells.kind in ("number", "date") else a.size,
        )


def _aligned(
    cells: Cells, before: Mapping[Key, int], after: Mapping[Key, int]
) -> tuple[tuple[Key, ...], Counts, Counts]:
    keys = tuple(cells.order(Counter(before) + Counter(after)))
    a, b = (np.array([counts.get(key, 0) for key in keys], dtype=np.int64) for counts in (before, after))
    return keys, a, b


def _folded(counts: Mapping[Key, int], cells: CategoryCells) -> Counter[Key]:
    folded: Counter[Key] = Counter()
    for key, rows in counts.items():
        folded[cells.key(key) if isinstance(key, str) else key] += rows
    return folded


def rank(column: Column) -> tuple[int, float]:
    """Where a column stands in the report: by verdict, then by divergence, the largest first."""
    order = (Verdict.DRIFT, Verdict.CANT_TELL, Verdict.SAME)
    value = column.divergence.value
    return order.index(column.verdict), -value if math.isfinite(value) else -math.inf
