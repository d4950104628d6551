"""The entropy by nearest neighbours: known answers, units, and data whose entropy is minus infinity."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kullback.errors import InvalidInputError, TieWarning, UnsupportedPairError
from kullback.estimators import entropy
from kullback.estimators.nearest_entropy import KozachenkoLeonenko

NORMAL = 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_known_entropies_are_within_the_interval(d: int) -> None:
    x = np.random.default_rng(d).standard_normal((1500, d))
    found = entropy(x, method=KozachenkoLeonenko())
    assert found.low < d * NORMAL < found.high
    assert found.high - found.low < 0.35
    assert entropy(x, method=KozachenkoLeonenko(5)).value == pytest.approx(found.value, abs=0.2)


def test_the_edges_of_a_square_are_within_the_interval() -> None:
    found = entropy(np.random.default_rng(0).random((1000, 2)), method=KozachenkoLeonenko())
    assert found.low < 0.0 < found.high
    assert found.high - found.low < 0.2


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("scale", [1e-100, 1e-3, 1e100])
def test_units_add_their_logarithm(k: int | None, scale: float) -> None:
    x = np.random.default_rng(1).standard_normal((200, 2))
    expected = entropy(x, method=KozachenkoLeonenko(k))
    got = entropy(x * [scale, 5.0] + [0.0, 1e6], method=KozachenkoLeonenko(k))
    assert got.value == pytest.approx(expected.value + math.log(scale) + math.log(5), abs=1e-6)
    assert got.standard_error == pytest.approx(expected.standard_error, rel=1e-5)


def test_the_order_of_rows_does_not_matter() -> None:
    x = np.random.default_rng(2).standard_normal((150, 2))
    expected = entropy(x, method=KozachenkoLeonenko())
    assert entropy(x[::-1], method=KozachenkoLeonenko()).value == pytest.approx(expected.value, abs=1e-10)


def test_beyond_four_columns_there_is_a_value_but_no_interval() -> None:
    x = np.random.default_rng(3).standard_normal((1000, 6))
    found = entropy(x, method=KozachenkoLeonenko())
    assert found.value == pytest.approx(6 * NORMAL, abs=0.4)
    assert found.low == -math.inf
    assert found.high == math.inf
    assert "6 columns" in found.notes[0]


def test_laws_without_a_density_have_entropy_minus_infinity() -> None:
    x = np.random.default_rng(4).standard_normal((100, 2))
    atom = np.where(np.arange(100)[:, None] < 30, 0.5, x)
    for data in (atom, np.ones(100), np.column_stack([x, x[:, 0]]), np.column_stack([x, np.zeros(100)])):
        found = entropy(data, method=KozachenkoLeonenko())
        assert found.value == found.low == found.high == -math.inf
        assert "discrete" in found.notes[0]


def test_a_column_that_repeats_one_value_leaves_no_interval() -> None:
    x = np.random.default_rng(4).standard_normal((300, 2))
    x[:30, 1] = 0.0
    found = entropy(x, method=KozachenkoLeonenko())
    assert found.low == -math.inf
    assert "column 1 of `x`" in found.notes[0]


def test_ties_are_told() -> None:
    x = np.random.default_rng(7).standard_normal(500)
    x[1] = x[0]
    few = entropy(x, method=KozachenkoLeonenko())
    assert math.isfinite(few.low)
    assert "equal another row" in few.notes[0]
    with pytest.warns(TieWarning):
        many = entropy(np.round(x, 2), method=KozachenkoLeonenko())
    assert many.low == -math.inf
    assert many.value == pytest.approx(NORMAL, abs=0.2)


def test_what_it_does_not_serve_is_refused() -> None:
    x = np.random.default_rng(6).standard_normal(20)
    with pytest.raises(InvalidInputError, match="3 rows"):
        entropy(x[:3], method=KozachenkoLeonenko())
    with pytest.raises(UnsupportedPairError, match="weight"):
        entropy(x, weights=np.arange(20.0), method=KozachenkoLeonenko())
    with pytest.raises(UnsupportedPairError, match="discrete"):
        entropy(["a", "b"], method=KozachenkoLeonenko())
    with pytest.raises(InvalidInputError, match="whole number"):
        KozachenkoLeonenko(0)
