"""What screening is given: columns that cannot be read keep their line, and what cannot be meant is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kullback as kb
from problems.refusals import raises

ROWS = 60
RNG = np.random.default_rng(0)
Y = RNG.normal(size=ROWS)
TABLE: dict[str, Any] = {"y": Y, "near": Y + RNG.normal(size=ROWS), "label": ["a", "b"] * 30}


def screened(table: Any, **asked: Any) -> dict[str, kb.Answer]:
    """Answers by column."""
    found = kb.screen(table, **{"target": "y", "permutations": 0, "progress": False, **asked})
    return {f.column: f.answer for f in found}


PLAIN = screened(TABLE)


def same(answer: kb.Answer, expected: kb.Answer) -> bool:
    """Whether they agree to rounding, which the compiled searches may change once they are loaded."""
    left, right = ((a.value, a.low, a.high) for a in (answer, expected))
    return left == pytest.approx(right, rel=1e-9) and (answer.n, answer.notes) == (expected.n, expected.notes)


ODD = {
    "complex": (Y * 1j, "dtype complex128"),
    "mixed": ([1.0, "a"] * 30, "mixes Python objects of types float, str"),
    "matrix": ([[1.0, 2.0]] * ROWS, "has 2 columns; a table has one under each name"),
    "nothing": ([None] * ROWS, "0 rows with both values"),
    "scalar": (5.0, "has shape ()"),
    "mapping": ({"a": 1}, "is of type dict"),
    "iterator": (iter([1.0]), "is of type list_iterator"),
}


def odd_tables() -> list[Any]:
    """A mapping and frames of each engine with columns that cannot be measured."""
    listed = {"mixed": [1.0, "a"] * 30, "nothing": [None] * ROWS}
    return [
        {**TABLE, **{name: data for name, (data, _) in ODD.items()}},
        pl.DataFrame({**TABLE, "nothing": [None] * ROWS, "lists": [[1]] * ROWS}),
        pl.LazyFrame({**TABLE, "nothing": [None] * ROWS, "lists": [[1]] * ROWS}),
        pd.DataFrame({**TABLE, **listed, "complex": Y * 1j}),
        pa.table({**TABLE, "nothing": [None] * ROWS, "lists": [[1]] * ROWS}),
    ]


@pytest.mark.parametrize("table", odd_tables(), ids=lambda t: type(t).__module__)
def test_a_column_that_cannot_be_read_keeps_its_line(table: Any) -> None:
    found = screened(table)
    for name, answer in found.items():
        if name in PLAIN:
            assert same(answer, PLAIN[name])
        else:
            assert np.isnan(answer.value)
            assert answer.notes[0]
    assert len(found) > len(PLAIN)
    if isinstance(table, Mapping):
        for name, (_, reason) in ODD.items():
            assert reason in found[name].notes[0]
    assert set(screened(table, target=None, against=["near", "nothing"])) == {"near"}


def test_a_target_that_cannot_be_read_is_refused() -> None:
    with raises(kb.DTypeError, "the target cannot be measured", "mixes Python objects"):
        screened({**TABLE, "mixed": ODD["mixed"][0]}, target="mixed")


def test_nan_among_names_is_missing() -> None:
    holed = ["a", "b", float("nan")] * 20
    found = screened({**TABLE, "holed": holed})
    assert found["holed"].n == 40


def test_columns_of_several_lengths_are_no_table() -> None:
    with raises(kb.ShapeError, "'y' has 60 rows, 'short' 59"):
        screened({**TABLE, "short": [0.0] * 59})
    with raises(kb.ShapeError, "'y' has 60 rows, 'long' 61"):
        screened({**TABLE, "long": pl.Series([0.0] * 61)})


@pytest.mark.parametrize("frame", [dict, pd.DataFrame])
def test_columns_called_by_numbers_are_found(frame: Any) -> None:
    table = frame({0: Y, 7: TABLE["near"]})
    assert same(screened(table, target="0")["7"], PLAIN["near"])
    with raises(kb.InvalidInputError, "no column is called 0", "close to it: '0'"):
        screened(table, target=0)
    with raises(kb.InvalidInputError, "several columns of one name"):
        screened(frame({0: Y, "0": Y}), target="0")


def test_two_columns_of_one_name_are_no_table() -> None:
    with raises(kb.InvalidInputError, "'a' 2 times", "rename them"):
        screened(pd.DataFrame(np.c_[Y, Y], columns=pd.Index(["a", "a"])), target="a")


@pytest.mark.parametrize("series", [pl.Series(Y), pd.Series(Y)])
def test_a_series_is_no_table(series: Any) -> None:
    with raises(kb.DTypeError, "the table is a series"):
        screened(series)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"against": ["near", "label", "near"]}, "against names 'near' more than once"),
        (
            {"against": "near"},
            "against is the text 'near'; expected 'all' or a list of names: against=['near']",
        ),
        ({"against": ["y"]}, "there is no column but the target 'y' to measure"),
        ({"target": "Y"}, "no column is called 'Y' among the 3 of the table; close to it: 'y'"),
        ({"kinds": {"near": "x"}}, "the kind of 'near' in kinds is 'x'; expected 'continuous' or 'discrete'"),
        ({"kinds": {"nowhere": "discrete"}}, "no column is called 'nowhere'"),
        ({"permutations": 9.5}, "permutations must be a whole number of at least 0, got 9.5"),
        ({"permutations": True}, "permutations must be a whole number of at least 0, got True"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": None}, "seed must be a whole number of at least 0, got None"),
        ({"level": "a"}, "level must lie between 0 and 1, got 'a'"),
        ({"neighbours": 0}, "neighbours must be a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], told: str) -> None:
    with raises(kb.InvalidInputError, told):
        screened(pl.DataFrame(TABLE), **asked)


def test_a_name_in_other_letters_is_found_close() -> None:
    with raises(kb.InvalidInputError, "no column is called 'bmi'", "close to it: 'BMI'"):
        screened({"BMI": Y, "near": Y}, target="bmi")


def test_kinds_are_a_mapping() -> None:
    with raises(kb.DTypeError, "kinds is 'discrete'; expected a mapping"):
        screened(TABLE, kinds="discrete")


def test_the_target_among_the_columns_is_left_out() -> None:
    (found,) = screened(TABLE, against=["near", "y"]).items()
    assert found[0] == "near"
    assert same(found[1], PLAIN["near"])
