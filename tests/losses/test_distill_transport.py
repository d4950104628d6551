"""Transport between classes, rows and channels against POT, closed forms and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import ot
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses import (
    Sinkhorn,
    batch_transport,
    class_alignments,
    class_cosines,
    class_costs,
    class_transport,
    gaussian_features,
    linear_alignment,
    sinkhorn,
)
from losses.definitions import gradients, leaves

WIDE = torch.float64


def normal(seed: int, *shape: int, dtype: torch.dtype = WIDE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE).to(dtype)


def places(seed: int, n: int) -> Tensor:
    return class_costs(class_cosines(normal(seed, n, 4)))


def by_pot(p: Tensor, q: Tensor, costs: Tensor, regularisation: float) -> np.ndarray:
    masses = (x.detach().softmax(-1).numpy() for x in (p, q))
    return np.asarray(
        ot.sinkhorn(
            *masses, costs.numpy(), regularisation, method="sinkhorn_log", stopThr=1e-13, numItermax=100_000
        )
    )


def differentiates(loss: Callable[..., Tensor], *inputs: Tensor) -> None:
    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True, rtol=1e-5, atol=1e-6)


# The solver -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regularisation", [1.0, 0.1, 0.03])
def test_plans_and_costs_are_those_of_pot(regularisation: float) -> None:
    p, q, costs = 2 * normal(1, 2, 3, 12), 2 * normal(2, 2, 3, 9), normal(3, 12, 9).abs()
    solver = Sinkhorn(regularisation, tolerance=1e-12)
    plans, values = solver.plan(p, q, costs), solver.cost(p, q, costs)
    assert plans.shape == (2, 3, 12, 9)
    for i in np.ndindex(2, 3):
        wanted = by_pot(p[i], q[i], costs, regularisation)
        np.testing.assert_allclose(plans[i].numpy(), wanted, rtol=0, atol=1e-11)
        assert float(values[i]) == pytest.approx(float((wanted * costs.numpy()).sum()), rel=1e-10)


def test_costs_of_every_row_are_costs_row_by_row() -> None:
    p, q, costs = normal(4, 4, 6), normal(5, 4, 5), normal(6, 4, 6, 5).abs()
    solver = Sinkhorn(0.1)
    wanted = [solver.cost(p[i], q[i], costs[i]) for i in range(4)]
    torch.testing.assert_close(solver.cost(p, q, costs), torch.stack(wanted), rtol=1e-9, atol=0)


def test_a_small_regularisation_nears_the_wasserstein_cost_from_above() -> None:
    p, q, costs = normal(7, 10), normal(8, 10), places(9, 10)
    exact = ot.emd2(p.softmax(-1).numpy(), q.softmax(-1).numpy(), costs.numpy())
    values = [float(Sinkhorn(e).cost(p, q, costs)) for e in (0.1, 0.03, 0.01, 0.003)]
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] - exact < 1e-4 * exact + 1e-9


@pytest.mark.parametrize("regularisation", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_by_finite_differences(regularisation: float, shared: bool) -> None:
    p, q = leaves(normal(10, 3, 6), normal(11, 3, 5))
    (costs,) = leaves(normal(12, *(() if shared else (3,)), 6, 5).abs())
    differentiates(Sinkhorn(regularisation, tolerance=1e-13).cost, p, q, costs)


@pytest.mark.parametrize("shared", [True, False])
def test_sums_by_tables_are_those_by_logarithms(monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    p, q, costs = normal(53, 3, 6), normal(54, 3, 5), normal(55, *(() if shared else (3,)), 6, 5)
    found = []
    for widest in (300.0, 0.0):
        monkeypatch.setattr(sinkhorn, "_WIDEST", widest)
        mine = leaves(p, q, costs)
        value = Sinkhorn(0.1).cost(*mine)
        found.append([value.detach(), *gradients(value.square().sum(), mine)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("regularisation", [3e-3, 1e-3])
def test_costs_whose_exponentials_are_zero(regularisation: float) -> None:
    p, q = leaves(torch.tensor([0.9, 0.1], dtype=WIDE).log(), torch.tensor([0.1, 0.9], dtype=WIDE).log())
    value = Sinkhorn(regularisation).cost(p, q, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert value.item() == pytest.approx(0.8, rel=1e-9)
    for x, slope in zip(gradients(value, (p, q)), (0.09, -0.09), strict=True):
        torch.testing.assert_close(x, torch.tensor([slope, -slope], dtype=WIDE), rtol=1e-6, atol=0)


def test_gradients_near_the_wasserstein_cost_are_its_duals() -> None:
    """As ε falls the gradient towards the masses is the dual potential of the linear program."""
    p, q, costs = normal(13, 8), normal(14, 8), places(15, 8)
    masses = p.softmax(-1).numpy(), q.softmax(-1).numpy()
    found = ot.emd2(*masses, costs.numpy(), return_matrix=True)[1]
    mine = leaves(p)
    Sinkhorn(0.002).cost(mine[0], q, costs).backward()
    dual = torch.from_numpy(found["u"])
    wanted = p.softmax(-1) * (dual - (p.softmax(-1) * dual).sum())
    assert mine[0].grad is not None
    torch.testing.assert_close(mine[0].grad, wanted, rtol=0, atol=1e-4)


def test_classes_without_mass_take_no_part() -> None:
    p, q, costs = normal(16, 2, 6), normal(17, 2, 6), places(18, 6)
    p[:, 2], q[:, 4] = -math.inf, -math.inf
    keep_p, keep_q = [0, 1, 3, 4, 5], [0, 1, 2, 3, 5]
    mine = leaves(p, q)
    solver = Sinkhorn(0.05)
    got, wanted = solver.cost(*mine, costs), solver.cost(p[:, keep_p], q[:, keep_q], costs[keep_p][:, keep_q])
    torch.testing.assert_close(got.detach(), wanted, rtol=1e-9, atol=0)
    got.sum().backward()
    for x, gone in zip(mine, (2, 4), strict=True):
        assert x.grad is not None
        assert bool(torch.isfinite(x.grad).all())
        assert float(x.grad[:, gone].abs().max()) == 0


@pytest.mark.parametrize("regularisation", [0.1, 0.03, 0.02, 0.01, 0.005, 0.001])
def test_equal_sides_of_any_regularisation_have_finite_gradients(regularisation: float) -> None:
    p, q = leaves(3 * normal(19, 2, 8), 3 * normal(19, 2, 8))
    value = Sinkhorn(regularisation).cost(p, q, places(20, 8)).sum()
    value.backward()
    for x in (p, q):
        assert x.grad is not None
        assert bool(torch.isfinite(x.grad).all())
    assert 0 <= value.item() < regularisation * 10


def test_too_few_steps_are_said() -> None:
    p, q, costs = normal(21, 8), normal(22, 8), places(23, 8)
    with pytest.raises(ConvergenceError, match="3 steps the margins of a plan are off by"):
        Sinkhorn(0.01, steps=3).cost(p, q, costs)
    assert float(Sinkhorn(0.5, steps=3, tolerance=1.0).cost(p, q, costs)) > 0


@pytest.mark.parametrize("settings", [{"regularisation": 0.0}, {"tolerance": math.nan}, {"steps": 0}])
def test_settings_that_make_no_sense(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(settings))):
        Sinkhorn(**settings)  # type: ignore[arg-type]


def test_what_cannot_be_carried() -> None:
    p, costs = normal(24, 2, 4), places(25, 4)
    with pytest.raises(ShapeError, match="costs of shape"):
        Sinkhorn().cost(p, p[..., :3], costs)
    with pytest.raises(ShapeError, match="must agree"):
        Sinkhorn().cost(p, p, costs.expand(3, 4, 4))
    with pytest.raises(InvalidInputError, match="finite"):
        Sinkhorn().cost(p, p, costs / 0)
    with pytest.raises(InvalidInputError, match="no mass"):
        Sinkhorn().cost(p * math.inf * 0, p, costs)


def test_no_derivative_of_derivatives() -> None:
    p, q = leaves(normal(26, 4), normal(27, 4))
    with pytest.raises(InvalidInputError, match="again"):
        torch.autograd.grad(Sinkhorn(0.1).cost(p, q, places(28, 4)), p, create_graph=True)


# Classes ----------------------------------------------------------------------------------------------------------


def test_a_near_class_costs_less_where_kl_sees_no_difference() -> None:
    teacher = torch.tensor([[0.8, 0.1, 0.1]]).log()
    near, far = torch.tensor([[0.5, 0.4, 0.1]]).log(), torch.tensor([[0.5, 0.1, 0.4]]).log()
    costs = torch.tensor([[0.0, 0.2, 1.0], [0.2, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert kb.loss(kb.kl, near, teacher).item() == pytest.approx(
        kb.loss(kb.kl, far, teacher).item(), rel=1e-6
    )
    solver = Sinkhorn(0.005)
    values = [class_transport(x, teacher, costs, solver=solver).item() for x in (near, far)]
    assert values == pytest.approx([0.3 * 0.2, 0.3], rel=1e-4)


def test_without_the_label_is_among_the_others() -> None:
    student, teacher, costs = normal(29, 2, 3, 6), normal(30, 2, 3, 6), places(31, 6)
    labels = torch.tensor([[2, -100, 5], [0, 2, -100]])
    total = 0.0
    for i in np.ndindex(2, 3):
        if labels[i] >= 0:
            rest = [v for v in range(6) if v != labels[i]]
            plan = by_pot(teacher[i][rest] / 4, student[i][rest] / 4, costs[rest][:, rest], 0.05)
            total += float((plan * costs[rest][:, rest].numpy()).sum())
    got = class_transport(student, teacher, costs, labels=labels, temperature=4.0)
    assert float(got) == pytest.approx(total / 4, rel=1e-8)
    assert float(
        class_transport(student, teacher, costs, labels=labels, temperature=4.0, denominator=2)
    ) == pytest.approx(total / 2, rel=1e-8)


def test_rows_that_do_not_count_are_not_looked_at() -> None:
    student, teacher = leaves(normal(32, 4, 5), normal(33, 4, 5))
    mask = torch.tensor([True, False, True, False])
    broken = torch.where(mask[:, None], student, math.nan)
    got = class_transport(broken, teacher, places(34, 5), mask=mask)
    wanted = class_transport(student[mask], teacher[mask], places(34, 5))
    assert got.item() == pytest.approx(wanted.item(), rel=1e-12)
    got.backward()
    assert student.grad is not None
    assert bool(torch.isfinite(student.grad).all())
    nothing = class_transport(student, teacher, places(34, 5), mask=torch.zeros(4, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0


def test_half_precision_is_computed_in_more() -> None:
    student, teacher, costs = normal(35, 3, 7), normal(36, 3, 7), places(37, 7)
    halves = leaves(student.bfloat16(), teacher.bfloat16())
    got = class_transport(*halves, costs)
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(
        class_transport(*(x.double().detach() for x in halves), costs).item(), rel=1e-6
    )
    got.backward()
    assert halves[0].grad is not None
    assert halves[0].grad.dtype == torch.bfloat16


def test_costs_of_classes() -> None:
    weight = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=WIDE)
    costs = class_costs(class_cosines(weight), sharpness=2.0)
    wanted = 1 - torch.exp(-2.0 * torch.tensor([0.0, 0.0, 1.0, 2.0], dtype=WIDE))
    torch.testing.assert_close(costs[0], wanted, rtol=1e-14, atol=0)
    assert torch.equal(costs, costs.T)
    rounded = torch.tensor([[1.0 + 1e-6, 0.0], [0.0, 1.0]])
    assert torch.equal(class_costs(rounded, sharpness=None), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(InvalidInputError, match="zeros"):
        class_cosines(torch.zeros(2, 3))
    with pytest.raises(InvalidInputError, match="sharpness"):
        class_costs(torch.eye(2), sharpness=0.0)
    with pytest.raises(ShapeError, match="classes"):
        class_costs(torch.zeros(2, 3))


def test_alignment_by_centred_kernels() -> None:
    """Hilbert–Schmidt's independence of the two Gram matrices over its norms."""
    x, y = normal(38, 20, 5), normal(39, 20, 8)
    centre = torch.eye(20, dtype=WIDE) - 1 / 20
    k, m = (centre @ (z @ z.T) @ centre for z in (x, y))
    wanted = (k * m).sum() / (k.norm() * m.norm())
    torch.testing.assert_close(linear_alignment(x, y), wanted, rtol=1e-12, atol=0)
    turn = torch.linalg.qr(normal(40, 5, 5)).Q
    torch.testing.assert_close(linear_alignment(3 * x @ turn, y), wanted, rtol=1e-12, atol=0)
    with pytest.raises(ShapeError, match="rows"):
        linear_alignment(x, y[:5])


