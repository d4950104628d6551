"""What is left of columns once others are known: least squares of a known law, exact zeros, few rows."""

from __future__ import annotations

import numpy as np
import pytest

from kullback.estimators.normal_scores import shared_scores
from kullback.estimators.residuals import Columns, residuals


def _found(x: np.ndarray, given: np.ndarray) -> np.ndarray:
    return residuals(*(Columns(values, shared_scores(values)) for values in (x, given)))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return abs(float(np.corrcoef(x[:, 0], y)[0, 1]))


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_what_is_left_is_what_was_added() -> None:
    z, u = _rng().normal(size=(2, 4000))
    found = _found((np.sin(z) + np.exp(0.4 * z) * u)[:, None], z[:, None])[:, 0]
    middle = np.abs(z) < 1.5
    # over its mean deviation, which for a normal variable is the root of 2/π
    np.testing.assert_allclose(found[middle], u[middle] * np.sqrt(np.pi / 2), atol=0.25)
    assert abs(np.corrcoef(found, np.sin(z))[0, 1]) < 0.02
    assert abs(np.corrcoef(np.abs(found), z)[0, 1]) < 0.04


def test_products_of_two_columns_are_foretold() -> None:
    a, b, u = _rng().normal(size=(3, 600))
    found = _found((a * b + 0.01 * u)[:, None], np.column_stack([a, b]))[:, 0]
    assert abs(np.corrcoef(found, u)[0, 1]) > 0.95


def test_a_column_that_the_others_determine_has_none() -> None:
    z, u = _rng().normal(size=(2, 300))
    found = _found(np.column_stack([3 * z - 1, z**2, u, 1e-3 * u]), z[:, None])
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, 2], found[:, 3], rtol=1e-9)
    assert np.ptp(found[:, 2]) > 1


def test_columns_or_scores_whichever_fit() -> None:
    """A sum is one of the columns themselves, a product one of their logarithms, which scores are nearer to."""
    z, u = _rng().normal(size=2000), _rng().random(2000)
    x, given = (u - z**2)[:, None], z[:, None]
    assert _correlation(_found(x, given), u) > 0.995
    assert _correlation(_found(shared_scores(x), shared_scores(given)), u) < 0.98
    scaled = _found(np.exp(3 * z + 3 * u)[:, None], np.exp(z)[:, None])
    assert _correlation(shared_scores(scaled), shared_scores(u[:, None])[:, 0]) > 0.98


@pytest.mark.parametrize("n", [12, 25, 45, 70])
def test_few_rows_carry_few_functions(n: int) -> None:
    z, u = _rng().normal(size=(2, n))
    columns = np.column_stack([5 * z + u, u])
    found = _found(columns, z[:, None])
    assert np.isfinite(found).all()
    if n < 20:
        np.testing.assert_array_equal(found, shared_scores(columns))
    else:
        assert abs(np.corrcoef(found[:, 0], u)[0, 1]) > 0.7


def test_a_column_of_two_values_is_enough_to_regress_on() -> None:
    z, u = np.tile([0.0, 1.0], 60), _rng().normal(size=120)
    found = _found((7 * z + u)[:, None], z[:, None])[:, 0]
    assert abs(found[z == 0].mean()) < 1e-12
    assert abs(found[z == 1].mean()) < 1e-12
