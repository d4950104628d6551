"""The promises on awkward input, one test a row, over libraries and over every divergence that a row concerns.

What valid input gives is never NaN, never negative and never silently wrong; what is not valid raises before any work,
and the message names argument, place and remedy. Here are rows D1 to D16; the others are in test_charter_layouts.py
and, on logits, in test_charter_logits.py.
"""

from __future__ import annotations

import math
import re
import warnings

import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from problems import pairs
from problems.backends import BACKENDS, JAX, TORCH, Backend
from problems.listed import BUILT_IN, ORIGINALS, leeway
from problems.refusals import raises
from problems.truth import relative_error, truth_of

EPS = 2.0**-52
TINIEST = 5e-324

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)


@every_backend
def test_D1_equal_vectors(backend: Backend) -> None:
    rng = np.random.default_rng(60)
    for n in (1, 2, 5) if backend is not JAX else (5,):
        p = rng.dirichlet(np.ones(n))
        for d in ORIGINALS:
            assert backend.value(d, p, p.copy()) == 0.0, d
    x, y = (TORCH.array(p).requires_grad_() for _ in range(2))
    for d in ORIGINALS if backend is TORCH else ():
        for gradient in torch.autograd.grad(d(x, y), (x, y)):
            assert (gradient == 0).all(), d


@every_backend
def test_D2_proportional_counts(backend: Backend) -> None:
    counts = np.array([3, 5, 7, 0])
    for factor in (10**6, 7, 123_456_789):
        for d in ORIGINALS:
            got = d(backend.array(factor * counts, "int64"), backend.array(counts, "int64"), counts=True)
            assert backend.number(got) == 0.0, d


@every_backend
def test_D3_one_ulp_apart(backend: Backend) -> None:
    for p in ([0.5, 0.25, 0.25], [0.9, 0.05, 0.05], [1e-9, 0.5, 0.5 - 1e-9]):
        for i, towards in ((0, 1.0), (1, 0.0)):
            q = list(p)
            q[i] = math.nextafter(q[i], towards)
            for d in BUILT_IN:
                got = backend.value(d, p, q)
                assert got > 0, d
                assert relative_error(got, truth_of(d).divergence(p, q)) <= 8 * EPS, d


@every_backend
def test_D4_a_category_without_p(backend: Backend) -> None:
    """q f(0), and infinite only where f(0) is; no warning either way."""
    p, q = [0.0, 0.5, 0.5], [0.25, 0.375, 0.375]
    for d in ORIGINALS:
        got = backend.value(d, p, q)
        assert got == math.inf if d.at_zero == math.inf else math.isfinite(got), d
        assert relative_error(got, truth_of(d).divergence(p, q)) <= 4 * EPS * leeway(d), d
    assert backend.value(kb.kl, p, q) == pytest.approx(math.log(4 / 3), rel=4 * EPS)


@every_backend
def test_D5_a_category_without_q(backend: Backend) -> None:
    p, q = [0.25, 0.375, 0.375], [0.0, 0.5, 0.5]
    for d in ORIGINALS:
        got = backend.value(d, p, q)
        assert got == math.inf if d.at_infinity == math.inf else math.isfinite(got), d
        assert relative_error(got, truth_of(d).divergence(p, q)) <= 4 * EPS * leeway(d), d
    infinite = {d for d in BUILT_IN if backend.value(d, p, q) == math.inf}
    assert {kb.kl, kb.pearson_chi2, kb.jeffreys} <= infinite
    assert not infinite & {kb.js, kb.squared_hellinger, kb.total_variation, kb.le_cam, kb.gan, kb.reverse_kl}


@every_backend
def test_D6_an_empty_category_contributes_nothing(backend: Backend) -> None:
    p, q = [0.25, 0.75], [0.5, 0.5]
    for d in ORIGINALS:
        with_empty = backend.value(d, [0.25, 0.0, 0.75], [0.5, 0.0, 0.5])
        assert with_empty == pytest.approx(backend.value(d, p, q), rel=2 * EPS), d


