"""Bottlenecks to train: exact informations, bounds from both sides, densities on a grid, gradients and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.distributions import Independent, Normal

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses import bottleneck


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def normal(mean: Tensor, scale: Tensor | float) -> Independent:
    return Independent(Normal(mean, scale, validate_args=False), 1)


def standard(d: int) -> Independent:
    return normal(torch.zeros(d).double(), 1.0)


# variational -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "d", [kb.kl, kb.reverse_kl, kb.renyi(0.5), kb.squared_hellinger, kb.bhattacharyya], ids=repr
)
def test_variational_value_and_gradient(d: kb.Divergence) -> None:
    mean, scale, losses = numbers(4, 2), 0.5 + numbers(4, 2, seed=1).exp(), numbers(4, seed=2)
    for i, prior in ((0, standard(2)), (1, standard(2).expand((4,)))):
        value = bottleneck.variational_bottleneck(d, losses, normal(mean, scale), prior, price=0.3)
        by_hand = np.mean(
            [
                float(losses[j]) + 0.3 * kb.between(d, normal(mean[j], scale[j]), standard(2)).value
                for j in range(4)
            ]
        )
        assert float(value) == pytest.approx(by_hand, rel=1e-12), i

    def of(mean: Tensor, scale: Tensor, losses: Tensor) -> Tensor:
        return bottleneck.variational_bottleneck(d, losses, normal(mean, scale), standard(2), price=0.3)

    assert torch.autograd.gradcheck(of, [x.requires_grad_() for x in (mean, scale, losses)])


@pytest.mark.parametrize("beta", [1.4, 3.0, 10.0])
def test_the_variational_loss_ends_on_the_normal_curve(beta: float) -> None:
    """T = aX + N(0, 1) with the best prior and decoder, X at its quantiles: the price is 1/β."""
    rho, x = 0.8, torch.tensor(stats.norm.ppf((np.arange(4000) + 0.5) / 4000))
    x = x / x.square().mean().sqrt()

    def complexity(a: float) -> float:
        prior = normal(torch.zeros(1).double(), math.sqrt(1 + a * a))
        zero = torch.zeros(len(x)).double()
        return float(
            bottleneck.variational_bottleneck(kb.kl, zero, normal(a * x[:, None], 1.0), prior, price=1.0)
        )

    def loss(a: float) -> float:  # H(Y|T) up to a constant
        return 0.5 * math.log1p(-(rho**2) * a * a / (1 + a * a)) + complexity(a) / beta

    best = minimize_scalar(loss, bounds=(0, 20), method="bounded", options={"xatol": 1e-8}).x
    truth = bottleneck.gaussian_bottleneck(torch.tensor([rho]), beta=beta)
    assert complexity(best) == pytest.approx(float(truth.complexity), abs=1e-5)


def test_variational_limits_masks_and_refusals() -> None:
    mean, losses = numbers(3, 2), numbers(3, seed=2)
    code = normal(mean, 1.0)
    free = bottleneck.variational_bottleneck(kb.kl, losses, code, standard(2), price=0.0)
    assert float(free) == pytest.approx(float(losses.mean()), abs=1e-15)
    kept = bottleneck.variational_bottleneck(
        kb.kl, losses, code, standard(2), price=1.0, mask=torch.tensor([True, False, False])
    )
    assert float(kept) == pytest.approx(float(losses[0] + 0.5 * mean[0].square().sum()))
    skipped = losses.clone()
    skipped[1] = math.nan
    with pytest.warns(RuntimeWarning, match="1 of 3"):
        bottleneck.variational_bottleneck(kb.kl, skipped, code, standard(2), price=1.0, nonfinite="skip")
    with pytest.raises(UnsupportedPairError, match="js"):
        bottleneck.variational_bottleneck(kb.js, losses, code, standard(2), price=1.0)
    with pytest.raises(ShapeError, match=r"Independent\(..., 1\)"):
        bottleneck.variational_bottleneck(kb.kl, losses, Normal(mean, 1.0), standard(2), price=1.0)
    with pytest.raises(InvalidInputError, match="price"):
        bottleneck.variational_bottleneck(kb.kl, losses, code, standard(2), price=-1.0)
    with pytest.raises(InvalidInputError, match="loc"):
        bottleneck.variational_bottleneck(
            kb.kl, losses, normal(mean * torch.inf, 1.0), standard(2), price=1.0
        )


# from pairs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("unequal", [False, True])
def test_pairs_bound_the_information_from_both_sides(spread: float, unequal: bool) -> None:
    mean = spread * numbers(5, 1)
    scale = (0.4 * numbers(5, 1, seed=1)).exp() if unequal else torch.ones(5, 1).double()
    parts = [stats.norm(float(m), float(s)) for m, s in zip(mean, scale, strict=True)]
    mixture = kb.Mixture([0.2] * 5, parts)
    truth = np.mean([kb.between(kb.kl, part, mixture, kind="quadrature").value for part in parts])
    assert float(bottleneck.information_upper(mean, scale)) >= truth - 1e-9
    for order in (0.2, 0.5, 0.8):
        assert float(bottleneck.information_lower(mean, scale, order=order)) <= truth + 1e-9
    if spread == 30.0 and not unequal:
        assert float(bottleneck.information_upper(mean, scale)) <= math.log(5) + 1e-12


def test_pairs_in_closed_form() -> None:
    """Two codes at distance m with unit noise: KL is m²/2, Bhattacharyya's m²/8."""
    mean = torch.tensor([[0.0], [1.5]]).double()
    unit = torch.tensor(1.0)
    for found, cost in (
        (bottleneck.information_upper(mean, unit), 1.5**2 / 2),
        (bottleneck.information_lower(mean, unit), 1.5**2 / 8),
    ):
        assert float(found) == pytest.approx(-math.log((1 + math.exp(-cost)) / 2), rel=1e-14)
    same = torch.ones(6, 3)
    assert float(bottleneck.information_upper(same, unit)) == pytest.approx(0.0, abs=1e-7)
    far = 1e6 * torch.eye(6)
    assert float(bottleneck.information_upper(far, unit)) == pytest.approx(math.log(6), abs=1e-6)
    assert float(bottleneck.information_lower(far, unit)) == pytest.approx(math.log(6), abs=1e-6)


