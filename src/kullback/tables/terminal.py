"""A report for the terminal: the verdict first, a line for each column, and what changed below those that matter."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence

from kullback.tables import summary
from kullback.tables.report import Column, Report, Verdict
from kullback.wording import amount, cells, chance, count, fit, label, several, share, visible

Line = list[tuple[str, str]]  # pieces of text, each with the name of its style

STYLES = {Verdict.DRIFT: "bold red", Verdict.CANT_TELL: "yellow", Verdict.SAME: "green"}
QUIET = "dim"
_BLOCKS = " ▁▂▃▄▅▆▇█"
_SPARK = 8
_MOST_COLUMNS, _MOST_SKIPPED = 40, 10
_NAME = (6, 24)  # narrowest and widest column of names
_NUMBER_THEN_UNIT = re.compile(r"(?<=\d) (?=\d{3}\b|%|rows?\b|columns?\b)")


def lines(report: Report, width: int) -> Iterator[Line]:
    """The report in lines of at most `width` cells, each a list of pieces with their style."""
    yield from _opening(report, width)
    columns = report.columns[:_MOST_COLUMNS]
    if columns:
        layout = _Layout(columns, report, width)
        yield layout.header()
        for column in columns:
            yield layout.row(column)
            yield from _below(column, width)
    yield from _left_out(report.columns[_MOST_COLUMNS:], width)
    yield from _skipped(report, width)
    yield from _closing(report, width)


def plain(report: Report, width: int) -> str:
    """The same without colour."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines(report, width))


def _opening(report: Report, width: int) -> Iterator[Line]:
    worst = next(
        (v for v in (Verdict.DRIFT, Verdict.CANT_TELL) if summary.number_of(report, v)), Verdict.SAME
    )
    yield from _wrapped(summary.headline(report), width, f"bold {STYLES[worst]}")
    yield from _wrapped(f"before  {summary.side(report.before)}", width, hanging=8)
    yield from _wrapped(f"after   {summary.side(report.after)}", width, hanging=8)
    yield []


class _Layout:
    """Widths of the fields: what does not fit is left away from the right, names are shortened last."""

    def __init__(self, columns: Sequence[Column], report: Report, width: int) -> None:
        self.effects = [summary.effect(column) for column in columns]
        self.effect_title = f"{summary.measured_in(report)} [{share(report.settings.level)}]"
        effect = max(map(len, [*self.effects, self.effect_title]))
        self.widths = {"verdict": 10, "effect": effect, "q": 7, "before": _SPARK, "after": _SPARK}
        while self._used() + _NAME[0] > width and len(self.widths) > 1:
            self.widths.popitem()
        longest = max(cells(label(column.name, _NAME[1])) for column in columns)
        self.name = max(min(longest, _NAME[1], width - self._used()), min(_NAME[0], width))

    def _used(self) -> int:
        return sum(2 + size for size in self.widths.values())

    def header(self) -> Line:
        titles = {
            "verdict": "verdict",
            "effect": self.effect_title,
            "q": "q",
            "before": "before",
            "after": "after",
        }
        fields = [fit(titles[key], size) for key, size in self.widths.items()]
        return [("  ".join([fit("column", self.name), *fields]).rstrip(), QUIET)]

    def row(self, column: Column) -> Line:
        marks = sparks(column)
        fields = {
            "verdict": column.verdict.value,
            "effect": summary.effect(column),
            "q": chance(column.q_value),
            "before": marks[0],
            "after": marks[1],
        }
        strong = "bold" if column.verdict is Verdict.DRIFT else ""
        line: Line = [(fit(label(column.name, self.name), self.name), strong)]
        for key, size in self.widths.items():
            line += [("  ", ""), (fit(fields[key], size), STYLES[column.verdict] if key == "verdict" else "")]
        text, style = line[-1]
        return [*line[:-1], (text.rstrip(), style)]


