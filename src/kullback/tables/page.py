"""A report as one page of HTML that needs nothing else: no script, no font, no picture, no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from kullback.errors import MissingDependencyError
from kullback.tables import drawing, method, summary
from kullback.tables.report import Column, Report, Table, Verdict
from kullback.wording import amount, chance, count, file_name, label, several, share, visible, with_unit

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_CARDS = 60
_MOST_CELLS = 24
_MOST_SKIPPED = 500


@dataclass(frozen=True)
class Badge:
    """How a verdict looks: a colour, a sign for those who do not see the colour, and the word."""

    css: str
    sign: str
    text: str


_BADGES = {
    Verdict.DRIFT: Badge("drift", "◆", "drift"),
    Verdict.CANT_TELL: Badge("open", "?", "can't tell"),
    Verdict.SAME: Badge("same", "○", "same"),
}


def render(report: Report) -> str:
    """The page; the same report gives the same bytes."""
    return _environment().get_template("report.html.j2").render(page=_page(report))


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingDependencyError(
            "HTML reports need jinja2; install it with: pip install 'kullback[tables]'"
        ) from error
    found = Environment(
        loader=PackageLoader("kullback.tables"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"coordinate": _coordinate, "outline": _outline}
    return found


def _coordinate(value: float) -> str:
    """A tenth of a unit is finer than any screen; the page stays small."""
    return f"{value:.1f}".removesuffix(".0")


def _outline(box: drawing.Box) -> str:
    """A rectangle as part of a path, which takes a third of the bytes of an element; nothing where none would show."""
    x, y, width, height = (_coordinate(size) for size in (box.x, box.y, box.width, box.height))
    return "" if "0" in (width, height) else f"M{x} {y}h{width}v{height}h-{width}z"


def _page(report: Report) -> dict[str, Any]:
    scale = drawing.scale_of(report)
    drawn = report.columns[:_MOST_CARDS]
    settings = report.settings
    return {
        "headline": _sentence(summary.headline(report)),
        "worst": _BADGES[report.verdict],
        "before": _side(report.before),
        "after": _side(report.after),
        "notes": [visible(note, 400) for note in report.notes],
        "rule": _rule(report),
        "effect_title": f"{summary.measured_in(report)} [{share(settings.level)}]",
        "ticks": scale.ticks(),
        "least": scale.place(settings.min_effect),
        "rows": [_row(column, scale, i < len(drawn), i) for i, column in enumerate(report.columns)],
        "cards": [_card(column, i) for i, column in enumerate(drawn)],
        "undrawn": _undrawn(len(report.columns) - len(drawn)),
        "skipped": [(label(x.name), visible(x.reason, 200)) for x in report.skipped[:_MOST_SKIPPED]],
        "method": method.steps(report),
        "settings": method.settings(report),
    }


def _sentence(text: str) -> str:
    """A headline of the terminal, which shouts, in the tone of a page."""
    first, _, rest = text.partition(" ")
    if first.isupper() and first not in ("CAN'T",):
        return f"{first.capitalize()} {rest}"
    return text.replace("CAN'T TELL", "Can't tell") if first == "CAN'T" else text[:1].upper() + text[1:]


def _rule(report: Report) -> str:
    chosen = report.settings
    return (
        f"Drift: beyond chance (q ≤ {amount(chosen.alpha)}), and the whole {share(chosen.level)} interval on or right "
        "of the dashed line, the smallest difference that counts "
        f"({summary.least(report)}). Same: the whole interval left of it. "
        "Otherwise there are too few rows to tell."
    )


def _undrawn(number: int) -> str:
    return (
        f"{several(number, 'more column')} without drawings here; their numbers are in the JSON."
        if number
        else ""
    )


def _side(table: Table) -> dict[str, str]:
    size = f"{several(table.rows, 'row')} × {several(table.columns, 'column')}"
    return {"name": file_name(table.name), "size": size}


def _row(column: Column, scale: drawing.Scale, drawn: bool, index: int) -> dict[str, Any]:
    return {
        "id": f"c{index}" if drawn else "",
        "name": label(column.name),
        "verdict": _BADGES[column.verdict],
        "dot": drawing.dot(column, scale),
        "effect": summary.effect(column),
        "q": chance(column.q_value),
    }


def _card(column: Column, index: int) -> dict[str, Any]:
    open_ = column.verdict is Verdict.CANT_TELL
    said = (
        [summary.need(column), summary.categories(column, most=8)]
        if open_
        else summary.changed(column, most=8)
    )
    figure = _environment().get_template("histogram.svg.j2").render(drawing=drawing.histogram(column))
    foremost = summary.foremost(column) if column.verdict is Verdict.DRIFT else []
    return {
        "id": f"c{index}",
        "name": label(column.name),
        "verdict": _BADGES[column.verdict],
        "sentences": [text[:1].upper() + text[1:] for text in said if text],
        "facts": _facts(column),
        "figure": _markup(figure),
        "folded": column.verdict is Verdict.SAME,
        "foremost": [(label(cell.label, 40), share(a), share(b), share(w)) for cell, a, b, w in foremost],
        "cells": _cells(column),
        "more_cells": count(max(len(column.cells) - _MOST_CELLS, 0))
        if len(column.cells) > _MOST_CELLS
        else "",
        "notes": [visible(note, 400) for note in column.notes],
    }


def _markup(rendered: str) -> Any:
    """What the autoescaping environment has rendered already, not to be escaped twice."""
    from markupsafe import Markup

    return Markup(rendered)


def _facts(column: Column) -> list[tuple[str, str]]:
    answer = column.divergence
    missing = [_share_of(column.missing_before, column.before), _share_of(column.missing_after, column.after)]
    return [
        ("difference", with_unit(summary.effect(column), answer.unit)),
        ("p, and q over all columns", f"{chance(column.p_value)}, {chance(column.q_value)}"),
        (
            "best guess of the table from one value",
            f"{share(min(max(column.accuracy.value, 0.5), 1.0))} right",
        ),
        ("smallest difference these rows show", with_unit(amount(column.detectable, 2), answer.unit)),
        ("rows", f"{count(column.before)} → {count(column.after)}"),
        ("missing", " → ".join(missing)),
    ]


def _share_of(part: int, whole: int) -> str:
    return share(part / whole) if whole else "–"


def _cells(column: Column) -> list[dict[str, Any]]:
    """The cells that contribute most, in their order."""
    rows = list(zip(column.cells, summary.shares(column), summary.weights(column), strict=True))
    kept = sorted(sorted(range(len(rows)), key=lambda i: -rows[i][2])[:_MOST_CELLS])
    return [
        {
            "name": label(cell.label, 60),
            "numbers": (
                count(cell.before),
                count(cell.after),
                share(p),
                share(q),
                amount(cell.contribution, 2),
            ),
        }
        for cell, (p, q), _ in (rows[i] for i in kept)
    ]
