"""The laws that make a divergence one, on vectors: every f, its dual, its rescaled form and sums of several."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
from kullback import FDivergence
from problems import pairs
from problems.backends import BACKENDS, Backend
from problems.listed import FORMS, LISTED, ORIGINALS, leeway
from problems.truth import truth_of

EPS = 2.0**-52

every_form = pytest.mark.parametrize("d", FORMS, ids=repr)
every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)
masses = st.lists(st.integers(0, 2**20), min_size=2, max_size=6).filter(any)


def assert_below(smaller: np.ndarray, larger: np.ndarray, slack: float) -> None:
    """smaller ≤ larger up to rounding; infinity is below infinity."""
    bound = larger * (1 + slack) + slack * 1e-3
    assert np.all((smaller <= bound) | np.isinf(larger)), np.max(smaller - bound)


@every_form
@every_backend
def test_exactly_zero_at_equality(d: FDivergence, backend: Backend) -> None:
    rng = np.random.default_rng(2)
    p = pairs.with_zeros(rng, 7, 20)[0]
    x, z = backend.array(p), backend.array(3 * rng.standard_normal((20, 7)))
    assert np.all(backend.numpy(d(x, x)) == 0)
    assert np.all(backend.numpy(d(x, backend.array(p))) == 0)
    assert np.all(backend.numpy(d.of_logits(z, z)) == 0)


@every_form
def test_positive_apart_however_close(d: FDivergence) -> None:
    rng = np.random.default_rng(3)
    for delta in (1.0, 1e-4, 1e-8, 1e-12, 1e-15):
        p, q = pairs.near_equal(rng, 4, delta, batch=300)
        differ = np.any(p != q, axis=-1)
        assert np.all(d(p, q)[differ] > 0), delta
        a, b = pairs.logits(rng, 4, 1.0, delta, batch=300)
        assert np.all(d.of_logits(a, b)[np.ptp(a - b, axis=-1) > 0] > 0), delta


@pytest.mark.parametrize("d", ORIGINALS, ids=repr)
@given(p=masses, q=masses)
def test_never_negative_never_nan(d: FDivergence, p: list[int], q: list[int]) -> None:
    n = min(len(p), len(q))
    p, q = p[:n], q[:n]
    if any(p) and any(q):
        value = d(p, q, counts=True)
        proportional = np.array_equal(np.multiply(p, sum(q)), np.multiply(q, sum(p)))
        assert value == 0 if proportional else value > 0
        assert value <= d.upper_bound * (1 + 4 * EPS * leeway(d))


@every_form
def test_largest_on_disjoint_supports(d: FDivergence) -> None:
    assert d([1.0, 0.0], [0.0, 1.0]) == d.upper_bound
    assert d([0.25, 0.75, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]) == pytest.approx(
        d.upper_bound, rel=2 * EPS * leeway(d)
    )
    rng = np.random.default_rng(4)
    for spread in (1.0, 0.1, 0.02):
        p, q = pairs.far_apart(rng, 10, 200, spread)
        assert np.all(d(p, q) <= d.upper_bound * (1 + 4 * EPS * leeway(d)))


@every_form
def test_dual_exchanges_the_arguments(d: FDivergence) -> None:
    rng = np.random.default_rng(5)
    for p, q in (
        pairs.with_zeros(rng, 6, 50),
        pairs.near_equal(rng, 6, 1e-7, 50),
        pairs.far_apart(rng, 6, 50),
    ):
        np.testing.assert_allclose(d(p, q), d.dual(q, p), rtol=8 * EPS * leeway(d))
    a, b = pairs.logits(rng, 6, 2.0, 1.0, 50)
    np.testing.assert_allclose(d.of_logits(a, b), d.dual.of_logits(b, a), rtol=2e-15 * leeway(d))


@pytest.mark.parametrize("d", [d for d in FORMS if d.symmetric], ids=repr)
@every_backend
def test_symmetric_to_the_last_bit(d: FDivergence, backend: Backend) -> None:
    rng = np.random.default_rng(6)
    for x, y in (
        pairs.with_zeros(rng, 8, 40),
        pairs.near_equal(rng, 8, 1e-9, 40),
        pairs.far_apart(rng, 8, 40, 0.1),
    ):
        p, q = backend.array(x), backend.array(y)
        np.testing.assert_array_equal(backend.numpy(d(p, q)), backend.numpy(d(q, p)))


@every_form
def test_terms_are_the_contributions(d: FDivergence) -> None:
    rng = np.random.default_rng(7)
    p, q = pairs.with_zeros(rng, 6, 30)
    terms = d.terms(p, q)
    assert terms.shape == p.shape
    assert np.all(terms >= 0)
    np.testing.assert_allclose(terms.sum(axis=-1), d(p, q), rtol=8 * EPS * leeway(d))
    np.testing.assert_array_equal(terms[(p == 0) & (q == 0)], 0.0)
    np.testing.assert_array_equal(d.terms(p.T, q.T, axis=0), terms.T)
    counts = rng.integers(0, 9, size=(2, 5)) + 1
    shares = counts / counts.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(d.terms(*counts, counts=True), d.terms(*shares), rtol=1e-9, atol=1e-15)


@every_form
def test_no_channel_increases_it(d: FDivergence) -> None:
    rng = np.random.default_rng(8)
    for n, m in ((6, 6), (6, 2), (3, 9)):
        channel = rng.dirichlet(np.full(m, 0.3), size=n)
        p, q = pairs.far_apart(rng, n, 100)
        images = [x @ channel for x in (p, q)]
        images = [x / x.sum(axis=-1, keepdims=True) for x in images]
        assert_below(d(*images), d(p, q), 1e-13)


@pytest.mark.parametrize("d", ORIGINALS, ids=repr)
@given(p=masses, q=masses, seed=st.integers(0, 2**32 - 1))
def test_merging_categories_never_increases_it(d: FDivergence, p: list[int], q: list[int], seed: int) -> None:
    """With counts, so that the merged masses are exact."""
    n = min(len(p), len(q))
    if not (any(p[:n]) and any(q[:n])):
        return
    x, y = np.array(p[:n]), np.array(q[:n])
    group = np.random.default_rng(seed).integers(0, 3, size=n)
    merged = [np.bincount(group, weights=v, minlength=3).astype(int) for v in (x, y)]
    before, after = d(x, y, counts=True), d(*merged, counts=True)
    assert after <= before * (1 + 16 * EPS * leeway(d)) or math.isinf(before)


@every_form
def test_splitting_in_proportion_changes_nothing(d: FDivergence) -> None:
    rng = np.random.default_rng(9)
    for pair in (
        pairs.far_apart(rng, 5, 40),
        pairs.near_equal(rng, 5, 1e-6, 40),
        pairs.with_zeros(rng, 5, 40),
    ):
        # on a grid that leaves room for the bits of three quarters, so that the pieces are exact
        p, q = (np.ldexp(np.rint(np.ldexp(x, 44)), -44) for x in pair)
        split = [np.concatenate([x[:, :-1], 0.25 * x[:, -1:], 0.75 * x[:, -1:]], axis=-1) for x in (p, q)]
        np.testing.assert_allclose(d(*split), d(p, q), rtol=8 * EPS * leeway(d))


@every_form
def test_order_and_empty_categories_do_not_matter(d: FDivergence) -> None:
    rng = np.random.default_rng(10)
    for p, q in (pairs.with_zeros(rng, 9, 40), pairs.near_equal(rng, 9, 1e-8, 40)):
        value, order = d(p, q), rng.permutation(9)
        np.testing.assert_allclose(d(p[:, order], q[:, order]), value, rtol=4 * EPS * leeway(d))
        padded = [np.concatenate([x, np.zeros((40, 3))], axis=-1) for x in (p, q)]
        np.testing.assert_allclose(d(*padded), value, rtol=4 * EPS * leeway(d))
    a, b = pairs.logits(rng, 9, 2.0, 0.5, 40)
    order = rng.permutation(9)
    np.testing.assert_allclose(
        d.of_logits(a[:, order], b[:, order]), d.of_logits(a, b), rtol=2e-15 * leeway(d)
    )
    padded = [np.concatenate([x, np.full((40, 3), -np.inf)], axis=-1) for x in (a, b)]
    np.testing.assert_allclose(d.of_logits(*padded), d.of_logits(a, b), rtol=2e-15 * leeway(d))


@every_form
def test_jointly_convex(d: FDivergence) -> None:
    rng = np.random.default_rng(11)
    (p, q), (x, y) = pairs.far_apart(rng, 5, 400), pairs.far_apart(rng, 5, 400)
    for share in (0.5, 0.1):
        middle = d((1 - share) * p + share * x, (1 - share) * q + share * y)
        assert_below(middle, (1 - share) * d(p, q) + share * d(x, y), 1e-13)


@pytest.mark.parametrize("d", [d for d in FORMS if d.metric_root is not None], ids=repr)
def test_metric_roots_satisfy_the_triangle_inequality(d: FDivergence) -> None:
    rng = np.random.default_rng(12)
    assert d.symmetric
    for spread in (1.0, 0.1):
        p, q, m = rng.dirichlet(np.full(3, spread), size=(3, 4000))
        whole, first, second = (d(x, y) ** d.metric_root for x, y in ((p, q), (p, m), (m, q)))
        assert np.all(whole <= first + second + 8 * EPS)
    # two equal steps on a line are where too large a power fails first
    for step in (0.3, 1e-3):
        p, m, q = (np.array([0.5 + k * step, 0.5 - k * step]) for k in (-1, 0, 1))
        whole, first, second = (d(x, y) ** d.metric_root for x, y in ((p, q), (p, m), (m, q)))
        assert whole <= (first + second) * (1 + 8 * EPS)


@pytest.mark.parametrize("d", [d for d in LISTED if d.symmetric and d.metric_root is None], ids=repr)
def test_symmetric_ones_without_a_root_are_no_metrics(d: FDivergence) -> None:
    """Their square root breaks the triangle inequality somewhere: nothing is missing from the catalogue's column."""
    rng = np.random.default_rng(13)
    p, q, m = rng.dirichlet(np.full(2, 0.05), size=(3, 20000))
    whole, first, second = (d(x, y) ** 0.5 for x, y in ((p, q), (p, m), (m, q)))
    usable = np.isfinite(whole) & np.isfinite(first) & np.isfinite(second)
    assert np.max(whole[usable] - first[usable] - second[usable]) > 1e-3


