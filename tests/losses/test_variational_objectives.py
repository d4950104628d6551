"""Objectives of log-weights against closed forms on conjugate normal laws, in value, in order and in their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import roots_hermitenorm
from torch.distributions import Normal

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.variational import (
    MeasuredDivergence,
    RenyiBound,
    TailAdaptive,
    chi_upper,
    elbo,
    importance_weighted,
)

ORDERS = [3.0, 2.0, 1.5, 1.0, 0.5, 0.25, 0.0, -0.5, -1.0, -2.0]
POSTERIOR = torch.tensor([1.0, 0.5**0.5], dtype=torch.float64)  # of z ~ N(0, 1), x | z ~ N(z, 1), at x = 2
EVIDENCE = -0.5 * math.log(4 * math.pi) - 1.0  # log N(2; 0, 2)


def log_joint(z: torch.Tensor) -> torch.Tensor:
    """Of the conjugate pair, at x = 2."""
    return Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(torch.full_like(z, 2.0))


def exact_bound(order: float, m: torch.Tensor, s: torch.Tensor) -> float:
    """log p(x) − D_order(q‖posterior) for K = infinity, by Gauss–Hermite nodes of q."""
    x, w = roots_hermitenorm(180)
    z = m + s * torch.as_tensor(x)
    lw = (log_joint(z) - Normal(m, s).log_prob(z)).numpy()
    w = w / w.sum()
    if order == 1:
        return float(w @ lw)
    return float(np.log(w @ np.exp((1 - order) * lw)) / (1 - order))


def rows(seed: int, k: int = 50, n: int = 4) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(size=(k, n)))


def test_orders_are_monotone_and_meet_the_named_bounds() -> None:
    x = rows(0)
    values = torch.stack([RenyiBound(order)(x) for order in ORDERS])
    assert bool((values[1:] > values[:-1]).all())
    assert torch.equal(elbo(x), x.mean(0))
    assert torch.allclose(importance_weighted(x), torch.logsumexp(x, 0) - math.log(50), rtol=1e-14)
    assert torch.allclose(chi_upper(x), 0.5 * (2 * x).exp().mean(0).log(), rtol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_equal_weights_give_the_evidence_at_every_order(order: float) -> None:
    z = rows(1, 7, 3)
    x = log_joint(z) - Normal(*POSTERIOR).log_prob(z)
    assert torch.allclose(
        RenyiBound(order)(x), torch.full((3,), EVIDENCE, dtype=torch.float64), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("order", ORDERS)
def test_many_draws_reach_the_closed_form(order: float) -> None:
    m, s = torch.tensor([0.8, 0.75], dtype=torch.float64)  # near enough that every moment here exists
    z = m + s * torch.as_tensor(np.random.default_rng(3).normal(size=400_000))
    x = log_joint(z) - Normal(m, s).log_prob(z)
    assert float(RenyiBound(order)(x)) == pytest.approx(exact_bound(order, m, s), abs=4e-3)


@pytest.mark.parametrize("order", [0.5, 2.0, 3.0])
def test_the_limit_is_the_evidence_less_a_renyi_divergence(order: float) -> None:
    m, s = torch.tensor(
        [0.8, 0.6], dtype=torch.float64
    )  # q in the first slot: orders above 1 need it narrower than the posterior
    divergence = kb.between(kb.renyi(order), Normal(m, s), Normal(*POSTERIOR)).value
    assert exact_bound(order, m, s) == pytest.approx(EVIDENCE - float(divergence), abs=1e-7)


def test_chi_upper_is_the_evidence_and_half_a_log_of_chi_square() -> None:
    m, s = torch.tensor([0.8, 0.9], dtype=torch.float64)
    chi2 = float(kb.between(kb.pearson_chi2, Normal(*POSTERIOR), Normal(m, s)).value)
    assert exact_bound(-1.0, m, s) == pytest.approx(EVIDENCE + 0.5 * math.log1p(chi2), abs=1e-7)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9, 1e-13])
def test_near_order_one_no_digits_are_lost(step: float) -> None:
    x = rows(4)
    second = x.mean(0) + step * x.var(0, correction=0) / 2
    slack = step**2 * 10 + 1e-15
    assert torch.allclose(RenyiBound(1 - step)(x), second, rtol=0, atol=slack)
    assert torch.allclose(RenyiBound(1 + step)(x), x.mean(0) - (second - x.mean(0)), rtol=0, atol=slack)


def test_weights_that_overflow_and_weights_of_zero() -> None:
    x = torch.tensor([[900.0], [-900.0], [-torch.inf]], dtype=torch.float64)
    assert float(importance_weighted(x)) == pytest.approx(900 - math.log(3))
    assert float(chi_upper(x)) == pytest.approx(900 - math.log(3) / 2)
    assert float(elbo(x)) == -math.inf
    assert float(RenyiBound(2.0)(x)) == -math.inf


@pytest.mark.parametrize("objective", [*map(RenyiBound, ORDERS), MeasuredDivergence(kb.js, -0.3)])
def test_gradient_and_path_weights_are_derivatives(objective: RenyiBound | MeasuredDivergence) -> None:
    x = rows(5, 6, 1)[:, 0].requires_grad_()
    if isinstance(objective, RenyiBound):
        assert torch.autograd.gradcheck(objective, x)

        def twice(x: torch.Tensor) -> torch.Tensor:
            return objective(x)
    else:
        assert torch.autograd.gradcheck(objective, x)

        def twice(x: torch.Tensor) -> torch.Tensor:
            return kb.js.value(x + 0.3).mean()

    first = torch.autograd.grad(twice(x), x)[0]
    second = torch.autograd.functional.hessian(twice, x.detach()).diagonal()  # type: ignore[union-attr]
    assert torch.allclose(objective.path_weights(x.detach()), first - second, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("d", list(kb.catalogue()), ids=lambda d: d.name)
def test_every_divergence_is_measured(d: kb.FDivergence) -> None:
    """D_f(posterior‖q) by nodes of q is what `between` says, and the gradient that of the definition."""
    x, weight = roots_hermitenorm(180)
    m, s = torch.tensor([0.8, 0.75], dtype=torch.float64)
    z = m + s * torch.as_tensor(x)
    r = log_joint(z) - Normal(m, s).log_prob(z)
    terms = MeasuredDivergence(d, log_evidence=EVIDENCE).each(r)
    value = float(terms.numpy() @ weight / weight.sum())
    tolerance = 1e-7 if d.curvature_at_one is not None else 2e-2  # a kink slows quadrature down
    assert value == pytest.approx(
        float(kb.between(d, Normal(*POSTERIOR), Normal(m, s)).value), rel=tolerance, abs=1e-9
    )
    at = torch.tensor([-30.0, -3.0, -0.4, 0.3, 2.0], dtype=torch.float64, requires_grad=True)
    ours = torch.autograd.grad(MeasuredDivergence(d, 0.0).each(at).sum(), at)[0]
    plain = at.detach().exp() * d.slope(at.detach())
    assert torch.allclose(ours, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("d", [kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.5)], ids=lambda d: d.name)
def test_a_far_ratio_has_a_gradient(d: kb.FDivergence) -> None:
    at = torch.tensor([-800.0], dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(MeasuredDivergence(d, 0.0)(at), at)[0]
    assert float(slope) == pytest.approx(-1.0 if d is kb.reverse_kl else 0.0, abs=1e-12)


def test_the_mean_weight_stands_for_the_evidence() -> None:
    x = rows(6, 5, 2)
    plugged = MeasuredDivergence(kb.kl, importance_weighted(x))(x)
    assert torch.equal(MeasuredDivergence(kb.kl)(x), plugged)
    assert torch.allclose(MeasuredDivergence(kb.kl)(x + 100), plugged, rtol=1e-12)


def test_tail_adaptive_weights_are_ranks() -> None:
    x = torch.tensor([0.0, 3.0, 1.0, 3.0], dtype=torch.float64)
    by_hand = torch.tensor([4 / 4, 4 / 2, 4 / 3, 4 / 2], dtype=torch.float64)
    assert torch.allclose(TailAdaptive().path_weights(x), by_hand / by_hand.sum())
    assert torch.allclose(TailAdaptive(0.0).path_weights(x), torch.full((4,), 0.25, dtype=torch.float64))
    assert torch.equal(TailAdaptive().path_weights(x), TailAdaptive().path_weights(5 * x - 700))


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="finite"):
        RenyiBound(math.inf)
    with pytest.raises(InvalidInputError, match="`power` is 1"):
        TailAdaptive(1.0)
    for objective in (elbo, importance_weighted, TailAdaptive(), MeasuredDivergence(kb.kl)):
        with pytest.raises(ShapeError, match="draws on the first axis"):
            objective(torch.zeros(0, 3))
    with pytest.raises(InvalidInputError, match="no mean over draws"):
        importance_weighted.each(torch.zeros(3))


@pytest.mark.parametrize("objective", [elbo, importance_weighted, chi_upper, TailAdaptive(-1.0)], ids=str)
def test_half_precision_is_computed_in_single(objective) -> None:
    w = torch.linspace(-3.0, 2.0, 64).to(torch.bfloat16)
    assert objective(w).dtype == torch.float32
    assert torch.equal(objective(w), objective(w.float()))
