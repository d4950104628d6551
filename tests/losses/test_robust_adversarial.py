"""Doubly robust training: the inner maximum, and the total derivative of the outer one against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses import robust

EDGE = robust.Barrier(radius=0.5, strength=0.4)


def data(n: int = 6, d: int = 3) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=draws, dtype=torch.float64)
    return x, torch.randint(3, (n,), generator=draws)


def model(theta: Tensor, labels: Tensor):
    """A small smooth network, 3 inputs, 4 units, 3 classes."""
    first, second = theta[:12].reshape(3, 4), theta[12:].reshape(4, 3)

    def losses(x: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(torch.tanh(x @ first) @ second, labels, reduction="none")

    return losses


def parameters() -> Tensor:
    return torch.randn(24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def found(theta: Tensor, x: Tensor, labels: Tensor, edge: robust.Barrier = EDGE) -> Tensor:
    return robust.worst_perturbations(model(theta, labels), x, barrier=edge, steps=120, step_size=1.0)


def test_barrier_by_hand() -> None:
    steps = torch.tensor([[[0.3, 0.0], [0.0, 0.4]], [[0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    cost = robust.Barrier(radius=1.0, strength=2.0)(steps)
    assert cost.tolist() == pytest.approx([-2 * math.log(0.75), 0.0], abs=1e-15)


def test_perturbations_are_stationary_and_inside() -> None:
    x, y = data()
    theta = parameters()
    moved = found(theta, x, y).requires_grad_(True)
    assert bool((moved.norm(dim=1) < EDGE.radius).all())
    gain = model(theta, y)(x + moved) - EDGE(moved)
    (slope,) = torch.autograd.grad(gain.sum(), moved)
    assert float(slope.abs().max()) < 1e-8
    assert bool((gain > model(theta, y)(x)).all())


def test_perturbations_do_not_depend_on_the_start_where_there_is_one_maximum() -> None:
    x, y = data()
    theta = parameters()
    strong = robust.Barrier(radius=0.5, strength=2.0)
    losses = model(theta, y)
    start = torch.full_like(x, 0.2)
    other = robust.worst_perturbations(losses, x, barrier=strong, steps=150, step_size=0.3, start=start)
    here = robust.worst_perturbations(losses, x, barrier=strong, steps=150, step_size=0.3)
    assert torch.allclose(here, other, atol=1e-8)
    assert x.requires_grad is False
    assert other.requires_grad is False


def test_huge_steps_stay_in_the_ball() -> None:
    x, y = data()
    moved = robust.worst_perturbations(
        model(parameters(), y), x, barrier=robust.Barrier(radius=0.5, strength=1e-6), steps=3, step_size=1e6
    )
    assert bool((moved.norm(dim=1) <= 0.5).all())


@pytest.mark.parametrize(
    ("d", "given"),
    [(kb.kl, {"penalty": 0.5}), (kb.pearson_chi2, {"radius": 0.05}), (kb.js, {"penalty": 0.3})],
    ids=["kl", "chi2", "js"],
)
def test_total_derivative_with_the_response_of_the_perturbations(d: kb.FDivergence, given: dict) -> None:
    x, y = data()
    theta = parameters().requires_grad_(True)
    way, h = torch.randn(24, generator=torch.Generator().manual_seed(2), dtype=torch.float64), 1e-4

    def objective(at: Tensor) -> float:
        moved = found(at, x, y)
        return float(robust.worst_case(d, model(at, y)(x + moved), **given))

    with torch.no_grad():
        difference = (objective(theta + h * way) - objective(theta - h * way)) / (2 * h)
    gradients = []
    for solves in (10, 0):
        value = robust.doubly_robust(
            d, model(theta, y), x, found(theta.detach(), x, y), barrier=EDGE, solves=solves, **given
        )
        gradients.append(float(torch.autograd.grad(value, theta)[0] @ way))
        assert value.item() == pytest.approx(objective(theta.detach()), abs=1e-12)
    assert gradients[0] == pytest.approx(difference, rel=1e-5)
    assert abs(gradients[1] - difference) > 1e-3 * abs(difference)


def test_weights_rise_with_the_loss() -> None:
    x, y = data()
    theta = parameters()
    losses = model(theta, y)(x + found(theta, x, y)).requires_grad_(True)
    robust.worst_case(kb.kl, losses, penalty=0.5).backward()
    assert torch.allclose(losses.grad, torch.softmax(losses.detach() / 0.5, 0), atol=1e-12)  # type: ignore[arg-type]


def test_no_maximum_is_refused() -> None:
    x, y = data()
    theta, sharp = 6 * parameters(), robust.Barrier(radius=2.0, strength=1e-3)
    with pytest.raises(ConvergenceError, match="no maximum"):
        robust.doubly_robust(kb.kl, model(theta, y), x, torch.zeros_like(x), barrier=sharp, penalty=0.5)
    value = robust.doubly_robust(
        kb.kl, model(theta, y), x, torch.zeros_like(x), barrier=sharp, penalty=0.5, solves=0
    )
    assert torch.isfinite(value)


def test_refusals() -> None:
    x, y = data()
    losses = model(parameters(), y)
    with pytest.raises(InvalidInputError, match="radius"):
        robust.Barrier(radius=0.0, strength=1.0)
    with pytest.raises(InvalidInputError, match="steps"):
        robust.worst_perturbations(losses, x, barrier=EDGE, steps=0)
    with pytest.raises(InvalidInputError, match="start"):
        robust.worst_perturbations(losses, x, barrier=EDGE, start=torch.ones_like(x))
    with pytest.raises(ShapeError, match="one loss an example"):
        robust.worst_perturbations(lambda x: losses(x).mean(), x, barrier=EDGE)
    with pytest.raises(ShapeError, match="perturbations"):
        robust.doubly_robust(kb.kl, losses, x, x[:2], barrier=EDGE, penalty=1.0)
    with pytest.raises(InvalidInputError, match="solves"):
        robust.doubly_robust(kb.kl, losses, x, 0 * x, barrier=EDGE, penalty=1.0, solves=-1)
