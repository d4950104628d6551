"""KL of two samples by nearest neighbours: known answers, invariance, and data that have no density."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri

import kullback as kb
from kullback.errors import InvalidInputError, TieWarning, UnsupportedPairError
from kullback.estimators import estimate, nearest_divergence
from kullback.estimators import neighbour_weights as weights
from kullback.estimators.nearest_divergence import NearestKL


def pair(n: int, m: int, d: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standard normals and the same moved by 1: KL is 1/2 in every dimension."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) + 1 / math.sqrt(d)


@pytest.mark.parametrize(("noun", "truth"), [(kb.kl, 0.5), (kb.reverse_kl, 0.5), (kb.jeffreys, 1.0)])
@pytest.mark.parametrize(("n", "m"), [(1500, 1500), (700, 2800), (2800, 700)])
def test_known_divergences_are_within_the_interval(
    noun: kb.FDivergence, truth: float, n: int, m: int
) -> None:
    x, y = pair(n, m, 2)
    found = estimate(noun, x, y, method=NearestKL())
    assert found.low < truth < found.high
    assert found.high - found.low < 0.9 * truth


def test_directions_are_each_others_duals() -> None:
    x, y = pair(300, 200, 2)
    for k in (None, 4):
        forward, back = (estimate(kb.kl, a, b, method=NearestKL(k)) for a, b in ((x, y), (y, x)))
        reverse = estimate(kb.reverse_kl, x, y, method=NearestKL(k))
        both = estimate(kb.jeffreys, x, y, method=NearestKL(k))
        assert reverse.value == pytest.approx(back.value, rel=1e-9)
        assert reverse.standard_error == pytest.approx(back.standard_error, rel=1e-9)
        assert both.value == pytest.approx(forward.value + reverse.value, rel=1e-9)


@pytest.mark.parametrize("k", [None, 3])
def test_no_affine_map_changes_anything(k: int | None) -> None:
    x, y = pair(400, 300, 3)
    rng = np.random.default_rng(9)
    expected = estimate(kb.kl, x, y, method=NearestKL(k))
    skewed = rng.standard_normal((3, 3)) @ np.diag([1.0, 1e3, 1e-3])
    maps = [
        (skewed, rng.standard_normal(3)),
        (np.diag([1e100, 1.0, 1e-100]), np.zeros(3)),
        (-np.eye(3), np.full(3, 1e6)),
    ]
    for matrix, shift in maps:
        got = estimate(kb.kl, x @ matrix + shift, y @ matrix + shift, method=NearestKL(k))
        assert got.value == pytest.approx(expected.value, abs=1e-6)
        assert got.standard_error == pytest.approx(expected.standard_error, rel=1e-5)


def test_the_order_of_rows_does_not_matter() -> None:
    x, y = pair(200, 150, 2)
    expected = estimate(kb.kl, x, y, method=NearestKL())
    got = estimate(kb.kl, x[::-1], np.roll(y, 40, axis=0), method=NearestKL())
    assert got.value == pytest.approx(expected.value, abs=1e-10)
    assert got.low == pytest.approx(expected.low, abs=1e-10)


def test_ten_columns_within_a_tenth() -> None:
    found = [estimate(kb.kl, *pair(3000, 3000, 10, seed=s), method=NearestKL()) for s in range(3)]
    assert np.mean([f.value for f in found]) == pytest.approx(0.5, rel=0.1)
    plain = estimate(kb.kl, *pair(3000, 3000, 10), method=NearestKL(5))
    assert plain.value < 0.4  # volumes lose a fifth and more


def test_samples_that_hardly_overlap_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    found = estimate(kb.kl, rng.standard_normal(500), rng.standard_normal(500) + 3, method=NearestKL())
    assert math.isfinite(found.value)
    assert found.low == -math.inf
    assert "overlap" in found.notes[0]


def test_a_tail_that_the_other_law_lacks_leaves_no_interval() -> None:
    rng = np.random.default_rng(0)
    found = estimate(kb.kl, rng.standard_cauchy(500), rng.standard_normal(500), method=NearestKL())
    assert found.high == math.inf  # KL is infinite
    assert "tail" in found.notes[0]


def left(a: kb.Answer, prior: weights.BiasPrior, n: int) -> float:
    """The squared bias in the interval beside what the weights leave."""
    assert a.standard_error is not None
    reach = (a.high - a.low) / 2 / ndtri(0.5 + a.level / 2)
    return float(reach**2 - a.standard_error**2 - weights.weigh(n, prior).bias_error ** 2)


def test_references_with_many_parameters_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    five, three = (
        estimate(
            kb.kl, rng.standard_normal((300, d)), rng.standard_normal((300, d)), method=NearestKL(), level=0.5
        )
        for d in (5, 3)
    )
    fitted = (5 * 8 / 4 * 2 / 300) ** 2  # of 20 parameters, fitted to 300 rows twice
    assert fitted < left(five, nearest_divergence.prior(5), 300) < 1.2 * fitted
    assert left(three, nearest_divergence.prior(3), 300) < 0.1 * fitted


def test_tails_that_were_not_seen_widen_the_interval_or_leave_none() -> None:
    rng = np.random.default_rng(5)
    y = rng.standard_normal(400)
    inside = np.clip(rng.standard_normal(400), y.min(), y.max()) + 1e-6 * rng.standard_normal(400)
    near, far = (np.append(inside, 1.2 * scale * y.max() + np.arange(3) / 10) for scale in (1, 2))
    prior = nearest_divergence.prior(1)
    none, some = (left(estimate(kb.kl, x, y, method=NearestKL()), prior, 400) for x in (inside, near))
    assert none == pytest.approx(0.0, abs=1e-6)
    assert some > 1e-6
    found = estimate(kb.kl, far, y, method=NearestKL())
    assert found.high == math.inf
    assert "tail" in found.notes[0]


def test_beyond_five_columns_there_is_a_value_but_no_interval() -> None:
    found = estimate(kb.kl, *pair(500, 500, 6), method=NearestKL())
    assert found.value == pytest.approx(0.5, abs=0.25)
    assert found.high == math.inf
    assert "6 columns" in found.notes[0]


def test_a_column_that_repeats_one_value_leaves_no_interval() -> None:
    x, y = pair(300, 300, 2)
    x[:30, 0] = 0.0
    found = estimate(kb.kl, x, y, method=NearestKL())
    assert found.high == math.inf
    assert "column 0 of `x`" in found.notes[0]


def test_a_few_ties_are_rounding_and_many_are_told() -> None:
    x, y = pair(400, 400, 1)
    expected = estimate(kb.kl, x, y, method=NearestKL())
    x[0], y[:2] = x[1], x[1]
    few = estimate(kb.kl, x, y, method=NearestKL())
    assert few.value == pytest.approx(expected.value, abs=0.02)
    assert math.isfinite(few.low)
    assert "equal another row" in few.notes[0]
    with pytest.warns(TieWarning, match="discrete"):
        many = estimate(kb.kl, np.repeat(x, 2, axis=0), y, method=NearestKL())
    assert math.isfinite(many.value)
    assert many.high == math.inf


def test_what_has_no_density_is_refused_with_a_reason() -> None:
    x, y = pair(200, 200, 2)
    ask = lambda a, b, k=None: estimate(kb.kl, a, b, method=NearestKL(k))  # noqa: E731
    with pytest.raises(InvalidInputError, match="atom"):
        ask(np.where(np.arange(200) < 60, 0.0, x[:, 0]), y[:, 0])
    with pytest.raises(InvalidInputError, match="occurs in the other"):
        ask(x, x[::-1])
    with pytest.raises(InvalidInputError, match="plane, line or point"):
        ask(np.column_stack([x[:, 0], x[:, 0]]), y)
    with pytest.raises(InvalidInputError, match="all have one value"):
        ask(x[:, 0], np.ones(200))
    with pytest.raises(InvalidInputError, match="3 rows"):
        ask(x[:3], y)
    with pytest.raises(InvalidInputError, match="at least 9"):
        ask(x[:8], y, 7)
    for k in (0, -1, 2.0, True):
        with pytest.raises(InvalidInputError, match="whole number"):
            NearestKL(k)  # type: ignore[arg-type]


def test_other_questions_are_refused_with_a_reason() -> None:
    x, y = pair(50, 50, 1)
    with pytest.raises(UnsupportedPairError, match="not js"):
        estimate(kb.js, x, y, method=NearestKL())
    with pytest.raises(UnsupportedPairError, match="weight"):
        estimate(kb.kl, x, y, weights_x=np.arange(50.0), method=NearestKL())
    with pytest.raises(UnsupportedPairError, match="discrete"):
        estimate(kb.kl, ["a", "b"], ["b", "a"], method=NearestKL())


def test_permutations_tell_one_law_from_two() -> None:
    x, y = pair(80, 60, 1)
    assert estimate(kb.kl, x, y, method=NearestKL(), permutations=99).p_value == 0.01
    same = np.random.default_rng(1).standard_normal(60)
    p = estimate(kb.kl, x, same, method=NearestKL(), permutations=99).p_value
    assert p is not None
    assert p > 0.05


@pytest.mark.parametrize(("n", "m"), [(300, 150), (600, 100), (300, 300)])
def test_few_rows_of_the_other_sample_are_no_lack_of_overlap(n: int, m: int) -> None:
    rng = np.random.default_rng(22)
    x, y = rng.normal(size=n), rng.normal(size=m)
    near = estimate(kb.kl, x, y + 0.7, method=NearestKL())
    assert near.low <= 0.245 <= near.high
    assert np.isfinite(near.low)
    apart = estimate(kb.kl, x, y + 4.0, method=NearestKL())
    assert apart.low == -np.inf
    assert "overlap" in apart.notes[0]
