"""What D_f of two laws loses while both are diffused: an integral of weighted differences of scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.matching.scores import check_scores, check_smooth, given_ratio, score_weight, single


class Diffusion(Protocol):
    r"""Noise over time, $x_t = a(t)\, x_0 + \sigma(t)\, \epsilon$, the law of $dx = b(t)\, x\, dt + g(t)\, dw$."""

    @property
    def horizon(self) -> float:
        """The last time, T."""
        ...

    def signal(self, t: Tensor) -> Tensor:
        """What is left of the sample, a(t)."""
        ...

    def deviation(self, t: Tensor) -> Tensor:
        """The standard deviation of the noise, σ(t)."""
        ...

    def rate(self, t: Tensor) -> Tensor:
        """The squared diffusion coefficient, g²(t)."""
        ...


@dataclass(frozen=True)
class VarianceExploding:
    r"""The diffusion that only adds noise, $x_t = x_0 + t\, \epsilon$: a = 1, σ = t, g² = 2t, up to `horizon`.

    Source: [song2021].

    >>> import torch
    >>> float(VarianceExploding(80.0).rate(torch.tensor(3.0)))
    6.0
    """

    horizon: float

    def __post_init__(self) -> None:
        _check_positive("horizon", self.horizon)

    def signal(self, t: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(t)

    def deviation(self, t: Tensor) -> Tensor:
        """The time itself."""
        return t

    def rate(self, t: Tensor) -> Tensor:
        """Twice the time."""
        return 2.0 * t


@dataclass(frozen=True)
class VariancePreserving:
    r"""The diffusion that keeps a variance of 1: $g^2 = \beta(t)$, linear in time, $a = e^{-\frac12 \int \beta}$.

    `slowest` and `fastest` are β at 0 and at `horizon`; σ² = 1 − a². Source: [song2021].

    >>> import torch
    >>> t = torch.tensor(0.5)
    >>> round(float(VariancePreserving().signal(t) ** 2 + VariancePreserving().deviation(t) ** 2), 6)
    1.0
    """

    horizon: float = 1.0
    slowest: float = 0.1
    fastest: float = 20.0

    def __post_init__(self) -> None:
        for name in ("horizon", "slowest", "fastest"):
            _check_positive(name, getattr(self, name))

    def signal(self, t: Tensor) -> Tensor:
        """The root of what is left of the variance."""
        return (-0.5 * self._passed(t)).exp()

    def deviation(self, t: Tensor) -> Tensor:
        """The root of the rest, to all digits at small times."""
        return (-torch.expm1(-self._passed(t))).sqrt()

    def rate(self, t: Tensor) -> Tensor:
        """The rate β(t)."""
        return self.slowest + (self.fastest - self.slowest) * (t / self.horizon)

    def _passed(self, t: Tensor) -> Tensor:
        """The integral of β from 0 to t."""
        return t * (self.slowest + 0.5 * (self.fastest - self.slowest) * (t / self.horizon))


def expansion(
    d: FDivergence,
    diffusion: Diffusion,
    times: Tensor,
    *,
    student_score: Tensor,
    teacher_score: Tensor,
    log_ratio: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""D_f(teacher‖student) less what is left of it at the horizon, from samples of the student at all times.

    $$D_f(p_0 \| q_0) - D_f(p_T \| q_T) = \int_0^T \tfrac12\, g^2(t)\, E_{q_t}\left[h(r_t)\,
    \| \nabla \log p_t - \nabla \log q_t \|^2\right] dt, \qquad h(r) = t^2 f''(t) \text{ at } t = e^r$$

    `times` of shape (n,), uniform over [0, T]; the scores, of shape (n, ...), and `log_ratio`, log teacher − log
    student of shape (n,), are those of the diffused laws at the student's diffused samples; only `kb.reverse_kl` needs
    no ratio. For other times `weight` is 1 over T times their density. A number to watch, without a gradient, in nats;
    `expansion_loss` has one. Other arguments and errors as in `f_distill`. Source: [wang2025b].

    >>> import torch, kullback as kb
    >>> t, gap = torch.tensor([1.0, 1.0]), torch.ones(2, 3)
    >>> float(expansion(kb.reverse_kl, VarianceExploding(2.0), t, student_score=gap, teacher_score=0 * gap))  # T t 3
    6.0
    """
    parts = _parts(d, times, student_score, student_score, teacher_score, log_ratio)

    def terms(t: Tensor, student: Tensor, teacher: Tensor, ratio: Tensor) -> Tensor:
        apart = (single(teacher) - single(student)).flatten(1).square().sum(-1)
        return diffusion.horizon * diffusion.rate(t) * (0.5 * score_weight(d, ratio) * apart)

    with torch.no_grad():
        return averaged(terms, *parts, mask=mask, weight=weight, nonfinite=nonfinite)


