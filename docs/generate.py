"""The MkDocs hook: pages of divergences, estimators and references from their catalogues; formulas as MathML."""

from __future__ import annotations

import html
import importlib
import inspect
import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

import bibliography
import closed_forms
import curve
import estimator_pages
import information_plane
import kullback as kb
import which_divergence
import which_estimator
from kullback import Divergence, FDivergence, Noun
from kullback.divergences.placed import Placed

PEERS = Path(__file__).parents[1] / "benchmarks" / "peer_numerics.md"
RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of p/q, where a page tabulates the members


@cache
def pages() -> dict[str, str]:
    """Path below docs -> Markdown, for everything that is not written by hand."""
    text = bibliography.BIBLIOGRAPHY.read_text(encoding="utf-8")
    keys = bibliography.keys()
    made = {"references.md": bibliography.page(text), "closed-forms.md": closed_forms.page()}
    made |= {
        f"divergences/{name}.md": bibliography.link_keys(page, keys, root="../")
        for name, page in divergences().items()
    }
    made |= {
        f"estimators/{name}.md": bibliography.link_keys(page, keys, root="../")
        for name, page in estimator_pages.pages().items()
    }
    return made


def divergences() -> dict[str, str]:
    """Page name -> Markdown: the overview, the f-divergences, their relatives, and what makes new ones."""
    made = {"index": overview()}
    made |= {name: divergence(name, members) for name, members in sorted(families().items())}
    made |= {name: relative(name, members) for name, members in sorted(relatives().items())}
    return made | {name: maker(name) for name in makers()}


def families() -> dict[str, tuple[FDivergence, ...]]:
    """Page name -> the f-divergences on it: one, or the catalogue's examples of a family with a parameter."""
    groups: dict[str, tuple[FDivergence, ...]] = {}
    for d in kb.catalogue():
        groups[stem(d)] = (*groups.get(stem(d), ()), d)
    return dict(sorted(groups.items()))


def relatives() -> dict[str, tuple[Noun, ...]]:
    """The same for what is not an f-divergence."""
    groups: dict[str, tuple[Noun, ...]] = {}
    for d in kb.catalogue().relatives:
        groups[stem(d)] = (*groups.get(stem(d), ()), d)
    return groups


def makers() -> list[str]:
    """Public functions that return divergences and whose results the catalogue does not list."""
    listed = {*families(), *relatives(), "catalogue"}
    return [
        name
        for name in kb.divergences.__all__
        if inspect.isfunction(getattr(kb, name, None)) and name not in listed
    ]


def stem(d: Noun) -> str:
    """The name without its parameter."""
    return d.name.partition("(")[0]


def overview() -> str:
    """All divergences in one table."""
    rows = ["| divergence | f(t) | f(0) | lim f(t)/t | f″(1) | symmetric | metric | dual |", "|---" * 8 + "|"]
    for name, members in families().items():
        for d in members:
            cells = [
                f"[`{d.name}`]({name}.md)",
                f"${escape_bars(d.formula)}$",
                *(number(x) for x in (d.at_zero, d.at_infinity)),
                number(d.curvature_at_one),
                "yes" if d.symmetric else "no",
                {None: "–", 1.0: "D", 0.5: "√D"}.get(d.metric_root, f"D^{d.metric_root}"),
                f"`{d.dual.name}`",
            ]
            rows.append("| " + " | ".join(cells) + " |")
    others = [f"- [`{name}`]({name}.md)" for name in [*sorted(relatives()), *makers()]]
    return "\n".join(
        [
            "---",
            "hide: [toc]",
            "---",
            "",
            "# Divergences",
            "",
            OVERVIEW,
            "",
            *rows,
            "",
            RELATIVES,
            "",
            *others,
            "",
        ]
    )


OVERVIEW = """Every one is $D_f(p \\| q) = \\sum_i q_i\\, f(p_i/q_i)$ with its own convex f, in the standard form
f(1) = 0 and f′(1) = 0. `kb.catalogue()` holds this table as data; `kb.catalogue().find("psi")` knows the aliases, and
`kb.catalogue().find("alpha:0.5")` the families. Values are in the `unit` of
each: nats, or pure numbers."""


RELATIVES = "Not f-divergences, or made from a function of yours:"


def divergence(name: str, members: Sequence[FDivergence]) -> str:
    """The page of one f-divergence, or of one family by its examples."""
    lines = [curve.Line(d.name, partial(generator, d)) for d in members]
    sections = [
        *introduction(name, members[0]),
        "## The generator",
        curve.svg(lines, marks=(0, 1, 2, 3, 4), caption="f(t) against t = p/q"),
        "## Properties",
        properties(members),
        "## Where the supports differ",
        *(limits(d) for d in members),
        "## Members",
        MEMBERS,
        *(values(d) for d in members),
    ]
    return "\n\n".join(sections) + "\n"


