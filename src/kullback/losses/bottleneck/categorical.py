"""Bottlenecks of a code with finitely many values, whose informations need no bound."""

from __future__ import annotations

from torch import Tensor

from kullback.divergences import kl
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.bottleneck.checks import check_number, counted, rows


def categorical_information(logits: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""I(X;T) of n inputs of equal mass and a code of k values, in nats.

    $$\frac1n \sum_i KL\!\left(q(\cdot | x_i) \,\|\, \bar q\right), \qquad \bar q = \frac1n \sum_i q(\cdot | x_i)$$

    `logits` (n, k) of q(t|x). Exact for the rows that are passed, those outside `mask` left out. Raises `ShapeError`,
    `DTypeError`. Source: [tishby1999].

    >>> import torch
    >>> round(float(categorical_information(torch.tensor([[900.0, 0.0], [0.0, 900.0]]))), 6)  # log 2
    0.693147
    """
    z = counted(rows("logits", logits), mask)
    if len(z) == 0:
        return z.sum()
    q = z.softmax(-1)
    return kl(q, q.mean(0).expand_as(q), validate=False).mean()


def code_entropy(logits: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""H(T) of n inputs of equal mass and a code of k values, in nats: the length of the code.

    `logits` (n, k) as in `categorical_information`. Source: [strouse2017].

    >>> import torch
    >>> round(float(code_entropy(torch.zeros(3, 4))), 6)  # log 4
    1.386294
    """
    z = counted(rows("logits", logits), mask)
    return z.sum() if len(z) == 0 else kl.entropy(z.softmax(-1).mean(0))


def categorical_bottleneck(
    losses: Tensor,
    logits: Tensor,
    *,
    price: float,
    alpha: float = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The expected loss of a code with finitely many values plus a price on its information or its length.

    $$\frac1n \sum_i \sum_t q(t | x_i)\, \ell_{it} + \text{price} \cdot \left[H(T) - \alpha H(T | X)\right]$$

    `losses` (n, k) are the decoder's, −log p(y_i | t) for each value t, and `logits` (n, k) the encoder's. At
    `alpha` = 1 the bracket is I(X;T); at 0 it is H(T), the deterministic bottleneck, whose best encoders give each
    input one value: what counts is how many values there are, and not how much they tell of the input. Between the
    two it is (1 − α) H(T) + α I(X;T). A loss of +inf at a value that the encoder excludes (logit −inf) counts nothing.
    `mask`, `weight` and `nonfinite` as in `kullback.losses.batches.averaged`, the latter two for the losses. Raises
    `ShapeError`, `DTypeError`, `InvalidInputError`. Source: [strouse2017], [tishby1999].

    >>> import torch
    >>> sure = torch.tensor([[900.0, 0.0], [0.0, 900.0]])
    >>> round(float(categorical_bottleneck(torch.ones(2, 2), sure, price=1.0)), 6)  # 1 + log 2
    1.693147
    """
    check_number("price", price, zero=True)
    if isinstance(alpha, bool) or not 0 <= alpha <= 1:
        raise InvalidInputError(f"`alpha` is {alpha!r}; expected a number from 0 (H(T)) to 1 (I(X;T))")
    logits, losses = rows("logits", logits), rows("losses", losses, n=len(logits))
    if losses.shape != logits.shape:
        raise ShapeError(
            f"`losses` has shape {tuple(losses.shape)} and `logits` {tuple(logits.shape)}; expected one loss a value"
        )

    def terms(loss: Tensor, z: Tensor) -> Tensor:
        q = z.softmax(-1)
        return (q * loss.where(q > 0, 0.0)).sum(-1)

    loss = averaged(terms, losses, logits, mask=mask, weight=weight, nonfinite=nonfinite)
    told = alpha * categorical_information(logits, mask=mask) if alpha > 0 else 0.0
    length = (1.0 - alpha) * code_entropy(logits, mask=mask) if alpha < 1 else 0.0
    return loss + price * (told + length)