def test_pairs_are_compared_in_their_order() -> None:
    """Unequal scales: KL(p_i‖p_j), i outside the logarithm."""
    mean, scale = numbers(3, 2), numbers(3, 2, seed=1).exp()
    laws = [normal(m, s) for m, s in zip(mean, scale, strict=True)]
    costs = np.array([[float(torch.distributions.kl_divergence(a, b)) for b in laws] for a in laws])
    by_hand = -np.log(np.exp(-costs).mean(1)).mean()
    assert float(bottleneck.information_upper(mean, scale)) == pytest.approx(by_hand, rel=1e-12)


def test_nonlinear_gradient_mask_and_refusals() -> None:
    mean, scale, losses = numbers(4, 2), 0.5 + numbers(4, 2, seed=1).exp(), numbers(4, seed=2)
    for shape in (torch.square, lambda x: x):

        def of(losses: Tensor, mean: Tensor, scale: Tensor, u: Callable[[Tensor], Tensor] = shape) -> Tensor:
            return bottleneck.nonlinear_bottleneck(losses, mean, scale, price=0.7, shape=u)

        assert torch.autograd.gradcheck(of, [x.clone().requires_grad_() for x in (losses, mean, scale)])
    keep = torch.tensor([True, True, False, True])
    spoilt = mean.clone()
    spoilt[2] = math.nan
    spoilt.requires_grad_()
    masked = bottleneck.nonlinear_bottleneck(losses, spoilt, scale, price=0.7, mask=keep)
    masked.backward()
    assert bool(torch.isfinite(spoilt.grad).all())  # pyright: ignore[reportArgumentType]
    fewer = bottleneck.nonlinear_bottleneck(losses[keep], mean[keep], scale[keep], price=0.7)
    assert masked.item() == pytest.approx(float(fewer), abs=1e-14)
    with pytest.raises(InvalidInputError, match="loc"):
        bottleneck.nonlinear_bottleneck(losses, spoilt.detach(), scale, price=0.7)
    with pytest.raises(ShapeError, match="scale"):
        bottleneck.information_upper(mean, torch.ones(3))
    with pytest.raises(InvalidInputError, match="order"):
        bottleneck.information_lower(mean, scale, order=1.0)
    with pytest.raises(ShapeError, match="losses"):
        bottleneck.nonlinear_bottleneck(losses[:2], mean, scale, price=0.7)
    with pytest.raises(DTypeError, match="mean"):
        bottleneck.information_upper(mean.long(), scale)


