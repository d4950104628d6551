"""Contrast by scores: the InfoNCE family, which pairs count, and corrected negatives."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.bounds import variational
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import contrast
from losses.contrast_scores import Objective, gaussian_scores, matrix, with_gradient

INF = math.inf
OBJECTIVES: dict[str, Objective] = {
    "info_nce": contrast.info_nce,
    "symmetric": contrast.symmetric_info_nce,
    "f": lambda s, **options: contrast.f_information(kb.js, s, **options),
    "dv": contrast.DonskerVaradhan(momentum=0.0),
}
every = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


# InfoNCE ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [5, 9])
def test_info_nce_is_the_cross_entropy_of_finding_the_partner(k: int) -> None:
    s = matrix(5, k)
    got = with_gradient(contrast.info_nce, s, temperature=0.3)
    wanted = with_gradient(lambda x: torch.nn.functional.cross_entropy(x / 0.3, torch.arange(5)), s)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-15)


def test_what_is_left_of_log_k_is_the_bound_of_mutual_information() -> None:
    s = matrix(7)
    bound = variational.info_nce(s)
    assert math.log(7) - float(contrast.info_nce(s)) == pytest.approx(float(bound), abs=1e-14)
    assert bound.cap == math.log(7)


@pytest.mark.parametrize("information", [1.0, 6.0, 60.0])
def test_no_critic_says_more_than_log_k(information: float) -> None:
    rng = np.random.default_rng(0)
    losses = [float(contrast.info_nce(gaussian_scores(information, 64, rng))) for _ in range(20)]
    assert min(losses) >= 0
    said = math.log(64) - np.mean(losses)
    if information == 1.0:
        assert said == pytest.approx(1.0, abs=0.1)
    else:
        assert 0.85 * math.log(64) < said <= math.log(64)


def test_a_partner_found_almost_surely_keeps_its_digits() -> None:
    s = torch.zeros(3, 3, dtype=torch.float64).fill_diagonal_(45.0)
    wanted = math.log1p(2 * math.exp(-45.0))
    assert float(contrast.info_nce(s)) == pytest.approx(wanted, rel=1e-14)
    assert float(contrast.symmetric_info_nce(s)) == pytest.approx(wanted, rel=1e-14)
    assert float(contrast.info_nce(-s * 20)) == pytest.approx(900 + math.log(2), rel=1e-14)


def test_both_directions_are_the_mean_of_two() -> None:
    s = matrix()
    both = contrast.symmetric_info_nce(s, temperature=0.5)
    ways = [contrast.info_nce(x, temperature=0.5) for x in (s, s.T)]
    torch.testing.assert_close(both, (ways[0] + ways[1]) / 2)
    torch.testing.assert_close(both, contrast.symmetric_info_nce(s.T, temperature=0.5))


def test_a_score_of_minus_infinity_takes_a_pair_out() -> None:
    s = matrix(3, 6)
    without = s.clone()
    without[:, 4] = -INF
    value, gradient = with_gradient(contrast.info_nce, without)
    wanted, rest = with_gradient(contrast.info_nce, s[:, [0, 1, 2, 3, 5]])
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(gradient[:, [0, 1, 2, 3, 5]], rest)
    assert (gradient[:, 4] == 0).all()
    s[0, 1:] = -INF
    value, gradient = with_gradient(contrast.info_nce, s)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_temperature_can_be_trained() -> None:
    s, temperature = matrix(), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: contrast.info_nce(s, temperature=t), temperature)
    assert torch.autograd.gradcheck(lambda t: contrast.symmetric_info_nce(s, temperature=t), temperature)


# Which pairs count -----------------------------------------------------------------------------------------------


@every
def test_pairs_outside_the_mask_are_nobodys_negatives(objective: Objective) -> None:
    s, mask = matrix(6), torch.tensor([True, False, True, True, False, True])
    spoiled = s.masked_fill(~(mask[:, None] & mask), math.nan)
    value, gradient = with_gradient(objective, spoiled, mask=mask)
    wanted, inside = with_gradient(objective, s[mask][:, mask])
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(gradient[mask][:, mask], inside)
    assert (gradient[~mask] == 0).all()
    assert (gradient[:, ~mask] == 0).all()
    assert float(objective(s, mask=torch.zeros(6, dtype=torch.bool))) == 0
    with pytest.raises(InvalidInputError, match="one pair"):
        objective(s, mask=torch.arange(6) == 2)


@every
def test_an_example_that_is_not_finite_is_skipped_on_both_sides(objective: Objective) -> None:
    s = matrix(6)
    s[2] = s[:, 2] = math.nan
    keep = torch.arange(6) != 2
    assert objective(s).isnan()
    with pytest.warns(RuntimeWarning, match="1 of 6 pairs.*number 2"):
        value, gradient = with_gradient(objective, s, nonfinite="skip")
    wanted, inside = with_gradient(objective, s[keep][:, keep])
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(gradient[keep][:, keep], inside)
    assert (gradient[2] == 0).all()
    with pytest.raises(InvalidInputError, match="not finite"):
        objective(s, nonfinite="raise")


@every
def test_one_row_that_is_not_finite_is_skipped_alone(objective: Objective) -> None:
    s = matrix(5)
    s[1, 3] = INF
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value, gradient = with_gradient(objective, s, nonfinite="skip", weight=weight)
    if objective is OBJECTIVES["dv"]:
        return  # its normaliser is of all pairs
    assert value.isfinite()
    assert gradient.isfinite().all()


@every
def test_weights_multiply(objective: Objective) -> None:
    s = matrix(4)
    each = [objective(s, weight=4.0 * (torch.arange(4) == i)) for i in range(4)]
    torch.testing.assert_close(torch.stack(each).mean(), objective(s))
    some = objective(s, weight=torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(some, (each[0] + 2 * each[2]) / 4)


@every
def test_half_precision_is_computed_in_single(objective: Objective) -> None:
    s = matrix().bfloat16()
    got = objective(s)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, objective(s.float()))


@every
def test_scores_that_cannot_be_meant(objective: Objective) -> None:
    for shape in ((3,), (4, 3), (1, 1), (0, 0), (2, 3, 3)):
        with pytest.raises(ShapeError):
            objective(torch.zeros(shape))
    with pytest.raises(DTypeError):
        objective(torch.zeros(3, 3, dtype=torch.long))
    for option in ("mask", "weight"):
        with pytest.raises(ShapeError, match=option):
            objective(torch.zeros(3, 3), **{option: torch.ones(2)})
    with pytest.raises(InvalidInputError, match="nonfinite"):
        objective(torch.full((3, 3), math.nan), nonfinite="ignore")


def test_coefficients_that_cannot_be_meant() -> None:
    for temperature in (0.0, -1.0, math.nan, torch.tensor(-1.0)):
        with pytest.raises(InvalidInputError, match="temperature"):
            contrast.info_nce(torch.zeros(2, 2), temperature=temperature)
    with pytest.raises(ShapeError, match="temperature"):
        contrast.info_nce(torch.zeros(2, 2), temperature=torch.ones(2))
    with pytest.raises(ShapeError, match=r"\(n, n\)"):
        contrast.symmetric_info_nce(torch.zeros(2, 3))


def test_cosines() -> None:
    x, y = matrix(4, 3), matrix(5, 3, seed=1)
    wanted = np.array([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in y.numpy()] for a in x.numpy()])
    np.testing.assert_allclose(contrast.cosines(x, y), wanted, rtol=1e-13)
    np.testing.assert_allclose(contrast.cosines(1e200 * x, 1e-200 * y), wanted, rtol=1e-13)
    x[1] = 0
    value, gradient = with_gradient(lambda z: contrast.cosines(z, y).sum(), x)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert (contrast.cosines(x, y)[1] == 0).all()
    assert torch.autograd.gradcheck(contrast.cosines, (matrix(2, 3).requires_grad_(), y.requires_grad_()))
    with pytest.raises(ShapeError, match="wide"):
        contrast.cosines(x, matrix(4, 2))


def test_split_leaves_out_nothing_but_the_partner() -> None:
    s = matrix(4, 7)
    own, other = contrast.split(s)
    assert (own == s.diagonal()).all()
    for i in range(4):
        assert sorted(other[i].tolist()) == sorted([float(v) for j, v in enumerate(s[i]) if j != i])


# Corrected negatives ---------------------------------------------------------------------------------------------


def test_debiased_without_a_prior_is_info_nce() -> None:
    s = contrast.cosines(matrix(6, 4), matrix(6, 4, seed=1))
    got = with_gradient(
        lambda x: contrast.debiased_info_nce(*contrast.split(x), class_prior=0.0, temperature=0.2), s
    )
    torch.testing.assert_close(
        got, with_gradient(contrast.info_nce, s, temperature=0.2), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("hardness", [0.0, 1.5])
@pytest.mark.parametrize("prior", [0.0, 0.1, 0.9])
def test_corrected_negatives_against_the_definition(prior: float, hardness: float) -> None:
    rng = np.random.default_rng(3)
    own, other, t = rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, (4, 6)), 0.4
    a, b = np.exp(own / t), np.exp(other / t)
    weights = b**hardness / (b**hardness).sum(-1, keepdims=True)
    g = np.maximum(((weights * b).sum(-1) - prior * a.mean(-1)) / (1 - prior), math.exp(-1 / t))
    wanted = np.log(1 + 6 * g / a[:, 0])
    sides = [torch.tensor(x, requires_grad=True) for x in (own, other)]

    def loss(a: Tensor, b: Tensor) -> Tensor:
        return contrast.debiased_info_nce(a, b, class_prior=prior, temperature=t, hardness=hardness)

    for i in range(4):
        got = float(loss(*(side.detach()[i : i + 1] for side in sides)))
        assert got == pytest.approx(wanted[i], rel=1e-13)
    assert torch.autograd.gradcheck(loss, sides)
    weight = torch.arange(4.0, dtype=torch.float64)
    mask = torch.tensor([True, True, False, True])
    some = contrast.debiased_info_nce(
        *sides, class_prior=prior, temperature=t, hardness=hardness, mask=mask, weight=weight
    )
    assert some.item() == pytest.approx((wanted[1] + 3 * wanted[3]) / 3, rel=1e-13)


def test_the_correction_finds_the_mean_over_true_negatives() -> None:
    """Nine in ten unlabelled scores are of other classes; what is found depends on their scores alone."""
    rng = np.random.default_rng(0)
    prior, n, m = 0.1, 200_000, 50_000
    same = rng.random(n) < prior
    scores = np.where(same, rng.uniform(0.5, 1.0, n), rng.uniform(-1.0, 0.2, n))
    positives = rng.uniform(0.5, 1.0, m)
    truth = np.exp(0.2) - np.exp(-1.0)
    truth /= 1.2  # the mean of e^u over (−1, 0.2)

    def found(class_prior: float) -> float:
        own, other = torch.tensor(positives)[None], torch.tensor(scores)[None]
        loss = contrast.debiased_info_nce(own, other, class_prior=class_prior)
        return math.expm1(float(loss)) * math.exp(positives[0]) / n

    assert found(prior) == pytest.approx(truth, rel=0.005)
    assert found(0.0) > 1.15 * truth


def test_hardness_dwells_on_the_nearest_negatives() -> None:
    own, other = torch.tensor([0.9]), torch.tensor([[0.8, 0.0, -0.8]])
    pulls = []
    for hardness in (0.0, 1.0, 3.0):
        _, g = with_gradient(
            lambda b, h=hardness: contrast.debiased_info_nce(own, b, class_prior=0.0, hardness=h), other
        )
        pulls.append(float(g[0, 0] / g.sum()))
    assert pulls[0] < pulls[1] < pulls[2]


def test_extreme_temperatures_stay_finite() -> None:
    for own, other in (([1.0], [[1.0, 1.0]]), ([-1.0], [[1.0, 1.0]]), ([1.0], [[-1.0, -1.0]])):
        sides = torch.tensor(own), torch.tensor(other)
        value, gradient = with_gradient(
            lambda b, a=sides[0]: contrast.debiased_info_nce(a, b, class_prior=0.5, temperature=1e-3),
            sides[1],
        )
        assert value.isfinite()
        assert gradient.isfinite().all()
    below = contrast.debiased_info_nce(torch.tensor([-0.8]), torch.tensor([[-1.0, -1.0]]), class_prior=0.5)
    assert float(below) == pytest.approx(math.log(1 + 2 * math.exp(-1 + 0.8)), rel=1e-6)  # not below e⁻¹
    nan = torch.tensor([[math.nan, 0.0]])
    assert contrast.debiased_info_nce(torch.zeros(1), nan, class_prior=0.1).isnan()


def test_corrections_that_cannot_be_meant() -> None:
    own, other = torch.zeros(2), torch.zeros(2, 3)
    for prior in (-0.1, 1.0, math.nan):
        with pytest.raises(InvalidInputError, match="class_prior"):
            contrast.debiased_info_nce(own, other, class_prior=prior)
    with pytest.raises(InvalidInputError, match="hardness"):
        contrast.debiased_info_nce(own, other, class_prior=0.1, hardness=-1.0)
    with pytest.raises(InvalidInputError, match="below `lowest`"):
        contrast.debiased_info_nce(own, other - 5, class_prior=0.1)
    with pytest.raises(ShapeError, match="2 examples"):
        contrast.debiased_info_nce(own, other[:1], class_prior=0.1)
