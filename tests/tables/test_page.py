"""The page: complete in one file, without script, small, and deaf to whatever the data try to say to a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sample_reports import HOSTILE, column, hostile, infinite, mixed, report

from kullback.divergences.catalogue import catalogue
from kullback.tables import drawing, method, page
from kullback.tables.report import Report, Skipped, Verdict

REPORTS = {"mixed": mixed, "infinite": infinite, "hostile": hostile, "nothing": report}
VOID = {"meta", "br", "link", "img", "input", "hr"}
OPTIONAL_END = {"tr", "th", "td"}
# fmt: off
ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "p", "span", "i", "bdi",
    "small", "a", "dl", "div", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure",
    "figcaption", "svg", "path", "line", "rect", "circle", "text", "tspan",
}
ALLOWED_ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "aria-hidden", "aria-label", "scope", "style", "role",
    "id", "href", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height", "transform",
    "d",
}
# fmt: on


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] in OPTIONAL_END and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag, f"<{tag}> is closed where another tag is open"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:40]}")


@pytest.fixture(params=REPORTS)
def made(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]()


def test_only_known_tags_and_attributes(made: Report) -> None:
    """Whatever the data hold, no tag or attribute comes of it; all tags are closed in order."""
    found = Reader(page.render(made))
    assert found.open == []
    assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
    assert {name for _, attributes in found.tags for name in attributes} <= ALLOWED_ATTRIBUTES


def test_nothing_is_fetched_and_nothing_runs(made: Report) -> None:
    text = page.render(made)
    found = Reader(text)
    policy = [a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    links = [a["href"] for _, a in found.tags if "href" in a]
    assert all(re.fullmatch(r"#c\d+", link or "") for link in links)
    styles = [a["style"] for _, a in found.tags if "style" in a]
    assert all(re.fullmatch(r"left:\d+(\.\d+)?%", style or "") for style in styles)
    css = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert len(css) == 1
    assert "url(" not in css[0]
    assert "@import" not in css[0]


def test_hostile_names_are_shown_as_text() -> None:
    text = "".join(Reader(page.render(hostile())).text)
    assert "<script>alert(1)</script>" in text
    assert "javascript:alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert "\\u202e" in text
    assert "\u202e" not in text
    assert "x" * 500 not in text


def test_hostile_names_alone_and_together_cost_little() -> None:
    assert len(page.render(hostile()).encode()) < 16_000 * len(HOSTILE)


def test_twenty_columns_stay_below_200_kilobytes() -> None:
    numbers = [column(f"number_{i}", tuple(range(1, 23)), tuple(range(22, 0, -1))) for i in range(12)]
    labels = tuple(f"category number {i}" for i in range(1000))
    counts = tuple(range(1, 1001))
    words = [column(f"word_{i}", counts, counts[::-1], kind="category", labels=labels) for i in range(8)]
    assert len(page.render(report(*numbers, *words)).encode()) < 200_000


def test_a_thousand_columns_stay_readable() -> None:
    many = report(
        *(column(f"c{i}") for i in range(1000)), skipped=tuple(Skipped(f"s{i}", "x") for i in range(9999))
    )
    text = page.render(many)
    assert len(text.encode()) < 1_500_000
    assert "940 more columns without drawings" in text


def test_the_same_report_gives_the_same_bytes(made: Report) -> None:
    assert page.render(made) == page.render(replace(made, seconds=99.0))


def test_what_a_reader_looks_for() -> None:
    text = "".join(Reader(page.render(mixed())).text)
    for phrase in (
        "Drift in 2 of 5 columns, can't tell for 1",
        "train.csv",
        "10 095 rows × 7 columns",
        "0.035 [0.029, 0.043]",
        "New: family; gone: trial",
        "Can't tell: needs about 8 734 rows per table",
        "Not compared",
        "only in the first table",
        "How each number was made",
        "f(t) = ½ [t log t − (t + 1) log ((t + 1)/2)] (js)",
        "999",
        "seed",
    ):
        assert phrase in text, phrase
    assert "prefers-color-scheme: dark" in text


def test_infinite_effects_are_drawn_at_the_edge() -> None:
    made = infinite()
    scale = drawing.scale_of(made)
    dot = drawing.dot(made.columns[0], scale)
    assert (dot.at, dot.high, dot.beyond) == (100.0, 100.0, True)
    assert "∞" in page.render(made)
    assert "inf" not in re.sub(r"infinite|inflat", "", page.render(made))


class TestDrawing:
    def test_marks_stay_inside(self, made: Report) -> None:
        for one in made.columns:
            drawn = drawing.histogram(one)
            for mark in drawn.marks:
                for box in (mark.before, mark.after, mark.weight):
                    assert box.x >= 0
                    assert box.y >= -1e-9
                    assert box.x + box.width <= drawing.WIDTH + 1e-9
                    assert box.y + box.height <= drawn.height + 1e-9

    def test_bars_are_in_proportion(self) -> None:
        drawn = drawing.histogram(column(before=(100, 300), after=(200, 200)))
        heights = [(mark.before.height, mark.after.height) for mark in drawn.marks]
        assert heights[1][0] == pytest.approx(3 * heights[0][0])
        assert heights[0][1] == pytest.approx(2 * heights[0][0])

    def test_contributions_point_to_the_table_with_more(self) -> None:
        drawn = drawing.histogram(column(before=(100, 300), after=(200, 200)))
        more, fewer = (mark.weight for mark in drawn.marks)
        assert more.y < drawn.zero
        assert fewer.y == drawn.zero

    def test_missing_and_rare_categories_are_summed_up(self) -> None:
        labels = tuple(f"k{i}" for i in range(50))
        drawn = drawing.histogram(column(before=(9,) * 50, after=(9,) * 50, kind="category", labels=labels))
        assert len(drawn.marks) == 12
        assert drawn.marks[-1].label == "39 other categories"
        assert sum(mark.bar.before for mark in drawn.marks) == pytest.approx(1)

    def test_the_axis_is_monotone_and_holds_all(self) -> None:
        scale = drawing.scale_of(mixed())
        places = [scale.place(x) for x in (-1.0, 0.0, 0.001, 0.01, 0.05)]
        assert places == sorted(places)
        assert places[0] == 0.0
        assert max(scale.place(c.divergence.high) for c in mixed().columns) < 100
        assert next(text for _, text in scale.ticks()) == "0"

    def test_empty_columns(self) -> None:
        assert drawing.histogram(replace(column(), cells=())).marks == ()


@pytest.mark.parametrize("name", [d.name for d in catalogue()])
def test_every_formula_of_the_catalogue_reads_as_text(name: str) -> None:
    text = method.formula(name)
    assert not set(text) & set("\\{}$"), text
    assert text.count("(") == text.count(")")


def test_measures_outside_the_catalogue() -> None:
    assert method.formula("my own <b>") == "by the measure my own <b>"


def test_verdicts_do_not_hang_on_colour() -> None:
    """Each has a sign and a word of its own, in the list and in the cards."""
    text = page.render(mixed())
    for verdict, sign in ((Verdict.DRIFT, "◆"), (Verdict.CANT_TELL, "?"), (Verdict.SAME, "○")):
        assert f"{sign}</span> {verdict.value}".replace("'", "&#39;") in text


def test_written_files(tmp_path: Path) -> None:
    path = mixed().to_html(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == page.render(mixed())
