"""What makes a run fail: each gate asks one question of a report, and none changes a number of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import hypergeom

from kullback.divergences import FDivergence
from kullback.divergences.catalogue import catalogue
from kullback.errors import InvalidInputError
from kullback.tables.report import Column, Report, Verdict
from kullback.wording import count, label, visible

Gate = Callable[[Report], list[str]]


def drift(report: Report) -> list[str]:
    """Columns that drift."""
    return [column.name for column in report.drifted]


def new_category(report: Report) -> list[str]:
    """Columns with a category that the first table lacks."""
    return [column.name for column in report.columns if column.new]


def missing(report: Report) -> list[str]:
    """Columns with a larger share of missing values in the second table, beyond chance and large enough to count.

    Beyond chance: Fisher's exact test, one-sided, at alpha over the number of columns. Large enough: the divergence of
    missing and present as two cells reaches the smallest effect that counts.
    """
    return [column.name for column in report.columns if _more_missing(column, report)]


def schema(report: Report) -> list[str]:
    """Columns that only one table has, or whose type differs."""
    return [skipped.name for skipped in report.skipped if skipped.schema]


def inconclusive(report: Report) -> list[str]:
    """Columns with too few rows to tell."""
    return [column.name for column in report.columns if column.verdict is Verdict.CANT_TELL]


GATES: dict[str, Gate] = {
    "drift": drift,
    "new-category": new_category,
    "missing": missing,
    "schema": schema,
    "inconclusive": inconclusive,
}


def check_names(names: Sequence[str]) -> None:
    """Refuse a name that no gate has."""
    for name in names:
        if name not in GATES:
            raise InvalidInputError(f"no gate is called {visible(name, 40)!r}; there are {', '.join(GATES)}")


def hits(report: Report, names: Sequence[str]) -> list[str]:
    """One sentence for each gate that the report does not pass."""
    found = [(name, GATES[name](report)) for name in dict.fromkeys(names)]
    return [f"{name}: {_listed(columns)}" for name, columns in found if columns]


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(label(name, 32) for name in names[:most])
    return shown + (f" and {count(len(names) - most)} more" if len(names) > most else "")


def _more_missing(column: Column, report: Report) -> bool:
    a, n, b, m = column.missing_before, column.before, column.missing_after, column.after
    if not n or not m or b * n <= a * m:
        return False
    chance = float(hypergeom.sf(b - 1, n + m, a + b, m))
    measure = catalogue().find(report.settings.measure)
    assert isinstance(measure, FDivergence)
    size = float(measure(np.array([a, n - a]), np.array([b, m - b]), counts=True))
    return chance <= report.settings.alpha / len(report.columns) and size >= report.settings.min_effect