@pytest.mark.parametrize("d", ORIGINALS, ids=repr)
def test_entropy_is_the_divergence_from_independence_of_itself(d: FDivergence) -> None:
    rng = np.random.default_rng(14)
    for p in (rng.dirichlet(np.ones(5)), np.array([0.5, 0.5, 0.0]), np.array([0.125, 0.875])):
        joint, product = np.diag(p).ravel(), np.outer(p, p).ravel()
        true = float(truth_of(d).divergence(joint, product))
        # the outer product is rounded once, the entropy never sees it
        assert d.entropy(p) == pytest.approx(true, rel=1e-14)
    assert d.entropy([1.0, 0.0]) == 0.0
    batch = rng.dirichlet(np.ones(4), size=(2, 3))
    np.testing.assert_allclose(d.entropy(batch)[1, 2], d.entropy(batch[1, 2]), rtol=4 * EPS * leeway(d))
    np.testing.assert_allclose(
        d.entropy(np.moveaxis(batch, -1, 0), axis=0), d.entropy(batch), rtol=4 * EPS * leeway(d)
    )
    assert d.entropy([3, 1], counts=True) == pytest.approx(d.entropy([0.75, 0.25]), rel=4 * EPS * leeway(d))


def test_entropy_knows_the_classics() -> None:
    p = np.array([0.5, 0.25, 0.125, 0.125])
    assert kb.kl.entropy(p) == pytest.approx(1.75 * math.log(2), rel=2 * EPS)
    assert kb.total_variation.entropy(p) == 1 - np.sum(p * p)
    assert kb.pearson_chi2.entropy(p) == pytest.approx(3.0)  # number of categories, less one
    assert kb.kl.entropy(np.full(1000, 1e-3)) == pytest.approx(math.log(1000), rel=1e-14)


@every_form
def test_batches_are_loops(d: FDivergence) -> None:
    rng = np.random.default_rng(15)
    p, q = pairs.with_zeros(rng, 6, 12)
    one_by_one = np.array([d(x, y) for x, y in zip(p, q, strict=True)])
    np.testing.assert_allclose(d(p, q), one_by_one, rtol=4 * EPS * leeway(d))
    a, b = pairs.logits(rng, 6, 3.0, 1.0, 12)
    one_by_one = np.array([d.of_logits(x, y) for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(d.of_logits(a, b), one_by_one, rtol=4e-15 * leeway(d))
    grid = d(p[:, None, :], q[None, :5, :])
    assert grid.shape == (12, 5)
    np.testing.assert_allclose(grid[3, 4], d(p[3], q[4]), rtol=4 * EPS * leeway(d))


@every_form
def test_inputs_are_left_alone(d: FDivergence) -> None:
    rng = np.random.default_rng(16)
    p, q = pairs.with_zeros(rng, 6, 3)
    a, b = pairs.logits(rng, 6, 1.0, 1.0, 3)
    for x in (p, q, a, b):
        x.flags.writeable = False  # a write would raise
    d(p, q)
    d.of_logits(a, b)
    d(p, q, normalize=True)
