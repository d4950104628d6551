"""The static pages: an index that can be filtered, and a page a paper."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kullback as kb
from gallery.entry import Entry
from gallery.record import Record

_HERE = Path(__file__).parent
_NOT_RUN = "not run"


def write(folder: Path, found: Iterable[tuple[Entry, Record | None]]) -> None:
    """Write `index.html`, one page an entry and the style sheet into `folder`; needs Jinja2, Pygments, latex2mathml."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
    environment.filters["paragraphs"] = paragraphs
    pages = [_page(entry, record) for entry, record in found]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("style.css", "filter.js"):
        shutil.copy(_HERE / name, folder / name)
    options = {
        "areas": sorted({page["entry"].area for page in pages}),
        "divergences": sorted({name for page in pages for name in page["entry"].divergences}),
        "statuses": sorted({page["status"] for page in pages}),
    }
    index = environment.get_template("index.html").render(pages=pages, **options)
    (folder / "index.html").write_text(index, encoding="utf-8")
    template = environment.get_template("entry.html")
    for page in pages:
        (folder / f"{page['entry'].key}.html").write_text(template.render(**page), encoding="utf-8")


def _page(entry: Entry, record: Record | None) -> dict[str, Any]:
    from markupsafe import Markup

    return {
        "entry": entry,
        "record": record,
        "status": record.status if record else _NOT_RUN,
        "figure": Markup(record.figure) if record else "",
        "formulas": [(name, Markup(formula(name))) for name in entry.divergences],
        "code": Markup(_coloured(entry.path.read_text(encoding="utf-8"))),
    }


def formula(name: str) -> str:
    """What the library's catalogue says that a divergence is, as MathML: its generator where it has one."""
    from latex2mathml.converter import convert

    noun = kb.catalogue().find(name)
    return convert(rf"f(t) = {noun.formula}" if isinstance(noun, kb.FDivergence) else noun.formula)


def paragraphs(text: str) -> Any:
    """Plain text with blank lines between paragraphs and `names` in backquotes, as HTML."""
    from markupsafe import Markup

    blocks = re.split(r"\n\s*\n", html.escape(text, quote=False).strip())
    marked = [re.sub(r"`([^`]+)`", r"<code>\1</code>", block) for block in blocks]
    return Markup("".join(f"<p>{block}</p>" for block in marked))


def _coloured(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
