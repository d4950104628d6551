"""Policy gradients from rewards: advantages within a group of answers, and the clipped surrogate of a few steps."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite
from kullback.losses.policy.sides import over_tokens, sides
from kullback.losses.preference.checks import check_coefficient


def group_advantages(rewards: Tensor, *, floor: float = 1e-4) -> Tensor:
    r"""What an answer earned beyond the other answers to its question, in standard deviations of theirs.

    $$A_i = \frac{R_i - \bar R}{s + \epsilon}$$

    `rewards` have shape (questions, answers); s is the sample standard deviation of a question's answers and ε is
    `floor`. A question whose answers all earn the same says nothing, 0; one with a reward that is not finite has no
    advantages, NaN, which `clipped` treats by its `nonfinite`. Raises `ShapeError`. Source: [shao2024].

    >>> import torch
    >>> made = group_advantages(torch.tensor([[1.0, 0.0, 0.0]]))
    >>> [round(float(x), 3) for x in made[0]]  # (2/3)/(1/√3), (−1/3)/(1/√3)
    [1.155, -0.577, -0.577]
    """
    check_coefficient("floor", floor)
    (r,) = sides(None, rewards=rewards)
    if r.ndim != 2 or r.shape[1] < 2:
        raise ShapeError(
            f"`rewards` has shape {tuple(r.shape)}; expected (questions, answers), at least 2 answers to a question"
        )
    r = r.detach()
    return (r - r.mean(1, keepdim=True)) / (r.std(1, keepdim=True) + floor)


def clipped(
    *,
    policy: Tensor,
    drawn_with: Tensor,
    advantages: Tensor,
    low: float = 0.2,
    high: float = 0.2,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The surrogate of proximal policy optimisation: ratios are followed only so far.

    $$-\min\big(w A,\ \mathrm{clip}(w, 1 - \ell, 1 + h)\, A\big), \qquad w = \frac{\pi}{\mu},$$

    the mean over tokens. `policy` and `drawn_with` are log-probabilities of the tokens under the policy and under what
    drew them, `advantages` of the same shape, or of shape (answers, 1) for tokens of shape (answers, tokens); ℓ is
    `low` and h is `high`. At w = 1 the gradient is that of −A log π. A penalty is added by hand:
    `clipped(...) + coefficient * penalty(...)`. `mask`, `weight` and `nonfinite` as in `penalty`. Raises `ShapeError`,
    `DTypeError` or `InvalidInputError`. Source: [schulman2017], [shao2024].

    >>> import torch
    >>> new, old = torch.tensor([0.6, 0.3]).log(), torch.tensor([0.4, 0.4]).log()
    >>> float(clipped(policy=new, drawn_with=old, advantages=torch.tensor([1.0, 1.0])))  # −(1.2 + 0.75)/2
    -0.9750000238418579
    """
    check_coefficient("high", high)
    check_coefficient("low", low)
    if low >= 1:
        raise InvalidInputError(f"`low` is {low!r}; expected less than 1, below which no ratio goes")
    p, mu = sides(None, policy=policy, drawn_with=drawn_with)
    try:
        spread = advantages.detach().to(p).expand(p.shape)
    except RuntimeError as error:
        raise ShapeError(
            f"`advantages` has shape {tuple(advantages.shape)}; expected what broadcasts to {tuple(p.shape)}"
        ) from error

    def terms(p: Tensor, mu: Tensor, advantage: Tensor) -> Tensor:
        ratio = torch.exp(p - mu.detach())
        return -torch.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)

    return over_tokens(terms, p, mu, spread, mask=mask, weight=weight, nonfinite=nonfinite)
