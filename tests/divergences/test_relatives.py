"""The divergences that are no f-divergences: against their definitions in mpmath, near equality, at their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import mpmath as mp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import Divergence
from problems import pairs
from problems.backends import JAX, STRICT, TORCH, Backend
from problems.refusals import raises
from problems.truth import relative_error, softmax, truth_of

EPS = 2.0**-52
ORDERS = (0.0, 1e-9, 0.3, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 5.0, math.inf)
Masses = list[Any]  # of mpmath numbers


def renyi(order: float) -> Callable[[Masses, Masses], Any]:
    """The textbook formula, through the alpha divergence of masses that sum to 1 up to rounding."""

    def value(p: Masses, q: Masses) -> Any:
        live = [(x, y) for x, y in zip(p, q, strict=True) if x > 0 and y > 0]
        lost = any(x > 0 and y == 0 for x, y in zip(p, q, strict=True))
        a = mp.mpf(order)
        if order == 0:
            return -mp.log1p(-mp.fsum(y for x, y in zip(p, q, strict=True) if x == 0))
        if lost and order >= 1:
            return mp.inf
        if math.isinf(order):
            return max(mp.log(x / y) for x, y in live)
        if order == 1:
            return truth_of(kb.kl).divergence(p, q)
        if not live:
            return mp.inf
        powers = mp.fsum(x**a * y ** (1 - a) for x, y in live)
        if abs(powers - 1) > 0.5:
            return mp.log(powers) / (a - 1)
        total = mp.fsum(p) * a - mp.fsum(q) * (a - 1)  # 1, but for the rounding of the masses
        return mp.log1p(powers - total) / (a - 1)

    return value


def bhattacharyya(p: Masses, q: Masses) -> Any:
    return renyi(0.5)(p, q) / 2


def cauchy_schwarz(p: Masses, q: Masses) -> Any:
    inner = mp.fsum(x * y for x, y in zip(p, q, strict=True))
    sizes = mp.fsum(x * x for x in p) * mp.fsum(y * y for y in q)
    return mp.inf if inner == 0 else -mp.log(inner**2 / sizes)


def chernoff(p: Masses, q: Masses) -> Any:
    """Minus the logarithm of the smallest affinity, at the root of its derivative: an error there enters squared."""
    live = [(x, y) for x, y in zip(p, q, strict=True) if x > 0 and y > 0]
    if not live:
        return mp.inf
    logs = [(mp.log(x), mp.log(y)) for x, y in live]
    # what the masses lack of 1 by their rounding counts while they are close, as in Rényi's
    close = mp.fsum(mp.sqrt(x * y) for x, y in live) > 0.5
    lack_p, lack_q = (1 - mp.fsum(x) if close else mp.mpf(0) for x in (p, q))

    def affinity(a: Any) -> Any:
        return mp.fsum(mp.exp(a * x + (1 - a) * y) for x, y in logs) + a * lack_p + (1 - a) * lack_q

    def slope(a: Any) -> Any:
        return mp.fsum((x - y) * mp.exp(a * x + (1 - a) * y) for x, y in logs) + lack_p - lack_q

    ends = mp.mpf(0), mp.mpf(1)
    order = min(ends, key=affinity)
    if slope(ends[0]) < 0 < slope(ends[1]):
        order = mp.findroot(slope, ends, solver="anderson", tol=mp.mpf(10) ** (-40), verify=False)
    return -mp.log(affinity(order))


def remainder(phi: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Masses, Masses], Any]:
    def value(p: Masses, q: Masses) -> Any:
        return mp.fsum(phi(x) - phi(y) - slope(y) * (x - y) for x, y in zip(p, q, strict=True))

    return value


def square(x: Any) -> Any:
    return x * x


def burg(x: Any) -> Any:
    return 1 / x  # convex, steep at 0, and written with operators alone


RELATIVES: dict[Divergence, Callable[[Masses, Masses], Any]] = {
    **{kb.renyi(order): renyi(order) for order in ORDERS},
    kb.bhattacharyya: bhattacharyya,
    kb.cauchy_schwarz: cauchy_schwarz,
    kb.chernoff: chernoff,
    kb.squared_l2: remainder(square, lambda x: 2 * x),
    kb.bregman(square): remainder(square, lambda x: 2 * x),
}
POSITIVE_ONLY: dict[Divergence, Callable[[Masses, Masses], Any]] = {
    kb.bregman(burg): remainder(burg, lambda x: -1 / x**2),
    kb.bregman(lambda x: x * np.log(x), name="negentropy"): remainder(
        lambda x: x * mp.log(x), lambda x: mp.log(x) + 1
    ),
}
ALL = {**RELATIVES, **POSITIVE_ONLY}

every_relative = pytest.mark.parametrize("d", RELATIVES, ids=repr)
every_one = pytest.mark.parametrize("d", ALL, ids=repr)


def exact(x: Any) -> Masses:
    return [mp.mpf(float(v)) for v in x]


def test_the_catalogue_lists_no_other() -> None:
    """A new relative brings its definition to this file."""
    relatives = {d for d in kb.catalogue().relatives if isinstance(d, Divergence)}
    assert relatives <= set(RELATIVES)


@every_one
@pytest.mark.parametrize("delta", [1.0, 1e-2, 1e-5, 1e-8, 1e-12])
def test_definition(d: Divergence, delta: float) -> None:
    rng = np.random.default_rng(100)
    for _ in range(8):
        p, q = pairs.near_equal(rng, 5, delta)
        with mp.workdps(80):
            true = ALL[d](exact(p), exact(q))
        if d == kb.renyi(0):
            assert d(p, q) == 0.0
        else:
            assert relative_error(d(p, q), true) <= 4e-15, (p, q)


@every_relative
def test_zeros_and_tails(d: Divergence) -> None:
    rng = np.random.default_rng(101)
    cases = [*zip(*pairs.with_zeros(rng, 5, 20), strict=True), pairs.far_apart(rng, 8, spread=0.02)]
    cases += [
        (np.array([1.0, 0.0]), np.array([0.0, 1.0])),
        (np.array([0.5, 0.5, 0]), np.array([0, 0.5, 0.5])),
    ]
    for p, q in cases:
        with mp.workdps(750):
            true = RELATIVES[d](exact(p), exact(q))
        assert relative_error(d(p, q), true) <= 1e-13, (p, q)


@every_relative
def test_logits(d: Divergence) -> None:
    rng = np.random.default_rng(102)
    cases = [pairs.logits(rng, 5, 1.0, delta) for delta in (1.0, 1e-3, 1e-8)]
    cases += [pair for _, pair in pairs.masked_logits(rng, 5, 0.5)]
    for a, b in cases:
        with mp.workdps(80):
            true = RELATIVES[d](softmax(a), softmax(b))
        assert relative_error(d.of_logits(a, b), true) <= 4e-14 or abs(true) < 1e-70, (a, b)
    lost = d.of_logits(np.array([[-np.inf, -np.inf], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 2.0]]))
    assert np.isnan(lost[0])
    assert np.isfinite(lost[1])


@every_relative
@pytest.mark.parametrize("backend", [TORCH, JAX, STRICT], ids=repr)
def test_every_library_gives_the_numbers_of_numpy(d: Divergence, backend: Backend) -> None:
    rng = np.random.default_rng(103)
    if "bregman" in d.name and backend is STRICT:
        with pytest.raises(kb.DTypeError, match="derivative"):
            d(backend.array([0.5, 0.5]), backend.array([0.25, 0.75]))
        return
    for p, q in (pairs.with_zeros(rng, 5, 12), pairs.near_equal(rng, 5, 1e-6, 12)):
        got = d(backend.array(p), backend.array(q))
        assert isinstance(got, backend.kind)
        np.testing.assert_allclose(backend.numpy(got), d(p, q), rtol=1e-13, atol=1e-300)
    a, b = pairs.logits(rng, 5, 2.0, 1.0, 12)
    a[0, 1] = b[1, 2] = a[2, 3] = b[2, 3] = -np.inf
    got = d.of_logits(backend.array(a), backend.array(b))
    np.testing.assert_allclose(backend.numpy(got), d.of_logits(a, b), rtol=1e-12, atol=1e-300)


@every_relative
def test_gradients(d: Divergence) -> None:
    """Against differences in mpmath towards logits; finite with masked classes, 0 at equality."""
    rng = np.random.default_rng(104)
    a, b = pairs.logits(rng, 4, 1.0, 0.7)
    inputs = [TORCH.array(x).requires_grad_() for x in (a, b)]
    got = torch.autograd.grad(d.of_logits(*inputs), inputs, materialize_grads=True)
    for side in (0, 1):
        for i in range(4):

            def along(step: Any, side: int = side, i: int = i) -> Any:
                sides = [[mp.mpf(float(x)) for x in v] for v in (a, b)]
                sides[side][i] += step
                return RELATIVES[d](softmax(sides[0]), softmax(sides[1]))

            with mp.workdps(60):
                true = float(mp.diff(along, 0))
            assert float(got[side][i]) == pytest.approx(true, rel=1e-12, abs=1e-14)
    a[1], b[2] = -np.inf, -np.inf
    for x, y in ((a, b), (a, a)):
        inputs = [TORCH.array(v).requires_grad_() for v in (x, y)]
        for gradient in torch.autograd.grad(d.of_logits(*inputs), inputs, materialize_grads=True):
            assert torch.isfinite(gradient).all()
            assert x is not y or gradient.abs().max() < 1e-16 or d == kb.renyi(math.inf)


@every_one
def test_zero_at_equality_and_never_negative(d: Divergence) -> None:
    rng = np.random.default_rng(105)
    p = rng.dirichlet(np.ones(5), size=30)
    assert np.all(d(p, p.copy()) == 0)
    for delta in (1e-1, 1e-6, 1e-12):
        x, y = pairs.near_equal(rng, 5, delta, 500)
        assert np.all(d(x, y) >= 0), delta
        assert np.all(d.of_logits(np.log(x), np.log(y)) >= 0), delta


def test_renyi_is_monotone_in_its_order_and_additive() -> None:
    rng = np.random.default_rng(106)
    p, q = pairs.far_apart(rng, 4, 50)
    values = np.array([kb.renyi(order)(p, q) for order in ORDERS])
    assert np.all(np.diff(values, axis=0) >= -1e-14)
    x, y = pairs.far_apart(rng, 3, 50)
    for order in ORDERS:
        both = kb.renyi(order)(
            (p[:, :, None] * x[:, None]).reshape(50, -1), (q[:, :, None] * y[:, None]).reshape(50, -1)
        )
        np.testing.assert_allclose(
            both, kb.renyi(order)(p, q) + kb.renyi(order)(x, y), rtol=1e-12, atol=1e-15
        )
    for order in (0.3, 0.7):
        skewed = order / (1 - order) * kb.renyi(1 - order)(q, p)
        np.testing.assert_allclose(kb.renyi(order)(p, q), skewed, rtol=1e-12)


def test_symmetric_ones_are_symmetric() -> None:
    rng = np.random.default_rng(107)
    for p, q in (pairs.with_zeros(rng, 6, 50), pairs.near_equal(rng, 6, 1e-6, 50)):
        for d in (kb.bhattacharyya, kb.renyi(0.5), kb.cauchy_schwarz, kb.chernoff, kb.squared_l2):
            np.testing.assert_allclose(d(p, q), d(q, p), rtol=1e-13)


def test_tsallis_is_an_f_divergence() -> None:
    p, q = pairs.far_apart(np.random.default_rng(108), 5, 20)
    for order in (0.5, 2.0, 3.0):
        direct = (np.sum(p**order * q ** (1 - order), axis=-1) - 1) / (order - 1)
        np.testing.assert_allclose(kb.tsallis(order)(p, q), direct, rtol=1e-12)
        assert isinstance(kb.tsallis(order), kb.FDivergence)
    assert kb.tsallis(1) is kb.kl
    for order in (0, -1, math.inf, math.nan, "2", True):
        with raises(kb.InvalidInputError, "tsallis needs a positive finite order"):
            kb.tsallis(order)  # type: ignore[arg-type]


def test_bregman_is_what_it_is_known_as() -> None:
    p, q = pairs.far_apart(np.random.default_rng(109), 5, 20)
    np.testing.assert_allclose(kb.bregman(square)(p, q), np.sum((p - q) ** 2, axis=-1), rtol=1e-12)
    negentropy = kb.bregman(lambda x: x * np.log(x))
    np.testing.assert_allclose(negentropy(p, q), kb.kl(p, q), rtol=1e-12)
    assert negentropy([0.0, 1.0], [0.5, 0.5]) == pytest.approx(math.log(2), rel=1e-12)
    with raises(kb.InvalidInputError, "crooked is not convex near"):
        kb.bregman(lambda x: -x * x, name="crooked")
    for odd in (None, 3.0, "x"):
        with raises(kb.InvalidInputError, "bregman needs a function"):
            kb.bregman(odd)  # type: ignore[arg-type]


@every_relative
def test_they_answer_the_same_calls(d: Divergence) -> None:
    p, q = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]
    value = d(p, q)
    assert not isinstance(d, kb.FDivergence)
    if d.unit == "nats":
        assert d(p, q, base=2) == pytest.approx(value / math.log(2))
    assert d([2, 1, 1], [1, 1, 2], counts=True) == pytest.approx(value, rel=4 * EPS, abs=1e-300)
    assert d([4, 2, 2.0], [3, 3, 6.0], normalize=True) == pytest.approx(value, rel=4 * EPS, abs=1e-300)
    assert d({"a": 0.5, "b": 0.5}, {"b": 0.5, "a": 0.5}, by_label=True) == 0.0
    batch = np.array([p, q])
    assert d(batch.T, np.array([q, p]).T, axis=0, keepdims=True).shape == (1, 2)
    with raises(kb.InvalidInputError, "`q` sums to"):
        d(p, [0.5, 0.25, 0.2])
    with raises(kb.ShapeError, "(3,)", "(2,)"):
        d(p, [0.5, 0.5])


@pytest.mark.parametrize("d", [kb.renyi(2.0), kb.cauchy_schwarz], ids=repr)
def test_jax_compiles_them(d: Divergence) -> None:
    a, b = (JAX.array(x) for x in pairs.logits(np.random.default_rng(110), 5, 1.0, 0.5, 3))
    value, gradient = jax.jit(jax.vmap(jax.value_and_grad(d.of_logits)))(a, b)
    np.testing.assert_allclose(value, d.of_logits(a, b), rtol=1e-12)
    assert np.all(np.isfinite(gradient))