def test_alignments_of_classes_ignore_the_order_of_examples() -> None:
    features = normal(41, 3, 6, 10)
    found = class_alignments(features)
    shuffled = torch.stack(
        [f[torch.randperm(6, generator=torch.Generator().manual_seed(42))] for f in features]
    )
    torch.testing.assert_close(class_alignments(shuffled), found, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.diagonal(), torch.ones(3, dtype=WIDE), rtol=1e-12, atol=0)
    torch.testing.assert_close(found[0, 1], linear_alignment(features[0].T, features[1].T))
    with pytest.raises(ShapeError, match="examples"):
        class_alignments(features[0])


# Batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_compared_as_a_set() -> None:
    student, teacher = normal(43, 6, 4), normal(44, 6, 4)
    p, q = teacher.div(2).softmax(-1), student.div(2).softmax(-1)
    costs = (p[:, None] - q[None]).abs().sum(-1)
    plan = ot.sinkhorn(
        np.full(6, 1 / 6), np.full(6, 1 / 6), costs.numpy(), 0.1, method="sinkhorn_log", stopThr=1e-13
    )
    got = batch_transport(student, teacher, temperature=2.0)
    assert float(got) == pytest.approx(float((plan * costs.numpy()).sum()), rel=1e-8)
    turned = student[torch.randperm(6, generator=torch.Generator().manual_seed(45))]
    assert float(batch_transport(turned, teacher, temperature=2.0)) == pytest.approx(float(got), rel=1e-8)
    assert kb.loss(kb.kl, turned, teacher) != kb.loss(kb.kl, student, teacher)


