"""Gradients: against mpmath, against each other, at equality, at the edge of the simplex, and of second order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence
from problems import pairs
from problems.backends import JAX, TORCH
from problems.listed import BUILT_IN, ORIGINALS, SMOOTH, USERS, compiled, leeway
from problems.truth import softmax, truth_of

EPS = 2.0**-52

every_original = pytest.mark.parametrize("d", ORIGINALS, ids=repr)
every_smooth = pytest.mark.parametrize("d", SMOOTH, ids=repr)


def true_members(d: FDivergence, p: Any, q: Any) -> tuple[Any, Any]:
    """∂D/∂p and ∂D/∂q of one term; an infinite limit has no gradient that could be followed, and counts as 0."""
    truth, zero = truth_of(d), mp.mpf(0)
    if p == q:
        return zero, zero
    if p == 0 or q == 0:
        to_p, to_q = (truth.growth(), zero) if q == 0 else (zero, truth.f(zero))
        return tuple(zero if mp.isinf(x) else x for x in (to_p, to_q))
    t = p / q
    slope = truth.slope(t)
    return slope, truth.f(t) - t * slope


def true_gradients(d: FDivergence, p: Sequence[Any], q: Sequence[Any]) -> list[list[Any]]:
    """Towards the masses."""
    smallest = min(float(x) for x in (*p, *q) if x > 0)
    with mp.workdps(90 + int(-3 * math.log10(smallest))):
        terms = [true_members(d, mp.mpf(float(x)), mp.mpf(float(y))) for x, y in zip(p, q, strict=True)]
        return [list(side) for side in zip(*terms, strict=True)]


def true_logit_gradients(d: FDivergence, a: Sequence[Any], b: Sequence[Any]) -> list[list[Any]]:
    """p (slope − E_p slope) and q (tilt − E_q tilt)."""
    with mp.workdps(90):
        p, q = softmax(a), softmax(b)
        terms = [true_members(d, x, y) for x, y in zip(p, q, strict=True)]
        sides = []
        for mass, member in zip((p, q), zip(*terms, strict=True), strict=True):
            mean = mp.fsum(x * m for x, m in zip(mass, member, strict=True))
            sides.append([x * (m - mean) for x, m in zip(mass, member, strict=True)])
        return sides


def gradients(
    function: Callable[..., Any], x: np.ndarray, y: np.ndarray, dtype: str = "float64"
) -> list[Any]:
    """Of torch, with every NaN on the way an error."""
    first, second = (TORCH.array(v, dtype).requires_grad_() for v in (x, y))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Anomaly Detection has been enabled")
        anomalies = torch.autograd.detect_anomaly(check_nan=True)
    with anomalies:
        value = function(first, second)
        assert not torch.isnan(value).any()
        return list(torch.autograd.grad(value.sum(), (first, second)))


def l2_error(got: Any, true: Sequence[Any], more: float = 0.0) -> float:
    """‖got − true‖ / (‖true‖ + more); absolute where that is 0 up to mpmath's own rounding."""
    values = [mp.mpf(float(g)) for g in got]
    size = mp.sqrt(mp.fsum(t * t for t in true)) + more
    wrong = mp.sqrt(mp.fsum((g - t) ** 2 for g, t in zip(values, true, strict=True)))
    return float(wrong if size < mp.mpf("1e-60") else wrong / size)


def parts(d: FDivergence, a: Sequence[Any], b: Sequence[Any]) -> list[float]:
    """Σ p |slope| and Σ q |tilt| over all classes but the heaviest: what a centred gradient may cancel."""
    with mp.workdps(90):
        p, q = softmax(a), softmax(b)
        members = zip(*(true_members(d, x, y) for x, y in zip(p, q, strict=True)), strict=True)
        sizes = []
        for mass, member in zip((p, q), members, strict=True):
            top = mass.index(max(mass))
            largest = max(map(abs, member))
            sizes.append(float(mp.fsum(x for i, x in enumerate(mass) if i != top) * largest))
        return sizes


