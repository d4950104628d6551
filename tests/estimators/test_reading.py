"""What may be given as x: lists with holes, tensors of few bits, times, masks, and what is refused by its name."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kullback as kb
from kullback.estimators.columns import columns_of
from problems.refusals import raises

NAN = math.nan
LETTERS = ["a", "b", "b"] * 20
NUMBERS = np.random.default_rng(0).normal(size=60).tolist()


@pytest.mark.parametrize("hole", [NAN, None, np.float64("nan"), pd.NA, pd.NaT, Decimal("nan")])
@pytest.mark.parametrize("full", [LETTERS, [True, False, True] * 20, [b"a", b"b", b"b"] * 20, NUMBERS])
@pytest.mark.parametrize("store", [list, lambda rows: np.array(rows, dtype=object)])
def test_a_hole_is_missing_whatever_the_column_holds(hole: Any, full: list[Any], store: Any) -> None:
    holed = store([hole, *full, hole])
    with raises(kb.InvalidInputError, "2 of 62 rows have a missing", "missing='drop'"):
        kb.entropy(holed)
    found = kb.entropy(holed, missing="drop")
    assert found.n == 60
    assert found.value == kb.entropy(full).value
    assert any("2 of 62 rows left out" in note for note in found.notes)


def test_integers_with_holes_are_integers_still() -> None:
    holed = [3, None, 10**18 + 1, 10**18]
    with raises(kb.DTypeError, "`x` holds integers"):
        kb.entropy(holed, missing="drop")
    (read,) = columns_of("x", holed)
    assert read.values[~read.missing].tolist() == [3, 10**18 + 1, 10**18]  # which floats would make equal
    with raises(kb.InvalidInputError, "an integer beyond 64 bits"):
        kb.entropy([10**20, None, 1], kind="discrete")


def test_numbers_of_several_types_are_numbers() -> None:
    (read,) = columns_of("x", [1, Fraction(1, 2), Decimal("0.25"), np.float32(2.0), None])
    assert read.kind == "continuous"
    assert read.values[:4].tolist() == [1.0, 0.5, 0.25, 2.0]


@pytest.mark.parametrize(
    ("mixed", "types"),
    [
        ([1.0, "a"], "float, str"),
        (["a", True], "bool, str"),
        ([b"a", "a"], "bytes, str"),
        ([True, 2, None], "bool, int"),
        ([[0.5, 1.0], [0.5, True]], "bool, float"),
        (pd.Series([1.0, "a"]), "float, str"),
    ],
)
def test_numbers_and_names_in_one_column_are_refused(mixed: Any, types: str) -> None:
    with raises(kb.DTypeError, f"mixes Python objects of types {types}"):
        kb.entropy(mixed)


def test_rows_of_a_name_and_a_number_are_two_columns() -> None:
    rows = list(zip(LETTERS, NUMBERS, strict=True))
    names, numbers = columns_of("x", rows)
    assert (names.kind, numbers.kind) == ("discrete", "continuous")
    assert numbers.values.tolist() == NUMBERS


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "`x` is None; expected an array"),
        ({"a": NUMBERS}, "`x` is of type dict; expected an array"),
        ({1.0, 2.0}, "`x` is of type set; expected an array"),
        (iter(NUMBERS), "list() makes it one"),
        (object(), "`x` is of type object"),
        (pd.Index(NUMBERS), "`x` is of type Index"),
    ],
)
def test_what_has_no_rows_is_refused_by_its_name(given: Any, told: str) -> None:
    with raises(kb.DTypeError, told):
        kb.entropy(given)


def test_a_range_is_a_list() -> None:
    assert kb.entropy(range(50), kind="continuous").value == kb.entropy(np.arange(50.0)).value


def test_tensors_of_few_bits_are_read_exactly() -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(NUMBERS, dtype=torch.float64)
    for dtype in (torch.bfloat16, torch.float16, torch.float8_e4m3fn):
        short = x.to(dtype)
        (read,) = columns_of("x", short.clone().requires_grad_())
        assert read.kind == "continuous"
        assert read.values.dtype == np.float64
        assert read.values.tolist() == [float(v) for v in short]


def test_jax_bfloat16_is_read_exactly() -> None:
    jnp = pytest.importorskip("jax.numpy")
    short = jnp.asarray(NUMBERS, dtype=jnp.bfloat16)
    (read,) = columns_of("x", short)
    assert read.kind == "continuous"
    assert read.values.tolist() == [float(v) for v in short]


def test_masked_entries_are_missing_and_change_no_kind() -> None:
    mask = [False, False, True] * 20
    kinds = {}
    for name, values in (("names", LETTERS), ("integers", [1, 2, 3] * 20), ("floats", NUMBERS)):
        (read,) = columns_of("x", np.ma.masked_array(values, mask))
        assert read.missing.tolist() == mask
        kinds[name] = read.kind
    assert kinds == {"names": "discrete", "integers": "integer", "floats": "continuous"}


DAYS = np.datetime64("2020-01-01") + np.array([0, 1, 3, 7, 20, 21, 40, 44, 60, 90])


def test_times_say_that_they_are_times() -> None:
    with raises(kb.DTypeError, "`x` holds times", "kind='continuous' (read in seconds)"):
        kb.entropy(DAYS)


@pytest.mark.parametrize(
    "times", [DAYS, DAYS.astype("M8[ns]"), DAYS - DAYS[0], pl.Series(DAYS), pd.Series(DAYS)]
)
def test_times_are_seconds_in_whatever_unit_they_are_stored(times: Any) -> None:
    seconds = 86400.0 * (DAYS - DAYS[0]).astype(float)
    found = kb.entropy(times, kind="continuous")
    assert found.value == pytest.approx(kb.entropy(seconds).value, rel=1e-12)


def test_parts_of_a_second_are_kept() -> None:
    (read,) = columns_of("x", np.array(["1970-01-01T00:00:01.25", "1969-12-31T23:59:59.5"], dtype="M8[ms]"))
    assert read.numbers.tolist() == [1.25, -0.5]


def test_frames_with_two_columns_of_one_name_are_refused() -> None:
    twice = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=pd.Index(["a", "a"]))
    with raises(kb.InvalidInputError, "`x`", "'a' 2 times", "rename them"):
        kb.entropy(twice)
    with raises(kb.InvalidInputError, "several columns of one name"):
        kb.entropy(twice.set_axis([0, "0"], axis=1))


@pytest.mark.parametrize(
    "nothing", [pl.Series([None] * 3), pa.chunked_array([pa.nulls(3)]), pd.Series([None] * 3), [None] * 3]
)
def test_a_series_without_a_value_has_every_row_missing(nothing: Any) -> None:
    with raises(kb.InvalidInputError, "every row has a missing"):
        kb.entropy(nothing, missing="drop")


VERBS = [
    lambda **asked: kb.entropy(NUMBERS, **asked),
    lambda **asked: kb.mutual_information(NUMBERS, NUMBERS, **asked),
    lambda **asked: kb.estimate(kb.js, NUMBERS, NUMBERS, **asked),
]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_asked_for_is_checked_before_the_rows(verb: Any) -> None:
    for level in ("a", None, True, 0, 1, 95, NAN):
        with raises(kb.InvalidInputError, f"level must lie between 0 and 1, got {level!r}"):
            verb(level=level)
    for seed in ("a", None, -1, 1.5, True):
        with raises(kb.InvalidInputError, f"seed must be a whole number of at least 0, got {seed!r}"):
            verb(seed=seed)
    with raises(kb.InvalidInputError, "the kind of `x` is 5; expected"):
        verb(**{"kind_x" if verb is VERBS[1] else "kind": 5})


@pytest.mark.parametrize("verb", VERBS[1:])
def test_permutations_are_counted_in_whole_numbers(verb: Any) -> None:
    for permutations in (9.5, -1, True, "9", None):
        with raises(kb.InvalidInputError, "permutations must be a whole number", repr(permutations)):
            verb(permutations=permutations)


def test_whole_numbers_of_numpy_are_whole() -> None:
    asked: dict[str, Any] = {"seed": np.int32(3), "permutations": np.int64(9), "level": np.float64(0.9)}
    plain: dict[str, Any] = {"seed": 3, "permutations": 9, "level": 0.9}
    assert kb.mutual_information(NUMBERS, NUMBERS[::-1], **asked) == kb.mutual_information(
        NUMBERS, NUMBERS[::-1], **plain
    )


def test_weights_are_numbers() -> None:
    with raises(kb.DTypeError, "`weights` holds text; expected numbers"):
        kb.entropy(NUMBERS, weights=["1.0"] * 60)
    with raises(kb.DTypeError, "`weights` holds times; expected numbers"):
        kb.entropy(NUMBERS, weights=np.arange(60).astype("M8[D]"))
    for hole in (None, NAN):
        with raises(
            kb.InvalidInputError, "1 of the 60 values of `weights_x` are negative, missing, NaN or inf"
        ):
            kb.estimate(kb.js, NUMBERS, NUMBERS, weights_x=[hole, *[1.0] * 59])
    with raises(kb.InvalidInputError, "60 of the 60 values of `weights`"):
        kb.entropy(NUMBERS, weights=[None] * 60)
    with raises(kb.ShapeError, "one number for each of the 60 rows; got 59 rows of 1 column"):
        kb.entropy(NUMBERS, weights=[1.0] * 59)
    halves = kb.entropy(NUMBERS, weights=[True, False] * 30)
    assert halves.value == kb.entropy(NUMBERS[::2]).value
