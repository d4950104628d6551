"""The result of a screening: a ranked list, and a table for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback.answer import Answer
from kullback.estimators.screening.shared_null import ALPHA, enough_draws
from kullback.wording import amount, cells, chance, count, estimate, fit, label, several

_SHOWN = 40
_NAME = 24


@dataclass(frozen=True)
class Finding:
    r"""What one column tells of another: $I(X; Y)$ in nats with its interval, and its p- and q-value.

    `kinds` are those of the two columns; `answer.p_value` is that of independence, by permutation, and `q_value` the
    same after Benjamini and Hochberg's adjustment for all pairs; `least_p` is the smallest p-value that its
    permutations can show, and `trusted` whether the method stands by its number as far as it was asked. An
    `answer.value` of NaN was not measured; its note says why. Source: [cover2006].

    >>> import kullback as kb
    >>> found = kb.screen({"y": [0.0, 1.0] * 30, "same": ["a", "b"] * 30}, target="y")[0]
    >>> found.column, found.kinds, found.measured
    ('same', ('discrete', 'discrete'), True)
    """

    column: str
    target: str
    kinds: tuple[str, str]
    answer: Answer
    q_value: float | None = None
    least_p: float | None = None
    trusted: bool = True

    @property
    def measured(self) -> bool:
        """Whether there is a number."""
        return not math.isnan(self.answer.value)


@dataclass(frozen=True)
class Screening(Sequence[Finding]):
    r"""Findings by falling mutual information: a sequence, a table in print, and columns for a dataframe.

    Those that neither an interval nor a small p-value stands behind, at most 1 − level or the least that there can be,
    come after those that have one of them; those that were not measured come last. Without p-values two columns of
    numbers keep their place, because they lack an interval mostly where they tell more than so few rows can measure.
    `rejected(alpha)` are the findings with $q \le \alpha$: of them a share α are false on average (for independent or
    positively dependent p-values). Source: [benjamini1995].

    >>> import kullback as kb
    >>> table = {"y": [0.0, 1.0] * 30, "same": ["a", "b"] * 30, "other": ["u", "u", "v", "v"] * 15}
    >>> [(f.column, round(f.answer.bits.value, 1)) for f in kb.screen(table, target="y")]
    [('same', 1.0), ('other', -0.0)]
    """

    findings: tuple[Finding, ...]

    @classmethod
    def ranked(cls, findings: Sequence[Finding]) -> Screening:
        """The findings in order, with q-values."""
        tested = [i for i, f in enumerate(findings) if f.answer.p_value is not None and f.measured]
        found = list(findings)
        if tested:
            from scipy.stats import (
                false_discovery_control,
            )  # scipy.stats takes longer to load than all else here

            p = np.array([found[i].answer.p_value for i in tested], dtype=float)
            for i, q in zip(tested, false_discovery_control(p), strict=True):
                found[i] = replace(found[i], q_value=float(q))
        return cls(tuple(sorted(found, key=_rank)))

    def rejected(self, *, alpha: float = 0.05) -> tuple[Finding, ...]:
        """The findings whose q-value is at most alpha."""
        return tuple(f for f in self.findings if f.q_value is not None and f.q_value <= alpha)

    def columns(self) -> dict[str, list[Any]]:
        """The findings by field, as dataframe libraries take them: `polars.DataFrame(screening.columns())`."""
        fields = ("value", "low", "high", "standard_error", "p_value", "n", "method")
        columns: dict[str, list[Any]] = {
            "column": [f.column for f in self],
            "target": [f.target for f in self],
        }
        for field in fields:
            columns[field] = [getattr(f.answer, field) for f in self]
        columns["q_value"] = [f.q_value for f in self]
        columns["notes"] = ["; ".join(f.answer.notes) for f in self]
        return columns

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, index: Any) -> Any:
        return self.findings[index]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        """The first forty in a table of 80 columns."""
        if not self.findings:
            return "no pair of columns"
        several_targets = len({f.target for f in self}) > 1
        rows = [_row(f, several_targets) for f in self.findings[:_SHOWN]]
        level = next((f.answer.level for f in self if _has_interval(f)), None)
        sure = "nats" if level is None else f"nats [{100 * level:.4g} % interval]"
        header = ("columns" if several_targets else "column", "rows", sure, "p", "q")
        widths = [max(cells(row[i]) for row in (header, *rows)) for i in range(len(header))]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in (header, *rows)]
        left = len(self.findings) - _SHOWN
        if left > 0:
            lines.append(f"… and {several(left, 'pair')} more")
        unmeasured = sum(not f.measured for f in self)
        if unmeasured:
            lines.append(f"{several(unmeasured, 'pair')} not measured; their notes say why")
        return "\n".join([*lines, *self._too_few_draws()])

    def _too_few_draws(self) -> list[str]:
        """A line where pairs lie beyond every permutation and cannot be told from chance in so wide a table."""
        tested = sum(f.q_value is not None for f in self)
        beyond = sum(f.q_value is not None and f.q_value > ALPHA and _beyond_draws(f) for f in self)
        needed = f"permutations={enough_draws(tested)} would do"
        return [f"{several(beyond, 'pair')} beyond every draw, yet q > {ALPHA}: {needed}"] if beyond else []


def _rank(f: Finding) -> tuple[bool, bool, bool, float]:
    vouched = _vouched(f)
    return (not f.measured, not vouched, not (vouched or f.trusted), -f.answer.value if f.measured else 0.0)


def _vouched(f: Finding) -> bool:
    if f.answer.p_value is not None:
        return _has_interval(f) or _improbable(f)
    return f.trusted or f.kinds == ("continuous", "continuous")


def _has_interval(f: Finding) -> bool:
    """An exact zero of a constant has none."""
    ends = (f.answer.low, f.answer.high)
    return f.measured and f.answer.level < 1 and any(map(math.isfinite, ends))


def _improbable(f: Finding) -> bool:
    p = f.answer.p_value
    return p is not None and (p <= 1 - f.answer.level or _beyond_draws(f))


def _beyond_draws(f: Finding) -> bool:
    return f.least_p is not None and f.answer.p_value == f.least_p


def _row(f: Finding, both: bool) -> tuple[str, str, str, str, str]:
    width = _NAME // 2 if both else _NAME
    name = ", ".join(
        fit(label(c, width), width).rstrip() for c in ((f.column, f.target) if both else (f.column,))
    )
    p = f.answer.p_value
    shown = _shown(f.answer) if f.measured else "not measured"
    rows = count(f.answer.n) if f.answer.n is not None else ""
    return (
        name,
        rows,
        shown,
        "" if p is None else chance(p),
        "" if f.q_value is None else chance(f.q_value),
    )


def _shown(answer: Answer) -> str:
    bare = math.isinf(answer.low) and math.isinf(answer.high)
    return f"{amount(answer.value)} (no interval)" if bare else estimate(answer)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        fit(cell, width) if i in (0, 2) else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
