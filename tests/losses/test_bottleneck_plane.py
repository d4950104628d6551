"""Exact bottlenecks: symmetric channels and normal laws in closed form, all partitions, the shape of the curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize, minimize_scalar
from torch import Tensor

import kullback as kb
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses import bottleneck
from kullback.losses.bottleneck import plane


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def binary_entropy(a: float) -> float:
    return -a * math.log(a) - (1 - a) * math.log1p(-a)


def symmetric(flip: float) -> Tensor:
    return torch.tensor([[1 - flip, flip], [flip, 1 - flip]], dtype=torch.float64) / 2


def joint(inputs: int = 16, outcomes: int = 4, seed: int = 0) -> Tensor:
    masses = np.random.default_rng(seed).dirichlet(np.full(inputs * outcomes, 0.3))
    return torch.tensor(masses.reshape(inputs, outcomes))


def shared(p: Tensor) -> float:
    """I(X;Y)."""
    return float(kb.kl(p.flatten(), (p.sum(1)[:, None] * p.sum(0)).flatten()))


def entropy(p: Tensor) -> float:
    masses = p[p > 0]
    return -float((masses * masses.log()).sum())


def lagrangian(encoder: Tensor, p: Tensor, beta: float, alpha: float) -> float:
    """From entropies of the joint laws of X, T and of T, Y."""
    xt, ty = p.sum(1)[:, None] * encoder, encoder.T @ p
    length = entropy(xt.sum(0))
    left = entropy(xt) - entropy(p.sum(1))
    return length - alpha * left - beta * (length + entropy(p.sum(0)) - entropy(ty))


# closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("beta", [1.3, 4.0, 12.0, 60.0])
def test_a_binary_symmetric_channel(flip: float, beta: float) -> None:
    """By Mrs Gerber's lemma the best code is a symmetric channel too, and so is the way from it to Y."""
    contrast = 1 - 2 * flip

    def slope(z: float) -> float:  # z = logit of 1 − a
        joined = 0.5 * (1 + contrast * math.tanh(z / 2))
        return z - beta * contrast * (math.log(joined) - math.log1p(-joined))

    point = bottleneck.sweep(symmetric(flip), [beta]).points[0]
    if beta * contrast**2 <= 1:
        assert point.complexity == pytest.approx(0.0, abs=1e-9)
        assert point.relevance == pytest.approx(0.0, abs=1e-9)
        return
    z = brentq(slope, 1e-6, 700.0, xtol=1e-13)
    a = 1 / (1 + math.exp(z))
    assert point.complexity == pytest.approx(math.log(2) - binary_entropy(a), abs=1e-6)
    assert point.relevance == pytest.approx(
        math.log(2) - binary_entropy(a * (1 - flip) + (1 - a) * flip), abs=1e-6
    )


@pytest.mark.parametrize("beta", [1.5, 2.0, 4.0, 30.0])
def test_one_normal_pair_against_minimisation(beta: float) -> None:
    """T = aX + noise: I(X;T) = ½ log(1 + a²), and Y sees T through the product of correlations."""
    rho = 0.8

    def informations(a: float) -> tuple[float, float]:
        seen = rho**2 * a * a / (1 + a * a)
        return 0.5 * math.log1p(a * a), -0.5 * math.log1p(-seen)

    def cost(a: float) -> float:
        complexity, relevance = informations(a)
        return complexity - beta * relevance

    best = minimize_scalar(cost, bounds=(0, 60), method="bounded", options={"xatol": 1e-10}).x
    point = bottleneck.gaussian_bottleneck(torch.tensor([rho], dtype=torch.float64), beta=beta)
    assert float(point.complexity) == pytest.approx(informations(best)[0], abs=1e-6)
    assert float(point.relevance) == pytest.approx(informations(best)[1], abs=1e-6)
    assert point.directions == (1 if beta * rho**2 > 1 else 0)


