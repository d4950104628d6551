"""Pairs of answers, one of them preferred: the loss whose best policy is regularised by any divergence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.preference.checks import check_coefficient, check_rate, check_same
from kullback.losses.preference.link import gap, link

Shape = Callable[[Tensor], Tensor]


def logistic(margin: Tensor) -> Tensor:
    r"""The loss of the Bradley–Terry model, $-\log \sigma(m)$: 0 far on the right side, linear on the wrong one.

    Any shape. Source: [rafailov2023].

    >>> import torch
    >>> round(float(logistic(torch.tensor(0.0))), 6)  # log 2
    0.693147
    """
    return -logsigmoid(margin)


def hinge(margin: Tensor) -> Tensor:
    r"""The loss of a support vector machine, $\max(0, 1 - m)$: nothing beyond a margin of 1.

    Any shape. Source: [zhao2023].

    >>> import torch
    >>> float(hinge(torch.tensor(0.25)))
    0.75
    """
    return torch.relu(1.0 - margin)


def squared(margin: Tensor) -> Tensor:
    r"""The loss of identity preference optimisation, $(m - \tfrac12)^2$, which stops at a margin of 1/2.

    With `kb.kl` it is β² times the published form $(\Delta - \tfrac{1}{2\beta})^2$. Any shape. Source: [azar2024].

    >>> import torch
    >>> float(squared(torch.tensor(1.0)))
    0.25
    """
    return (margin - 0.5).square()


def f_dpo(
    d: FDivergence,
    *,
    chosen: Tensor,
    rejected: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    flip_rate: float = 0.0,
    chosen_lengths: Tensor | None = None,
    rejected_lengths: Tensor | None = None,
    shape: Shape = logistic,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Direct preference optimisation under any f-divergence, the mean of a loss over pairs of answers.

    $$-\log \sigma\big(\beta\,[f'(e^{r_c}) - f'(e^{r_r})]\big),$$

    whose best policy maximises expected reward − β D_f(policy‖reference). `chosen` and `rejected` are the log-ratios r
    of whole answers, log policy − log reference, in nats, one a pair (`selected` makes those of tokens; sum them). So
    `kb.kl`, KL(policy‖reference), is DPO itself, which papers on language models call reverse KL; `kb.reverse_kl` is
    their forward KL. `d.normalised()` makes one β mean the same under every d.

    `label_smoothing` ε takes (1 − ε) of the loss and ε of that of the opposite order; `flip_rate` is the known share of
    pairs in the wrong order, whose bias it takes away. With `chosen_lengths` and `rejected_lengths`, tokens per answer,
    r is per token. `shape` is `logistic`, `hinge`, `squared` or your own function of the margin β[...]. Pairs count
    where `mask` is true, `weight` multiplies, and `nonfinite` says what becomes of numbers that are not finite:
    `"propagate"`, `"skip"` with a warning that counts, or `"raise"`.

    No log-ratio overflows: where t = eʳ leaves the precision (e⁻⁴⁰ in single, e⁻³⁰⁰ in double), a slope that grows like
    a power goes on along its tangent, with a warning that counts. Raises `ShapeError`, and `InvalidInputError` for a d
    whose slope has a limit at t = 0 (`pearson_chi2`, `le_cam`, `total_variation`, `alpha(a)` with a > 1): its best
    policy gives answers probability 0, which no log-ratio does. Source: [wang2024], [rafailov2023], [chowdhury2024].

    >>> import torch, kullback as kb
    >>> chosen, rejected = torch.tensor([4.0]).log(), torch.tensor([2.0]).log()
    >>> round(float(f_dpo(kb.kl, chosen=chosen, rejected=rejected, beta=1.0)), 6)  # −log(2/(2 + 1)), 4/2 = 2
    0.405465
    """
    check_coefficient("beta", beta)
    _check_noise(label_smoothing, flip_rate)
    n = check_same({"chosen": chosen, "rejected": rejected})
    lengths = _lengths(chosen_lengths, rejected_lengths, n)

    def terms(better: Tensor, worse: Tensor, *tokens: Tensor) -> Tensor:
        if tokens:
            better, worse = better / tokens[0], worse / tokens[1]
        return under_noise(shape, beta * gap(d, better, worse), label_smoothing, flip_rate)

    return averaged(terms, chosen, rejected, *lengths, mask=mask, weight=weight, nonfinite=nonfinite)