@every_backend
def test_D7_disjoint_supports(backend: Backend) -> None:
    p, q = [1.0, 0.0], [0.0, 1.0]
    for d in ORIGINALS:
        assert backend.value(d, p, q) == d.upper_bound, d
    assert backend.value(kb.kl, p, q) == math.inf
    assert backend.value(kb.js, p, q) == math.log(2)
    assert backend.value(kb.total_variation, p, q) == 1.0
    assert backend.value(kb.squared_hellinger, p, q) == 2.0
    in_bits = kb.js(backend.array(p), backend.array(q), base=2)
    assert backend.number(in_bits) == 1.0


@every_backend
def test_D8_subnormal_masses(backend: Backend) -> None:
    """To 1e-12, or to four of the smallest numbers; JAX on a CPU takes a subnormal for 0, and so does its answer."""
    cases = [
        ([TINIEST, 0.5, 0.5], [0.2, 0.3, 0.5]),
        ([TINIEST, 0.5, 0.5], [1e-310, 0.4, 0.6]),
        ([1e-310, 0.25, 0.75], [3e-310, 0.25, 0.75]),
        ([1e-310, 1.0], [TINIEST, 1.0]),
    ]
    for p, q in [*cases, *((q, p) for p, q in cases)]:
        if backend is JAX:
            p, q = ([0.0 if x < 2.3e-308 else x for x in side] for side in (p, q))
        for d in BUILT_IN:
            got, true = backend.value(d, p, q), truth_of(d).divergence(p, q)
            if true > np.finfo(float).max:
                assert got == math.inf, d
            else:
                assert relative_error(got, true) <= 1e-12 or abs(got - true) <= 4 * TINIEST, (d, p, q)


@every_backend
def test_D9_the_smallest_number_against_nothing(backend: Backend) -> None:
    for d in (kb.js, kb.squared_hellinger, kb.le_cam, kb.total_variation, kb.gan):
        assert 0 <= math.sqrt(backend.value(d, [0.0, 1.0], [TINIEST, 1.0])) <= 1e-160


@every_backend
def test_D10_masses_that_do_not_sum_to_one(backend: Backend) -> None:
    half, short = [0.5, 0.5], [0.5, 0.499]
    message = "`p` sums to 0.999, not 1 (tolerance 1e-6); pass normalize=True or counts=True"
    with raises(kb.InvalidInputError, message):
        backend.value(kb.kl, short, half)
    with raises(kb.InvalidInputError, "`q` sums to 0.999"):
        backend.value(kb.kl, half, short)
    backend.value(kb.kl, [0.5, 0.5 + 9e-7], half)
    with raises(kb.InvalidInputError, "tolerance 1e-6"):
        backend.value(kb.kl, [0.5, 0.5 + 1.1e-6], half)
    with raises(kb.InvalidInputError, "tolerance 1e-4"):
        backend.value(kb.kl, short, half, "float32")
    backend.value(kb.kl, [0.5, 0.50009], half, "float32")
    for dtype in {"numpy": ["float16"], "torch": ["float16", "bfloat16"], "jax": ["float16", "bfloat16"]}.get(
        backend.name, []
    ):
        backend.value(kb.kl, [0.5, 0.515], half, dtype)
        with raises(kb.InvalidInputError, "tolerance 2e-2"):
            backend.value(kb.kl, [0.5, 0.53], half, dtype)
    with raises(kb.InvalidInputError, "`p` sums to 0.9,"):  # the worst row of a batch
        kb.kl(backend.array([[0.5, 0.5], [0.5, 0.4], [0.5, 0.499]]), backend.array(half))


@every_backend
def test_D11_normalised_masses_of_any_size(backend: Backend) -> None:
    rng = np.random.default_rng(61)
    p, q = pairs.near_equal(rng, 5, 1e-7)
    for d in BUILT_IN:
        plain = backend.number(d(backend.array(p), backend.array(q), normalize=True))
        for scale in (2.0**900, 2.0**-900, 2.0**3):
            scaled = d(backend.array(scale * p), backend.array(q / scale), normalize=True)
            assert backend.number(scaled) == plain, d
        for scale in (1e300, 1e-300):
            # rounded once when scaled, which near equality is all that the answer shows
            scaled = d(backend.array(p), backend.array(scale * q), normalize=True)
            assert backend.number(scaled) == pytest.approx(plain, rel=1e-7), d
            by_truth = truth_of(d).divergence(exact_shares(p), exact_shares(scale * q))
            assert relative_error(backend.number(scaled), by_truth) <= 16 * EPS, d


