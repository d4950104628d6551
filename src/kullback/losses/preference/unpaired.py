"""Answers without a partner: each is desirable or not, on its own or against what the policy says itself."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import DTypeError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.preference.checks import check_coefficient, check_rate, check_same
from kullback.losses.preference.link import link
from kullback.losses.preference.pairs import logistic, under_noise


def unpaired(
    d: FDivergence,
    log_ratio: Tensor,
    desirable: Tensor,
    *,
    reference_point: float | Tensor = 0.0,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Kahneman–Tversky optimisation under any f-divergence, the mean of a loss over answers.

    $$\lambda_D\,\sigma\big(\beta [z - f'(e^r)]\big) \text{ if desirable}, \qquad
    \lambda_U\,\sigma\big(\beta [f'(e^r) - z]\big) \text{ if not.}$$

    `log_ratio` r = log policy − log reference of whole answers, in nats, `desirable` a boolean for each, the weights λ,
    and z the `reference_point`, a number that is held constant: `reference_point(d, ...)` makes it. With `kb.kl` it is
    KTO. d, `mask`, `weight`, `nonfinite` and errors as in `f_dpo`. Source: [ethayarajh2024], [wang2024].

    >>> import torch, kullback as kb
    >>> answers, good = torch.tensor([3.0, 1.0]).log(), torch.tensor([True, False])
    >>> float(unpaired(kb.kl, answers, good, beta=1.0))  # (1/(1 + 3) + 1/2)/2
    0.375
    """
    check_coefficient("beta", beta)
    check_coefficient("desirable_weight", desirable_weight, zero=True)
    check_coefficient("undesirable_weight", undesirable_weight, zero=True)
    check_same({"log_ratio": log_ratio, "desirable": desirable})
    if desirable.dtype != torch.bool:
        raise DTypeError(
            f"`desirable` is {desirable.dtype}; expected torch.bool, true for answers to be said more"
        )
    point = reference_point.detach() if isinstance(reference_point, Tensor) else reference_point

    def terms(r: Tensor, good: Tensor) -> Tensor:
        gain = beta * (link(d, r) - point)
        share = torch.sigmoid(torch.where(good, -gain, gain))
        return torch.where(good, desirable_weight * share, undesirable_weight * share)

    return averaged(terms, log_ratio, desirable, mask=mask, weight=weight, nonfinite=nonfinite)


def reference_point(d: FDivergence, log_ratio: Tensor) -> Tensor:
    r"""What an answer must earn to count as a gain: $z = \max\big(0, \tfrac1n \sum_i f'(e^{r_i})\big)$, held constant.

    `log_ratio` = log policy − log reference of answers that the policy gives, or, as KTO has it, of the batch's answers
    to other questions. With `kb.kl` it estimates KL(policy‖reference). It is never below 0, what an answer earns that
    the policy says as often as the reference. Errors as in `f_dpo`. Source: [ethayarajh2024].

    >>> import torch, kullback as kb
    >>> round(float(reference_point(kb.kl, torch.tensor([4.0, 0.5]).log())), 6)  # log(2)/2
    0.346574
    """
    return link(d, log_ratio.detach()).mean().clamp(min=0.0)


def dispreference(
    d: FDivergence,
    *,
    own: Tensor,
    rejected: Tensor,
    beta: float = 0.1,
    alpha: float = 0.1,
    label_smoothing: float = 0.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Distributional dispreference optimisation, for which only what must not be said is labelled.

    $$-\log \sigma\Big(\frac{\beta}{K} \sum_k f'(e^{r_k}) - \alpha f'(e^{r})\Big).$$

    The mean over questions. `own` (questions, K) are the log-ratios of K answers that the reference gave itself, log
    policy − log of the law to be left behind; `rejected` (questions,) those of the labelled answer, to the law to be
    kept. Both laws may be the reference. In nats; with `kb.kl` it is D2O. d, other arguments and errors as in `f_dpo`.
    Source: [duan2024], [wang2024].

    >>> import torch, kullback as kb
    >>> own, rejected = torch.tensor([[2.0, 8.0]]).log(), torch.tensor([2.0]).log()
    >>> round(float(dispreference(kb.kl, own=own, rejected=rejected, beta=1.0, alpha=1.0)), 6)  # −log(2/(2 + 1))
    0.405465
    """
    check_coefficient("beta", beta)
    check_coefficient("alpha", alpha)
    check_rate("label_smoothing", label_smoothing)
    if own.ndim != 2 or own.shape[1] == 0 or tuple(rejected.shape) != (len(own),):
        raise ShapeError(
            f"`own` has shape {tuple(own.shape)} and `rejected` {tuple(rejected.shape)}; expected (questions, K) with "
            "at least one answer, and (questions,)"
        )

    def terms(mine: Tensor, other: Tensor) -> Tensor:
        margin = beta * link(d, mine).mean(-1) - alpha * link(d, other)
        return under_noise(logistic, margin, label_smoothing, 0.0)

    return averaged(terms, own, rejected, mask=mask, weight=weight, nonfinite=nonfinite)
