"""The Monge gap against an assignment solved elsewhere and theory; moments of noise against torch's closed form."""

from __future__ import annotations

import math
import sys

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from kullback.errors import InvalidInputError, MissingDependencyError, ShapeError
from kullback.losses.matching import moment_kl, monge_gap

pytest.importorskip("ot")
POINTS = torch.as_tensor(np.random.default_rng(0).normal(size=(400, 2)))


def rotation(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def by_assignment(x: Tensor, y: Tensor) -> float:
    costs = ((x[:, None] - y[None]) ** 2).sum(-1).numpy()
    rows, columns = linear_sum_assignment(costs)
    return float(np.trace(costs) - costs[rows, columns].sum()) / len(x)


def test_gradients_of_convex_functions_have_no_gap() -> None:
    stretched = POINTS @ torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    for image in (stretched, POINTS + 3.0, POINTS, POINTS**3):
        assert monge_gap(POINTS, image).item() == 0.0
    assert monge_gap(POINTS, POINTS + 1e6).item() == pytest.approx(0.0, abs=1e-9)
    far = monge_gap(POINTS - 1e6, POINTS @ rotation(1.0).T + 1e6)
    assert far.item() == pytest.approx(monge_gap(POINTS, POINTS @ rotation(1.0).T).item(), rel=1e-9)
    maps = POINTS.reshape(100, 2, 2, 2)
    assert monge_gap(maps, 2 * maps).item() == 0.0


def test_a_rotation_has_one() -> None:
    gap = monge_gap(POINTS, POINTS @ rotation(1.0).T).item()
    theory = 2 * (1 - math.cos(1.0)) * 2  # E‖x‖² = 2
    assert gap == pytest.approx(by_assignment(POINTS, POINTS @ rotation(1.0).T), abs=1e-12)
    assert gap == pytest.approx(1.766, abs=1e-3)
    assert gap == pytest.approx(theory, rel=0.05)


def test_the_gradient_is_that_of_the_gap() -> None:
    x = POINTS[:12]
    weight = rotation(2.0).requires_grad_()
    assert monge_gap(x, x @ weight).item() > 0.5
    assert torch.autograd.gradcheck(lambda w: monge_gap(x, x @ w), weight, eps=1e-7, atol=1e-6)
    assert torch.autograd.gradcheck(lambda z: monge_gap(z, x.flip(0)), x.clone().requires_grad_())


def test_descent_turns_a_rotation_into_an_optimal_map() -> None:
    x = POINTS[:60]
    turn = rotation(1.0).requires_grad_()
    optimiser = torch.optim.Adam([turn], 0.03)
    start = monge_gap(x, x @ turn.T).item()
    for _ in range(60):
        optimiser.zero_grad()
        (monge_gap(x, x @ turn.T) + 0.1 * (torch.linalg.det(turn) - 1) ** 2).backward()
        optimiser.step()
    assert monge_gap(x, x @ turn.T).item() < 0.02 * start


def test_other_costs_and_masks() -> None:
    def distance(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().sum(-1)

    x = torch.tensor([[0.0], [1.0], [5.0]])
    swapped = x[[1, 0, 2]]
    assert monge_gap(x, swapped, cost=distance).item() == pytest.approx(2 / 3)
    mask = torch.tensor([True, True, False])
    broken = torch.tensor([[1.0], [0.0], [math.nan]])
    assert monge_gap(x, broken, mask=mask).item() == pytest.approx(1.0)
    with pytest.raises(InvalidInputError, match="not finite"):
        monge_gap(x, broken)
    with pytest.raises(InvalidInputError, match="no point"):
        monge_gap(x, x, mask=~torch.ones(3, dtype=torch.bool))
    with pytest.raises(ShapeError, match="shapes are"):
        monge_gap(x, x[:2])
    with pytest.raises(ShapeError, match="`mask`"):
        monge_gap(x, x, mask=mask[:2])
    with pytest.raises(ShapeError, match="`cost` gave"):
        monge_gap(x, x, cost=lambda a, b: a - b)


def test_without_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingDependencyError, match=r"kullback\[transport\]"):
        monge_gap(POINTS, POINTS)


def test_moments_of_noise() -> None:
    draws = torch.Generator().manual_seed(0)
    noise = 0.3 + 1.5 * torch.randn(4, 64, 64, generator=draws)
    whole = moment_kl(noise.reshape(1, -1)).item()
    flat = noise.double().flatten()
    law = Normal(flat.mean(), flat.std(correction=0))
    assert whole == pytest.approx(float(kl_divergence(law, Normal(0.0, 1.0))), rel=1e-5)
    assert whole == pytest.approx(0.266479, abs=1e-4)
    each = [moment_kl(one[None]).item() for one in noise]
    assert moment_kl(noise).item() == pytest.approx(sum(each) / 4)
    mask = torch.tensor([True, False, False, False])
    assert moment_kl(noise, mask=mask).item() == pytest.approx(each[0])
    weights = torch.tensor([4.0, 0, 0, 0])
    assert moment_kl(noise, weight=weights).item() == pytest.approx(each[0])


def test_moments_near_those_of_noise_keep_their_digits() -> None:
    e = 1e-7
    x = torch.tensor([[1 + e, -1 - e]], dtype=torch.float64)
    with mpmath.workdps(40):
        v = mpmath.mpf(x.var(correction=0).item())
        want = float((v - 1 - mpmath.log(v)) / 2)
    assert moment_kl(x).item() == pytest.approx(want, rel=1e-14, abs=0.0)


def test_constant_noise_is_infinitely_far() -> None:
    noise = torch.ones(2, 5)
    noise[0] = torch.arange(5.0)
    assert moment_kl(noise).item() == math.inf
    with pytest.warns(RuntimeWarning, match="1 of 2"):
        assert math.isfinite(moment_kl(noise, nonfinite="skip").item())
    with pytest.raises(ShapeError, match="two numbers"):
        moment_kl(torch.ones(3, 1))
