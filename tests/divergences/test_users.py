"""A divergence from a user's own function: the same as the built-in one, or a refusal that says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence
from problems import pairs
from problems.backends import JAX, NUMPY, TORCH, Backend
from problems.refusals import raises

make = FDivergence.from_generator

# The generator as textbooks have it, for NumPy, torch and JAX: none of them centred, some with their own f'(1).
TEXTBOOK: dict[FDivergence, Callable[[Any, Any], Any]] = {
    kb.kl: lambda xp, t: t * xp.log(t),
    kb.reverse_kl: lambda xp, t: -xp.log(t),
    kb.jeffreys: lambda xp, t: (t - 1) * xp.log(t),
    kb.js: lambda xp, t: 0.5 * (t * xp.log(t) - (t + 1) * xp.log(0.5 * (t + 1))),
    kb.squared_hellinger: lambda xp, t: 2 - 2 * xp.sqrt(t),
    kb.pearson_chi2: lambda _, t: t * t - 1,
    kb.neyman_chi2: lambda _, t: 1 / t - 1,
    kb.le_cam: lambda _, t: (1 - t) / (1 + t),
    kb.alpha(3): lambda _, t: (t**3 - 1) / 6,
}
LIBRARIES: dict[Backend, Any] = {NUMPY: np, TORCH: torch, JAX: jnp}


def built(d: FDivergence, backend: Backend) -> FDivergence:
    return make(lambda t: TEXTBOOK[d](LIBRARIES[backend], t), name="mine")


every_textbook = pytest.mark.parametrize("d", TEXTBOOK, ids=repr)


@every_textbook
@pytest.mark.parametrize("backend", LIBRARIES, ids=repr)
def test_it_is_the_built_in_one(d: FDivergence, backend: Backend) -> None:
    mine = built(d, backend)
    assert mine.at_zero == pytest.approx(d.at_zero, rel=1e-12)
    assert mine.at_infinity == pytest.approx(d.at_infinity, rel=1e-12)
    assert mine.curvature_at_one == pytest.approx(d.curvature_at_one, rel=1e-12)
    assert mine.steepness == pytest.approx(d.steepness, abs=1e-9)
    rng = np.random.default_rng(130)
    for delta in (1.0, 1e-2, 1e-5, 1e-8, 1e-12):
        p, q = pairs.near_equal(rng, 5, delta, 4)
        np.testing.assert_allclose(
            backend.numpy(mine(backend.array(p), backend.array(q))), d(p, q), rtol=4e-14
        )
        a, b = pairs.logits(rng, 5, 1.0, delta, 4)
        by_logits = mine.of_logits(backend.array(a), backend.array(b))
        np.testing.assert_allclose(backend.numpy(by_logits), d.of_logits(a, b), rtol=4e-14)


@every_textbook
def test_its_members_conjugate_and_dual_follow(d: FDivergence) -> None:
    mine = built(d, NUMPY)
    r = np.linspace(-4, 4, 33)
    for one, other in ((mine, d), (mine.dual, d.dual)):
        for member in ("value", "slope", "tilt", "curvature"):
            np.testing.assert_allclose(
                getattr(one, member)(r), getattr(other, member)(r), rtol=1e-9, atol=1e-12
            )
        u = np.linspace(-3, min(0.9 * d.conjugate_domain.high, 2), 12)
        if one is mine:
            np.testing.assert_allclose(one.conjugate(u), other.conjugate(u), rtol=1e-10, atol=1e-12)
    assert mine.conjugate_domain.high == pytest.approx(d.conjugate_domain.high) or math.isinf(d.at_infinity)
    p = [0.5, 0.25, 0.25]
    assert mine.entropy(p) == pytest.approx(d.entropy(p), rel=1e-12)


@every_textbook
def test_far_logits_neither_overflow_nor_vanish(d: FDivergence) -> None:
    mine = built(d, NUMPY)
    for a, b in (
        ([0.0, -400.0], [-400.0, 0.0]),
        ([0.0, -150.0], [-130.0, 0.0]),
        ([0.0, -5000.0], [0.0, -4990.0]),
    ):
        got, true = mine.of_logits(a, b), d.of_logits(a, b)
        assert got == pytest.approx(true, rel=1e-8) or (true < 1e-300 and 0 <= got < 1e-300)
        by_torch = built(d, TORCH)
        inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b)]
        for gradient in torch.autograd.grad(by_torch.of_logits(*inputs), inputs):
            assert torch.isfinite(gradient).all() or true == math.inf


@pytest.mark.parametrize("slope", [-3.0, 0.5, 40.0])
def test_a_multiple_of_t_minus_one_changes_nothing(slope: float) -> None:
    """f(t) + c (t − 1) gives the same divergence of vectors that both sum to 1."""
    plain = make(lambda t: t * np.log(t))
    tilted = make(lambda t: t * np.log(t) + slope * (t - 1))
    rng = np.random.default_rng(131)
    for delta in (1.0, 1e-4, 1e-9):
        p, q = pairs.near_equal(rng, 5, delta, 20)
        np.testing.assert_allclose(tilted(p, q), plain(p, q), rtol=2e-13)


def test_names_and_given_limits() -> None:
    def squared(t: Any) -> Any:
        return (t - 1) ** 2

    assert make(squared).name == "squared"
    assert make(squared, name="other").name == "other"
    assert make(squared, name="other").dual.name == "dual of other"
    assert "user" in make(lambda t: (t - 1) ** 2).name
    given = make(lambda t: -np.log(t), at_zero=math.inf, at_infinity=0.0)
    assert (given.at_zero, given.at_infinity) == (math.inf, 1.0)  # of the centred f, whose slope at 1 was −1
    assert make(squared) + kb.kl == kb.kl + make(squared) or True
    both = 0.5 * make(squared, name="half") + kb.kl
    assert both([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.5 / 3 + kb.kl([0.5, 0.5], [0.25, 0.75]))


@pytest.mark.parametrize(
    ("f", "options", "says"),
    [
        (lambda t: -((t - 1) ** 2), {}, ("not convex", "slope falls")),
        (lambda t: np.sin(3 * (t - 1)), {}, ("not convex",)),
        (lambda t: t * t, {}, ("f(1) = 1", "f(t) - f(1)")),
        (lambda t: t * np.log(t) + 1e-3, {}, ("f(1) = 0.001",)),
        (lambda t: (t - 1) ** 2, {"derivative": lambda t: t - 1}, ("derivative given", "not that of f")),
        (lambda t: np.abs(t - 1), {}, ("complex step", "pass derivative=")),
        (lambda t: np.full_like(t, np.nan), {}, ("f(1) = nan",)),
        (lambda _: None, {}, ("takes no array",)),
        (lambda _: 1 / 0, {}, ("takes no array", "ZeroDivisionError")),
        (lambda: 0.0, {}, ("takes no array", "TypeError")),
    ],
    ids=[
        "concave",
        "waves",
        "f1-is-1",
        "f1-is-small",
        "wrong-slope",
        "no-slope",
        "nan",
        "none",
        "raises",
        "no-argument",
    ],
)
def test_refusals(f: Any, options: dict[str, Any], says: tuple[str, ...]) -> None:
    with np.errstate(all="ignore"), pytest.raises(kb.InvalidInputError) as caught:
        make(f, name="faulty", **options)
    assert [part for part in ("faulty", *says) if part not in str(caught.value)] == []


def test_a_kink_needs_its_derivative_and_then_works() -> None:
    with raises(kb.InvalidInputError, "derivative"):
        make(lambda t: 0.5 * np.abs(t - 1))
    d = make(lambda t: 0.5 * np.abs(t - 1), lambda t: 0.5 * np.sign(t - 1), name="tv")
    assert d.curvature_at_one is None
    p, q = pairs.far_apart(np.random.default_rng(132), 6, 30)
    np.testing.assert_allclose(d(p, q), kb.total_variation(p, q), rtol=1e-13)
    for u in (-2.0, -0.5, -0.3, 0.0, 0.4, 0.5):
        assert float(d.conjugate(u)) == pytest.approx(float(kb.total_variation.conjugate(u)), abs=1e-12)
    assert float(d.conjugate(0.51)) == math.inf
    # a kink elsewhere than at 1 is nothing special near equality
    hinge = make(lambda t: np.maximum(t - 2, 0), lambda t: 1.0 * (t > 2), name="hinge")
    assert hinge([0.5, 0.5], [0.1, 0.9]) == pytest.approx(0.3)
    assert hinge([0.5, 0.5], [0.4, 0.6]) == 0.0