def test_normal_directions_join_one_after_the_other() -> None:
    rho = torch.tensor([0.9, 0.6, 0.3], dtype=torch.float64)

    def cost(s: np.ndarray) -> float:  # s = log of 1 + a² in each direction
        square = rho.numpy() ** 2
        return float(0.5 * (s + 4.0 * np.log1p(square * np.expm1(-s))).sum())

    best = minimize(cost, np.ones(3), bounds=[(0, None)] * 3, tol=1e-14)
    point = bottleneck.gaussian_bottleneck(rho, beta=4.0)
    assert float(point.complexity - 4.0 * point.relevance) == pytest.approx(best.fun, abs=1e-9)
    assert point.directions == 2


def test_a_normal_direction_at_its_threshold_keeps_its_digits() -> None:
    mpmath.mp.dps = 50
    beta, rho = 4.0, 0.5 + 2.0**-40
    square = mpmath.mpf(rho) ** 2
    complexity = mpmath.log((beta - 1) * square / (1 - square)) / 2
    relevance = complexity - mpmath.log(beta * square) / 2
    point = bottleneck.gaussian_bottleneck(torch.tensor([rho], dtype=torch.float64), beta=beta)
    # the square of ρ itself is rounded, which the distance to the threshold enlarges
    assert float(point.complexity) == pytest.approx(float(complexity), rel=1e-3)
    assert float(point.relevance) == pytest.approx(float(relevance), rel=1e-3)
    far = bottleneck.gaussian_bottleneck(torch.tensor([0.7], dtype=torch.float64), beta=1e12)
    assert float(far.relevance) == pytest.approx(-0.5 * math.log1p(-0.49), rel=1e-11)


def test_a_grid_of_a_normal_law_comes_near_its_closed_form() -> None:
    at = np.linspace(-3.0, 3.0, 15)
    masses = np.exp(-0.5 * (at[:, None] ** 2 - 1.6 * at[:, None] * at + at**2) / 0.36)
    point = bottleneck.information_bottleneck(torch.tensor(masses / masses.sum()), beta=4.0, tolerance=1e-5)
    truth = bottleneck.gaussian_bottleneck(torch.tensor([0.8]), beta=4.0)
    assert point.complexity == pytest.approx(float(truth.complexity), abs=0.03)
    assert point.relevance == pytest.approx(float(truth.relevance), abs=0.01)


def test_rate_distortion_of_a_biased_coin() -> None:
    """R(D) = h(p) − h(D) below D = min(p, 1 − p)."""
    p = torch.tensor([0.3, 0.7], dtype=torch.float64)
    for slope in (0.0, 0.5, 1.5, 4.0, 40.0):
        found = bottleneck.rate_distortion(p, 1.0 - torch.eye(2), slope=slope)
        at = 1 / (1 + math.exp(slope))
        known = (binary_entropy(0.3) - binary_entropy(at), at) if at < 0.3 else (0.0, 0.3)
        assert found.gap < 1e-9
        assert found.rate + slope * found.distortion <= known[0] + slope * known[1] + 1e-9
        if slope > 0:
            assert found.rate == pytest.approx(known[0], abs=1e-6)
            assert found.distortion == pytest.approx(known[1], abs=1e-6)


def test_rate_distortion_is_never_above_what_an_optimiser_finds() -> None:
    rng = np.random.default_rng(0)
    p, cost = rng.dirichlet(np.ones(3)), rng.uniform(0, 2, (3, 4))
    found = bottleneck.rate_distortion(torch.tensor(p), torch.tensor(cost), slope=2.0)

    def value(z: np.ndarray) -> float:
        q = np.exp(z.reshape(3, 4))
        q /= q.sum(1, keepdims=True)
        rate = sum(p[i] * float(kb.kl(q[i], p @ q, validate=False)) for i in range(3))
        return rate + 2.0 * float(p @ (q * cost).sum(1))

    best = min(minimize(value, rng.normal(size=12), tol=1e-9).fun for _ in range(3))
    ours = found.rate + 2.0 * found.distortion
    assert ours == pytest.approx(value(found.encoder.clamp_min(1e-300).log().numpy().ravel()), abs=1e-9)
    assert ours <= best + 1e-9


# the curve ---------------------------------------------------------------------------------------------------------