@every_original
@pytest.mark.parametrize("delta", [1.0, 1e-2, 1e-4, 1e-8, 1e-12])
def test_towards_masses(d: FDivergence, delta: float) -> None:
    p, q = pairs.near_equal(np.random.default_rng(30), 6, delta)
    if d.curvature_at_one is None and leeway(d) > 1 and delta < 1e-8:
        pytest.skip("a user's kink is resolved to the rounding of t")
    for got, true in zip(gradients(d, p, q), true_gradients(d, p, q), strict=True):
        assert l2_error(got, true) < 1e-15 * leeway(d)


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_towards_masses_in_the_tails(d: FDivergence) -> None:
    """Category by category: a mass of 1e-200 has a gradient too."""
    rng = np.random.default_rng(31)
    for p, q in (pairs.far_apart(rng, 6, spread=0.1), ([1e-200, 0.3, 0.7], [0.2, 0.8 - 1e-30, 1e-30])):
        for got, true in zip(gradients(d, p, q), true_gradients(d, p, q), strict=True):
            for g, t in zip(got.tolist(), true, strict=True):
                scale = 1e-15 * (1 + d.steepness) * 60
                assert abs(g - t) <= scale * abs(t) + 1e-17 or (abs(t) > 1e308 and math.isinf(g))


@every_original
@pytest.mark.parametrize("delta", [3.0, 1.0, 1e-2, 1e-4, 1e-8, 1e-12])
def test_towards_logits(d: FDivergence, delta: float) -> None:
    a, b = pairs.logits(np.random.default_rng(32), 6, 1.0, delta)
    if d.curvature_at_one is None and leeway(d) > 1 and delta < 1e-8:
        pytest.skip("a user's kink is resolved to the rounding of t")
    for got, true in zip(gradients(d.of_logits, a, b), true_logit_gradients(d, a, b), strict=True):
        assert l2_error(got, true) < 1e-15 * (1 + delta) * leeway(d)


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
@pytest.mark.parametrize("scale", [10.0, 30.0])
def test_towards_peaked_logits(d: FDivergence, scale: float) -> None:
    """One class holds nearly all the mass, and the gradient is what is left."""
    rng = np.random.default_rng(33)
    for _ in range(3):
        a, b = scale * rng.standard_normal((2, 6))
        exact, sizes = true_logit_gradients(d, a, b), parts(d, a, b)
        for got, true, size in zip(gradients(d.of_logits, a, b), exact, sizes, strict=True):
            # the log-ratio itself is rounded, relative to its size
            assert l2_error(got, true, size) < EPS * (4 + (1 + d.steepness) * 3 * scale)


@every_original
def test_towards_masked_logits(d: FDivergence) -> None:
    """−inf on either side: the gradient is finite, exactly 0 where masked, and that of the finite part elsewhere."""
    for delta in (0.5, 1e-6):
        for name, (a, b) in pairs.masked_logits(np.random.default_rng(34), 5, delta):
            got, exact = gradients(d.of_logits, a, b), true_logit_gradients(d, a, b)
            for side, mine, true, size in zip((a, b), got, exact, parts(d, a, b), strict=True):
                assert torch.isfinite(mine).all(), name
                assert (mine[np.isneginf(side)] == 0).all(), name
                assert l2_error(mine, true, size) < 2e-15 * leeway(d), name


@every_original
def test_towards_empty_masses(d: FDivergence) -> None:
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.25, 0.0, 0.75, 0.0])
    for got, true in zip(gradients(d, p, q), true_gradients(d, p, q), strict=True):
        assert torch.isfinite(got).all()
        assert l2_error(got, true) < 4e-15 * leeway(d)


@every_original
def test_exactly_zero_at_equality(d: FDivergence) -> None:
    rng = np.random.default_rng(35)
    masses, logits = pairs.with_zeros(rng, 6, 4)[0], 3 * rng.standard_normal((4, 6))
    logits[0, 2] = -np.inf
    for function, x in ((d, masses), (d.of_logits, logits)):
        for got in gradients(function, x, x.copy()):
            assert (got == 0).all()
    counts = np.array([3.0, 5.0, 7.0])
    for got in gradients(lambda u, v: d(u, v, normalize=True), counts, 4 * counts):
        assert (got == 0).all()


