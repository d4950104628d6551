r"""Speculative decoding: how often a teacher takes what the student drafts, what that saves, and the step itself."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kullback.divergences import total_variation
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.engines.chunks import Engine
from kullback.losses.engines.sides import raised, tempered
from kullback.losses.heads import Head
from kullback.losses.sparse import TopK
from kullback.losses.token import per_token


def acceptance(
    student: Tensor | Head,
    teacher: Tensor | Head | TopK,
    *,
    temperature: float = 1.0,
    engine: Engine | None = None,
) -> Tensor:
    r"""The probability that the teacher accepts a token that the student drafts, for every row.

    $$\sum_v \min(p_v, q_v) = 1 - \mathrm{TV}(p, q), \qquad p = \text{teacher},\; q = \text{student}$$

    Shape of the leading axes. `1 - kb.loss(kb.total_variation, ...)` is its mean, so that total variation is the loss
    that trains for it; with the bucket of a `TopK` teacher it is an upper bound. Source: [leviathan2023], [zhou2024].

    >>> import torch
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> acceptance(student=q, teacher=p).tolist()
    [0.75]
    """
    return 1.0 - per_token(total_variation, student, teacher, temperature=temperature, engine=engine)


def tokens_per_call(acceptance: float, drafted: int) -> float:
    r"""Expected tokens from one call of the teacher after `drafted` = γ tokens of the student.

    $$\tau = \sum_{i=0}^{\gamma} \alpha^i = \frac{1 - \alpha^{\gamma + 1}}{1 - \alpha}$$

    for a chance α of acceptance, the same for every token and independent. Source: [leviathan2023].

    >>> tokens_per_call(0.5, 2)
    1.75
    """
    _check_chance(acceptance)
    if drafted < 0:
        raise InvalidInputError(f"`drafted` is {drafted!r}; expected a number of tokens, 0 or more")
    return math.fsum(acceptance**i for i in range(drafted + 1))


def speed_up(acceptance: float, drafted: int, *, cost: float) -> float:
    r"""How many times faster than the teacher alone, $\tau / (\gamma c + 1)$.

    `cost` is c, the time of one call of the student over that of the teacher. Below 1 the drafts cost more than they
    save. Source: [leviathan2023].

    >>> speed_up(0.5, 1, cost=0.25)
    1.2
    """
    _check_cost(cost)
    return tokens_per_call(acceptance, drafted) / (drafted * cost + 1.0)


def best_draft(acceptance: float, *, cost: float, most: int = 64) -> int:
    r"""The number γ of drafted tokens with the largest expected speed-up, at most `most`; 0 where none pays.

    $$\gamma^* = \arg\max_\gamma \frac{1 - \alpha^{\gamma + 1}}{(1 - \alpha)(\gamma c + 1)}$$

    The speed-up rises to its maximum and falls after it: the first γ that the next does not beat is the best.
    Source: [leviathan2023].

    >>> best_draft(0.5, cost=0.1), best_draft(0.1, cost=0.5)
    (2, 0)
    """
    best = 0
    while best < most and speed_up(acceptance, best + 1, cost=cost) > speed_up(acceptance, best, cost=cost):
        best += 1
    return best


class Verdict(NamedTuple):
    r"""What a call of the teacher made of drafts: how many it accepted (a prefix), and the token after those.

    Both of the leading shape; a call yields `accepted + 1` tokens, $\tau$ on average.

    >>> Verdict._fields
    ('accepted', 'token')
    """

    accepted: Tensor
    token: Tensor


def residual(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    r"""The law of the token that replaces a rejected draft, as probabilities.

    $$\frac{(p_v - q_v)_+}{\sum_u (p_u - q_u)_+}, \qquad p = \text{teacher},\; q = \text{student}$$

    Together with the accepted drafts, min(p, q), it makes p. Where nothing is left over, because p = q, no draft is
    rejected, and p stands. Logits of shape (..., classes). Source: [leviathan2023].

    >>> import torch
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> residual(student=q, teacher=p).tolist()
    [[1.0, 0.0]]
    """
    q, p = (_masses(x, temperature) for x in (student, teacher))
    return _left_over(q, p)


@torch.no_grad()
def speculative_step(
    student: Tensor,
    teacher: Tensor,
    drafted: Tensor,
    *,
    generator: torch.Generator,
    lenience: float = 1.0,
    temperature: float = 1.0,
) -> Verdict:
    r"""One round of speculative sampling: the student's drafts, accepted or replaced so that the teacher's law results.

    Draft x is accepted with probability $\min(1, \ell\, p(x) / q(x))$, one after the other until the first rejection;
    a token of the `residual` law replaces that one, or one more token of the teacher's follows if all are accepted.

    `student` are the logits (..., γ, classes) that the drafts (..., γ) were drawn from at `temperature`, `teacher`
    those (..., γ + 1, classes) of the same places and the one after. With `lenience` ℓ = 1 every token has exactly the
    teacher's law. A larger ℓ accepts more, Σ min(q, ℓ p) per token, and the law of a token becomes
    $\min(q, \ell p) + (1 - \sum \min(q, \ell p)) \cdot \text{residual}$, which is the teacher's no more.

    Raises `ShapeError` or `InvalidInputError`. Source: [leviathan2023], [zhou2024].

    >>> import torch
    >>> sure = torch.tensor([[0.0, -torch.inf]])  # the student always drafts token 0, the teacher never wants it
    >>> other = torch.tensor([[-torch.inf, 0.0], [-torch.inf, 0.0]])
    >>> speculative_step(sure, other, torch.tensor([0]), generator=torch.Generator().manual_seed(0))
    Verdict(accepted=tensor(0), token=tensor(1))
    """
    _check_step(student, teacher, drafted, lenience)
    q, p = (_masses(x, temperature) for x in (student, teacher))
    chosen = drafted[..., None].long()
    mine, other = (x.gather(-1, chosen)[..., 0] for x in (q, p[..., :-1, :]))
    chance = torch.rand(mine.shape, generator=generator, dtype=mine.dtype, device=mine.device)
    accepts = chance * mine < lenience * other
    count = accepts.long().cumprod(-1).sum(-1)
    place = count[..., None, None].expand(*count.shape, 1, p.shape[-1])
    # after the last draft nothing of the student's is to be taken off
    mine = torch.cat([q, torch.zeros_like(q[..., :1, :])], -2).gather(-2, place)[..., 0, :]
    law = _left_over(mine, p.gather(-2, place)[..., 0, :])
    token = torch.multinomial(law.reshape(-1, law.shape[-1]), 1, generator=generator)
    return Verdict(count, token.reshape(count.shape))


def _masses(logits: Tensor, temperature: float) -> Tensor:
    return tempered(raised(logits), float(temperature)).softmax(-1)


def _left_over(q: Tensor, p: Tensor) -> Tensor:
    rest = (p - q).clamp(min=0.0)
    total = rest.sum(-1, keepdim=True)
    # rounding may reject where p = q: there p is as good
    return torch.where(total > 0, rest / torch.where(total > 0, total, 1.0), p)


def _check_step(student: Tensor, teacher: Tensor, drafted: Tensor, lenience: float) -> None:
    s, t, x = (tuple(a.shape) for a in (student, teacher, drafted))
    if len(s) < 2 or x != s[:-1] or t != (*s[:-2], s[-2] + 1, s[-1]):
        raise ShapeError(
            f"the student's logits have shape {s}, the teacher's {t} and the drafts {x}; expected (..., n, classes), "
            "(..., n + 1, classes) and (..., n)"
        )
    if not (math.isfinite(lenience) and lenience > 0):
        raise InvalidInputError(
            f"`lenience` is {lenience!r}; expected a number above 0, 1 for the teacher's law"
        )


def _check_chance(acceptance: float) -> None:
    if not 0 <= acceptance <= 1:
        raise InvalidInputError(
            f"`acceptance` is {acceptance!r}; expected a probability, such as a mean of acceptance()"
        )


def _check_cost(cost: float) -> None:
    if not (math.isfinite(cost) and cost >= 0):
        raise InvalidInputError(
            f"`cost` is {cost!r}; expected the student's time over the teacher's, 0 or more"
        )