def exact_shares(x: np.ndarray) -> list[mp.mpf]:
    with mp.workdps(60):
        masses = [mp.mpf(float(v)) for v in x]
        return [m / mp.fsum(masses) for m in masses]


@every_backend
def test_D12_negative_mass(backend: Backend) -> None:
    with raises(kb.InvalidInputError, "`q`[1] is -0.2; a mass is never negative"):
        backend.value(kb.js, [0.5, 0.5], [1.2, -0.2])
    with raises(kb.InvalidInputError, "`p`[1, 0] is -0.25"):
        kb.js(backend.array([[0.5, 0.5], [-0.25, 1.25]]), backend.array([0.5, 0.5]))
    for d in ORIGINALS:
        assert backend.value(d, [-0.0, 1.0], [0.0, 1.0]) == 0.0, d
        assert backend.value(d, [-0.0, 1.0], [0.5, 0.5]) == backend.value(d, [0.0, 1.0], [0.5, 0.5]), d


@every_backend
def test_D13_nan(backend: Backend) -> None:
    with raises(kb.InvalidInputError, "`q`[2] is NaN (1 of 5 entries)"):
        backend.value(kb.kl, [0.2] * 5, [0.2, 0.2, math.nan, 0.2, 0.4])
    with raises(kb.InvalidInputError, "`p`[0, 1] is NaN (3 of 6 entries)"):
        kb.kl(backend.array([[0.5, math.nan], [math.nan, math.nan], [0.5, 0.5]]), backend.array([0.5, 0.5]))


@every_backend
def test_D14_infinite_mass(backend: Backend) -> None:
    with raises(kb.InvalidInputError, "`p`[0] is infinite (1 of 2 entries)"):
        backend.value(kb.kl, [math.inf, 0.5], [0.5, 0.5])
    with raises(kb.InvalidInputError, "`q`[1] is infinite"):
        kb.kl(backend.array([0.5, 0.5]), backend.array([1.0, -math.inf]), normalize=True)
    with raises(kb.InvalidInputError, "masses of `p` overflow"):
        kb.kl(backend.array([1e308, 1e308]), backend.array([0.5, 0.5]), normalize=True)


@every_backend
def test_D15_no_categories(backend: Backend) -> None:
    empty = (
        backend.make(np.zeros(0), "float64") if backend is not TORCH else torch.zeros(0, dtype=torch.float64)
    )
    for options in ({}, {"normalize": True}, {"counts": True}):
        with raises(kb.InvalidInputError, "need at least one category"):
            kb.kl(empty, empty, **options)


@every_backend
def test_D16_no_mass(backend: Backend) -> None:
    for options in ({}, {"normalize": True}, {"counts": True}):
        with raises(kb.InvalidInputError, "`p`", "total mass is 0"):
            kb.kl(backend.array([0.0, 0.0]), backend.array([1.0, 0.0]), **options)
        with raises(kb.InvalidInputError, "`q`", "total mass is 0"):
            kb.kl(backend.array([[1.0, 0.0]] * 2), backend.array([[1.0, 0.0], [0.0, 0.0]]), **options)


def test_every_row_of_the_charter_has_its_test() -> None:
    from divergences import test_charter_layouts, test_charter_logits

    names = [
        name
        for module in (globals(), vars(test_charter_layouts), vars(test_charter_logits))
        for name in module
    ]
    for prefix, rows in (("D", 34), ("L", 9)):
        found = {int(match[1]) for name in names if (match := re.match(rf"test_{prefix}(\d+)_", name))}
        assert found == set(range(1, rows + 1))


def test_warnings_are_errors_here() -> None:
    """Several rows promise silence, which nothing would check otherwise."""
    with pytest.raises(RuntimeWarning):
        warnings.warn("heard", RuntimeWarning, stacklevel=1)