# Cauchy–Schwarz ----------------------------------------------------------------------------------------------------


def test_divergence_of_samples_is_that_of_their_smoothed_densities() -> None:
    x, y, h = numbers(7, 1), 0.5 + 2 * numbers(5, 1, seed=1), 0.6
    grid = np.linspace(-12, 12, 4801)
    p, q = (stats.norm.pdf(grid, z.numpy(), h / 2**0.5).mean(0) for z in (x, y))
    known = kb.cauchy_schwarz(p, q, normalize=True)
    assert float(bottleneck.cauchy_schwarz(x, y, width=h)) == pytest.approx(known, rel=1e-9)


def test_information_is_the_divergence_from_the_product_of_smoothed_margins() -> None:
    x, t, h, g = numbers(6, 1), numbers(6, 1, seed=1), 0.7, 0.9
    grid = np.linspace(-7, 7, 281)
    a, b = (stats.norm.pdf(grid, z.numpy(), w / 2**0.5) for z, w in ((x, h), (t, g)))
    joint, product = a.T @ b / 6, np.outer(a.mean(0), b.mean(0))
    known = kb.cauchy_schwarz(joint.ravel(), product.ravel(), normalize=True)
    found = bottleneck.cauchy_schwarz_information(x, t, width=h, code_width=g)
    assert float(found) == pytest.approx(known, rel=1e-9)


def test_normal_laws_in_closed_form_and_by_samples() -> None:
    m, s1, s2, h = 1.3, 1.0, 1.7, 0.8
    # variances s² + h²/2 after the smoothing
    v1, v2 = s1**2 + h * h / 2, s2**2 + h * h / 2
    smoothed = m * m / (v1 + v2) + math.log((v1 + v2) / (2 * math.sqrt(v1 * v2)))
    known = kb.between(kb.cauchy_schwarz, stats.norm(0, v1**0.5), stats.norm(m, v2**0.5)).value
    assert known == pytest.approx(smoothed, rel=1e-12)
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = torch.tensor(rng.normal(0, s1, (500, 1))), torch.tensor(rng.normal(m, s2, (500, 1)))
        found.append(float(bottleneck.cauchy_schwarz(x, y, width=h)))
    assert np.mean(found) == pytest.approx(smoothed, abs=4 * np.std(found) / 10**0.5)


def test_half_the_divergence_is_below_kl_but_not_the_whole() -> None:
    rng = np.random.default_rng(1)
    pairs = rng.normal(size=(300, 2)), np.exp(rng.normal(size=(300, 2)))
    p, q = (stats.norm(pairs[0][:, i], pairs[1][:, i]) for i in (0, 1))
    angle, kl = (np.asarray(kb.between(d, p, q).value) for d in (kb.cauchy_schwarz, kb.kl))
    whole = np.mean(angle > kl)
    assert 0.1 < whole < 0.5
    assert (0.5 * angle <= kl + 1e-12).all()


