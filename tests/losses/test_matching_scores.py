"""The gradient of D_f from scores against the derivative of D_f itself, weights, and fits of one mode or two."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.matching import f_distill, score_weight
from losses.diffused_laws import TWO_MODES, Law, hermite, normal, numbers
from problems.listed import USERS

SMOOTH = [d for d in kb.catalogue() if d.curvature_at_one is not None]
X = torch.linspace(-14, 14, 2801, dtype=torch.float64)
STEP = float(X[1] - X[0])
FEW = X[::20]  # enough for fits


def divergence(d: FDivergence, teacher: Law, mean: Tensor, deviation: Tensor) -> Tensor:
    """D_f(teacher‖student) by a sum over a grid, differentiable in the student."""
    student = normal(mean, deviation)
    log_q = student.log_density(X)
    r = teacher.log_density(X) - log_q
    return (log_q.exp() * d.value(r)).sum() * STEP


def by_scores(d: FDivergence, teacher: Law, mean: Tensor, deviation: Tensor, *, grid: Tensor = X) -> Tensor:
    """The same through samples of the student, at places that make the mean over them an integral."""
    z = (grid / deviation.detach())[:, None]
    density = normal(numbers(0.0), numbers(1.0)).log_density(z[:, 0]).exp()
    samples = mean + deviation * z
    x = samples.detach()[:, 0]
    student = normal(mean.detach(), deviation.detach())
    return f_distill(
        d,
        samples,
        student_score=student.score(x)[:, None],
        teacher_score=teacher.score(x)[:, None],
        log_ratio=teacher.log_density(x) - student.log_density(x),
        weight=len(x) * density * (grid[1] - grid[0]) / deviation.detach(),
    )


# tails of the student wide enough for the steep ones, the teacher's for the steep ones of the dual
@pytest.mark.parametrize("d", SMOOTH, ids=lambda d: d.name)
def test_the_gradient_is_that_of_the_divergence(d: FDivergence) -> None:
    deviation = 1.6 if math.isinf(d.at_infinity) else 0.9
    place = [numbers(-0.4)[0].requires_grad_(), numbers(deviation)[0].requires_grad_()]
    want = torch.autograd.grad(divergence(d, TWO_MODES, *place), place)
    got = torch.autograd.grad(by_scores(d, TWO_MODES, *place), place)
    for a, b in zip(got, want, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("d", [d for d in USERS if d.curvature_at_one is not None], ids=lambda d: d.name)
def test_weights_of_own_functions(d: FDivergence) -> None:
    r = numbers(-1.0, 0.0, 0.7)
    t = r.exp().requires_grad_()
    assert bool(torch.isfinite(score_weight(d, r)).all())
    (slope,) = torch.autograd.grad(d.slope(t.log()).sum(), t)
    assert torch.allclose(score_weight(d, r), t.detach() ** 2 * slope, rtol=1e-6)


def test_named_weights() -> None:
    t = numbers(0.1, 1.0, 3.0)
    for d, h in (
        (kb.kl, t),
        (kb.reverse_kl, torch.ones(3).double()),
        (kb.js, t / (2 * (1 + t))),
        (kb.jeffreys, 1 + t),
        (kb.squared_hellinger, t.sqrt() / 2),
        (kb.pearson_chi2, 2 * t**2),
        (kb.neyman_chi2, 2 / t),
        (kb.le_cam, 4 * t**2 / (1 + t) ** 3),
    ):
        assert torch.allclose(score_weight(d, t.log()), h, rtol=1e-12)
        assert float(score_weight(d, t.log(), normalise=True).mean()) == pytest.approx(1.0)
    assert bool(torch.isinf(score_weight(kb.kl, torch.tensor([100.0]))).all())
    assert score_weight(kb.kl, t.log().half()).dtype == torch.float32


def test_reverse_kl_is_variational_score_distillation_and_needs_no_ratio() -> None:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(5, 2, 3, generator=draws).requires_grad_()
    student, teacher = (torch.randn(5, 2, 3, generator=draws) for _ in range(2))
    loss = f_distill(kb.reverse_kl, x, student_score=student, teacher_score=teacher)
    (gradient,) = torch.autograd.grad(loss, x)
    assert torch.allclose(gradient, (student - teacher) / 5)
    assert loss.item() == pytest.approx(float((student - teacher).square().sum()) / 10, rel=1e-6)
    for d in (kb.js, kb.kl, kb.alpha(0.1)):
        with pytest.raises(InvalidInputError, match="depends on the ratio"):
            f_distill(d, x, student_score=student, teacher_score=teacher)
    twice = f_distill(2 * kb.reverse_kl, x, student_score=student, teacher_score=teacher)
    assert torch.allclose(torch.autograd.grad(twice, x)[0], 2 * gradient)


def fitted(d: FDivergence, teacher: Law) -> tuple[float, float]:
    """Mean and deviation of the normal law that is best under d, by following the gradient from several starts."""
    found = []
    for start in ((-1.8, -0.3), (-0.5, 0.6)):
        mean, log_deviation = (numbers(s)[0].requires_grad_() for s in start)
        optimiser = torch.optim.Adam([mean, log_deviation], 0.05)
        for _ in range(70):
            optimiser.zero_grad()
            by_scores(d, teacher, mean, log_deviation.exp(), grid=FEW).backward()
            optimiser.step()
        place = mean.detach(), log_deviation.detach().exp()
        found.append((float(divergence(d, teacher, *place)), float(place[0]), float(place[1])))
    return min(found)[1:]


def test_the_weight_decides_between_one_mode_and_both() -> None:
    teacher = Law(numbers(0.7, 0.3), numbers(-1.8, 1.8), numbers(0.49, 0.49))
    fits = {d.name: fitted(d, teacher) for d in (kb.reverse_kl, kb.js, kb.kl)}
    exact = math.sqrt(0.49 + 0.21 * 3.6**2)  # KL(teacher‖student) keeps the teacher's own moments
    assert fits["kl"] == pytest.approx((-0.72, exact), abs=0.02)
    assert fits["reverse_kl"][1] < 0.8
    assert fits["reverse_kl"][1] < fits["js"][1] <= fits["kl"][1]


def test_weights_vary_less_where_they_are_bounded() -> None:
    teacher = Law(numbers(0.7, 0.3), numbers(-2.5, 2.5), numbers(0.49, 0.49))
    student = normal(numbers(-0.5), numbers(2.5))
    q = student.log_density(X).exp() * STEP
    r = teacher.log_density(X) - student.log_density(X)

    def variation(d: FDivergence) -> float:
        h = score_weight(d, r)
        return float((q @ (h / (q @ h) - 1) ** 2).sqrt())

    order = [variation(d) for d in (kb.reverse_kl, kb.squared_hellinger, kb.js, kb.kl, kb.pearson_chi2)]
    assert order == sorted(order)
    assert order[0] == pytest.approx(0.0, abs=1e-6)


def test_what_counts() -> None:
    z, _ = hermite(4)
    x = z[:, None].clone().requires_grad_()
    given: dict[str, Any] = {"student_score": -x.detach(), "teacher_score": 1 - x.detach()}
    ratio = numbers(0.0, 0.5, 200.0, math.nan)
    mask = torch.tensor([True, True, False, False])
    part: dict[str, Any] = {name: s[:2] for name, s in given.items()}
    want = f_distill(kb.kl, x[:2], **part, log_ratio=ratio[:2], normalise=True)
    got = f_distill(kb.kl, x, **given, log_ratio=ratio, normalise=True, mask=mask)
    assert got.item() == pytest.approx(want.item())
    (gradient,) = torch.autograd.grad(got, x)
    assert bool((gradient[2:] == 0).all())
    with pytest.warns(RuntimeWarning, match="1 of 4"):
        assert math.isfinite(f_distill(kb.kl, x, **given, log_ratio=ratio, nonfinite="skip").item())
    with pytest.raises(InvalidInputError, match="not finite"):
        f_distill(kb.kl, x, **given, log_ratio=ratio, nonfinite="raise")


@pytest.mark.parametrize("d", [kb.total_variation, kb.kl + kb.total_variation], ids=lambda d: d.name)
def test_a_kink_is_refused(d: FDivergence) -> None:
    with pytest.raises(InvalidInputError, match="kink at t = 1"):
        score_weight(d, numbers(0.0))


def test_a_loss_is_not_a_ratio() -> None:
    x = torch.zeros(3, 2)
    with pytest.raises(ShapeError, match="not its loss"):
        f_distill(kb.js, x, student_score=x, teacher_score=x, log_ratio=torch.tensor(0.7))
    with pytest.raises(ShapeError, match="teacher_score"):
        f_distill(kb.js, x, student_score=x, teacher_score=x[:2], log_ratio=torch.zeros(3))
    with pytest.raises(InvalidInputError, match="not an f-divergence"):
        score_weight(kb.renyi(2), numbers(0.0))  # pyright: ignore[reportArgumentType]
