"""What data show about themselves: atoms, copies, and few dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback.estimators import diagnostics
from kullback.estimators.problem import JointSample, read_joint


def joint(x: Any, y: Any, **kinds: Any) -> JointSample:
    asked = (kinds.get("x"), kinds.get("y"), None)
    return read_joint(x, y, None, kinds=asked, divergence=None, weights=None, missing="raise", seed=0)


def normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def test_atoms_are_the_commonest_value_of_a_column_that_varies() -> None:
    x = np.column_stack([np.arange(10.0), np.ones(10), np.maximum(np.arange(10.0), 3.0)])
    assert diagnostics.atoms(joint(x, normal(0, 10))) == 0.4
    assert diagnostics.atoms(joint(normal(1, 10), normal(2, 10))) == 0.0


def test_copies_count_whole_rows() -> None:
    x = np.array([0.0, 0.0, 1.0, 1.0])
    assert diagnostics.copies(joint(x, np.array([5.0, 5.0, 5.0, 6.0]))) == 0.25
    assert diagnostics.copies(joint(x, ["a", "b", "c", "c"])) == 0.25
    assert diagnostics.copies(joint(["a", "a"], ["b", "b"])) == 0.0


@pytest.mark.parametrize("d", [1, 2, 4])
def test_dimension_of_a_plane_in_space(d: int) -> None:
    rows = normal(3, 2000, d) @ normal(4, d, 8)
    assert diagnostics.dimension(rows) == pytest.approx(d, rel=0.12)
    order = np.random.default_rng(5).permutation(2000)
    assert diagnostics.dimension(rows[order]) == pytest.approx(diagnostics.dimension(rows))


def test_dimension_of_a_curve_and_of_a_point() -> None:
    t = np.random.default_rng(6).uniform(0, 3, size=(1000, 1))
    assert diagnostics.dimension(np.hstack([np.cos(t), np.sin(t), t])) < 1.5
    assert diagnostics.dimension(np.zeros((50, 2))) == 0.0


def test_notes_tell_what_is_unusual_and_nothing_else() -> None:
    x, y = normal(7, 500, 3), normal(8, 500)
    assert diagnostics.notes(joint(x, y)) == ()
    flat = diagnostics.notes(joint(normal(9, 500, 1) * np.ones(6) + 0.0, y))
    assert any("of 6 dimensions" in note for note in flat)
    zeros = np.where(np.arange(500) % 4, normal(10, 500), 0.0)
    assert any("one value in 25% of the rows" in note for note in diagnostics.notes(joint(zeros, y)))
    twice = diagnostics.notes(joint(np.repeat(x[:250], 2, axis=0), np.repeat(y[:250], 2)))
    assert "50.00% of the rows are copies of another" in twice


def test_answers_of_auto_carry_the_notes() -> None:
    zeros = np.where(np.arange(400) % 4, normal(11, 400), 0.0)
    answer = kb.mutual_information(zeros, normal(12, 400))
    assert any("one value in 25%" in note for note in answer.notes)