def reference_free(
    d: FDivergence,
    *,
    chosen: Tensor,
    rejected: Tensor,
    chosen_lengths: Tensor,
    rejected_lengths: Tensor,
    beta: float = 2.0,
    margin: float = 0.5,
    label_smoothing: float = 0.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Preference optimisation without a reference, by log-probabilities per token and a margin.

    $$-\log \sigma\Big(\beta\Big[f'\big(\pi(y_c)^{1/|y_c|}\big) - f'\big(\pi(y_r)^{1/|y_r|}\big)\Big] - \gamma\Big).$$

    The mean over pairs. `chosen` and `rejected` are the policy's log-probabilities of whole answers, the lengths their
    numbers of tokens and `margin` is γ. With `kb.kl` it is SimPO; another d compares with a reference under which all
    tokens are as likely. Other arguments and errors as in `f_dpo`. Source: [meng2024].

    >>> import torch, kullback as kb
    >>> answers = {"chosen": torch.tensor([-2.0]), "rejected": torch.tensor([-6.0])}
    >>> lengths = {"chosen_lengths": torch.tensor([2]), "rejected_lengths": torch.tensor([3])}
    >>> round(float(reference_free(kb.kl, **answers, **lengths, beta=1.0, margin=1.0)), 6)  # −1 + 2 − 1 is 0: log 2
    0.693147
    """
    return f_dpo(
        d,
        chosen=chosen,
        rejected=rejected,
        beta=beta,
        label_smoothing=label_smoothing,
        chosen_lengths=chosen_lengths,
        rejected_lengths=rejected_lengths,
        shape=lambda m: logistic(m - margin),
        mask=mask,
        weight=weight,
        nonfinite=nonfinite,
    )


def reward(d: FDivergence, log_ratio: Tensor, *, beta: float = 0.1) -> Tensor:
    r"""The implicit reward of every answer under a policy trained with `d`: $\beta f'(\pi / \pi_{\mathrm{ref}})$.

    `log_ratio` is log policy − log reference, any shape, in nats. For answers to one question it is, up to a constant
    of the question, the reward for which the policy is best at the price β D_f(policy‖reference). Errors as in `f_dpo`.
    Source: [wang2024].

    >>> import torch, kullback as kb
    >>> reward(kb.reverse_kl, torch.tensor([0.5, 2.0]).log(), beta=1.0).tolist()  # 1 − 1/t
    [-1.0, 0.5]
    """
    check_coefficient("beta", beta)
    return beta * link(d, log_ratio)


def under_noise(shape: Shape, margin: Tensor, label_smoothing: float, flip_rate: float) -> Tensor:
    """The loss of a margin where some pairs are in the wrong order."""
    if label_smoothing:
        return (1 - label_smoothing) * shape(margin) + label_smoothing * shape(-margin)
    if flip_rate:
        return ((1 - flip_rate) * shape(margin) - flip_rate * shape(-margin)) / (1 - 2 * flip_rate)
    return shape(margin)


def _check_noise(label_smoothing: float, flip_rate: float) -> None:
    check_rate("label_smoothing", label_smoothing)
    check_rate("flip_rate", flip_rate)
    if label_smoothing and flip_rate:
        raise InvalidInputError(
            "`label_smoothing` and `flip_rate` are two answers to pairs in the wrong order; pass one of them"
        )


def _lengths(chosen: Tensor | None, rejected: Tensor | None, n: int) -> tuple[Tensor, ...]:
    if chosen is None or rejected is None:
        if chosen is not rejected:
            raise InvalidInputError(
                "one of `chosen_lengths` and `rejected_lengths` is missing; pass both or none"
            )
        return ()
    if check_same({"chosen_lengths": chosen, "rejected_lengths": rejected}) != n:
        raise InvalidInputError(f"there are {len(chosen)} lengths and {n} pairs; expected one for every pair")
    if not bool(((chosen > 0) & (rejected > 0)).all()):
        raise InvalidInputError("some answers have no token: expected lengths of at least 1")
    return chosen, rejected