@every_original
def test_normalised_masses_have_gradients_along_the_simplex(d: FDivergence) -> None:
    """D(p/Σp‖q/Σq) does not change when a side is scaled, so its gradient is orthogonal to that side."""
    rng = np.random.default_rng(36)
    p, q = pairs.far_apart(rng, 5)
    to_p, to_q = gradients(lambda x, y: d(x, y, normalize=True), 3 * p, 5 * q)
    assert abs(float(to_p @ torch.tensor(p))) < 1e-13 * float(to_p.abs().max())
    assert abs(float(to_q @ torch.tensor(q))) < 1e-13 * float(to_q.abs().max())
    plain = gradients(d, p, q)
    for got, raw, mass, scale in zip((to_p, to_q), plain, (p, q), (3, 5), strict=True):
        expected = (raw - raw @ torch.tensor(mass)) / scale
        torch.testing.assert_close(got, expected, rtol=1e-12 * leeway(d), atol=1e-13)


@every_smooth
def test_float32(d: FDivergence) -> None:
    rng = np.random.default_rng(37)
    for delta in (1.0, 1e-2, 1e-4):
        a, b = (x.astype(np.float32) for x in pairs.logits(rng, 50, 1.0, delta))
        true = true_logit_gradients(d, a.tolist(), b.tolist())
        for got, exact in zip(gradients(d.of_logits, a, b, "float32"), true, strict=True):
            assert got.dtype == torch.float32
            assert l2_error(got, exact) < 2e-6
        p, q = (x.astype(np.float32) for x in pairs.near_equal(rng, 50, delta))
        for got, exact in zip(gradients(d, p, q, "float32"), true_gradients(d, p, q), strict=True):
            assert l2_error(got, exact) < 2e-6


@every_smooth
def test_gradcheck_and_gradgradcheck(d: FDivergence) -> None:
    """First and second order, towards both arguments, far apart and near equality."""
    rng = np.random.default_rng(38)
    tolerance = {"atol": 1e-6 * leeway(d), "rtol": 1e-4}
    for x, y in (pairs.logits(rng, 3, 1.0, 0.7), pairs.logits(rng, 3, 1.0, 1e-5)):
        inputs = tuple(TORCH.array(v).requires_grad_() for v in (x, y))
        assert torch.autograd.gradcheck(d.of_logits, inputs, eps=1e-6, **tolerance)
        assert torch.autograd.gradgradcheck(d.of_logits, inputs, eps=1e-6, **tolerance)
    for p, q in (
        ([0.2, 0.3, 0.5], [0.4, 0.35, 0.25]),
        ([0.2, 0.3, 0.5], [0.2 + 1e-4, 0.3 - 2e-4, 0.5 + 1e-4]),
    ):
        inputs = tuple(TORCH.array(v).requires_grad_() for v in (p, q))
        free = lambda u, v: d(u, v, validate=False)  # noqa: E731  (finite differences leave the simplex)
        assert torch.autograd.gradcheck(free, inputs, eps=1e-6, **tolerance)
        assert torch.autograd.gradgradcheck(free, inputs, eps=1e-6, **tolerance)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # by torch
@every_smooth
def test_hessian_at_equality_is_the_fisher_information(d: FDivergence) -> None:
    """f''(1) (diag p − p pᵀ) towards either side, its negative across."""
    a = np.random.default_rng(39).standard_normal(4)
    p = np.exp(a) / np.exp(a).sum()
    fisher = d.curvature_at_one * (np.diag(p) - np.outer(p, p))
    expected = np.block([[fisher, -fisher], [-fisher, fisher]])

    def joined(z: Any) -> Any:
        return d.of_logits(z[:4], z[4:])

    both = np.concatenate([a, a])
    by_torch = torch.autograd.functional.hessian(joined, TORCH.array(both)).numpy()
    np.testing.assert_allclose(by_torch, expected, atol=1e-13 * leeway(d))
    # forward over reverse goes through other branches
    transformed = torch.func.hessian(joined)(TORCH.array(both))
    np.testing.assert_allclose(transformed.numpy(), expected, atol=1e-13 * leeway(d))
    # towards the masses it is f''(1)/p on the diagonal
    hessian = torch.autograd.functional.hessian(
        lambda x: d(x, TORCH.array(p), validate=False), TORCH.array(p)
    )
    diagonal = d.curvature_at_one * np.diag(1 / p)
    np.testing.assert_allclose(hessian.numpy(), diagonal, rtol=1e-11 * leeway(d), atol=1e-11)
    by_terms = torch.func.hessian(lambda x: d.terms(x, TORCH.array(p), validate=False).sum())(TORCH.array(p))
    np.testing.assert_allclose(by_terms.numpy(), diagonal, rtol=1e-11 * leeway(d), atol=1e-11)


