"""Models without normaliser: optimum over the catalogue, known partition functions, the moving average, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import unnormalised

CURVED = tuple(d for d in kb.catalogue() if d != kb.total_variation)
every = pytest.mark.parametrize("d", CURVED, ids=repr)

DATA, NOISE = stats.norm(0.5, 0.8), stats.norm(0.0, 1.2)
N = 4000


def quantiles(law: stats.rv_frozen, n: int = N) -> Tensor:
    return torch.tensor(law.ppf((np.arange(n) + 0.5) / n))


def score(theta: Tensor, x: Tensor) -> Tensor:
    """log p̃ of a normal law, whose log Z is known."""
    return -0.5 * theta[1].exp() * (x - theta[0]).square()


def log_partition(theta: Tensor) -> float:
    return 0.5 * (math.log(2 * math.pi) - float(theta[1]))


def log_noise(x: Tensor) -> Tensor:
    return torch.tensor(NOISE.logpdf(x.numpy()))


def fitted(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    theta = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [theta], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(theta)
        value.backward()
        return value

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    return theta.detach()


@every
def test_the_optimum_is_the_ratio_for_every_f(d: kb.FDivergence) -> None:
    """Free log-ratios at four points: the loss ends at the true ratios, and at minus the divergence."""
    p, q = torch.tensor([[4, 3, 2, 1], [1, 3, 3, 3]]).double() / 10

    def loss(v: Tensor) -> Tensor:
        # ten draws in the exact proportions
        data, noise = (torch.repeat_interleave(v, (10 * w).round().long()) for w in (p, q))
        return unnormalised.noise_contrastive(d, data, noise)

    best = fitted(loss, torch.zeros(4).double())
    np.testing.assert_allclose(best, (p / q).log(), atol=1e-5)
    assert float(loss(best)) == pytest.approx(-float(d(p, q)), abs=1e-10)


@pytest.mark.parametrize(
    "d", [d for d in CURVED if abs(d.slope(torch.tensor(-9.0).double())) < 1e3], ids=repr
)
def test_log_partition_is_found(d: kb.FDivergence) -> None:
    """Mean, precision and log Z together, on quantiles in place of draws.

    Quantiles end where the law has 1/8000 left; an f that is steep at 0 or at infinity needs what lies beyond.
    """
    x, y = quantiles(DATA), quantiles(NOISE)
    x_noise, y_noise = log_noise(x), log_noise(y)

    def loss(theta: Tensor) -> Tensor:
        data = score(theta, x) - theta[2] - x_noise
        return unnormalised.noise_contrastive(d, data, score(theta, y) - theta[2] - y_noise)

    theta = fitted(loss, torch.tensor([0.4, 0.2, 0.8], dtype=torch.float64))
    assert float(theta[0]) == pytest.approx(0.5, abs=5e-3)
    assert float(theta[2]) == pytest.approx(log_partition(theta), abs=5e-3)


def test_log_partition_within_its_error_over_draws() -> None:
    rng, off = np.random.default_rng(0), []
    for _ in range(25):
        x, y = torch.tensor(rng.normal(0.5, 0.8, 500)), torch.tensor(rng.normal(0.0, 1.2, 500))
        x_noise, y_noise = log_noise(x), log_noise(y)

        def loss(
            theta: Tensor, x: Tensor = x, y: Tensor = y, a: Tensor = x_noise, b: Tensor = y_noise
        ) -> Tensor:
            return unnormalised.noise_contrastive(
                kb.js, score(theta, x) - theta[2] - a, score(theta, y) - theta[2] - b
            )

        theta = fitted(loss, torch.tensor([0.0, 0.0, 0.9], dtype=torch.float64))
        off.append(float(theta[2]) - log_partition(theta))
    assert abs(np.mean(off)) < 4 * np.std(off) / 5  # the root of 25 data sets
    assert np.std(off) < 0.06


@pytest.mark.parametrize("ratio", [1, 3])
def test_the_classical_loss_is_a_skewed_jensen_shannon(ratio: int) -> None:
    rng = np.random.default_rng(1)
    v, w = torch.tensor(rng.normal(size=6)), torch.tensor(rng.normal(size=6 * ratio))
    share = 1 / (1 + ratio)
    odds = math.log(ratio)
    classical = -(v - odds).sigmoid().log().mean() - ratio * (odds - w).sigmoid().log().mean()
    ours = unnormalised.noise_contrastive(kb.skew_js(share), v, w)
    constant = share * math.log(share) + (1 - share) * math.log(1 - share)
    assert ours.item() == pytest.approx(share * classical.item() + constant, abs=1e-14)
    if ratio == 1:
        assert float(unnormalised.noise_contrastive(kb.gan, v, w)) == pytest.approx(
            2 * ours.item(), abs=1e-14
        )


@every
def test_gradient_against_differences(d: kb.FDivergence) -> None:
    rng = np.random.default_rng(2)
    v, w = (torch.tensor(rng.normal(size=n), requires_grad=True) for n in (5, 7))
    assert torch.autograd.gradcheck(lambda a, b: unnormalised.noise_contrastive(d, a, b), (v, w))


@pytest.mark.parametrize("d", [kb.js, kb.gan, kb.le_cam, kb.squared_hellinger], ids=repr)
def test_far_log_ratios_stay_finite_where_the_mathematics_is(d: kb.FDivergence) -> None:
    v = torch.tensor([300.0, -300.0], requires_grad=True)
    value = unnormalised.noise_contrastive(d, v[:1], v[1:])
    value.backward()
    assert bool(torch.isfinite(value))
    assert bool(torch.isfinite(v.grad).all())  # pyright: ignore[reportArgumentType]


def test_straight_generators_are_refused() -> None:
    v = torch.zeros(3)
    with pytest.raises(InvalidInputError, match="Z is not found"):
        unnormalised.noise_contrastive(kb.total_variation, v, v)
    with pytest.raises(ShapeError, match="noise"):
        unnormalised.noise_contrastive(kb.js, v, v[:, None])
    with pytest.raises(InvalidInputError, match="no example"):
        unnormalised.noise_contrastive(kb.js, v, v[:0])
    with pytest.raises(InvalidInputError, match="not finite"):
        unnormalised.noise_contrastive(kb.js, v * torch.nan, v, nonfinite="raise")


def test_masked_data_weigh_nothing() -> None:
    v = torch.tensor([0.3, torch.nan, -0.2], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([0.1, 0.4], dtype=torch.float64)
    value = unnormalised.noise_contrastive(kb.kl, v, w, mask=torch.tensor([True, False, True]))
    value.backward()
    assert value.item() == pytest.approx(float(unnormalised.noise_contrastive(kb.kl, v[[0, 2]].detach(), w)))
    assert v.grad is not None
    assert v.grad.tolist() == [-0.5, 0.0, -0.5]
    half = unnormalised.noise_contrastive(kb.kl, v[[0, 2]].detach().half(), w.half())
    assert half.dtype == torch.float32


# maximum likelihood by a moving average ----------------------------------------------------------------------------


def test_without_momentum_it_is_the_donsker_varadhan_bound() -> None:
    rng = np.random.default_rng(3)
    v, w = (torch.tensor(rng.normal(size=n), requires_grad=True) for n in (5, 7))
    value = unnormalised.CompositionalLikelihood(momentum=0.0)(v, w)
    truth = -v.mean() + w.logsumexp(0) - math.log(7)
    assert value.item() == pytest.approx(truth.item(), abs=1e-14)
    for ours, theirs in zip(
        torch.autograd.grad(value, (v, w)), torch.autograd.grad(truth, (v, w)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-15)
    settled = unnormalised.CompositionalLikelihood(momentum=0.9).eval()
    assert settled(v, w).item() == pytest.approx(truth.item(), abs=1e-14)
    assert int(settled.steps) == 0


def test_the_gradient_is_the_compositional_one() -> None:
    """−∇ log p̃ + ∇g / u, with u written out."""
    rng = np.random.default_rng(4)
    loss, u, weight = unnormalised.CompositionalLikelihood(momentum=0.75), 0.0, 0.0
    for _ in range(5):
        v, w = (torch.tensor(rng.normal(size=n), requires_grad=True) for n in (4, 6))
        u, weight = 0.75 * u + 0.25 * float(w.detach().exp().mean()), 0.75 * weight + 0.25
        g_v, g_w = torch.autograd.grad(loss(v, w), (v, w))
        np.testing.assert_allclose(g_v, -0.25, atol=1e-15)
        np.testing.assert_allclose(g_w, w.detach().exp() / 6 / (u / weight), rtol=1e-13)
        assert float(loss.log_partition) == pytest.approx(math.log(u / weight), abs=1e-13)
    other = unnormalised.CompositionalLikelihood(momentum=0.75)
    other.load_state_dict(loss.state_dict())
    assert float(other.log_partition) == float(loss.log_partition)


def test_it_recovers_the_maximum_likelihood_estimate() -> None:
    """Noise anew at every step; the estimate of a normal law by maximum likelihood is known."""
    rng = np.random.default_rng(5)
    x = torch.tensor(rng.normal(1.0, 0.7, 200))
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    loss = unnormalised.CompositionalLikelihood(momentum=0.95)
    optimiser = torch.optim.SGD([theta], lr=0.2)
    steps, tail = 1200, []
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: 1 / (1 + t / 50))
    wide = stats.norm(0.0, 1.5)
    for step in range(steps):
        y = torch.tensor(rng.normal(0.0, 1.5, 64))
        optimiser.zero_grad()
        loss(score(theta, x), score(theta, y) - torch.tensor(wide.logpdf(y.numpy()))).backward()
        optimiser.step()
        schedule.step()
        if step >= steps // 2:
            tail.append(theta.detach().clone())
    mean = torch.stack(tail).mean(0)
    assert float(mean[0]) == pytest.approx(float(x.mean()), abs=0.02)
    assert float((-0.5 * mean[1]).exp()) == pytest.approx(float(x.std(correction=0)), abs=0.02)
    assert float(loss.log_partition) == pytest.approx(log_partition(theta.detach()), abs=0.06)


def test_the_moving_average_takes_the_bias_of_small_batches_away() -> None:
    """E log of a mean of four log-normal weights is far below the log of the mean, and the gradient says so."""
    rng = np.random.default_rng(6)

    def slope(momentum: float) -> float:
        loss = unnormalised.CompositionalLikelihood(momentum=momentum)
        total = []
        for step in range(1500):
            y = torch.tensor(rng.normal(0.0, 1.0, 4))
            theta = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
            # p̃ = exp(θ y) q: log Z = θ²/2 and ∇ log Z = θ; the data's part is left at 0
            value = loss(torch.zeros(1, dtype=torch.float64), theta * y)
            if step >= 300:
                total.append(float(torch.autograd.grad(value, theta)[0]))
        return float(np.mean(total))

    own, average = slope(0.0), slope(0.99)
    assert own < 0.85  # 1.2 is the truth
    assert average == pytest.approx(1.2, abs=0.2)


def test_noise_that_cannot_be_used() -> None:
    loss = unnormalised.CompositionalLikelihood(momentum=0.5)
    v, w = torch.zeros(2), torch.tensor([0.0, math.log(3.0)])
    loss(v, w)
    before = float(loss.log_partition)
    assert math.isnan(float(loss(v, torch.tensor([torch.nan, 0.0]))))
    assert float(loss.log_partition) == before
    with pytest.warns(RuntimeWarning, match="1 of 3"):
        value = loss(v, torch.tensor([torch.nan, 0.0, math.log(3.0)]), nonfinite="skip")
    assert value.item() == pytest.approx(math.log(2.0))
    # no mass at some of the noise is a number like others
    assert math.isfinite(float(loss(v, torch.tensor([-math.inf, 0.0]))))
    with pytest.raises(InvalidInputError, match="widen"):
        unnormalised.CompositionalLikelihood()(v, torch.full((2,), -math.inf))
    with pytest.raises(InvalidInputError, match="momentum"):
        unnormalised.CompositionalLikelihood(momentum=1.0)


# ranking -----------------------------------------------------------------------------------------------------------


def test_ranking_needs_no_partition_function() -> None:
    rng = np.random.default_rng(7)
    v, w = torch.tensor(rng.normal(size=5)), torch.tensor(rng.normal(size=(5, 3)))
    by_hand = np.mean(
        [-a + np.log(np.exp(a) + np.exp(b).sum()) for a, b in zip(v.numpy(), w.numpy(), strict=True)]
    )
    assert float(unnormalised.ranking(v, w)) == pytest.approx(by_hand, abs=1e-14)
    assert float(unnormalised.ranking(v + 7, w + 7)) == pytest.approx(by_hand, abs=1e-13)
    assert torch.autograd.gradcheck(unnormalised.ranking, (v.requires_grad_(), w.requires_grad_()))
    with pytest.raises(ShapeError, match="K draws"):
        unnormalised.ranking(v, w[:4])


def test_ranking_ends_at_the_ratio_up_to_a_constant() -> None:
    """All pairs of four points with their exact frequencies, one draw of noise for each datum."""
    p, q = torch.tensor([[4, 3, 2, 1], [1, 3, 3, 3]]).double() / 10
    i, j = (x.flatten() for x in torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij"))
    weight = 16 * p[i] * q[j]
    best = fitted(lambda v: unnormalised.ranking(v[i], v[j][:, None], weight=weight), torch.zeros(4).double())
    np.testing.assert_allclose(best - best[1], (p / q).log() - (p / q).log()[1], atol=1e-6)