def _below(column: Column, width: int) -> Iterator[Line]:
    """Why a verdict matters: for a drifting column what changed, for an open one what would settle it."""
    said: list[str] = []
    if column.verdict is Verdict.DRIFT:
        said = [*summary.changed(column), summary.telling(column)]
    for sentence in filter(None, [*said, summary.need(column)]):
        yield from _wrapped("  " + sentence, width, QUIET, hanging=4)


def _left_out(columns: Sequence[Column], width: int) -> Iterator[Line]:
    if columns:
        kinds = [(verdict, sum(c.verdict is verdict for c in columns)) for verdict in Verdict]
        found = ", ".join(f"{count(number)} {verdict.value}" for verdict, number in kinds if number)
        yield from _wrapped(f"… and {several(len(columns), 'more column')} ({found})", width, QUIET)


def _skipped(report: Report, width: int) -> Iterator[Line]:
    if not report.skipped:
        return
    yield []
    yield from _wrapped(f"{several(len(report.skipped), 'column')} not compared:", width)
    for skipped in report.skipped[:_MOST_SKIPPED]:
        yield from _wrapped(
            f"  {label(skipped.name, 24)}: {visible(skipped.reason, 160)}", width, QUIET, hanging=4
        )
    if len(report.skipped) > _MOST_SKIPPED:
        yield from _wrapped(f"  … and {count(len(report.skipped) - _MOST_SKIPPED)} more", width, QUIET)


def _closing(report: Report, width: int) -> Iterator[Line]:
    yield []
    for note in report.notes:
        yield from _wrapped(f"note: {visible(note, 400)}", width, "yellow", hanging=6)
    yield from _wrapped(summary.rule(report), width, QUIET, hanging=8)
    chosen = report.settings
    corrected = f"q = p corrected over {several(len(report.columns), 'column')} ({chosen.adjust})"
    drawn = f"{count(chosen.permutations)} permutations, seed {chosen.seed}"
    yield from _wrapped(f"{corrected}; {drawn}; {amount(report.seconds, 2)} s", width, QUIET, hanging=4)


def sparks(column: Column) -> tuple[str, str]:
    """Both histograms on the same cells and the same scale, in as many block characters as a field holds."""
    merged = _merged(column)
    top = max((max(pair) for pair in merged), default=0.0)
    before, after = ("".join(_block(pair[i], top) for pair in merged) for i in (0, 1))
    return before, after


def _merged(column: Column) -> list[tuple[float, float]]:
    """Neighbours in one where there are too many; for categories the rarer ones go together at the end."""
    pairs = summary.shares(column)
    if len(pairs) <= _SPARK:
        return pairs
    if column.kind == "category":
        ranked = sorted(pairs, key=lambda pair: -(pair[0] + pair[1]))
        groups = [[pair] for pair in ranked[: _SPARK - 1]] + [ranked[_SPARK - 1 :]]
    else:
        ends = [i * len(pairs) // _SPARK for i in range(_SPARK + 1)]
        groups = [pairs[a:b] for a, b in itertools.pairwise(ends)]
    return [(sum(p[0] for p in group), sum(p[1] for p in group)) for group in groups]


def _block(value: float, top: float) -> str:
    """Empty only where nothing is: the rarest category still shows."""
    if value <= 0 or top <= 0:
        return _BLOCKS[0]
    return _BLOCKS[max(1, round(value / top * (len(_BLOCKS) - 1)))]


def _wrapped(text: str, width: int, style: str = "", hanging: int = 0) -> Iterator[Line]:
    """Lines of at most `width` cells; a number stays with its unit."""
    held = _NUMBER_THEN_UNIT.sub("\N{NO-BREAK SPACE}", text)
    for line in textwrap.wrap(held, width, subsequent_indent=" " * hanging, replace_whitespace=False) or [""]:
        line = line.replace("\N{NO-BREAK SPACE}", " ")
        yield [(fit(line, width).rstrip() if cells(line) > width else line, style)]
