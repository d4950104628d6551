"""The demo and the examples say what they promise, on the data that ship with them."""

from __future__ import annotations

import hashlib
import re
import runpy
from pathlib import Path

import pytest

from kullback.tables import readers

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DATA = EXAMPLES / "data"


def run(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def test_the_split_demo(capsys: pytest.CaptureFixture[str]) -> None:
    said = run("split.py", capsys)
    ordered, shuffled = said.index("IN THE ORDER OF THE FILE"), said.index("SPLIT AT RANDOM")
    assert said.index("\nDRIFT in ") in range(ordered, shuffled)
    assert said.index("\nSAME: no drift in 10 columns") > shuffled
    assert re.search(r"^disea +drift +0\.25", said, re.M), "the health index tells most"
    assert "5912 persons" in said, "what repeated persons do is said openly"
    pages = [ROOT / path for path in re.findall(r"^report: (.*)$", said, re.M)]
    assert [page.name for page in pages] == ["split-file-order.html", "split-random.html"]
    for page in pages:
        assert page.parent == ROOT / "reports"
        assert "</html>" in page.read_text(encoding="utf-8")
    assert max(map(len, said.split("\n"))) <= 100


def test_the_moderation_example(capsys: pytest.CaptureFixture[str]) -> None:
    said = run("moderation.py", capsys)
    assert said.startswith("DRIFT in 2 of 2 columns")
    assert "SERIAL DEPENDENCE" in said
    assert re.search(r"inflation +correlation with the quarter before 0\.6", said)
    assert "too sure" in said


@pytest.mark.parametrize(("name", "rows"), [("randhie.csv", 20_190), ("macrodata.csv", 203)])
def test_the_data_are_those_that_the_sources_name(name: str, rows: int) -> None:
    sources = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() in sources
    table = readers.read(DATA / name).collect()
    assert len(table) == rows
    missing = [column for column in table.columns if not re.search(rf"\b{column}\b", sources)]
    assert missing == [], "every column is explained"
