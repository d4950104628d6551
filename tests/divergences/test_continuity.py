"""Families are continuous in their parameter, and exact on both sides of every value where a formula is 0/0."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import kullback as kb
from problems import pairs
from problems.truth import relative_error, truth_of

STEPS = (1e-3, 1e-6, 1e-9, 1e-12, 2.0**-52)


def samples() -> list[pairs.Pair]:
    rng = np.random.default_rng(20)
    return [
        pairs.far_apart(rng, 4),
        pairs.near_equal(rng, 4, 1e-3),
        pairs.near_equal(rng, 4, 1e-9),
        pairs.far_apart(rng, 4, spread=0.1),
    ]


def far_samples() -> list[pairs.Pair]:
    """With tails of 1e-200, where nothing is continuous in double precision, but every value is still exact."""
    rng = np.random.default_rng(23)
    return [*samples(), *(pairs.far_apart(rng, 4, spread=0.01) for _ in range(5))]


@pytest.mark.parametrize("special", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_alpha_at_its_special_values(special: float, side: int) -> None:
    for p, q in samples():
        there = kb.alpha(special)(p, q)
        for step in STEPS:
            d = kb.alpha(special + side * step)
            with mp.workdps(80):
                assert relative_error(d(p, q), truth_of(d).divergence(p, q)) < 2e-15 * (1 + d.steepness), step
            assert d(p, q) == pytest.approx(there, rel=200 * step + 1e-14), step
    a, b = pairs.logits(np.random.default_rng(21), 5, 2.0, 0.5)
    for step in STEPS:
        there = kb.alpha(special).of_logits(a, b)
        assert kb.alpha(special + side * step).of_logits(a, b) == pytest.approx(there, rel=10 * step + 1e-14)


@pytest.mark.parametrize("special", [0.0, 0.5, 1.0, 2.0])
def test_members_of_alpha_at_its_special_values(special: float) -> None:
    r = np.linspace(-3, 3, 61)
    for member in ("value", "slope", "tilt", "curvature"):
        there = getattr(kb.alpha(special), member)(r)
        for side in (-1, 1):
            for step in STEPS:
                here = getattr(kb.alpha(special + side * step), member)(r)
                np.testing.assert_allclose(here, there, rtol=20 * step + 1e-14)
    u = np.linspace(-2, 0.4, 25)
    for side in (-1, 1):
        for step in STEPS:
            here = kb.alpha(special + side * step).conjugate(u)
            np.testing.assert_allclose(
                here, kb.alpha(special).conjugate(u), rtol=100 * step + 1e-13, atol=1e-14
            )


@pytest.mark.parametrize("special", [0.0, 1.0])
def test_limits_of_alpha_follow_its_parameter(special: float) -> None:
    for step in STEPS:
        above, below = kb.alpha(special + step), kb.alpha(special - step)
        assert (above.at_zero, below.at_infinity) == pytest.approx((1 / above.a, 1 / (1 - below.a)))
        assert np.isinf(kb.alpha(-step).at_zero)
        assert np.isinf(kb.alpha(1 + step).at_infinity)


@pytest.mark.parametrize("side", [-1, 1])
def test_skew_js_at_one_half(side: int) -> None:
    for p, q in samples():
        for step in STEPS:
            d = kb.skew_js(0.5 + side * step)
            with mp.workdps(80):
                assert relative_error(d(p, q), truth_of(d).divergence(p, q)) < 2e-15
            assert d(p, q) == pytest.approx(kb.js(p, q), rel=10 * step + 1e-14)


@pytest.mark.parametrize(("limit", "far"), [(0, kb.kl), (1, kb.reverse_kl)], ids=["beta-to-0", "beta-to-1"])
def test_normalised_skew_js_tends_to_the_relative_entropies(limit: int, far: kb.FDivergence) -> None:
    for p, q in samples():
        for beta in (1e-3, 1e-6, 1e-9, 1e-12, 1e-16, 1e-100):
            if limit == 1 and beta < 1e-15:
                continue  # no float lies there
            d = kb.skew_js(beta if limit == 0 else 1 - beta)
            assert d.normalised()(p, q) == pytest.approx(far(p, q), rel=3e4 * beta + 1e-14), beta
    a, b = pairs.logits(np.random.default_rng(22), 5, 2.0, 0.5)
    d = kb.skew_js(1e-10 if limit == 0 else 1 - 1e-10)
    assert d.normalised().of_logits(a, b) == pytest.approx(far.of_logits(a, b), rel=1e-8)


@pytest.mark.parametrize("beta", [1e-3, 1e-6, 1e-10, 1e-16, 1e-100, 1 - 1e-3, 1 - 1e-10, 1 - 1e-15])
def test_skew_js_is_exact_next_to_its_ends(beta: float) -> None:
    d = kb.skew_js(beta)
    for p, q in far_samples():
        with mp.workdps(400):
            assert relative_error(d(p, q), truth_of(d).divergence(p, q)) < 2e-15
            assert relative_error(d.dual(q, p), truth_of(d).divergence(p, q)) < 2e-15
    r = np.linspace(-100, 100, 41)
    for member in ("slope", "tilt"):
        with mp.workdps(400):
            truth = truth_of(d)
            true = [truth.slope(mp.exp(x)) if x else mp.mpf(0) for x in map(mp.mpf, r)]
            if member == "tilt":
                true = [truth.f(mp.exp(x)) - mp.exp(x) * s for x, s in zip(map(mp.mpf, r), true, strict=True)]
            errors = [relative_error(g, t) for g, t in zip(getattr(d, member)(r), true, strict=True)]
        assert max(errors) < 1e-14, member


def test_dual_survives_parameters_next_to_the_ends() -> None:
    """1 − a rounds to 1 there: the dual keeps the parameter that it came from."""
    p, q = samples()[0]
    for d in (kb.alpha(1e-20), kb.alpha(-1e-20), kb.skew_js(1e-20)):
        assert d.dual.dual == d
        assert d.dual(q, p) == pytest.approx(d(p, q), rel=1e-14)
        assert d.dual.at_infinity == d.at_zero