def test_the_curve_is_monotone_and_concave_with_the_slope_of_the_trade_off() -> None:
    p, betas = joint(), np.geomspace(1.05, 200, 25).tolist()
    curve = bottleneck.sweep(p, betas)
    x, y = curve.complexity.numpy(), curve.relevance.numpy()
    assert all(point.residual < 1e-8 for point in curve.points)
    assert (np.diff(x) >= -1e-8).all()
    assert (np.diff(y) >= -1e-8).all()
    assert curve.defect < 1e-8
    for i in range(len(betas) - 1):
        if x[i + 1] - x[i] > 1e-3:
            assert 1 / betas[i + 1] - 1e-6 <= (y[i + 1] - y[i]) / (x[i + 1] - x[i]) <= 1 / betas[i] + 1e-6
    assert y[0] == pytest.approx(0.0, abs=1e-9)
    assert y[-1] == pytest.approx(shared(p), abs=1e-3)
    assert (y <= np.minimum(x, shared(p)) + 1e-12).all()


def test_annealing_is_no_worse_than_random_starts() -> None:
    p, rng = joint(), np.random.default_rng(1)
    betas = [4.0, 12.0, 64.0]
    curve = bottleneck.sweep(p, [*betas, 150.0])
    for beta, point in zip(betas, curve.points, strict=False):
        assert point.lagrangian == pytest.approx(lagrangian(point.encoder, p, beta, 1.0), abs=1e-9)
        for _ in range(2):
            start = torch.tensor(rng.dirichlet(np.ones(16), 16))
            other = bottleneck.information_bottleneck(p, beta=beta, start=start, tolerance=1e-7)
            assert point.lagrangian <= other.lagrangian + 1e-7


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_what_is_compared_quickly_is_the_lagrangian(alpha: float) -> None:
    p = joint(6, 3, 2)
    encoder = torch.tensor(np.random.default_rng(3).dirichlet(np.ones(6), 6))
    quick = plane._Law.of(p).lagrangian(encoder, 5.0, alpha)
    assert quick - 5.0 * entropy(p.sum(0)) == pytest.approx(lagrangian(encoder, p, 5.0, alpha), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_later_is_never_worse(alpha: float) -> None:
    p = joint(6, 3, 2)
    start = torch.tensor(np.random.default_rng(3).dirichlet(np.ones(6), 6))
    values = []
    for tolerance in (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8):
        point = bottleneck.information_bottleneck(p, beta=5.0, alpha=alpha, start=start, tolerance=tolerance)
        assert point.lagrangian == pytest.approx(lagrangian(point.encoder, p, 5.0, alpha), abs=1e-9)
        values.append(point.lagrangian)
    assert (np.diff(values) <= 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_deterministic_code_is_the_best_of_all_partitions(seed: int) -> None:
    p = joint(6, 3, seed)
    betas, encoders = [1.2, 2.0, 4.0, 10.0, 50.0], _partitions(6)
    curve = bottleneck.sweep(p, betas, alpha=0.0)
    for beta, point in zip(betas, curve.points, strict=True):
        assert bool(((point.encoder == 0) | (point.encoder == 1)).all())
        assert point.complexity == pytest.approx(point.length, abs=1e-12)  # H(T|X) = 0
        best = min(lagrangian(e, p, beta, 0.0) for e in encoders)
        assert point.lagrangian == pytest.approx(best, abs=1e-9)


def _partitions(n: int) -> list[Tensor]:
    """Every assignment whose values are numbered in the order in which they come up."""
    words = (
        w
        for w in itertools.product(range(n), repeat=n)
        if all(v <= max(w[:i], default=-1) + 1 for i, v in enumerate(w))
    )
    return [torch.eye(n, dtype=torch.float64)[list(w)] for w in words]


def test_the_ends_of_the_trade_off() -> None:
    p = joint(5, 3, 4)
    nothing = bottleneck.information_bottleneck(p, beta=0.01)
    assert nothing.complexity == pytest.approx(0.0, abs=1e-8)
    for alpha in (0.0, 0.5, 1.0):
        everything = bottleneck.information_bottleneck(p, beta=1e7, alpha=alpha)
        assert everything.relevance == pytest.approx(shared(p), abs=1e-9)


def test_a_target_that_is_a_function_of_the_input() -> None:
    """Up to H(Y) every nat of the code tells a nat: the curve is a straight line, and the Lagrangian jumps over it."""
    p = torch.zeros(4, 2, dtype=torch.float64)
    p[:2, 0], p[2:, 1] = 0.25, 0.25
    curve = bottleneck.sweep(p, [0.9, 1.2, 5.0])
    np.testing.assert_allclose(curve.relevance, [0.0, math.log(2), math.log(2)], atol=1e-8)
    np.testing.assert_allclose(curve.complexity, [0.0, math.log(2), math.log(2)], atol=1e-8)


def test_inputs_that_do_not_occur_and_values_that_are_not_used() -> None:
    p = torch.cat([joint(4, 3, 5), torch.zeros(1, 3).double()])
    start = torch.eye(5, 7).double()
    with_more = bottleneck.information_bottleneck(p, beta=6.0, start=start)
    plain = bottleneck.information_bottleneck(p[:4], beta=6.0)
    assert with_more.lagrangian == pytest.approx(plain.lagrangian, abs=1e-8)
    assert bool(torch.isfinite(with_more.encoder).all())


def test_the_defect_sees_a_point_below_the_others() -> None:
    curve = bottleneck.sweep(symmetric(0.2), [3.0, 5.0, 20.0])
    assert abs(curve.defect) < 1e-9
    first, second, third = curve.points
    lower = bottleneck.Point(
        5.0, 1.0, second.encoder, second.complexity, second.relevance - 0.05, second.length, 0.0, 1
    )
    assert bottleneck.Curve((first, lower, third)).defect > 0.01
    falls = bottleneck.Point(
        20.0, 1.0, third.encoder, third.complexity, third.relevance - 0.1, third.length, 0.0, 1
    )
    assert bottleneck.Curve((first, second, falls)).defect > 0.05


def test_problems_that_are_refused() -> None:
    p = symmetric(0.2)
    for call, error, text in (
        (lambda: bottleneck.information_bottleneck(p, beta=0.0), InvalidInputError, "beta"),
        (lambda: bottleneck.information_bottleneck(p, beta=2.0, alpha=1.5), InvalidInputError, "alpha"),
        (lambda: bottleneck.information_bottleneck(2 * p, beta=2.0), InvalidInputError, "sums to 2"),
        (lambda: bottleneck.information_bottleneck(p - 1, beta=2.0), InvalidInputError, "least entry"),
        (lambda: bottleneck.information_bottleneck(p[0], beta=2.0), ShapeError, "2 axes"),
        (
            lambda: bottleneck.information_bottleneck(p, beta=2.0, start=torch.ones(3, 2) / 2),
            ShapeError,
            "values",
        ),
        (
            lambda: bottleneck.information_bottleneck(p, beta=2.0, start=torch.ones(2, 2)),
            InvalidInputError,
            "row",
        ),
        (lambda: bottleneck.information_bottleneck(p, beta=3.0, steps=2), ConvergenceError, "after 2 steps"),
        (lambda: bottleneck.sweep(p, []), InvalidInputError, "empty"),
        (lambda: bottleneck.gaussian_bottleneck(torch.ones(1), beta=2.0), InvalidInputError, "between"),
        (
            lambda: bottleneck.rate_distortion(p[0] * 2, torch.ones(3, 2), slope=1.0),
            ShapeError,
            "row for every",
        ),
        (
            lambda: bottleneck.rate_distortion(p[0] * 2, -torch.eye(2), slope=1.0),
            InvalidInputError,
            "negative",
        ),
        (lambda: bottleneck.rate_distortion(p[0] * 2, torch.eye(2), slope=-1.0), InvalidInputError, "slope"),
    ):
        with pytest.raises(error, match=text):
            call()


def test_gradient_of_the_normal_curve() -> None:
    rho = torch.tensor([0.9, 0.7, 0.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: bottleneck.gaussian_bottleneck(r, beta=5.0)[:2], (rho,))
