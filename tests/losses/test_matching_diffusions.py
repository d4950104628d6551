"""The expansion of D_f along a diffusion: the identity, the gradient of its integrand, ratios of a discriminator."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.matching import (
    Diffusion,
    TimeBins,
    VarianceExploding,
    VariancePreserving,
    discriminator_ratio,
    expansion,
    expansion_loss,
)
from losses.diffused_laws import TWO_MODES, Law, hermite, normal, numbers
from problems.listed import USERS

SMOOTH = [d for d in kb.catalogue() if d.curvature_at_one is not None]
OWN = [d for d in USERS if d.curvature_at_one is not None]
STUDENT = normal(numbers(0.3), numbers(math.sqrt(1.5)))
DIFFUSIONS: list[Diffusion] = [VarianceExploding(math.sqrt(60.0)), VariancePreserving(horizon=2.0)]
# times dense near 0, where the divergence falls, with the weights of a trapezoid
TIMES = torch.linspace(0, 1, 121, dtype=torch.float64) ** 2
SPAN = TIMES.diff()
TRAPEZOID = torch.cat([SPAN[:1], SPAN[1:] + SPAN[:-1], SPAN[-1:]]) / 2


def grid(law: Law) -> Tensor:
    """Places where the law is, and its tails."""
    centre, width = law.means[0], law.variances[0].sqrt()
    return centre + width * torch.linspace(-9, 9, 361, dtype=torch.float64)


def divergence(d: FDivergence, p: Law, q: Law) -> float:
    x = grid(q)
    log_q = q.log_density(x)
    return float((log_q.exp() * d.value(p.log_density(x) - log_q)).sum() * (x[1] - x[0]))


def integral(d: FDivergence, diffusion: Diffusion) -> float:
    """The expansion on a product of grids, through the weights of its mean."""
    parts: list[tuple[Tensor, ...]] = []
    for u, share in zip(TIMES, TRAPEZOID, strict=True):
        t = u * diffusion.horizon
        p, q = TWO_MODES.at(diffusion, t), STUDENT.at(diffusion, t)
        x = grid(q)
        log_q = q.log_density(x)
        weight = log_q.exp() * (x[1] - x[0]) * share
        parts.append((t.expand(len(x)), q.score(x), p.score(x), p.log_density(x) - log_q, weight))
    times, student, teacher, ratio, weight = (torch.cat(column) for column in zip(*parts, strict=True))
    scores: dict[str, Any] = {"student_score": student[:, None], "teacher_score": teacher[:, None]}
    return float(expansion(d, diffusion, times, **scores, log_ratio=ratio, weight=weight * len(times)))


@pytest.mark.parametrize("diffusion", DIFFUSIONS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize(
    ("d", "fall"),
    [(kb.kl, 0.16952), (kb.reverse_kl, 0.17065), (kb.js, 0.04149), (kb.squared_hellinger, 0.08398)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_the_identity(d: FDivergence, fall: float, diffusion: Diffusion) -> None:
    last = numbers(diffusion.horizon)[0]
    at_end = divergence(d, TWO_MODES.at(diffusion, last), STUDENT.at(diffusion, last))
    lost = divergence(d, TWO_MODES, STUDENT) - at_end
    assert integral(d, diffusion) == pytest.approx(lost, rel=1e-3)
    if isinstance(diffusion, VarianceExploding):
        assert lost == pytest.approx(fall, abs=1e-5)


def integrand(d: FDivergence, diffusion: Diffusion, t: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """½ E_q[h (s_p − s_q)²] g² T at one time, differentiable in the student, by a sum over a grid."""
    p, q = TWO_MODES.at(diffusion, t), normal(mean, deviation).at(diffusion, t)
    x = torch.linspace(-25, 25, 5001, dtype=torch.float64)
    log_q = q.log_density(x)
    h = d.curvature(p.log_density(x) - log_q)
    terms = 0.5 * log_q.exp() * h * (p.score(x) - q.score(x)) ** 2
    return diffusion.horizon * diffusion.rate(t) * terms.sum() * (x[1] - x[0])


def by_samples(d: FDivergence, diffusion: Diffusion, t: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """The loss on a product of Gauss–Hermite nodes of the latent variable and of the noise."""
    z, w = hermite(48)
    latent, noise = (m.reshape(-1) for m in torch.meshgrid(z, z, indexing="ij"))
    weight = (w[:, None] * w).reshape(-1) * len(latent)
    x = diffusion.signal(t) * (mean + deviation * latent) + diffusion.deviation(t) * noise
    p = TWO_MODES.at(diffusion, t)
    q = normal(mean.detach(), deviation.detach()).at(diffusion, t)
    return expansion_loss(
        d,
        diffusion,
        t.expand(len(x)),
        noise=noise[:, None],
        student_score=q.score(x)[:, None],
        teacher_score=p.score(x)[:, None],
        log_ratio=p.log_density(x) - q.log_density(x),
        weight=weight,
    )


@pytest.mark.parametrize("diffusion", DIFFUSIONS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("d", [*SMOOTH, *OWN], ids=lambda d: d.name)
def test_the_gradient_of_the_integrand(d: FDivergence, diffusion: Diffusion) -> None:
    steep_above = math.isinf(d.at_infinity)
    place = [numbers(0.3)[0].requires_grad_(), numbers(1.5 if steep_above else 0.9)[0].requires_grad_()]
    t = 0.6 * numbers(diffusion.horizon)[0] if isinstance(diffusion, VariancePreserving) else numbers(1.0)[0]
    value, loss = (f(d, diffusion, t, *place) for f in (integrand, by_samples))
    assert loss.item() == pytest.approx(value.item(), rel=1e-4)
    want, got = torch.autograd.grad(value, place), torch.autograd.grad(loss, place)
    for a, b in zip(got, want, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-3, abs=1e-3 * value.item())


def test_dropping_the_change_of_the_score_is_another_gradient() -> None:
    diffusion, t = DIFFUSIONS[0], numbers(1.0)[0]
    mean, deviation = numbers(0.3)[0].requires_grad_(), numbers(1.5)[0]
    z, w = hermite(48)
    x = mean + (deviation**2 + 1).sqrt() * z
    p, q = TWO_MODES.at(diffusion, t), normal(mean.detach(), deviation).at(diffusion, t)
    frozen = diffusion.horizon * diffusion.rate(t) * (w @ (0.5 * (p.score(x) - q.score(x)) ** 2))
    (naive,) = torch.autograd.grad(frozen, mean)
    (right,) = torch.autograd.grad(by_samples(kb.reverse_kl, diffusion, t, mean, deviation), mean)
    assert abs(float(naive - right)) > 0.1 * abs(float(right))


@pytest.mark.parametrize("diffusion", DIFFUSIONS, ids=lambda x: type(x).__name__)
def test_noise_follows_the_equation(diffusion: Diffusion) -> None:
    t = numbers(0.01, 0.5, 1.7).requires_grad_()
    a, s = diffusion.signal(t), diffusion.deviation(t)
    (variance_rate,) = torch.autograd.grad((s**2).sum(), t, retain_graph=True)
    (log_rate,) = torch.autograd.grad(a.log().sum(), t) if a.requires_grad else (torch.zeros_like(t),)
    assert torch.allclose(diffusion.rate(t), variance_rate - 2 * log_rate * s.detach() ** 2, rtol=1e-12)


def test_the_expansion_has_no_gradient_and_the_same_value() -> None:
    x = numbers(0.5, -1.0)[:, None].requires_grad_()
    given: dict[str, Any] = {
        "student_score": -x,
        "teacher_score": 1 - x * 2,
        "log_ratio": (x - 0.5 * x**2)[:, 0],
    }
    t, diffusion = numbers(0.2, 0.4), VariancePreserving()
    value = expansion(kb.js, diffusion, t, **given)
    assert not value.requires_grad
    loss = expansion_loss(kb.js, diffusion, t, noise=torch.ones_like(x.detach()), **given)
    assert loss.item() == pytest.approx(value.item())
    bad = numbers(0.0, 0.4)
    noise = torch.ones(2, 1, dtype=torch.float64)
    with pytest.raises(InvalidInputError, match="not finite"):
        expansion_loss(kb.js, diffusion, bad, noise=noise, **given, nonfinite="raise")


def test_ratios_average_one_in_every_bin() -> None:
    draws = torch.Generator().manual_seed(0)
    r, t = torch.randn(200, generator=draws) * 2 + 3, 4 * torch.rand(200, generator=draws)
    module = TimeBins(bins=4, horizon=4.0)
    centred = module(r, t).exp()
    for b in range(4):
        assert float(centred[(t >= b) & (t < b + 1)].mean()) == pytest.approx(1.0, rel=1e-5)
    assert torch.allclose(module(r + 1000.0, t), centred.log(), atol=1e-3)  # nothing overflows


def test_means_move_slowly_and_only_in_training() -> None:
    module = TimeBins(bins=2, decay=0.75)
    t = torch.tensor([0.1, 0.2])
    module(torch.tensor([2.0, 4.0]).log(), t)
    assert module.log_mean.exp().tolist() == [pytest.approx(3.0), pytest.approx(math.nan, nan_ok=True)]
    out = module(torch.tensor([7.0, math.inf]).log(), t)  # 0.75 · 3 + 0.25 · 7
    assert module.log_mean[0].exp().item() == pytest.approx(4.0)
    assert out.exp().tolist() == [pytest.approx(1.75), math.inf]
    module(torch.tensor([5.0, 5.0]).log(), t + 0.5)
    assert module.log_mean.exp().tolist() == pytest.approx([4.0, 5.0])
    again = TimeBins(bins=2)
    again.load_state_dict(module.state_dict())
    again.eval()
    assert again(torch.tensor([8.0, 8.0]).log(), torch.tensor([0.1, 1.0])).exp().tolist() == pytest.approx(
        [2, 1.6]
    )
    assert torch.equal(again.log_mean[0], module.log_mean[0])


def test_a_discriminator_is_held_to_its_mean() -> None:
    x = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    r = 0.5 * x - 0.125  # of N(1/2, 1) to N(0, 1)
    assert torch.equal(discriminator_ratio(r), r)
    shifted = discriminator_ratio(r - math.log(4.0), students_per_teacher=4.0)
    assert torch.allclose(shifted, r, atol=1e-6)
    for wrong in (r + 1.0, r - 1.0, 3 * r):
        with pytest.warns(RuntimeWarning, match="train it longer"):
            discriminator_ratio(wrong)
    with pytest.raises(ShapeError, match="one for every sample"):
        discriminator_ratio(torch.tensor(0.69))
    with pytest.raises(InvalidInputError, match="students_per_teacher"):
        discriminator_ratio(r, students_per_teacher=0.0)
    with pytest.raises(InvalidInputError, match=r"`off_by` is 1\.0; expected a finite number above 1"):
        discriminator_ratio(r, off_by=1.0)


def test_bad_input() -> None:
    x, t = torch.zeros(3, 2), torch.ones(3)
    given: dict[str, Any] = {"student_score": x, "teacher_score": x}
    with pytest.raises(ShapeError, match="`times`"):
        expansion(kb.reverse_kl, VarianceExploding(1.0), t[:2], **given)
    with pytest.raises(InvalidInputError, match="depends on the ratio"):
        expansion(kb.kl, VarianceExploding(1.0), t, **given)
    with pytest.raises(InvalidInputError, match="kink"):
        expansion(kb.total_variation, VarianceExploding(1.0), t, **given)
    with pytest.raises(InvalidInputError, match="`horizon`"):
        VarianceExploding(-1.0)
    with pytest.raises(InvalidInputError, match="`fastest`"):
        VariancePreserving(fastest=math.inf)
    wrong: list[dict[str, Any]] = [{"bins": 0}, {"decay": 1.0}, {"horizon": 0.0}]
    for arguments in wrong:
        with pytest.raises(InvalidInputError, match="expected at least 1 bin"):
            TimeBins(**arguments)
    with pytest.raises(InvalidInputError, match="outside"):
        TimeBins()(t, 2 * t)
    with pytest.raises(ShapeError, match="a time for"):
        TimeBins()(t, t[:2])
