"""The verb: two tables in, a report out. It reads, counts, measures, tests and judges, each by its own file."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kullback.divergences import FDivergence, js
from kullback.errors import DTypeError, InvalidInputError
from kullback.estimators.counts.statistics import check_smooth
from kullback.progress import Progress, silent
from kullback.tables import adjust as adjustments
from kullback.tables.adjust import Adjustment, benjamini_hochberg
from kullback.tables.columns import Measured, Pair, rank
from kullback.tables.permutation import decide, statistic_for
from kullback.tables.plan import SAMPLE, make_plan
from kullback.tables.profile import Profile, counted
from kullback.tables.report import Report, Settings, Skipped, Table
from kullback.tables.sources import Source, open_source
from kullback.wording import count, visible


def compare(
    before: Any,
    after: Any,
    *,
    measure: FDivergence = js,
    bins: int = 20,
    alpha: float = 0.05,
    level: float = 0.95,
    min_effect: float = 0.01 * math.log(2.0),
    adjust: Adjustment = benjamini_hochberg,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    permutations: int = 999,
    max_categories: int = 1000,
    seed: int = 0,
    progress: Progress = silent,
) -> Report:
    r"""Compare two tables column by column: what differs, how much, and how surely.

    $$D_f(\text{before} \,\|\, \text{after}) = \sum_{\text{cells}} q\, f(p / q), \qquad
      p = \text{shares before},\ q = \text{shares after}$$

    `before` and `after` are polars (eager or lazy), pandas or pyarrow tables, paths of files, or profiles on the same
    cells. Each column is cut into cells as `cut` says, both tables are counted on them, and all else follows from the
    counts: `measure` without its bias and with a `level` interval, an exact permutation p-value (`permutations` draws,
    up to a hundred times as many where a verdict hangs on it), `adjust` over the columns, and a verdict. `min_effect`
    is the smallest divergence that matters, in its unit (by default 0.01 bit, 0.00693): a column drifts if q ≤ `alpha`
    and the interval lies above it, is the same if the interval lies below it, and else there are too few rows to tell.
    Missing values are a cell like any other. A column that cannot be compared is listed with the reason.

    Rows count as independent: repeated rows of one person, or rows in time, make intervals and p-values too sure.

    Raises `InvalidInputError` for settings out of range, unknown names in `columns` or `exclude`, duplicate column
    names, tables without rows, or profiles on different cells; `DTypeError` for what is not a table;
    `UnsupportedPairError` for a measure with a kink at equality other than total variation. Source: [lin1991],
    [phipson2010], [benjamini1995].

    >>> import polars as pl
    >>> before = pl.DataFrame({"plan": ["free"] * 500 + ["paid"] * 500})
    >>> after = pl.DataFrame({"plan": ["free"] * 800 + ["paid"] * 200})
    >>> plan = compare(before, after)["plan"]
    >>> plan.verdict.value, round(plan.plugin, 4), plan.p_value
    ('drift', 0.0507, 0.001)
    """
    began = time.perf_counter()
    settings = _settings(measure, bins, alpha, level, min_effect, adjust, permutations, seed)
    if isinstance(max_categories, bool) or not isinstance(max_categories, int) or max_categories < 1:
        raise InvalidInputError(f"`max_categories` is {max_categories!r}; expected a whole number, 1 or more")
    counted_tables = _count(before, after, settings, max_categories, columns, exclude, progress)
    report = _measure(counted_tables, measure, adjust, settings, max_categories, progress)
    return replace(report, seconds=time.perf_counter() - began)


@dataclass(frozen=True)
class _Counted:
    """Two tables after their rows have been read: from here on nothing sees a row."""

    tables: tuple[Table, Table]
    profiles: tuple[Profile, Profile]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()


def _count(
    before: Any,
    after: Any,
    settings: Settings,
    max_categories: int,
    columns: Sequence[str] | None,
    exclude: Sequence[str],
    progress: Progress,
) -> _Counted:
    if isinstance(before, Profile) or isinstance(after, Profile):
        return _from_profiles(before, after, columns, exclude)
    sources = (open_source(before, "before"), open_source(after, "after"))
    return _from_sources(sources, settings, max_categories, columns, exclude, progress)


def _from_sources(
    sources: tuple[Source, Source],
    settings: Settings,
    max_categories: int,
    columns: Sequence[str] | None,
    exclude: Sequence[str],
    progress: Progress,
) -> _Counted:
    plan = make_plan(
        sources,
        bins=settings.bins,
        max_categories=max_categories,
        seed=settings.seed,
        columns=columns,
        exclude=exclude,
        on_batch=lambda rows: progress("looking at the rows", rows, 0),
    )
    total = sum(plan.rows)
    first = counted(sources[0], plan.cells, lambda rows: progress("counting rows", rows, total))
    second = counted(sources[1], plan.cells, lambda rows: progress("counting rows", first.rows + rows, total))
    tables = [
        Table(source.name, rows, len(source.kinds)) for source, rows in zip(sources, plan.rows, strict=True)
    ]
    notes = (
        f"cells were cut in a sample of {count(SAMPLE)} of the {count(total)} rows (seed {settings.seed}); "
        "all rows were counted"
    )
    return _Counted((tables[0], tables[1]), (first, second), plan.skipped, (notes,) if total > SAMPLE else ())


def _from_profiles(
    before: Any, after: Any, columns: Sequence[str] | None, exclude: Sequence[str]
) -> _Counted:
    if not (isinstance(before, Profile) and isinstance(after, Profile)):
        role, other = ("after", after) if isinstance(before, Profile) else ("before", before)
        raise DTypeError(
            f"`{role}` is a {type(other).__name__}, the other table a Profile; count both on the same cells, "
            "Profile.of(table, profile.cells)"
        )
    if before.cells != after.cells:
        raise InvalidInputError(
            "the two profiles have different cells; count both tables on the cells of one `cut`"
        )
    for role, profile in (("before", before), ("after", after)):
        if profile.rows == 0:
            raise InvalidInputError(f"{role} has no rows; both tables need at least one")
    unknown = [visible(name) for name in (*(columns or ()), *exclude) if name not in before.cells]
    if unknown:
        raise InvalidInputError(f"the profiles have no column {', '.join(unknown[:5])}")
    kept = [name for name in before.cells if (columns is None or name in columns) and name not in exclude]
    chosen = [
        Profile(p.rows, {name: p.cells[name] for name in kept}, {name: p.counts[name] for name in kept})
        for p in (before, after)
    ]
    tables = Table("before", before.rows, len(before.cells)), Table("after", after.rows, len(after.cells))
    return _Counted(tables, (chosen[0], chosen[1]), ())


def _measure(
    tables: _Counted,
    measure: FDivergence,
    adjust: Adjustment,
    settings: Settings,
    max_categories: int,
    progress: Progress,
) -> Report:
    first, second = tables.profiles
    pairs = [Pair.of(name, first, second, max_categories=max_categories) for name in first.cells]
    empty = tuple(
        Skipped(pair.name, "every value is missing in both tables") for pair in pairs if not pair.has_values
    )
    measured = []
    for pair in pairs:
        progress("measuring columns", len(measured), len(pairs))
        if pair.has_values:
            measured.append(Measured.of(pair, measure, settings))
    tests = [one.test for one in measured]
    decide(
        tests,
        [one.divergence.low >= settings.min_effect for one in measured],
        adjust=adjust,
        alpha=settings.alpha,
        draws=settings.permutations,
        on_column=lambda done: progress("permuting columns", done, len(tests)),
    )
    q_values = adjust([test.p_value for test in tests])
    found = [one.column(measure, float(q), settings) for one, q in zip(measured, q_values, strict=True)]
    return Report(
        before=tables.tables[0],
        after=tables.tables[1],
        settings=settings,
        columns=tuple(sorted(found, key=rank)),
        skipped=tables.skipped + empty,
        seconds=0.0,
        notes=tables.notes + _on_p_values(measure),
    )


def _on_p_values(measure: FDivergence) -> tuple[str, ...]:
    statistic = statistic_for(measure)
    if statistic is measure:
        return ()
    return (
        f"p-values permute {statistic.name}: {measure.name} is infinite as soon as one table lacks a category",
    )


def _settings(
    measure: FDivergence,
    bins: int,
    alpha: float,
    level: float,
    min_effect: float,
    adjust: Adjustment,
    permutations: int,
    seed: int,
) -> Settings:
    if not isinstance(measure, FDivergence):
        raise DTypeError(f"`measure` is {measure!r:.60}; expected an f-divergence such as kullback.js")
    check_smooth(measure)
    if not callable(adjust):
        raise DTypeError(f"`adjust` is {adjust!r:.60}; expected a function such as benjamini_hochberg")
    for name, share in (("alpha", alpha), ("level", level)):
        if not 0.0 < share < 1.0:
            raise InvalidInputError(f"`{name}` is {share!r}; expected a number between 0 and 1")
    if not 0.0 < min_effect < math.inf:
        raise InvalidInputError(f"`min_effect` is {min_effect!r}; expected a positive, finite number")
    if min_effect > measure.upper_bound:
        raise InvalidInputError(
            f"`min_effect` is {min_effect:.4g}, but {measure.name} is never larger than {measure.upper_bound:.4g}"
        )
    for name, number, least in (("bins", bins, 2), ("permutations", permutations, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise InvalidInputError(f"`{name}` is {number!r}; expected a whole number, {least} or more")
    return Settings(
        measure=measure.name,
        unit=measure.unit,
        unit_limit=measure.upper_bound,
        level=level,
        alpha=alpha,
        min_effect=min_effect,
        adjust=adjustments.name_of(adjust),
        bins=bins,
        permutations=permutations,
        seed=seed,
    )
