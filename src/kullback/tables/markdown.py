"""A report as a table in the markdown of GitHub, to be put under a pull request."""

from __future__ import annotations

import html
import re

from kullback.tables import summary
from kullback.tables.report import Column, Report, Verdict
from kullback.wording import chance, label, several, share, spreadsheet_safe, visible

_SIGNS = {Verdict.DRIFT: "🔴", Verdict.CANT_TELL: "🟡", Verdict.SAME: "🟢"}
_MOST = 200  # rows: a comment on a pull request holds 65 536 characters
# What markdown gives a meaning, and the addresses that GitHub links by itself; written as character references, which
# no renderer takes for markup.
_MEANT = re.compile(r"[\\`*_{}\[\]#+!|~@]|:(?=\S)|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> str:
    """The verdict, one row for each column, and what was not compared."""
    title = f"**{summary.headline(report)}**"
    tables = f"before {_safe(summary.side(report.before))}, after {_safe(summary.side(report.after))}"
    rows = [_row(column) for column in report.columns[:_MOST]]
    parts = [f"{title}\n\n{tables}"]
    if rows:
        parts.append("\n".join([_header(report), *rows]))
    if len(report.columns) > _MOST:
        parts.append(f"… and {several(len(report.columns) - _MOST, 'more column')}")
    if report.skipped:
        listed = "\n".join(
            f"- {_safe(label(x.name))}: {_safe(x.reason, 200)}" for x in report.skipped[:_MOST]
        )
        parts.append(f"{several(len(report.skipped), 'column')} not compared:\n\n{listed}")
    parts += [f"Note: {_safe(note, 400)}" for note in report.notes]
    parts.append(summary.rule(report))
    return "\n\n".join(parts) + "\n"


def _header(report: Report) -> str:
    effect = f"{_safe(summary.measured_in(report))} [{share(report.settings.level)}]"
    return f"| | column | verdict | {effect} | q | what changed |\n|---|---|---|---|---|---|"


def _row(column: Column) -> str:
    said = [
        visible(column.change, 200) if column.verdict is Verdict.DRIFT else "",
        summary.categories(column),
    ]
    changed = "; ".join(filter(None, [*said, summary.need(column)]))
    fields = (
        _SIGNS[column.verdict],
        _safe(label(column.name)),
        column.verdict.value,
        summary.effect(column),
        chance(column.q_value),
        _safe(changed, 400),
    )
    return f"| {' | '.join(fields)} |"


def _safe(text: str, limit: int = 80) -> str:
    """Data as text and nothing else: not HTML, not markup, not a mention, not a formula where it is pasted."""
    shown = html.escape(spreadsheet_safe(visible(text, limit)), quote=False)
    return _MEANT.sub(lambda found: f"&#{ord(found.group())};", shown)