def relative(name: str, members: Sequence[Noun]) -> str:
    """The page of a divergence without a generator."""
    drawn = [d for d in members if isinstance(d, (Divergence, Placed))]
    placed, masses = (any(isinstance(d, kind) for d in drawn) for kind in (Placed, Divergence))
    calls = ON_MASSES if masses else ON_POINTS if placed else ON_LAWS
    sections = [*introduction(name, members[0]), *(coins(drawn) if drawn else []), f"{calls} {NO_GENERATOR}"]
    return "\n\n".join(sections) + "\n"


def coins(members: Sequence[Divergence | Placed]) -> list[str]:
    """The figure of what has a value on masses."""
    lines = [curve.Line(d.name, partial(coin, d)) for d in members]
    caption = "the divergence of (x, 1 − x) to (½, ½) against x"
    return ["## Two coins", curve.svg(lines, marks=(0, 0.25, 0.5, 0.75, 1), caption=caption)]


ON_MASSES = "It answers the calls of every divergence, on masses and on logits."
ON_POINTS = """It is called on masses with the `positions` of their categories, above 0 and 1, and `kb.between` computes
it for two known distributions."""
ON_LAWS = "It has no value on masses: `kb.between` computes it for two known distributions."
NO_GENERATOR = """It has no convex generator, so there is no `value`, `slope` or `dual`, and a verb that needs one
refuses it."""


def maker(name: str) -> str:
    """The page of a function that makes a divergence."""
    return "\n\n".join(introduction(name, getattr(kb, name))) + "\n"


def introduction(name: str, entry: Noun | Callable[..., object]) -> list[str]:
    """Title, docstring, example."""
    documented = type(entry) if isinstance(entry, Noun) else entry
    prose, example = split_docstring(inspect.getdoc(documented) or "")
    return [f"# {name}", prose, *(["```python\n" + example + "\n```"] if example else [])]


def generator(d: FDivergence, t: float) -> float:
    """f(t), its limit at 0 included."""
    return float(d.value(math.log(t))) if t else d.at_zero


def coin(d: Divergence | Placed, x: float) -> float:
    """The divergence of a coin with chance x to a fair one; the faces lie at 0 and 1."""
    if isinstance(d, Placed):
        return float(d([x, 1.0 - x], [0.5, 0.5], positions=[0.0, 1.0]))
    return float(d([x, 1.0 - x], [0.5, 0.5]))


MEMBERS = """Functions of the log-ratio r = log p − log q, tabulated at some t = eʳ. `value` is f(t), `slope` f′(t),
`tilt` f(t) − t f′(t), `curvature` t² f″(t)."""


def split_docstring(text: str) -> tuple[str, str]:
    """(prose, the examples from the first `>>>` on)."""
    prose, prompt, example = text.partition(">>> ")
    return prose.strip(), (prompt + example).strip()


def properties(members: Sequence[FDivergence]) -> str:
    """One column a divergence."""
    rows = {
        "unit": lambda d: d.unit or "a pure number",
        "symmetric": lambda d: "yes" if d.symmetric else "no",
        "largest value": lambda d: number(d.upper_bound),
        "a metric": metric,
        "f″(1)": lambda d: number(d.curvature_at_one),
        "dual": lambda d: f"`{d.dual.name}`",
        "domain of f*": lambda d: str(d.conjugate_domain),
        "aliases": lambda d: ", ".join(f"`{alias}`" for alias in d.aliases) or "–",
    }
    head = "| | " + " | ".join(f"`{d.name}`" for d in members) + " |"
    body = [f"| {label} | " + " | ".join(cell(d) for d in members) + " |" for label, cell in rows.items()]
    return "\n".join([head, "|---" * (len(members) + 1) + "|", *body])


def limits(d: FDivergence) -> str:
    """What a unit of mass costs that the other distribution lacks."""
    return (
        f"`{d.name}`: mass of q where p has none costs f(0) = {number(d.at_zero)} a unit; "
        f"mass of p where q has none costs lim f(t)/t = {number(d.at_infinity)} a unit."
    )


def values(d: FDivergence) -> str:
    """The members at a few ratios."""
    rows = [
        f"| `{d.name}` at t = | " + " | ".join(f"{t:g}" for t in RATIOS) + " |",
        "|---" * (len(RATIOS) + 1) + "|",
    ]
    for member in ("value", "slope", "tilt", "curvature"):
        numbers = [float(getattr(d, member)(math.log(t))) for t in RATIOS]
        rows.append(f"| {member} | " + " | ".join(number(x) for x in numbers) + " |")
    return "\n".join(rows)


