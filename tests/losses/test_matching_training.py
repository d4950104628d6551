"""Students that learn by scores: with a discriminator trained beside them, and along a diffusion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import kullback as kb
from kullback import FDivergence
from kullback.losses.matching import (
    TimeBins,
    VarianceExploding,
    discriminator_ratio,
    expansion_loss,
    f_distill,
)

MEAN, VARIANCE = 1.0, 0.25  # the teacher


def trained(loss: Callable[[Tensor, Tensor], Tensor], *, steps: int, rate: float) -> list[float]:
    """Mean and deviation of a normal student that starts elsewhere, averaged over the last fifty steps."""
    place = torch.tensor([0.0, 0.0], requires_grad=True)
    optimiser = torch.optim.Adam([place], rate)
    last = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss(place[0], place[1].exp()).backward()
        optimiser.step()
        last.append([place[0].item(), place[1].exp().item()])
    return torch.tensor(last[-50:]).mean(0).tolist()


@pytest.mark.parametrize("d", [kb.js, kb.kl], ids=lambda d: d.name)
def test_a_discriminator_beside_the_student(d: FDivergence) -> None:
    draws = torch.Generator().manual_seed(0)
    judge = torch.nn.Linear(2, 1)  # of x and x²: the log-ratio of two normal laws is among its functions
    with torch.no_grad():
        judge.weight.zero_()
        judge.bias.zero_()
    pupil = torch.optim.Adam(judge.parameters(), 0.05)
    bins = TimeBins(bins=1, decay=0.5)

    def logits(x: Tensor) -> Tensor:
        return judge(torch.cat([x, x**2], -1))[:, 0]

    def loss(mean: Tensor, deviation: Tensor) -> Tensor:
        x = mean + deviation * torch.randn(256, 1, generator=draws)
        at = x.detach()
        teachers = MEAN + VARIANCE**0.5 * torch.randn(256, 1, generator=draws)
        for _ in range(2):
            pupil.zero_grad()
            scores = torch.cat([logits(teachers), logits(at)])
            truth = (torch.arange(512) < 256).float()
            binary_cross_entropy_with_logits(scores, truth).backward()
            pupil.step()
        ratio = discriminator_ratio(logits(at).detach(), off_by=100.0)
        return f_distill(
            d,
            x,
            student_score=(mean.detach() - at) / deviation.detach() ** 2,
            teacher_score=(MEAN - at) / VARIANCE,
            log_ratio=bins(ratio, torch.zeros(256)),
            normalise=True,
        )

    assert trained(loss, steps=250, rate=0.03) == pytest.approx([MEAN, VARIANCE**0.5], abs=0.05)


@pytest.mark.parametrize("d", [kb.reverse_kl, kb.js], ids=lambda d: d.name)
def test_descent_along_a_diffusion(d: FDivergence) -> None:
    draws = torch.Generator().manual_seed(0)
    diffusion = VarianceExploding(4.0)

    def loss(mean: Tensor, deviation: Tensor) -> Tensor:
        u, z, noise = torch.rand(512, generator=draws), *torch.randn(2, 512, 1, generator=draws)
        t = 0.1 + (diffusion.horizon - 0.1) * u
        x = mean + deviation * z + t[:, None] * noise
        p = torch.distributions.Normal(MEAN, (VARIANCE + t[:, None] ** 2).sqrt())
        q = torch.distributions.Normal(mean.detach(), (deviation.detach() ** 2 + t[:, None] ** 2).sqrt())
        return expansion_loss(
            d,
            diffusion,
            t,
            noise=noise,
            student_score=(q.mean - x) / q.variance,
            teacher_score=(p.mean - x) / p.variance,
            log_ratio=(p.log_prob(x) - q.log_prob(x))[:, 0],
        )

    assert trained(loss, steps=250, rate=0.03) == pytest.approx([MEAN, VARIANCE**0.5], abs=0.05)
