"""Bounds of f-informations as objectives of scores, Donsker and Varadhan's by minibatches among them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.bounds import variational
from kullback.errors import InvalidInputError
from kullback.losses import contrast
from losses.contrast_scores import gaussian_scores, matrix, with_gradient

KINKED = ("total_variation",)
CURVED = tuple(d for d in kb.catalogue() if d.name not in KINKED)


# f-informations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", CURVED, ids=repr)
def test_f_information_is_minus_the_variational_bound(d: kb.FDivergence) -> None:
    s = matrix(4, 6)

    def bound(x: Tensor) -> Tensor:
        return -variational.by_log_ratio(d, *contrast.split(x)).value

    got = with_gradient(lambda x: contrast.f_information(d, x), s)
    torch.testing.assert_close(got, with_gradient(bound, s), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("d", CURVED, ids=repr)
def test_the_best_critic_is_the_log_ratio(d: kb.FDivergence) -> None:
    """Pairs in the proportions of a joint law: its log-ratio attains D_f, and the gradient there is 0."""
    joint = np.array([[0.3, 0.1], [0.1, 0.5]])
    product = np.outer(joint.sum(1), joint.sum(0))
    ratio = torch.tensor(np.log(joint / product)).requires_grad_()
    p, q = (torch.tensor(x).flatten() for x in (joint, product))
    loss = -(p * d.slope(ratio).flatten() + q * d.tilt(ratio).flatten()).sum()
    assert float(-loss.detach()) == pytest.approx(float(d(p, q)), rel=1e-10)
    assert float(torch.autograd.grad(loss, ratio)[0].abs().max()) < 1e-12


@pytest.mark.parametrize("d", [kb.total_variation, 3.0 * kb.total_variation], ids=repr)
def test_a_kinked_divergence_gives_a_critic_no_gradient_and_is_refused(d: kb.FDivergence) -> None:
    with pytest.raises(InvalidInputError, match="no gradient"):
        contrast.f_information(d, matrix())
    contrast.f_information(kb.total_variation + kb.js, matrix())


def test_js_becomes_a_bound_of_mutual_information() -> None:
    rng = np.random.default_rng(0)
    for information in (0.5, 2.0):
        s = gaussian_scores(information, 600, rng)
        js = -float(contrast.f_information(kb.js, s))
        logistic = torch.nn.functional.softplus
        own, other = contrast.split(s)
        assert js == pytest.approx(
            math.log(2) - 0.5 * float(logistic(-own).mean() + logistic(other).mean()), abs=1e-12
        )
        low = kb.bound(kb.kl, given=kb.js, at=js).low
        assert 0.6 * information < low < information


# Donsker and Varadhan --------------------------------------------------------------------------------------------


def test_at_the_batchs_own_normaliser_it_is_the_bound_itself() -> None:
    s = matrix(4, 6)
    own = contrast.DonskerVaradhan(momentum=0.0)
    got = with_gradient(own, s)
    wanted = with_gradient(lambda x: -variational.donsker_varadhan(*contrast.split(x)).value, s)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-15)
    averaged = contrast.DonskerVaradhan().eval()
    torch.testing.assert_close(averaged(s), got[0])
    assert averaged.steps == 0


def test_the_normaliser_is_averaged_without_its_start() -> None:
    module, batches = contrast.DonskerVaradhan(momentum=0.8), [matrix(4, seed=i) for i in range(3)]
    means, weights = [], []
    for i, s in enumerate(batches):
        own, other = contrast.split(s)
        means.append(float(other.exp().mean()))
        weights = [0.8**j for j in range(i, -1, -1)]
        z = np.average(means, weights=weights)
        wanted = -(float(own.mean()) - math.log(z) + 1 - means[-1] / z)
        assert float(module(s)) == pytest.approx(wanted, rel=1e-12)
    before = module.log_mean.clone()
    module(torch.full((3, 3), math.nan))
    assert module.log_mean == before
    assert module.steps == 3
    again = contrast.DonskerVaradhan(momentum=0.8)
    again.load_state_dict(module.state_dict())
    assert float(again(batches[0])) == float(module(batches[0]))


def test_averaging_takes_the_bias_from_the_gradient() -> None:
    """T = θ t with t standard normal off the diagonal: at θ = 1 the second half of the gradient is 1."""
    rng = np.random.default_rng(0)
    found = {}
    for momentum in (0.0, 0.99):
        module, total = contrast.DonskerVaradhan(momentum=momentum), []
        for _ in range(900):
            t = torch.tensor(rng.normal(size=(3, 3))).fill_diagonal_(0.0)
            theta = torch.ones((), dtype=torch.float64, requires_grad=True)
            total.append(float(torch.autograd.grad(module(theta * t), theta)[0]))
        found[momentum] = np.mean(total[100:])
    assert found[0.0] < 0.8
    assert found[0.99] == pytest.approx(1.0, abs=0.1)


def test_trap_a_sigmoid_critic_with_a_mean_difference_says_at_most_one() -> None:
    s = gaussian_scores(2.0, 500, np.random.default_rng(0))
    own, other = contrast.split(s.sigmoid())
    assert own.mean() - other.mean() < 1.0
    assert -float(contrast.DonskerVaradhan(momentum=0.0)(s)) == pytest.approx(2.0, abs=0.25)


def test_momentum_that_cannot_be_meant() -> None:
    for momentum in (-0.1, 1.0):
        with pytest.raises(InvalidInputError, match="momentum"):
            contrast.DonskerVaradhan(momentum=momentum)