def test_batch_gradients_by_finite_differences() -> None:
    student, teacher = leaves(normal(46, 5, 4), normal(47, 5, 4))
    solver = Sinkhorn(0.1, tolerance=1e-13)
    differentiates(lambda *x: batch_transport(*x, solver=solver), student, teacher)


def test_a_masked_batch() -> None:
    student, teacher = normal(48, 2, 3, 4), normal(49, 2, 3, 4)
    mask = torch.tensor([[True, True, False], [False, True, True]])
    got = batch_transport(student, teacher, mask=mask)
    assert float(got) == pytest.approx(float(batch_transport(student[mask], teacher[mask])), rel=1e-12)
    (z,) = leaves(student)
    nothing = batch_transport(z, teacher, mask=torch.zeros_like(mask))
    nothing.backward()
    assert nothing.item() == 0


# Channels ---------------------------------------------------------------------------------------------------------


def test_gaussian_features_are_the_wasserstein_distance_of_normal_laws() -> None:
    student, teacher = normal(50, 3, 4, 5, 6), 2 * normal(51, 3, 4, 7) + 1
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        laws = [
            torch.distributions.MultivariateNormal(
                x.flatten(1).mean(1), torch.diag(x.flatten(1).var(1, correction=0))
            )
            for x in (s, t)
        ]
        total += float(kb.between(kb.wasserstein(2), *laws)) ** 2
    got = gaussian_features(student, teacher, variance_floor=0.0)
    assert float(got) == pytest.approx(total / 3, rel=1e-10)
    means = (student.flatten(2).mean(-1) - teacher.mean(-1)).square().sum() / 3
    heavier = gaussian_features(student, teacher, variance_floor=0.0, mean_weight=4.0)
    assert float(heavier - got) == pytest.approx(3 * float(means), rel=1e-10)


def test_a_constant_channel_has_a_gradient() -> None:
    (student,) = leaves(torch.ones(2, 3, 4))
    gaussian_features(student, normal(52, 2, 3, 4, dtype=torch.float32)).backward()
    assert student.grad is not None
    assert bool(torch.isfinite(student.grad).all())
    with pytest.raises(ShapeError, match="channels"):
        gaussian_features(torch.ones(2, 3, 4), torch.ones(2, 4, 4))