def metric(d: FDivergence) -> str:
    """The power of the divergence that is a metric."""
    if d.metric_root is None:
        return "–"
    return {1.0: "itself", 0.5: "its square root"}.get(d.metric_root, f"its power {d.metric_root:g}")


def number(x: float | None) -> str:
    """Four digits, ∞, or a dash for what does not exist."""
    if x is None:
        return "–"
    return ("∞" if x > 0 else "−∞") if math.isinf(x) else f"{x + 0.0:.4g}".replace("-", "−")


def escape_bars(formula: str) -> str:
    """A bar would end the cell of a table."""
    return formula.replace("|", r"{\vert}")


def mathml(page: str) -> str:
    """Formulas that arithmatex marked, as MathML, which browsers draw without any script."""
    return re.sub(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', _drawn, page, flags=re.DOTALL)


def _drawn(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    block = match[1] == "div"
    drawn = convert(html.unescape(match[2]).strip(), display="block" if block else "inline")
    # named functions come without the thin space that TeX puts around them
    drawn = re.sub(r"(<mi>(?:log|exp|sup|lim|max|min)</mi>)", rf"{THIN}\1{THIN}", drawn)
    return f'<div class="formula">{drawn}</div>' if block else drawn


THIN = '<mspace width="0.167em"/>'


def on_config(config):
    """Put the generated pages into the navigation."""
    # MkDocs has the folder of a hook on the path only while it loads the hook; the gallery lies beside that folder
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    section = next(entry for entry in config.nav if "Divergences" in entry)
    section["Divergences"] = [
        "divergences/index.md",
        *(f"divergences/{name}.md" for name in divergences() if name != "index"),
    ]
    section = next(entry for entry in config.nav if "Methods of estimation" in entry)
    section["Methods of estimation"] = [f"estimators/{name}.md" for name in estimator_pages.pages()]
    return config


def on_files(files, config):
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Measured tables come from the benchmark that wrote them; sources link to their entries."""
    if "<!-- peers -->" in markdown:
        markdown = markdown.replace("<!-- peers -->", peers())
    if "<!-- gallery -->" in markdown:
        markdown = markdown.replace("<!-- gallery -->", papers())
    if "<!-- joint ranges -->" in markdown:
        markdown = markdown.replace("<!-- joint ranges -->", joint_ranges())
    for name, draw in figures().items():
        if f"<!-- {name} -->" in markdown:
            markdown = markdown.replace(f"<!-- {name} -->", draw())
    return bibliography.link_keys(markdown, bibliography.keys(), root="../" * page.file.src_uri.count("/"))


@cache
def figures() -> dict[str, Callable[[], str]]:
    """What draws each figure, by its name: scripts beside the pages that show them."""
    drawn = which_divergence.FIGURES | which_estimator.FIGURES | information_plane.FIGURES
    for path in sorted(Path(__file__).parent.glob("objectives/*.py")):
        drawn |= importlib.import_module(f"objectives.{path.stem}").FIGURES
    return drawn


def peers() -> str:
    """The table of peers, or where to get it."""
    if PEERS.exists():
        return PEERS.read_text(encoding="utf-8")
    return "Not measured on this checkout: `python benchmarks/peer_numerics.py` writes the table."


def papers() -> str:
    """The entries of the gallery by area, with what each declares to find."""
    from gallery import entry as gallery

    rows = [
        f'| {entry.area} | <a href="../gallery/{entry.key}.html">{entry.key}</a> | {entry.title} | {entry.declared} |'
        for entry in gallery.entries().values()
    ]
    return "\n".join(["| area | entry | paper | found |", "|---|---|---|---|", *rows])


def on_post_build(config):
    """The gallery's own pages beside the documentation, from the runs that are kept; the others say how to run them."""
    from gallery import entry as gallery
    from gallery import pages
    from gallery.record import Order, kept

    found = [(entry, kept(entry, Order())) for entry in gallery.entries().values()]
    pages.write(Path(config["site_dir"]) / "gallery", found)


@cache
def joint_ranges() -> str:
    """What a total variation says about the Jensen–Shannon divergence: both edges of their joint range."""
    at = [i / 20 for i in range(21)]
    edges = [kb.bound(kb.js, given=kb.total_variation, at=x) for x in at]
    lines = [
        curve.Line(name, partial(np.interp, xp=at, fp=[getattr(edge, end) for edge in edges]))
        for end, name in (("high", "largest js"), ("low", "least js"))
    ]
    return curve.svg(lines, marks=(0, 0.25, 0.5, 0.75, 1), caption="js against total variation")


def on_page_content(page_html, page, config, files):
    """Draw the formulas."""
    return mathml(page_html)
