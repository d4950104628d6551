"""JSON: every number comes back as it was, and any strict parser reads it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_reports import hostile, infinite, mixed, report

from kullback.errors import InvalidInputError
from kullback.tables import serial
from kullback.tables.report import Report

REPORTS = {"mixed": mixed, "infinite": infinite, "hostile": hostile, "nothing": report}


def strict(text: str) -> dict:
    """What a parser without Python's extensions sees."""

    def refuse(literal: str) -> None:
        raise AssertionError(f"{literal} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("name", REPORTS)
def test_reading_gives_back_what_was_written(name: str, tmp_path: Path) -> None:
    made = REPORTS[name]()
    path = made.to_json(tmp_path / "report.json")
    assert serial.load(path) == made


def test_the_schema_has_a_version() -> None:
    body = strict(serial.dumps(mixed()))
    assert body["schema"] == "kullback.report/1"
    assert body["verdict"] == "drift"
    assert list(body)[:2] == ["schema", "verdict"]
    assert [c["name"] for c in body["columns"]] == ["age", "plan", "region", "income", "smoker"]


def test_numbers_that_json_cannot_write() -> None:
    made = infinite()
    column = replace(made.columns[0], p_value=math.nan, detectable=-math.inf)
    body = strict(serial.dumps(replace(made, columns=(column,))))
    found = body["columns"][0]
    assert found["plugin"] == {"value": None, "infinite": True}
    assert found["divergence"]["high"] == {"value": None, "infinite": True}
    assert found["detectable"] == {"value": None, "infinite": True, "negative": True}
    assert found["p_value"] == {"value": None, "undefined": True}
    assert math.isnan(serial.loads(serial.dumps(replace(made, columns=(column,)))).columns[0].p_value)


def test_plain_ascii_without_control_characters() -> None:
    text = serial.dumps(hostile())
    assert text.isascii()
    assert all(c.isprintable() or c == "\n" for c in text)


@given(st.floats())
def test_every_float_survives(value: float) -> None:
    made = replace(mixed(), seconds=value)
    back = serial.loads(serial.dumps(made)).seconds
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "schema"),
        ('{"schema": "kullback.report/2"}', "kullback.report/2"),
        ('{"schema": "kullback.report/1"}', "field 'before'"),
        ('{"schema": "kullback.report/1", "seconds": NaN}', "not JSON"),
    ],
)
def test_other_texts_are_refused(text: str, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        serial.loads(text)
    assert len(str(caught.value)) < 400


def test_wrong_types_are_named_by_their_place() -> None:
    body = strict(serial.dumps(mixed()))
    body["columns"][1]["cells"][0]["before"] = "many"
    with pytest.raises(InvalidInputError, match=r"columns\[1\]\.cells\[0\]\.before"):
        serial.loads(json.dumps(body))
    body = strict(serial.dumps(mixed()))
    body["columns"][0]["verdict"] = "maybe"
    with pytest.raises(InvalidInputError, match="verdict"):
        serial.loads(json.dumps(body))


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.json"):
        serial.load(tmp_path / "none.json")


class TestReport:
    """What users do with a report in Python."""

    def test_columns_by_name(self) -> None:
        made = mixed()
        assert made["plan"].name == "plan"
        assert "plan" in made
        assert "nope" not in made
        assert len(made) == len(list(made)) == 5

    def test_absent_columns_say_why(self) -> None:
        with pytest.raises(KeyError, match="only in the first table"):
            mixed()["signup"]
        with pytest.raises(KeyError, match="there is age, plan"):
            mixed()["nope"]

    def test_verdict_of_the_whole(self) -> None:
        made = mixed()
        assert [c.name for c in made.drifted] == ["age", "plan"]
        assert made.verdict.value == "drift"
        assert replace(made, columns=made.columns[2:]).verdict.value == "can't tell"
        assert replace(made, columns=made.columns[3:]).verdict.value == "same"

    def test_an_empty_report_is_still_one(self) -> None:
        made: Report = report()
        assert made
        assert len(made) == 0

    def test_names(self) -> None:
        made = mixed().named("train", "test")
        assert (made.before.name, made.after.name) == ("train", "test")
        assert made.before.rows == 10_095
