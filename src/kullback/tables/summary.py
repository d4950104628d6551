"""What a report says in words: the same sentences on the terminal, the page and in markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kullback.tables.report import Cell, Column, Report, Table, Verdict
from kullback.wording import (
    amount,
    chance,
    count,
    estimate,
    file_name,
    label,
    several,
    share,
    visible,
    with_unit,
)

_ADJUSTED = {
    "bh": "Benjamini–Hochberg: of the columns called drifting, at most {alpha} are expected to be false alarms",
    "by": "Benjamini–Yekutieli: as Benjamini–Hochberg, under any dependence of the columns",
    "holm": "Holm: the chance of even one false alarm is at most {alpha}",
    "none": "none: each column on its own, so expect false alarms in {alpha} of the columns that are the same",
}


def headline(report: Report) -> str:
    """The verdict in one line.

    A page of columns that are the same says so; too few rows are never called the same.
    """
    total = several(len(report.columns), "column")
    found = {verdict: number_of(report, verdict) for verdict in Verdict}
    unsure = found[Verdict.CANT_TELL]
    if found[Verdict.DRIFT]:
        tail = f", can't tell for {count(unsure)}" if unsure else ""
        return f"DRIFT in {count(found[Verdict.DRIFT])} of {total}{tail}"
    if unsure:
        return f"CAN'T TELL for {count(unsure)} of {total}: too few rows; no drift in the others"
    if not report.columns:
        return "NOTHING TO COMPARE: no column could be compared"
    return f"SAME: no drift in {total}"


def number_of(report: Report, verdict: Verdict) -> int:
    """How many columns have this verdict."""
    return sum(column.verdict is verdict for column in report.columns)


def sides(report: Report) -> str:
    """Both tables with their sizes."""
    return f"before: {side(report.before)}   after: {side(report.after)}"


def side(table: Table) -> str:
    """One table with its size."""
    return f"{file_name(table.name, 48)}, {several(table.rows, 'row')} × {several(table.columns, 'column')}"


def rule(report: Report) -> str:
    """When a column counts as drifting, as the same, or as neither."""
    size = least(report)
    return (
        f"drift: q ≤ {amount(report.settings.alpha)} and the whole interval ≥ {size}; "
        f"same: the whole interval < {size}; else can't tell"
    )


def correction(report: Report) -> str:
    """What the correction over columns promises."""
    promise = _ADJUSTED.get(report.settings.adjust, report.settings.adjust)
    return promise.format(alpha=share(report.settings.alpha))


def measured_in(report: Report) -> str:
    """The measure with its unit, as a title."""
    return ", ".join(filter(None, (visible(report.settings.measure, 24), report.settings.unit)))


def least(report: Report) -> str:
    """The smallest difference that counts."""
    return with_unit(amount(report.settings.min_effect), report.settings.unit)


def effect(column: Column) -> str:
    """The divergence with its interval."""
    return estimate(column.divergence)


def changed(column: Column, most: int = 3) -> list[str]:
    """What changed, and the new and gone categories where that does not name them already."""
    said = visible(column.change, 200)
    named = len(column.new) + len(column.gone) == 1 and said.startswith(("new: ", "gone: "))
    return [text for text in (said, "" if named else categories(column, most)) if text]


def categories(column: Column, most: int = 3) -> str:
    """New and gone categories by name, the first few of each.

    An empty string where there are none.
    """
    found = (("new", column.new), ("gone", column.gone))
    return "; ".join(f"{what}: {_listed(names, most)}" for what, names in found if names)


def _listed(names: Sequence[str], most: int) -> str:
    shown = ", ".join(label(name, 32) for name in names[:most])
    return shown + (f" and {count(len(names) - most)} more" if len(names) > most else "")


def need(column: Column) -> str:
    """How many rows would settle an open verdict; an empty string where it is settled."""
    if column.verdict is not Verdict.CANT_TELL:
        return ""
    if column.rows_needed is None:
        return "can't tell: the estimate is too close to the smallest effect that counts"
    return f"can't tell: needs about {count(column.rows_needed)} rows per table"


def telling(column: Column) -> str:
    """The effect in a unit of daily life: how well one can guess the table from one value."""
    best = min(max(column.accuracy.value, 0.5), 1.0)
    return f"one value tells its table in {share(best)} of cases; 50 % is chance"


def shares(column: Column) -> list[tuple[float, float]]:
    """The shares of the rows that each cell holds, before and after."""
    totals = (sum(cell.before for cell in column.cells), sum(cell.after for cell in column.cells))
    return [(_part(cell.before, totals[0]), _part(cell.after, totals[1])) for cell in column.cells]


def _part(number: int, total: int) -> float:
    return number / total if total else 0.0


def weights(column: Column) -> list[float]:
    """Each cell's part of the divergence, from 0 to 1.

    Where a cell makes it infinite, such cells share the whole.
    """
    given = [cell.contribution for cell in column.cells]
    if any(math.isinf(x) for x in given):
        given = [1.0 if math.isinf(x) else 0.0 for x in given]
    total = math.fsum(given)
    return [x / total if total > 0 else 0.0 for x in given]


def foremost(column: Column, most: int = 3) -> list[tuple[Cell, float, float, float]]:
    """The cells that carry most of the divergence: cell, share before, share after, part of the divergence."""
    rows = zip(column.cells, shares(column), weights(column), strict=True)
    ranked = sorted(rows, key=lambda row: -row[2])
    return [(cell, before, after, weight) for cell, (before, after), weight in ranked[:most] if weight > 0]


def certainty(column: Column) -> str:
    """Both p-values."""
    return f"p {chance(column.p_value)}, q {chance(column.q_value)}"