def expansion_loss(
    d: FDivergence,
    diffusion: Diffusion,
    times: Tensor,
    *,
    noise: Tensor,
    student_score: Tensor,
    teacher_score: Tensor,
    log_ratio: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The value of `expansion`, with its gradient towards the student, the change of its score and ratio included.

    $$\nabla \int \tfrac12 g^2 E_{q_t}[h \| \Delta \|^2]\, dt
    = \nabla \int g^2 E\left[\tfrac12 (h - h')\, \| \Delta \|^2
    + h\, \Delta \cdot \big(\nabla \log q_t + \tfrac{\epsilon}{\sigma}\big)\right] dt, \qquad
    \Delta = \nabla \log p_t - \nabla \log q_t,\quad h' = \frac{dh}{dr},$$

    where on the right only the samples move, through the functions Δ, ∇ log q_t, h and h′ as they stand; for `kb.kl`
    the first part vanishes.

    `noise` ε, of shape (n, ...), made the samples x_t = a x_0 + σ ε, x_0 the student's. Scores and `log_ratio` must
    carry the graph to x_t and through it to the student, with the parameters of the networks that make them frozen. At
    t = 0 the loss is not finite: begin a little later. It is exact for scores that are those of the ratio, Δ = ∇r.
    Other arguments and errors as in `expansion`. Source: [wang2025b].

    >>> import torch, kullback as kb
    >>> x = torch.tensor([[2.0]], requires_grad=True)
    >>> given = {"noise": torch.zeros(1, 1), "student_score": -x, "teacher_score": 1 - x}
    >>> expansion_loss(kb.reverse_kl, VarianceExploding(1.0), torch.tensor([1.0]), **given).backward()
    >>> x.grad.tolist()  # g² = 2, Δ = 1: 2 d(1/2 − x)/dx
    [[-2.0]]
    """
    parts = _parts(d, times, noise, student_score, teacher_score, log_ratio)

    def terms(t: Tensor, epsilon: Tensor, student: Tensor, teacher: Tensor, ratio: Tensor) -> Tensor:
        student, apart = single(student).flatten(1), (single(teacher) - single(student)).flatten(1)
        h, slope = _weight_and_slope(d, single(ratio))
        size = apart.square().sum(-1)
        pull = (apart * (student + epsilon.flatten(1) / diffusion.deviation(t)[:, None])).sum(-1)
        moving = 0.5 * (h - slope) * size + h * pull
        value = (0.5 * h * size).detach() + (moving - moving.detach())
        return diffusion.horizon * diffusion.rate(t) * value

    return averaged(terms, parts[0], noise, *parts[1:], mask=mask, weight=weight, nonfinite=nonfinite)


def _weight_and_slope(d: FDivergence, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """h and dh/dr, both with the graph of the ratio."""
    with torch.enable_grad():
        r = ratio if ratio.requires_grad else ratio.detach().requires_grad_()
        h = d.curvature(r)
        if not h.requires_grad:  # a constant
            return h, torch.zeros_like(h)
        (slope,) = torch.autograd.grad(h.sum(), r, create_graph=True)
    return h, slope


def _parts(
    d: FDivergence,
    times: Tensor,
    like: Tensor,
    student_score: Tensor,
    teacher_score: Tensor,
    log_ratio: Tensor | None,
) -> tuple[Tensor, ...]:
    check_smooth(d)
    check_scores(like, student_score, teacher_score)
    if tuple(times.shape) != (len(like),):
        raise ShapeError(f"`times` has shape {tuple(times.shape)}; expected ({len(like)},)")
    return times, student_score, teacher_score, given_ratio(d, log_ratio, student_score)


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise InvalidInputError(f"`{name}` is {value!r}; expected a finite number above 0")
