"""Distances between distributions on points: against linear programs and double sums, as metrics, on every library."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import jax
import numpy as np
import pytest
import torch
from scipy.optimize import linprog

import kullback as kb
from kullback.divergences.placed import Placed
from problems import pairs
from problems.backends import BACKENDS, JAX, Backend
from problems.refusals import raises

ORDERS = (1.0, 1.5, 2.0, 3.0)
KERNELS = (kb.GaussianKernel(0.8), kb.LaplacianKernel(1.3), kb.DistanceKernel())
SLICED = (kb.sliced_wasserstein(1), kb.sliced_wasserstein(2))
NOUNS: tuple[Placed, ...] = (*map(kb.wasserstein, ORDERS), *SLICED, kb.energy_distance, *map(kb.mmd, KERNELS))
METRICS = tuple(d for d in NOUNS if d != kb.energy_distance)
every_noun = pytest.mark.parametrize("d", NOUNS, ids=repr)


def problems(n: int, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, q = pairs.with_zeros(rng, n, rows)
    return p, q, rng.normal(size=n)


def by_program(p: np.ndarray, q: np.ndarray, x: np.ndarray, order: float) -> float:
    """The cheapest plan, as a linear program."""
    n = len(p)
    points = x.reshape(n, -1)
    cost = np.linalg.norm(points[:, None] - points[None], axis=-1) ** order
    margins = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    found = linprog(cost.ravel(), A_eq=margins, b_eq=np.concatenate([p, q]), method="highs")
    return float(found.fun) ** (1.0 / order)


@pytest.mark.parametrize("order", ORDERS)
def test_wasserstein_is_the_cheapest_plan(order: float) -> None:
    p, q, x = problems(6, 12, 200)
    x[1] = x[4]  # two categories in one place
    got = kb.wasserstein(order)(p, q, positions=x)
    np.testing.assert_allclose(got, [by_program(*row, x, order) for row in zip(p, q, strict=True)], rtol=1e-7)


def test_plans_beyond_the_line_come_from_pot() -> None:
    p, q, _ = problems(5, 4, 201)
    x = np.random.default_rng(202).normal(size=(5, 2))
    for order in (1.0, 2.0):
        got = kb.wasserstein(order)(p, q, positions=x)
        exact = [by_program(*row, x, order) for row in zip(p, q, strict=True)]
        np.testing.assert_allclose(got, exact, rtol=1e-7)
        mass = torch.tensor(p[0], requires_grad=True)
        value = kb.wasserstein(order)(mass, torch.tensor(q[0]), positions=torch.tensor(x))
        assert float(value.detach()) == pytest.approx(exact[0], rel=1e-7)
        assert torch.isfinite(torch.autograd.grad(value, mass)[0]).all()


def test_without_pot_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with raises(kb.MissingDependencyError, "POT", "kullback[transport]"):
        kb.wasserstein(2)([0.5, 0.5], [0.25, 0.75], positions=[[0.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("dimension", [1, 3])
def test_mmd_is_its_double_sum(kernel: kb.GaussianKernel, dimension: int) -> None:
    p, q, _ = problems(7, 10, 203)
    x = np.random.default_rng(204).normal(size=(7, dimension))
    gram = np.asarray(kernel(np.sum((x[:, None] - x[None]) ** 2, axis=-1)))
    square = [a @ gram @ a + b @ gram @ b - 2 * a @ gram @ b for a, b in zip(p, q, strict=True)]
    got = kb.mmd(kernel)(p, q, positions=x)
    np.testing.assert_allclose(got**2, square, rtol=1e-10, atol=1e-15)
    if kernel == kb.DistanceKernel():
        np.testing.assert_allclose(kb.energy_distance(p, q, positions=x), square, rtol=1e-10)


@every_noun
@pytest.mark.parametrize("backend", BACKENDS, ids=repr)
def test_every_library_gives_the_numbers_of_numpy(d: Placed, backend: Backend) -> None:
    p, q, x = problems(6, 5, 205)
    got = d(backend.array(p), backend.array(q), positions=backend.array(x))
    assert isinstance(got, backend.kind)
    np.testing.assert_allclose(backend.numpy(got), d(p, q, positions=x), rtol=1e-13)
    single = d(backend.array(p, "float32"), backend.array(q, "float32"), positions=backend.array(x))
    np.testing.assert_allclose(backend.numpy(single), d(p, q, positions=x), rtol=2e-4)


@every_noun
def test_gradients_of_masses_and_places(d: Placed) -> None:
    rng = np.random.default_rng(206)
    a, b, x = (torch.tensor(rng.normal(size=5), requires_grad=True) for _ in range(3))

    def value(a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return d(torch.softmax(a, -1), torch.softmax(b, -1), positions=x)

    assert torch.autograd.gradcheck(value, (a, b, x), rtol=1e-5, atol=1e-8)
    for gradient in torch.autograd.grad(value(a, a.detach().clone(), x), (a, x), allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


@every_noun
def test_laws_of_a_distance(d: Placed) -> None:
    rng = np.random.default_rng(207)
    x = rng.normal(size=6)
    p, q, r = (rng.dirichlet(np.ones(6), size=200) for _ in range(3))

    def at(a: np.ndarray, b: np.ndarray, places: np.ndarray = x) -> np.ndarray:
        return d(a, b, positions=places)

    assert np.all(at(p, q) >= 0)
    assert np.all(at(p, p.copy()) == 0)
    np.testing.assert_allclose(at(p, q), at(q, p), rtol=1e-12)
    np.testing.assert_allclose(at(p, q), at(p, q, x + 1e3), rtol=1e-9)
    turn = rng.permutation(6)
    np.testing.assert_allclose(at(p, q), at(p[:, turn], q[:, turn], x[turn]), rtol=1e-11)
    if d in METRICS:
        assert np.all(at(p, r) <= at(p, q) + at(q, r) + 1e-12)
    if d.unit == "units of x":
        np.testing.assert_allclose(at(p, q, 7.0 * x), 7.0 * at(p, q), rtol=1e-12)
        np.testing.assert_allclose(at(p, q, 1e200 * x), 1e200 * at(p, q), rtol=1e-12)


def test_wasserstein_grows_with_its_order() -> None:
    p, q, x = problems(8, 100, 208)
    values = np.array([kb.wasserstein(order)(p, q, positions=x) for order in ORDERS])
    assert np.all(np.diff(values, axis=0) >= -1e-13)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_slices_of_two_points_average_a_cosine(order: int, dimension: int) -> None:
    """Along a direction, points one unit apart are |cos| apart, whose mean power is a ratio of gamma functions."""
    mean = math.gamma(dimension / 2) * math.gamma((order + 1) / 2)
    mean /= math.sqrt(math.pi) * math.gamma((dimension + order) / 2)
    x = np.zeros((2, dimension))
    rng = np.random.default_rng(211)
    x[1] = rng.normal(size=dimension)
    d = kb.sliced_wasserstein(order, directions=2000)
    truth = np.linalg.norm(x[1]) * mean ** (1 / order)
    assert d([1.0, 0.0], [0.0, 1.0], positions=x) == pytest.approx(truth, rel=0.02)


def test_slices_are_exact_on_the_line_and_below_the_plan() -> None:
    p, q, _ = problems(6, 20, 212)
    x = np.random.default_rng(213).normal(size=(6, 3))
    for order in (1, 2):
        sliced, whole = kb.sliced_wasserstein(order), kb.wasserstein(order)
        np.testing.assert_allclose(sliced(p, q, positions=x[:, 0]), whole(p, q, positions=x[:, 0]), rtol=0)
        assert np.all(sliced(p, q, positions=x) <= whole(p, q, positions=x) + 1e-12)
        scaled = sliced(p, q, positions=1e200 * x)
        np.testing.assert_allclose(scaled, 1e200 * sliced(p, q, positions=x), rtol=1e-12)
    for wrong in (0, -3, True, 1.5):
        with raises(kb.InvalidInputError, "directions must be a whole number"):
            kb.sliced_wasserstein(1, directions=wrong)  # type: ignore[arg-type]


def exactly(p: np.ndarray, q: np.ndarray, x: np.ndarray, order: int) -> float:
    """Σ length · |x − y|^order in fractions, by merging the steps of both distribution functions."""
    turn = np.argsort(x)
    rows = [[Fraction(float(v)) for v in z[turn]] for z in (p, q)]
    below = [list(itertools.accumulate(row)) for row in rows]
    top = min(below[0][-1], below[1][-1])
    total, last = Fraction(0), Fraction(0)
    for u in sorted({*below[0], *below[1]}):
        u = min(u, top)
        i, j = (next(k for k, end in enumerate(ends) if end >= u) for ends in below)
        gap = abs(Fraction(float(x[turn][i])) - Fraction(float(x[turn][j])))
        total, last = total + (u - last) * gap**order, u
    return float(total)


@pytest.mark.parametrize("delta", [1e-2, 1e-6, 1e-10, 1e-14])
def test_near_equality_keeps_its_digits(delta: float) -> None:
    rng = np.random.default_rng(209)
    for _ in range(5):
        p, q = pairs.near_equal(rng, 6, delta)
        x = rng.normal(size=6)
        # what the masses lack of the same sum by rounding moves nothing here, and would there
        q[np.argmax(x)] += float(np.sum(p - q))
        slack = 4e-16 / delta
        for order in (1, 2, 3):
            got = kb.wasserstein(order)(p, q, positions=x) ** order
            assert got == pytest.approx(exactly(p, q, x, order), rel=1e-13 + slack)


def test_the_least_they_ask_of_input() -> None:
    p, q = [0.5, 0.5], [0.25, 0.75]
    for d in NOUNS:
        with raises(kb.ShapeError, "`positions`", "(2,)"):
            d(p, q, positions=[0.0, 1.0, 2.0])
        with raises(kb.InvalidInputError, "not finite"):
            d(p, q, positions=[0.0, math.nan])
        with raises(kb.InvalidInputError, "`q` sums to"):
            d(p, [0.5, 0.4], positions=[0.0, 1.0])
        with pytest.raises(TypeError, match="positions"):
            d(p, q)  # type: ignore[call-arg]
        value = d(p, q, positions=[0.0, 1.0])
        assert isinstance(value, float)
        assert d([2, 2], [1, 3], positions=[0, 1], counts=True) == pytest.approx(value, rel=1e-14)
        assert d(np.array([p]).T, np.array([q]).T, positions=[0, 1], axis=0, keepdims=True).shape == (1, 1)
        assert not isinstance(d, kb.Divergence)
    for order in (0.5, 0, -1, math.inf, math.nan, True, "2"):
        with raises(kb.InvalidInputError, "wasserstein needs a finite order of at least 1"):
            kb.wasserstein(order)  # type: ignore[arg-type]
    with raises(kb.InvalidInputError, "mmd needs a kernel, got str", "GaussianKernel"):
        kb.mmd("gaussian")  # type: ignore[arg-type]
    for bandwidth in (0.0, -1.0, math.nan, math.inf, True):
        with raises(kb.InvalidInputError, "positive finite bandwidth"):
            kb.GaussianKernel(bandwidth)
        with raises(kb.InvalidInputError, "positive finite bandwidth"):
            kb.LaplacianKernel(bandwidth)
    with raises(kb.UnsupportedPairError, "kb.between(kb.fisher, P, Q)"):
        kb.fisher(p, q)


@pytest.mark.parametrize("d", [kb.wasserstein(1), kb.wasserstein(2), kb.energy_distance], ids=repr)
def test_jax_compiles_them(d: Placed) -> None:
    p, q, x = problems(6, 3, 210)
    compiled = jax.jit(lambda p, q, x: d(p, q, positions=x))
    np.testing.assert_allclose(compiled(*map(JAX.array, (p, q, x))), d(p, q, positions=x), rtol=1e-12)


def test_jax_compiles_chernoff() -> None:
    p, q, _ = problems(6, 3, 211)
    np.testing.assert_allclose(jax.jit(kb.chernoff)(*map(JAX.array, (p, q))), kb.chernoff(p, q), rtol=1e-12)
