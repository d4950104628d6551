"""The gradient of D_f towards a student's samples: the difference of two scores, weighted by the curvature of f."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged


def score_weight(d: FDivergence, log_ratio: Tensor, *, normalise: bool = False) -> Tensor:
    r"""What a student's sample counts for in the gradient of D_f(teacher‖student): $h(r) = t^2 f''(t)$ at $t = e^r$.

    `log_ratio` is r = log teacher − log student at samples of the student, any shape. It is 1 for `reverse_kl`, which
    is KL(student‖teacher), and t for `kl`; t/(2(1 + t)) for `js` is bounded. With `normalise` the weights are divided
    by their mean over all that is passed. A weight beyond the precision is infinite. Raises `InvalidInputError` for an
    f with a kink, which has no f'' there. Source: [xu2025].

    >>> import torch, kullback as kb
    >>> score_weight(kb.pearson_chi2, torch.tensor([0.0, 2.0]).log()).tolist()  # 2 t²
    [0.0, 8.0]
    """
    check_smooth(d)
    weights = d.curvature(single(log_ratio))
    return weights / weights.mean() if normalise else weights


def f_distill(
    d: FDivergence,
    samples: Tensor,
    *,
    student_score: Tensor,
    teacher_score: Tensor,
    log_ratio: Tensor | None = None,
    normalise: bool = False,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""A loss with the gradient of D_f(teacher‖student) towards what makes the student's samples.

    $$\nabla_\theta D_f(p \| q_\theta) = E_{x \sim q_\theta}\left[h(r)\, (\nabla \log q_\theta - \nabla \log p)
    \cdot \frac{\partial x}{\partial \theta}\right], \qquad r = \log p - \log q_\theta$$

    `samples` x, of shape (n, ...), carry the graph to the student, noise added or not; the scores, of the same shape,
    and `log_ratio`, of shape (n,), are those of the law of x and held constant. The value is half the mean square of
    the weighted difference of scores, 0 where they agree; it is not the divergence.

    `kb.reverse_kl`, KL(student‖teacher), has weight 1: it is variational score distillation, and the only one that
    needs no `log_ratio`; others take it from `discriminator_ratio`. `normalise` divides the weights by their mean
    over the examples that count. Examples count where `mask` is true, `weight`, of shape (n,), multiplies (a weight of
    times, say), and `nonfinite` says what becomes of numbers that are not finite. Raises `ShapeError`, and
    `InvalidInputError` as `score_weight` does. Source: [xu2025], [wang2023].

    >>> import torch, kullback as kb
    >>> x = torch.tensor([[1.0], [3.0]], requires_grad=True)  # of N(2, 1), where the teacher is N(0, 1)
    >>> f_distill(kb.reverse_kl, x, student_score=2 - x, teacher_score=-x).backward()
    >>> x.grad.tolist()  # (2 − x + x)/n
    [[1.0], [1.0]]
    """
    check_smooth(d)
    check_scores(samples, student_score, teacher_score)
    parts = (samples, student_score, teacher_score, given_ratio(d, log_ratio, samples))

    def terms(x: Tensor, student: Tensor, teacher: Tensor, ratio: Tensor) -> Tensor:
        h = score_weight(d, ratio.detach(), normalise=normalise)
        force = h[:, None] * (single(student) - single(teacher)).detach().flatten(1)
        flat = single(x).flatten(1)
        return (0.5 * force.square() + force * (flat - flat.detach())).sum(-1)

    return averaged(terms, *parts, mask=mask, weight=weight, nonfinite=nonfinite)


def check_smooth(d: FDivergence) -> None:
    """Refuses a divergence whose curvature is not a function."""
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"{d!r} is not an f-divergence: it has no f'' to weigh scores by; use kl, js ..."
        )
    if d.curvature_at_one is None:
        raise InvalidInputError(
            f"{d.name} has a kink at t = 1: all of its f'' is there, and no weight of samples has its gradient; use js "
            "or squared_hellinger, which are bounded too"
        )


def given_ratio(d: FDivergence, log_ratio: Tensor | None, samples: Tensor) -> Tensor:
    """The log-ratios, or zeros for a divergence that gives all of them the same weight."""
    n = len(samples)
    if log_ratio is None:
        probes = d.curvature(torch.linspace(-3, 3, 7, dtype=torch.float64))
        if not bool(((probes - probes[0]).abs() <= 1e-12 * probes[0]).all()):
            raise InvalidInputError(
                f"the weight of {d.name} depends on the ratio of teacher to student: pass `log_ratio`; reverse_kl "
                "alone does without"
            )
        return samples.new_zeros(n)
    if tuple(log_ratio.shape) != (n,):
        raise ShapeError(
            f"`log_ratio` has shape {tuple(log_ratio.shape)}; expected ({n},): log teacher − log student of every "
            "sample, as a discriminator's logits are, not its loss"
        )
    return log_ratio


def check_scores(samples: Tensor, student_score: Tensor, teacher_score: Tensor) -> None:
    """Refuses what has not the shape (n, ...) of the samples."""
    shape = tuple(samples.shape)
    for name, x in (("student_score", student_score), ("teacher_score", teacher_score)):
        if samples.ndim < 2 or tuple(x.shape) != shape:
            raise ShapeError(
                f"`{name}` has shape {tuple(x.shape)} and the samples {shape}; expected (n, ...) for both"
            )


def single(x: Tensor) -> Tensor:
    """Half precision raised to single."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
