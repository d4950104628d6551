"""The table for the terminal: verdict first, never wider than asked, nothing of the data can move the cursor."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from sample_reports import HOSTILE, column, hostile, infinite, mixed, report

from kullback.tables import terminal
from kullback.tables.report import Skipped, Verdict
from kullback.tables.terminal import sparks
from kullback.wording import cells, fit, label, spreadsheet_safe, visible

REPORTS = {"mixed": mixed, "infinite": infinite, "hostile": hostile, "nothing": report}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [20, 40, 60, 80, 81, 120])
def test_no_line_is_wider_than_asked(name: str, width: int) -> None:
    text = REPORTS[name]().table(width=width)
    assert max(cells(line) for line in text.split("\n")) <= width


@pytest.mark.parametrize("name", REPORTS)
def test_only_printing_characters_reach_the_terminal(name: str) -> None:
    text = str(REPORTS[name]())
    strange = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert strange == set()


def test_the_whole_table() -> None:
    assert (
        str(mixed())
        == """\
DRIFT in 2 of 5 columns, can't tell for 1
before  train.csv, 10 095 rows × 7 columns
after   test.csv, 10 095 rows × 7 columns

column  verdict     js, nats [95 %]            q        before    after
age     drift       0.035 [0.029, 0.043]       0.002    ▃▆█▃▁     ▁▄▇▅▃
  median 24 → 29
  one value tells its table in 61 % of cases; 50 % is chance
plan    drift       0.050 [0.041, 0.061]       0.002    █▅▂▁      ▇▄▄ ▁
  most frequent: basic → plus
  new: family; gone: trial
  one value tells its table in 57.5 % of cases; 50 % is chance
region  can't tell  0.001 [−0.002, 0.015]      0.31     █▇▄       ▇▆▅
  can't tell: needs about 8 734 rows per table
income  same        −0.0001 [−0.0004, 0.0021]  0.42     ▅█▅█▅█▅█  ▅█▅█▅█▅█
smoker  same        0 [0, 0.0013]              0.42     █▃        █▄

2 columns not compared:
  signup: only in the first table
  tags: lists cannot be compared; spread them into columns

drift: q ≤ 0.05 and the whole interval ≥ 0.01 nats; same: the whole interval <
        0.01 nats; else can't tell
q = p corrected over 5 columns (bh); 999 permutations, seed 0; 1.4 s"""
    )


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ([], "NOTHING TO COMPARE"),
        ([Verdict.SAME], "SAME: no drift in 1 column"),
        ([Verdict.SAME, Verdict.CANT_TELL], "CAN'T TELL for 1 of 2 columns"),
        ([Verdict.SAME, Verdict.CANT_TELL, Verdict.DRIFT], "DRIFT in 1 of 3 columns, can't tell for 1"),
    ],
)
def test_the_first_line_is_the_verdict(verdicts: list[Verdict], headline: str) -> None:
    made = report(*(column(f"c{i}", verdict=verdict) for i, verdict in enumerate(verdicts)))
    assert str(made).startswith(headline)


def test_infinite_values_have_a_sign() -> None:
    assert "∞ [0.1, ∞]" in str(infinite())


def test_many_columns_do_not_flood_the_terminal() -> None:
    many = report(
        *(column(f"c{i}") for i in range(1000)), skipped=tuple(Skipped(f"s{i}", "x") for i in range(99))
    )
    text = str(many)
    assert len(text.split("\n")) < 200
    assert "960 more columns (960 drift)" in text
    assert "89 more" in text


def test_notes_are_shown() -> None:
    assert "note: sampled" in str(replace(mixed(), notes=("sampled",)))


class TestSparks:
    def test_same_scale_for_both(self) -> None:
        before, after = sparks(column(before=(100, 0), after=(50, 50)))
        assert (before, after) == ("█ ", "▄▄")

    def test_the_rarest_category_still_shows(self) -> None:
        assert sparks(column(before=(10_000, 1), after=(10_000, 1)))[0] == "█▁"

    def test_many_cells_are_joined_with_their_neighbours(self) -> None:
        rising = tuple(range(1, 41))
        before, after = sparks(column(before=rising, after=rising[::-1]))
        assert len(before) == len(after) == 8
        assert list(before) == sorted(before)
        assert before == after[::-1]

    def test_rare_categories_go_together(self) -> None:
        counts = (1000, *([1] * 100))
        before, _ = sparks(column(before=counts, after=counts, kind="category"))
        assert len(before) == 8

    def test_without_rows(self) -> None:
        empty = replace(column(), cells=())
        assert sparks(empty) == ("", "")


class TestFit:
    @pytest.mark.parametrize("text", [*HOSTILE, "short", "漢字漢字漢字"])
    @pytest.mark.parametrize("width", [1, 2, 7, 24])
    def test_exact_width(self, text: str, width: int) -> None:
        assert cells(fit(visible(text, 100), width)) == width

    def test_wide_characters_take_two_cells(self) -> None:
        assert cells("漢字") == 4
        assert fit("漢字", 3) == "漢…"


class TestWording:
    @pytest.mark.parametrize("text", HOSTILE)
    @pytest.mark.parametrize("limit", [1, 10, 80])
    def test_visible_text_is_one_short_line(self, text: str, limit: int) -> None:
        shown = visible(text, limit)
        marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in shown)
        assert len(shown) - marks <= limit
        assert marks <= 2 * limit
        assert shown == "".join(shown.split("\n")).strip("\r\t\0\x1b\u202e\u2028")

    def test_an_empty_name_can_be_seen(self) -> None:
        assert [label(""), label("  "), label("a")] == ['""', '"  "', "a"]

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1"])
    def test_formulas_are_words(self, text: str) -> None:
        assert spreadsheet_safe(text).startswith("'")


def test_markdown_holds_data_as_text() -> None:
    markdown = hostile().to_markdown()
    rows = [line for line in markdown.split("\n") if line.startswith("| ")]
    assert all(line.count("|") == 7 for line in rows), "no name may open a cell"
    for markup in ("<script", "<img", "<svg", "](", "`", "**DRIFT**<", "\u202e"):
        assert markup not in markdown


def test_markdown_of_a_usual_report() -> None:
    lines = mixed().to_markdown().split("\n")
    assert lines[0] == "**DRIFT in 2 of 5 columns, can't tell for 1**"
    assert "| 🔴 | age | drift | 0.035 [0.029, 0.043] | 0.002 | median 24 → 29 |" in lines


def test_styles_are_apart_from_the_text() -> None:
    styles = {style for line in terminal.lines(mixed(), 80) for _, style in line}
    assert {"bold red", "yellow", "green"} <= styles | {s.removeprefix("bold ") for s in styles}