def smoothed_conditional(h: float, g: float, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """The limit of the conditional loss for y = x and ŷ = x + 0.6 (1 − x), x of density (1 + x)/2.

    Both have noise of 0.3; `weight` makes what divides the kernel of x, from its matrix and the masses.
    """
    at = np.linspace(-1, 1, 801)
    p = (1 + at) / (1 + at).sum()
    k = np.exp(-0.5 * (at[:, None] - at) ** 2 / h**2)
    y, z, divided = at, at + 0.6 * (1 - at), k / weight(k, p)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        return math.log(p @ (divided * np.exp(-0.5 * (a[:, None] - b) ** 2 / (2 * 0.3**2 + g * g))) @ p)

    return overlap(y, y) + overlap(z, z) - 2 * overlap(y, z)


def of_sums(k: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.outer(k @ p, k @ p)


def of_squares(k: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.repeat((k**2 @ p)[:, None], len(p), 1)


def test_the_conditional_loss_against_its_smoothed_truth() -> None:
    """Denominators are products of sums of kernels, not sums of squared kernels."""
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = 2 * np.sqrt(rng.uniform(size=(400, 1))) - 1
        target, prediction = (y + rng.normal(0, 0.3, (400, 1)) for y in (x, x + 0.6 * (1 - x)))
        parts = map(torch.tensor, (x, target, prediction))
        found.append(float(bottleneck.conditional_cauchy_schwarz(*parts, width=0.2, target_width=0.4)))
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(smoothed_conditional(0.2, 0.4, of_sums), abs=4 * error)
    assert abs(np.mean(found) - smoothed_conditional(0.2, 0.4, of_squares)) > 10 * error


def test_the_conditional_loss_tends_to_the_integral_over_x() -> None:
    """−2 log of ½∫exp(−0.36 u²/(2 · 0.34)) du over 0 ≤ u ≤ 2, by the error function."""
    c = 0.36 / 0.68
    mean = 0.25 * math.sqrt(math.pi / c) * math.erf(2 * math.sqrt(c))
    assert smoothed_conditional(0.01, 0.4, of_sums) == pytest.approx(-2 * math.log(mean), abs=0.03)
    assert abs(smoothed_conditional(0.01, 0.4, of_squares) + 2 * math.log(mean)) > 0.3


def test_the_conditional_loss_is_an_angle() -> None:
    x, y = numbers(6, 2), numbers(6, 1, seed=1)
    widths = {"width": 0.8, "target_width": 0.6}
    for seed in range(20):
        other = numbers(6, 1, seed=2 + seed)
        value = bottleneck.conditional_cauchy_schwarz(x, y, other, **widths)
        assert float(value) >= 0
        back = bottleneck.conditional_cauchy_schwarz(x, other, y, **widths)
        assert float(value) == pytest.approx(float(back), abs=1e-14)
    same = y.clone().requires_grad_()
    value = bottleneck.conditional_cauchy_schwarz(x, y, same, **widths)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(same.grad, 0.0, atol=1e-14)  # the data are a minimum


def test_kernel_gradients_and_far_samples() -> None:
    x, t, y, z = (numbers(5, 2, seed=i) for i in range(4))

    def of(t: Tensor, z: Tensor) -> Tensor:
        return bottleneck.cauchy_schwarz_bottleneck(
            x, t, y, z, price=0.4, width=1.0, code_width=0.7, target_width=1.2
        )

    assert torch.autograd.gradcheck(of, (t.requires_grad_(), z.requires_grad_()))
    single = torch.zeros(3, 1, requires_grad=True)
    value = bottleneck.cauchy_schwarz(single, torch.full((3, 1), 1e4), width=1.0)  # where kernels underflow
    value.backward()
    assert value.item() == pytest.approx(1e8, rel=1e-6)
    assert bool(torch.isfinite(single.grad).all())  # pyright: ignore[reportArgumentType]


def test_independent_codes_tell_little_and_copies_much() -> None:
    x = numbers(300, 1)
    copy = bottleneck.cauchy_schwarz_information(x, 5 * x)
    other = bottleneck.cauchy_schwarz_information(x, numbers(300, 1, seed=1))
    assert 0 <= float(other) < 0.02
    assert float(copy) > 0.15
    # the median width takes the codes' scale off
    assert float(copy) == pytest.approx(float(bottleneck.cauchy_schwarz_information(x, x)), abs=1e-12)


def test_kernel_policies_and_refusals() -> None:
    x, t, y, z = (numbers(5, 1, seed=i) for i in range(4))
    bad = z.clone()
    bad[1] = math.inf
    keep = torch.tensor([True, False, True, True, True])
    widths = {"width": 1.0, "code_width": 1.0, "target_width": 1.0}
    fewer = bottleneck.cauchy_schwarz_bottleneck(x[keep], t[keep], y[keep], z[keep], price=1.0, **widths)
    masked = bottleneck.cauchy_schwarz_bottleneck(x, t, y, bad, price=1.0, mask=keep, **widths)
    assert float(masked) == pytest.approx(float(fewer), abs=1e-15)
    with pytest.warns(RuntimeWarning, match="1 of 5"):
        skipped = bottleneck.cauchy_schwarz_bottleneck(x, t, y, bad, price=1.0, nonfinite="skip", **widths)
    assert float(skipped) == pytest.approx(float(fewer), abs=1e-15)
    assert math.isnan(float(bottleneck.cauchy_schwarz_bottleneck(x, t, y, bad, price=1.0, **widths)))
    with pytest.raises(InvalidInputError, match="not finite"):
        bottleneck.cauchy_schwarz_bottleneck(x, t, y, bad, price=1.0, nonfinite="raise", **widths)
    with pytest.raises(InvalidInputError, match="median distance"):
        bottleneck.median_width(torch.zeros(4, 1))
    with pytest.raises(InvalidInputError, match="at least 2"):
        bottleneck.median_width(torch.zeros(1, 1))
    with pytest.raises(InvalidInputError, match="width"):
        bottleneck.cauchy_schwarz(x, t, width=0.0)
    with pytest.raises(ShapeError, match="columns"):
        bottleneck.cauchy_schwarz(x, numbers(5, 2), width=1.0)
    with pytest.raises(ShapeError, match="row for every"):
        bottleneck.cauchy_schwarz_information(x, t[:3])
    with pytest.raises(ShapeError, match="prediction"):
        bottleneck.conditional_cauchy_schwarz(x, y, numbers(5, 2))


# codes with finitely many values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_categorical_value_gradient_and_limits(alpha: float) -> None:
    losses, logits = numbers(4, 3), numbers(4, 3, seed=1)
    q = logits.softmax(1)
    length, left = (-(p * p.log()).sum(-1).mean() for p in (q.mean(0), q))
    by_hand = (q * losses).sum(1).mean() + 0.7 * (length - alpha * left)
    found = bottleneck.categorical_bottleneck(losses, logits, price=0.7, alpha=alpha)
    assert float(found) == pytest.approx(float(by_hand), abs=1e-14)

    def of(losses: Tensor, logits: Tensor) -> Tensor:
        return bottleneck.categorical_bottleneck(losses, logits, price=0.7, alpha=alpha)

    assert torch.autograd.gradcheck(of, (losses.requires_grad_(), logits.requires_grad_()))
    excluded = logits.detach().clone()
    excluded[:, 1] = -math.inf
    excluded[0, 0] = -math.inf
    expensive = losses.detach().clone()
    expensive[:, 1] = math.inf
    excluded.requires_grad_()
    value = bottleneck.categorical_bottleneck(expensive, excluded, price=0.7, alpha=alpha)
    value.backward()
    assert math.isfinite(value.item())
    assert bool(torch.isfinite(excluded.grad).all())  # pyright: ignore[reportArgumentType]
    keep = torch.tensor([True, False, True, True])
    kept = bottleneck.categorical_bottleneck(
        losses.detach(), logits.detach(), price=0.7, alpha=alpha, mask=keep
    )
    fewer = bottleneck.categorical_bottleneck(
        losses.detach()[keep], logits.detach()[keep], price=0.7, alpha=alpha
    )
    assert float(kept) == pytest.approx(float(fewer), abs=1e-15)


def test_an_exact_code_is_where_the_trained_one_ends() -> None:
    """β times the loss at the price 1/β is the Lagrangian and β H(Y), and its gradient vanishes."""
    rng, beta = np.random.default_rng(5), 6.0
    outcomes = torch.tensor(rng.dirichlet(np.full(3, 0.4), 8))
    point = bottleneck.information_bottleneck(outcomes / 8, beta=beta, tolerance=1e-12)
    used = point.encoder.sum(0) > 1e-6
    encoder = point.encoder[:, used]
    decoder = encoder.T @ outcomes / encoder.sum(0)[:, None]
    losses = -outcomes @ decoder.log().T
    logits = encoder.log().requires_grad_()
    loss = bottleneck.categorical_bottleneck(losses, logits, price=1 / beta)
    target = float(kb.kl.entropy(outcomes.mean(0)))
    assert beta * loss.item() == pytest.approx(point.lagrangian + beta * target, abs=1e-6)
    loss.backward()
    np.testing.assert_allclose(logits.grad, 0.0, atol=1e-8)


def test_categorical_refusals() -> None:
    losses, logits = numbers(4, 3), numbers(4, 3, seed=1)
    with pytest.raises(InvalidInputError, match="alpha"):
        bottleneck.categorical_bottleneck(losses, logits, price=1.0, alpha=-0.1)
    with pytest.raises(ShapeError, match="one loss a value"):
        bottleneck.categorical_bottleneck(losses[:, :2], logits, price=1.0)
    with pytest.raises(ShapeError, match="mask"):
        bottleneck.code_entropy(logits, mask=torch.ones(3).bool())
    with pytest.raises(InvalidInputError, match="price"):
        bottleneck.categorical_bottleneck(losses, logits, price=math.inf)
