"""What is known between divergences: chain rules, products, and the classical inequalities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
from problems import pairs

EPS = 2.0**-52
seeds = st.integers(0, 2**32 - 1)
SLACK = 1 + 32 * EPS


def products(rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    (p1, q1), (p2, q2) = pairs.far_apart(rng, 3), pairs.far_apart(rng, 4)
    return [p1, p2, np.outer(p1, p2).ravel()], [q1, q2, np.outer(q1, q2).ravel()]


@given(seed=seeds)
def test_relative_entropies_add_over_products(seed: int) -> None:
    for d in (kb.kl, kb.reverse_kl, kb.jeffreys):
        first, second, both = (d(p, q) for p, q in zip(*products(np.random.default_rng(seed)), strict=True))
        assert both == pytest.approx(first + second, rel=1e-13)


@given(seed=seeds)
def test_hellinger_and_chi_square_multiply_over_products(seed: int) -> None:
    for d, factor in (
        (kb.squared_hellinger, lambda x: 1 - 0.5 * x),
        (kb.pearson_chi2, lambda x: 1 + x),
        (kb.neyman_chi2, lambda x: 1 + x),
        (kb.alpha(-1.5), lambda x: 1 + 3.75 * x),
        (kb.alpha(0.3), lambda x: 1 - 0.21 * x),
    ):
        first, second, both = (
            factor(d(p, q)) for p, q in zip(*products(np.random.default_rng(seed)), strict=True)
        )
        assert both == pytest.approx(first * second, rel=1e-13)


@given(seed=seeds)
def test_chain_rule(seed: int) -> None:
    """KL(p_xy‖q_xy) = KL(p_x‖q_x) + E_p KL(p_y|x ‖ q_y|x)."""
    rng = np.random.default_rng(seed)
    (p, q), (given_p, given_q) = pairs.far_apart(rng, 3), pairs.far_apart(rng, 4, 3)
    joint = kb.kl((p[:, None] * given_p).ravel(), (q[:, None] * given_q).ravel())
    assert joint == pytest.approx(kb.kl(p, q) + p @ kb.kl(given_p, given_q), rel=1e-13)


@given(seed=seeds, spread=st.sampled_from([0.02, 0.3, 1.0, 30.0]))
def test_classical_inequalities(seed: int, spread: float) -> None:
    p, q = pairs.far_apart(np.random.default_rng(seed), 6, spread=spread)
    kl, tv, js = kb.kl(p, q), kb.total_variation(p, q), kb.js(p, q)
    h2, le_cam = 0.5 * kb.squared_hellinger(p, q), kb.le_cam(p, q)
    chi2 = kb.pearson_chi2(p, q)
    assert 2 * tv**2 <= kl * SLACK  # Pinsker
    assert tv <= math.sqrt(-math.expm1(-kl)) * SLACK  # Bretagnolle–Huber
    assert h2 <= tv * SLACK
    assert tv <= math.sqrt(2 * h2) * SLACK
    assert kl <= math.log1p(chi2) * SLACK
    assert tv**2 <= le_cam * SLACK  # Le Cam's is between TV² and TV
    assert le_cam <= tv * SLACK
    assert 0.5 * le_cam <= js * SLACK  # Topsøe: Δ/2 ≤ JS ≤ Δ log 2, for Δ as le_cam
    assert js <= math.log(2) * le_cam * SLACK
    assert js <= 0.25 * kb.jeffreys(p, q) * SLACK


@given(seed=seeds, delta=st.sampled_from([1e-4, 1e-6, 1e-8]))
def test_all_smooth_ones_agree_near_equality(seed: int, delta: float) -> None:
    """Each is f''(1)/2 times the same quadratic form; what remains is of the order of delta."""
    p, q = pairs.near_equal(np.random.default_rng(seed), 5, delta)
    form = 0.5 * np.sum((p - q) ** 2 / q)
    for d in kb.catalogue():
        if d.curvature_at_one is not None and form > 0:
            rate = 10 * (2 + d.steepness)
            assert d(p, q) / (d.curvature_at_one * form) == pytest.approx(1, abs=rate * delta + 1e-13)


def test_named_special_cases() -> None:
    rng = np.random.default_rng(0)
    p, q = pairs.with_zeros(rng, 6, 50)
    m = 0.5 * (p + q)
    same = [
        (kb.alpha(2)(p, q), 0.5 * kb.pearson_chi2(p, q)),
        (kb.alpha(-1)(p, q), 0.5 * kb.neyman_chi2(p, q)),
        (kb.alpha(0.5)(p, q), 2 * kb.squared_hellinger(p, q)),
        (kb.jeffreys(p, q), kb.kl(p, q) + kb.reverse_kl(p, q)),
        (kb.js(p, q), 0.5 * kb.kl(p, m) + 0.5 * kb.kl(q, m)),
        (kb.gan(p, q), 2 * kb.js(p, q)),
        (kb.skew_js(0.3)(p, q), 0.3 * kb.kl(p, 0.3 * p + 0.7 * q) + 0.7 * kb.kl(q, 0.3 * p + 0.7 * q)),
        (kb.le_cam(p, q), kb.pearson_chi2(p, m)),
        (kb.total_variation(p, q), 0.5 * np.abs(p - q).sum(axis=-1)),
        ((kb.kl + kb.reverse_kl)(p, q), kb.jeffreys(p, q)),
    ]
    for left, right in same:
        np.testing.assert_allclose(left, right, rtol=1e-12)
    assert kb.alpha(1) is kb.kl
    assert kb.alpha(0.0) is kb.reverse_kl
    assert kb.skew_js(0.5) is kb.js