@pytest.mark.parametrize("d", compiled(ORIGINALS), ids=repr)
def test_jax_gradients_are_those_of_torch(d: FDivergence) -> None:
    rng = np.random.default_rng(40)
    a, b = pairs.logits(rng, 5, 2.0, 1.0, 3)
    a[0, 1], b[1, 2], a[2, 3], b[2, 3] = 4 * [-np.inf]
    for function, x, y in ((d.of_logits, a, b), (d, *pairs.with_zeros(rng, 5, 3))):
        by_torch = gradients(function, x, y)
        by_jax = jax.jit(jax.grad(lambda u, v, call=function: call(u, v).sum(), (0, 1)))(
            JAX.array(x), JAX.array(y)
        )
        for mine, other in zip(by_jax, by_torch, strict=True):
            np.testing.assert_allclose(mine, other.numpy(), rtol=1e-13 * leeway(d), atol=1e-15)


@pytest.mark.parametrize("d", compiled(ORIGINALS), ids=repr)
def test_jax_transforms(d: FDivergence) -> None:
    """vmap, forward mode and reverse mode, nested, in one compiled function."""
    rng = np.random.default_rng(41)
    a, b = (jnp.array(x) for x in pairs.logits(rng, 5, 2.0, 1.0, 4))
    direction = jnp.array(rng.standard_normal(a.shape))

    def everything(x: Any, y: Any) -> Any:
        gradient = jax.vmap(jax.grad(d.of_logits, (0, 1)))
        along = jax.jvp(lambda z: jax.vmap(d.of_logits)(z, y), (x,), (direction,))
        return along, gradient(x, y), gradient(x, x), jax.hessian(d.of_logits, 1)(x[0], x[0])

    (value, along), towards, at_equality, hessian = jax.jit(everything)(a, b)
    np.testing.assert_allclose(value, d.of_logits(np.array(a), np.array(b)), rtol=4e-15 * leeway(d))
    np.testing.assert_allclose(along, (towards[0] * direction).sum(axis=-1), rtol=1e-12)
    for mine, other in zip(towards, gradients(d.of_logits, np.array(a), np.array(b)), strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-13 * leeway(d), atol=1e-15)
    assert all((side == 0).all() for side in at_equality)
    if d.curvature_at_one is not None:
        p = jax.nn.softmax(a[0])
        fisher = d.curvature_at_one * (jnp.diag(p) - jnp.outer(p, p))
        np.testing.assert_allclose(hessian, fisher, atol=1e-13 * leeway(d))


@every_original
def test_torch_transforms(d: FDivergence) -> None:
    rng = np.random.default_rng(42)
    a, b = (TORCH.array(x) for x in pairs.logits(rng, 5, 2.0, 1.0, 4))
    batched = d.of_logits(a, b)
    torch.testing.assert_close(torch.func.vmap(d.of_logits)(a, b), batched, rtol=4e-15 * leeway(d), atol=0)
    each = torch.func.vmap(torch.func.grad(d.of_logits, argnums=(0, 1)))(a, b)
    for mine, other in zip(each, gradients(d.of_logits, a.numpy(), b.numpy()), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12 * leeway(d), atol=1e-14)


@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.alpha(0.3), *USERS[:1]], ids=repr)
def test_only_the_side_that_asks_gets_a_gradient(d: FDivergence) -> None:
    a, b = (TORCH.array(x) for x in pairs.logits(np.random.default_rng(43), 5, 1.0, 1.0))
    teacher, student = a.clone(), b.clone().requires_grad_()
    d.of_logits(teacher, student).backward()
    assert teacher.grad is None
    both = gradients(d.of_logits, a.numpy(), b.numpy())
    torch.testing.assert_close(student.grad, both[1], rtol=1e-14, atol=0)
    assert not d.of_logits(a, b).requires_grad
    with torch.no_grad():
        assert not d.of_logits(teacher, student).requires_grad
