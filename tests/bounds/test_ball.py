"""Worst cases over divergence balls: against primal optimisation, closed forms, and their own duality gap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize, minimize_scalar

import kullback as kb
from kullback.bounds import lower_expectation, upper_expectation

CATALOGUE = tuple(kb.catalogue())
KINKED = kb.FDivergence.from_generator(
    lambda t: abs(t - 1) + abs(t - 2) - 1, lambda t: np.sign(t - 1) + np.sign(t - 2), name="kinked"
)
every = pytest.mark.parametrize("d", [*CATALOGUE, 2.0 * kb.kl + kb.total_variation], ids=repr)


def example(n: int = 6, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.normal(size=n)), rng.dirichlet(np.full(n, 3.0))


def primal(d: kb.FDivergence, losses: np.ndarray, q: np.ndarray, radius: float) -> float:
    """The largest expectation over the simplex by general-purpose constrained optimisation, from several starts."""
    inside = NonlinearConstraint(lambda p: d.terms(np.abs(p), q, validate=False).sum(), -np.inf, radius)
    sums = LinearConstraint(np.ones((1, len(q))), 1, 1)
    best = losses @ q
    for tilt in (0.1, 0.4):
        start = q * np.exp(tilt * losses)
        found = minimize(
            lambda p: -p @ losses,
            start / start.sum(),
            jac=lambda _: -losses,
            constraints=[inside, sums],
            bounds=[(1e-12, 1)] * len(q),
            method="SLSQP",
            options={"maxiter": 500 if d.curvature_at_one else 40, "ftol": 1e-13},
        )
        p = np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()
        excess = d(p, q) / radius
        p = q + (p - q) / max(excess, 1.0)
        best = max(best, float(p @ losses))
    return float(best)


@every
def test_agrees_with_optimisation_over_the_simplex(d: kb.FDivergence) -> None:
    losses, q = example()
    radius = 0.08 * min(d.curvature_at_one or 1.0, 1.0)
    worst = upper_expectation(d, losses, reference=q, radius=radius)
    reached = primal(d, losses, q, radius)
    assert reached <= worst.value + 1e-12
    assert worst.value == pytest.approx(reached, abs=2e-6 if d.curvature_at_one else 2e-3)


@every
@pytest.mark.parametrize("amount", [{"radius": 1e-9}, {"radius": 0.05}, {"penalty": 0.2}, {"penalty": 50.0}])
def test_gap_closes_and_weights_are_a_law_in_the_ball(d: kb.FDivergence, amount: dict[str, float]) -> None:
    rng = np.random.default_rng(4)
    losses, q = rng.normal(size=(20, 5)) * 3, rng.dirichlet(np.ones(5), 20)
    worst = upper_expectation(d, losses, reference=q, **amount)
    assert np.all(worst.gap <= 1e-11 * np.ptp(losses, axis=-1))
    assert np.all(worst.weights >= 0)
    assert np.allclose(worst.weights.sum(axis=-1), 1, rtol=1e-14)
    distance = d(worst.weights, q)
    mean = np.sum(worst.weights * losses, axis=-1)
    if "radius" in amount:
        assert np.all(distance <= amount["radius"] * (1 + 1e-10) + 1e-16)  # p is rounded
        assert np.allclose(worst.value, mean, rtol=1e-13)
    else:
        assert np.allclose(worst.value, mean - amount["penalty"] * distance, rtol=1e-12, atol=1e-13)


@every
def test_no_law_in_the_ball_does_worse(d: kb.FDivergence) -> None:
    """Random laws, drawn back into the ball along the line to its centre."""
    losses, q = example()
    radius = 0.1 * min(d.curvature_at_one or 1.0, 1.0)
    worst = upper_expectation(d, losses, reference=q, radius=radius)
    other = np.random.default_rng(5).dirichlet(np.full(6, 0.5), 20_000)
    for share in (1.0, 0.5, 0.2, 0.1, 0.03):
        p = q + share * (other - q)
        inside = d(p, q) <= radius
        assert np.all(p[inside] @ losses <= worst.value + 1e-12)


def test_relative_entropy_against_log_sum_exp() -> None:
    losses, q = example(12)
    penalised = upper_expectation(kb.kl, losses, reference=q, penalty=1.3)
    assert penalised.value == pytest.approx(1.3 * np.log(q @ np.exp(losses / 1.3)), rel=1e-14)
    weights = q * np.exp(losses / 1.3)
    assert np.allclose(penalised.weights, weights / weights.sum(), rtol=1e-12)
    ball = upper_expectation(kb.kl, losses, reference=q, radius=0.08)
    dual = minimize_scalar(
        lambda s: np.exp(s) * (0.08 + np.log(q @ np.exp(losses / np.exp(s)))),
        bounds=(-5, 5),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert ball.value == pytest.approx(dual.fun, rel=1e-12)
    assert ball.multiplier == pytest.approx(np.exp(dual.x), rel=1e-5)


def test_chi_square_against_its_one_dimensional_dual() -> None:
    losses, q = example(12)
    for radius in (0.08, 0.9):
        dual = minimize_scalar(
            lambda e, r=radius: e + np.sqrt(1 + r) * np.sqrt(q @ np.maximum(losses - e, 0) ** 2),
            bounds=(-20, losses.max()),
            method="bounded",
            options={"xatol": 1e-13},
        )
        assert upper_expectation(kb.pearson_chi2, losses, reference=q, radius=radius).value == pytest.approx(
            dual.fun, rel=1e-10
        )
    tiny = upper_expectation(kb.pearson_chi2, losses, reference=q, radius=1e-8)
    spread = np.sqrt(1e-8 * (q @ losses**2 - (q @ losses) ** 2))  # exact while every weight stays positive
    assert tiny.value == pytest.approx(q @ losses + spread, rel=1e-12)


def test_total_variation_moves_mass_from_the_least_losses_to_the_largest() -> None:
    losses, q = example(12)
    for radius in (0.0, 0.1, 0.35, 0.9, 1.0):
        left = q.copy()
        rest = radius
        for i in range(11):
            moved = min(rest, left[i])
            left[i] -= moved
            left[-1] += moved
            rest -= moved
        worst = upper_expectation(kb.total_variation, losses, reference=q, radius=radius)
        assert worst.value == pytest.approx(left @ losses, rel=1e-12, abs=1e-12)
    # the mean of the upper part alone is the conditional value at risk, which the ball mixes with the largest loss
    tail = upper_expectation(
        kb.total_variation, np.append(losses, 0.0), reference=np.append(q, 0), radius=0.25
    )
    assert tail.gap <= 1e-12


def test_robust_value_iteration_in_closed_form() -> None:
    rng = np.random.default_rng(7)
    values, kernel = rng.uniform(0, 3, 12), rng.dirichlet(np.ones(12), (3, 4))
    price = 0.6
    tv = lower_expectation(kb.total_variation, values, reference=kernel, penalty=price)
    assert tv.value.shape == (3, 4)
    assert np.allclose(tv.value, kernel @ np.minimum(values, values.min() + price), rtol=1e-12)
    kl = lower_expectation(kb.kl, values, reference=kernel, penalty=price)
    assert np.allclose(kl.value, -price * np.log(kernel @ np.exp(-values / price)), rtol=1e-12)
    chi2 = lower_expectation(kb.pearson_chi2, values, reference=kernel[0, 0], penalty=price)
    cuts = np.minimum(values[:, None], np.linspace(values.min(), values.max(), 100001))
    mean, square = kernel[0, 0] @ cuts, kernel[0, 0] @ cuts**2
    assert chi2.value == pytest.approx(np.max(mean - (square - mean**2) / (4 * price)), abs=1e-8)


def test_ball_that_reaches_the_largest_loss() -> None:
    losses, q = np.array([1.0, 2.0, 2.0]), np.array([0.5, 0.25, 0.25])
    worst = upper_expectation(kb.kl, losses, reference=q, radius=0.7)  # log 2 is enough
    assert worst.value == 2.0
    assert worst.multiplier == 0.0
    assert worst.weights.tolist() == [0.0, 0.5, 0.5]
    assert upper_expectation(kb.kl, [3.0, 3.0], radius=0.1).value == 3.0
    assert upper_expectation(kb.kl, losses, reference=q, radius=0).value == pytest.approx(1.5)


def test_category_without_reference_mass_costs_its_price() -> None:
    losses, q = np.array([0.0, 1.0, 9.0]), np.array([0.5, 0.5, 0.0])
    assert upper_expectation(kb.kl, losses, reference=q, penalty=1.0).weights[2] == 0
    worst = upper_expectation(kb.reverse_kl, losses, reference=q, radius=0.2)
    assert worst.weights[2] > 0
    assert worst.gap < 1e-12
    dual = minimize(
        lambda x: (
            np.exp(x[0]) * 0.2 + x[1] - np.exp(x[0]) * q[:2] @ np.log1p((x[1] - losses[:2]) / np.exp(x[0]))
            if x[1] >= 9 - np.exp(x[0]) and x[1] > 1 - np.exp(x[0])
            else 1e9
        ),
        [2.5, 3.0],
        method="Nelder-Mead",
        options={"xatol": 1e-11, "fatol": 1e-12, "maxiter": 5000},
    )
    assert worst.value == pytest.approx(dual.fun, rel=1e-7)


@pytest.mark.slow
def test_kinks_anywhere_and_extreme_scales() -> None:
    rng = np.random.default_rng(8)
    losses, q = rng.normal(size=(10, 6)), rng.dirichlet(np.full(6, 0.3), 10)
    for amount in ({"radius": 0.3}, {"penalty": 0.7}):
        worst = upper_expectation(KINKED, losses, reference=q, **amount)
        assert np.all(worst.gap <= 1e-9)
    for d in CATALOGUE:
        for scale in (1e-12, 1e12):
            # at a kink the rounding of the weights costs in proportion to the price
            price = scale if d.curvature_at_one else min(scale, 1e3)
            assert upper_expectation(d, scale * losses[0], reference=q[0], radius=0.1).gap <= 1e-10 * scale
            assert upper_expectation(d, losses[0], reference=q[0], penalty=price).gap <= 1e-9


def test_gradient_of_the_surrogate_is_the_weights() -> None:
    losses, q = example()
    step = 1e-6
    for d in (kb.kl, kb.pearson_chi2, kb.js):
        worst = upper_expectation(d, torch.tensor(losses), reference=torch.tensor(q), radius=0.05)
        x = torch.tensor(losses, requires_grad=True)
        value = worst.surrogate(x)
        value.backward()
        assert x.grad is not None
        assert torch.equal(x.grad, worst.weights)
        assert value.item() == pytest.approx(float(worst.value))
        for i in range(6):
            moved = [
                upper_expectation(d, losses + s * step * np.eye(6)[i], reference=q, radius=0.05).value
                for s in (1, -1)
            ]
            assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(float(x.grad[i]), abs=1e-7)
    with jax.enable_x64(True):
        worst = lower_expectation(kb.kl, jnp.asarray(losses), penalty=0.4)
        assert np.allclose(jax.grad(worst.surrogate)(jnp.asarray(losses)), worst.weights)


@every
def test_equal_losses_leave_the_reference_alone(d: kb.FDivergence) -> None:
    q = np.random.default_rng(0).dirichlet(np.ones(5), size=3)
    equal = np.full(5, 0.3)
    for extreme, amount in (
        (upper_expectation, "penalty"),
        (lower_expectation, "penalty"),
        (upper_expectation, "radius"),
    ):
        worst = extreme(d, equal, reference=q, **{amount: 0.1})
        assert np.array_equal(worst.value, [0.3] * 3)
        assert np.allclose(worst.gap, 0)


def test_answer_and_refusals() -> None:
    worst = upper_expectation(kb.kl, [0.0, 1.0], radius=0.1)
    assert worst.answer.low == worst.value
    assert worst.answer.high == worst.value + worst.gap
    for arguments in (
        {},
        {"radius": 0.1, "penalty": 1.0},
        {"radius": -1.0},
        {"penalty": 0.0},
        {"radius": np.nan},
    ):
        with pytest.raises(kb.InvalidInputError):
            upper_expectation(kb.kl, [0.0, 1.0], **arguments)
    with pytest.raises(kb.InvalidInputError, match="generator"):
        upper_expectation(kb.renyi(2), [0.0, 1.0], radius=0.1)
    with pytest.raises(kb.InvalidInputError, match="finite"):
        upper_expectation(kb.kl, [0.0, np.inf], radius=0.1)
    with pytest.raises(kb.InvalidInputError, match="sum to 1"):
        upper_expectation(kb.kl, [0.0, 1.0], reference=[0.5, 0.6], radius=0.1)
    with pytest.raises(kb.ShapeError):
        upper_expectation(kb.kl, [0.0, 1.0], reference=[0.5, 0.25, 0.25], radius=0.1)
    with pytest.raises(kb.DTypeError, match="traced"):
        jax.jit(lambda x: upper_expectation(kb.kl, x, radius=0.1).value)(jnp.ones(3))


def test_a_gap_that_stays_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(kb.kl), "_conjugate", lambda _, u: np.expm1(u) + 0.1 * np.abs(u))
    with pytest.raises(kb.ConvergenceError, match="apart from its primal"):
        upper_expectation(kb.kl, [0.0, 1.0, 3.0], radius=0.1)
