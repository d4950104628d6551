"""Accuracy against mpmath, in units of rounding: near equality, in the tails, from logits, in every precision.

Near equality float64 is right to NEAR, which is 1.25 times 8e-16, down to a relative difference of 1e-15; where p and
q are as far apart as two random draws, to FAR and half a rounding for every doubling of the number of categories.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence
from problems import pairs
from problems.backends import BACKENDS, JAX, NUMPY, TORCH, Backend
from problems.listed import BUILT_IN, NUMPY_USERS, UNSCALED, USERS, leeway
from problems.truth import relative_error, truth_of

EPS = 2.0**-52
NEAR = 1e-15
FAR = 2e-15
LOGITS = 5e-15
SINGLE = 2e-6
USER = 2e-14
DELTAS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14, 1e-15)
LARGEST = float(np.finfo(float).max)

BUILT_IN_AND_DUALS = [d for d in UNSCALED if leeway(d) == 1]

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)
every_built_in = pytest.mark.parametrize("d", BUILT_IN_AND_DUALS, ids=repr)


def worst(d: FDivergence, cases: list[pairs.Pair], backend: Backend = NUMPY, dtype: str = "float64") -> float:
    """The largest relative error over pairs of equal length, which are computed as one batch."""
    p, q = (np.stack(side) for side in zip(*cases, strict=True))
    p, q = backend.array(p, dtype), backend.array(q, dtype)
    got, left, right = (backend.numpy(x).astype(float) for x in (d(p, q), p, q))
    truth = truth_of(d)
    return max(relative_error(g, truth.divergence(x, y)) for g, x, y in zip(got, left, right, strict=True))


@every_built_in
@pytest.mark.parametrize("n", [2, 5, 100])
def test_near_equality(d: FDivergence, n: int) -> None:
    rng = np.random.default_rng(80 + n)
    each = {2: 8, 5: 4, 100: 1}[n]
    assert worst(d, [pairs.near_equal(rng, n, delta) for delta in DELTAS for _ in range(each)]) <= NEAR


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.alpha(0.3), kb.squared_hellinger], ids=repr)
@pytest.mark.parametrize("n", [10**4, pytest.param(10**6, marks=pytest.mark.slow)])
def test_near_equality_with_many_categories(d: FDivergence, n: int) -> None:
    rng = np.random.default_rng(81)
    for delta in (1e-2, 1e-10):
        assert worst(d, [pairs.near_equal(rng, n, delta)]) <= NEAR


@every_built_in
def test_far_apart(d: FDivergence) -> None:
    rng = np.random.default_rng(82)
    for n, each in ((2, 20), (5, 20), (100, 2)):
        assert worst(d, [pairs.far_apart(rng, n) for _ in range(each)]) <= FAR + 1e-16 * math.log2(n)


@every_built_in
def test_tails(d: FDivergence) -> None:
    """Masses down to the smallest number there is; a power of the ratio carries the rounding of its exponent."""
    rng = np.random.default_rng(83)
    cases = [pairs.far_apart(rng, 50, spread=0.02) for _ in range(3)]
    plain = np.array([0.2, 0.3, 0.5])
    for tail in (1e-30, 1e-100, 1e-300, 5e-324):
        cases += [(np.array([tail, 0.5, 0.5]), plain), (plain, np.array([tail, 0.5, 0.5]))]
        cases.append((np.array([tail, 0.5, 0.5]), np.array([3 * tail, 0.5, 0.5])))
    for p, q in cases:
        got, true = d(p, q), truth_of(d).divergence(p, q)
        both = (p > 0) & (q > 0)
        exponent = d.steepness * np.max(np.abs(np.log(p[both]) - np.log(q[both])))
        if true > LARGEST:
            assert got == math.inf
        else:
            allowed = FAR + 1e-16 * math.log2(len(p)) + EPS * exponent
            assert relative_error(got, true) <= allowed or abs(got - true) <= 4 * 5e-324, (p, q)


@pytest.mark.parametrize("d", [*USERS, *NUMPY_USERS, *(d.dual for d in USERS)], ids=repr)
def test_functions_of_users(d: FDivergence) -> None:
    """By their expansion near equality; a kink has none, and is resolved to the rounding of the ratio."""
    rng = np.random.default_rng(84)
    for delta in (1.0, *DELTAS):
        cases = [pairs.near_equal(rng, 5, delta) for _ in range(5)]
        kinked = d.curvature_at_one is None
        assert worst(d, cases) <= USER + (8 * EPS / delta if kinked else 0.0), delta


@every_built_in
def test_from_logits(d: FDivergence) -> None:
    """Relative to the difference of logits, once the constant that both sides share is taken off."""
    rng = np.random.default_rng(85)
    truth = truth_of(d)
    for delta in (3.0, 1.0, *DELTAS[:-1]):
        for n, each in ((2, 6), (5, 3), (50, 1)):
            for _ in range(each):
                a, b = pairs.logits(rng, n, 1.0, delta)
                gap = a - b
                common = max(1.0, np.max(np.abs(gap)) / max(np.std(gap), 1e-300))
                growth = 1 + d.steepness * np.max(np.abs(gap))
                assert relative_error(d.of_logits(a, b), truth.of_logits(a, b)) <= LOGITS * common * growth, (
                    a,
                    b,
                )


@every_built_in
@pytest.mark.parametrize("scale", [10.0, 100.0, 1e4])
def test_from_peaked_logits(d: FDivergence, scale: float) -> None:
    """Relative to the exponent, which is rounded first; below the floats it may vanish, above them be infinite."""
    rng = np.random.default_rng(86)
    for delta in (scale, 1e-1, 1e-6):
        a, b = pairs.logits(rng, 8, scale, delta)
        got, true = d.of_logits(a, b), truth_of(d).of_logits(a, b)
        if true > LARGEST:
            assert got == math.inf
        elif true < 1e-300:
            assert 0 <= got <= 1e-300
        else:
            size = (
                (1 + d.steepness) * (np.ptp(a) + np.ptp(b))
                if delta == scale
                else np.ptp(a - b) / np.std(a - b)
            )
            assert relative_error(got, true) <= LOGITS + 4 * EPS * size


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
@every_backend
def test_single_precision(d: FDivergence, backend: Backend) -> None:
    """On the rounded masses as they are, from far apart to one rounding."""
    rng = np.random.default_rng(87)
    cases = [
        pairs.near_equal(rng, 6, delta) for delta in (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6) for _ in range(3)
    ]
    assert worst(d, cases, backend, "float32") <= SINGLE
    a, b = (
        np.stack(side).astype(np.float32)
        for side in zip(*(pairs.logits(rng, 6, 1.0, x) for x in (1, 1e-2, 1e-4)), strict=True)
    )
    got = backend.numpy(d.of_logits(backend.array(a, "float32"), backend.array(b, "float32")))
    for g, x, y in zip(got, a.astype(float), b.astype(float), strict=True):
        assert relative_error(g, truth_of(d).of_logits(x, y)) <= SINGLE


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.alpha(0.3)], ids=repr)
@pytest.mark.parametrize("backend", [TORCH, JAX], ids=repr)
def test_other_libraries_near_equality(d: FDivergence, backend: Backend) -> None:
    rng = np.random.default_rng(88)
    assert worst(d, [pairs.near_equal(rng, 5, delta) for delta in DELTAS for _ in range(4)], backend) <= NEAR


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_normalised_masses_and_counts(d: FDivergence) -> None:
    """Sums and products in twice the precision: what is not normalised yet is right to the same digits."""
    rng = np.random.default_rng(89)
    for delta in (1e-1, 1e-4, 1e-8, 1e-12):
        for scale in (1.0, 1e3, 1e-7):
            p, q = pairs.near_equal(rng, 6, delta)
            p, q = scale * p, 7 * q
            with mp.workdps(60):
                shares = [[mp.mpf(float(v)) / mp.fsum(map(mp.mpf, map(float, x))) for v in x] for x in (p, q)]
            assert relative_error(d(p, q, normalize=True), truth_of(d).divergence(*shares)) <= 2 * NEAR
    for total in (10**2, 10**6, 10**12):
        p = rng.multinomial(total, np.full(6, 1 / 6))
        q = rng.multinomial(2 * total, np.full(6, 1 / 6))
        with mp.workdps(60):
            shares = [[mp.mpf(int(v)) / int(x.sum()) for v in x] for x in (p, q)]
        assert relative_error(d(p, q, counts=True), truth_of(d).divergence(*shares)) <= 2 * NEAR


def test_weakly_dependent_table_keeps_its_digits() -> None:
    """Mutual information of a 2×2 table whose cells differ by one in ten thousand million."""
    cells = [10**10 + 1, 10**10 - 1, 10**10 - 1, 10**10 + 1]
    independent = [1, 1, 1, 1]
    with mp.workdps(60):
        shares = [mp.mpf(c) / sum(cells) for c in cells]
        true = truth_of(kb.kl).divergence(shares, [mp.mpf("0.25")] * 4)
    assert relative_error(kb.kl(cells, independent, counts=True), true) <= NEAR


SIGN_BATCHES = [(2, 60_000), (3, 40_000)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_never_negative_never_nan(d: FDivergence, dtype: str) -> None:
    """Near-equal pairs, where a formula with cancellation is wrong every other time; two million a precision in all."""
    assert_sound(d, dtype, SIGN_BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_never_negative_never_nan_in_a_million(d: FDivergence, dtype: str) -> None:
    assert_sound(d, dtype, [(2, 500_000), (3, 300_000), (7, 200_000)])


def assert_sound(d: FDivergence, dtype: str, batches: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(90)
    smallest = 1e-15 if dtype == "float64" else 1e-7
    for n, rows in batches:
        delta = 10 ** rng.uniform(math.log10(smallest), -1, size=(rows, 1))
        q = rng.dirichlet(np.ones(n), size=rows)
        p = q * (1 + delta * rng.uniform(-1, 1, size=(rows, n)))
        p /= p.sum(axis=-1, keepdims=True)
        x, y = p.astype(dtype), q.astype(dtype)
        for value in (d(x, y), d(y, x), d.of_logits(np.log(x), np.log(y))):
            assert value.dtype == dtype
            assert np.all(value >= 0)  # false for NaN too


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_never_negative_in_torch(dtype: Any) -> None:
    generator = torch.Generator().manual_seed(91)
    a = torch.randn(4_000, 5, generator=generator)
    for delta in (1e-1, 1e-3, 1e-6):
        b = (a + delta * torch.randn(4_000, 5, generator=generator)).to(dtype)
        for d in (kb.kl, kb.js, kb.reverse_kl, kb.squared_hellinger, kb.alpha(0.3)):
            assert (d.of_logits(a.to(dtype), b) >= 0).all(), d


def test_monotone_in_the_distance() -> None:
    """Along a line away from q nothing decreases, not even by a rounding at 1e-15."""
    q = np.array([0.5, 0.25, 0.25])
    steps = np.geomspace(1e-16, 0.4, 400)[:, None] * np.array([1.0, -0.5, -0.5])
    p = q + steps
    for d in BUILT_IN:
        value = d(p, np.broadcast_to(q, p.shape))
        assert np.all(np.diff(value) >= -4 * EPS * value[1:]), d


def test_js_is_never_above_log_two() -> None:
    rng = np.random.default_rng(92)
    p, q = rng.dirichlet(np.full(5, 0.02), size=(2, 20_000))
    assert np.max(kb.js(p, q)) <= math.log(2) * (1 + EPS)
