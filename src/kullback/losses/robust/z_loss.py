"""The Z-loss of the spherical family, from three sums over the outputs, and the log²Z penalty that shares its name."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.robust.comp_sum import check_classes
from kullback.losses.robust.worst_case import at_least_single


def z_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    sharpness: float,
    offset: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""A classification loss of the label's standard score among the outputs: unmoved by a shift or a scale of them.

    $$\frac1n \sum_i \frac1a \log\left(1 + e^{a(b - z_i)}\right), \qquad
    z = \frac{o_y - \bar o}{\sigma}, \quad \sigma^2 = \frac1K \sum_k (o_k - \bar o)^2$$

    Outputs o (n, K), `labels` (n,); a `sharpness` > 0, b `offset`, both to be tuned to what is counted (the larger b,
    the fewer of the first places a label is pushed towards; z is at most $\sqrt{K - 1}$). Not the "z-loss" of language
    models, which is `log_partition_penalty`. Outputs that are all equal have no standard score: NaN, for `nonfinite`
    to see. Raises `ShapeError`, `InvalidInputError`. Source: [debrebisson2016].

    >>> import torch
    >>> o = torch.tensor([[3.0, 0.0, 0.0]])  # a standard score of √2
    >>> float(z_loss(o, torch.tensor([0]), sharpness=1.0, offset=2**0.5)) - float(torch.tensor(2.0).log())
    0.0
    """
    check_classes(logits, labels)
    _check_sharpness(sharpness)
    terms = partial(_from_outputs, sharpness, offset)
    return averaged(terms, logits, labels, mask=mask, weight=weight, nonfinite=nonfinite)


def z_loss_from_sums(
    total: Tensor,
    squares: Tensor,
    own: Tensor,
    *,
    classes: int,
    sharpness: float,
    offset: float,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""`z_loss` from $\sum_k o_k$, $\sum_k o_k^2$ and $o_y$ alone, each (n,): the outputs need not be formed.

    $$z = \frac{o_y - \bar o}{\sigma}, \qquad \bar o = \frac1K \sum_k o_k, \quad
    \sigma^2 = \frac1K \sum_k o_k^2 - \bar o^2$$

    For an output layer o = W h both sums are cheap whatever the number of `classes` K: $\sum_k o_k = (\sum_k W_k) h$
    and $\sum_k o_k^2 = h^\top (W^\top W) h$. The variance is a difference and loses digits where the mean of the
    outputs is far larger than their spread; NaN where it falls to 0 or below. Other arguments and errors as in
    `z_loss`. Source: [debrebisson2016].

    >>> import torch
    >>> sums = torch.tensor([3.0]), torch.tensor([9.0]), torch.tensor([3.0])
    >>> round(float(z_loss_from_sums(*sums, classes=3, sharpness=1.0, offset=2**0.5)), 6)
    0.693147
    """
    _check_sharpness(sharpness)
    if not total.ndim == squares.ndim == own.ndim == 1:
        raise ShapeError(
            f"sums of shapes {tuple(total.shape)}, {tuple(squares.shape)}, {tuple(own.shape)}; expected (n,) each"
        )
    if classes < 2:
        raise InvalidInputError(f"`classes` is {classes}; expected at least 2")
    terms = partial(_from_sums, classes, sharpness, offset)
    return averaged(terms, total, squares, own, mask=mask, weight=weight, nonfinite=nonfinite)


def log_partition_penalty(
    logits: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The mean of $\log^2 Z$, $Z = \sum_k e^{z_k}$: what language-model code calls z-loss, times some $10^{-4}$.

    Logits (n, K). It keeps the logits of a softmax from drifting, which the softmax does not see; `z_loss` is another
    loss altogether. Source: [chowdhery2023].

    >>> import torch
    >>> round(float(log_partition_penalty(torch.zeros(1, 2))), 6)  # log² 2
    0.480453
    """
    if logits.ndim != 2:
        raise ShapeError(f"`logits` has shape {tuple(logits.shape)}; expected (n, K)")
    return averaged(_squared_log_partition, logits, mask=mask, weight=weight, nonfinite=nonfinite)


def _squared_log_partition(logits: Tensor) -> Tensor:
    return torch.logsumexp(at_least_single(logits), -1) ** 2


def _from_outputs(sharpness: float, offset: float, logits: Tensor, labels: Tensor) -> Tensor:
    o = at_least_single(logits)
    centred = o - o.mean(-1, keepdim=True)
    scale = (centred**2).mean(-1).sqrt()
    return _of_score(sharpness, offset, centred.gather(-1, labels[:, None])[:, 0] / scale)


def _from_sums(
    classes: int, sharpness: float, offset: float, total: Tensor, squares: Tensor, own: Tensor
) -> Tensor:
    total, squares, own = (at_least_single(x) for x in (total, squares, own))
    mean = total / classes
    variance = squares / classes - mean**2
    return _of_score(sharpness, offset, (own - mean) / variance.sqrt())


def _of_score(sharpness: float, offset: float, score: Tensor) -> Tensor:
    missing = sharpness * (offset - score)
    return torch.logaddexp(missing, torch.zeros_like(missing)) / sharpness


def _check_sharpness(sharpness: float) -> None:
    if not 0 < sharpness < math.inf:
        raise InvalidInputError(f"`sharpness` is {sharpness!r}; expected a finite positive number")
