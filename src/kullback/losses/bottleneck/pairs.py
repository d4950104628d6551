"""The nonlinear bottleneck: what codes with noise tell of their inputs, from the divergences of all pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from kullback.divergences import Divergence, kl, renyi
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import between
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.bottleneck.checks import check_number, counted, one_each, rows


def information_upper(mean: Tensor, scale: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""An upper bound of I(X;T) for inputs of equal mass, encoded with normal noise.

    $$I(X;T) \le -\frac1n \sum_i \log \frac1n \sum_j e^{-KL(p_i \| p_j)}, \qquad p_i = N(m_i, \text{diag}\, s_i^2)$$

    `mean` (n, d), `scale` (n, d) or what broadcasts to it. No prior is needed, and no code is drawn; at most log n, and
    equal to I where all codes coincide or all are far apart, in clusters too. In nats; n² pairs. Examples outside
    `mask` are no part of the mixture. Raises `ShapeError`, `DTypeError`, and `InvalidInputError` for means or scales
    outside their domain. Source: [kolchinsky2017], [kolchinsky2019].

    >>> import torch
    >>> far = torch.tensor([[0.0], [0.0], [1000.0], [1000.0]])
    >>> round(float(information_upper(far, torch.tensor(1.0))), 6)  # which of two
    0.693147
    """
    return _mixture(kl, 1.0, mean, scale, mask)


def information_lower(
    mean: Tensor, scale: Tensor, *, order: float = 0.5, mask: Tensor | None = None
) -> Tensor:
    r"""A lower bound of I(X;T) for inputs of equal mass, encoded with normal noise.

    $$I(X;T) \ge -\frac1n \sum_i \log \frac1n \sum_j e^{-C_a(p_i \| p_j)}, \qquad
    C_a = -\log \int p_i^a\, p_j^{1 - a} = (1 - a)\, D_a(p_i \| p_j)$$

    With Chernoff's coefficient of the `order` a, Bhattacharyya's at ½, the best where all have one covariance. All else
    as in `information_upper`. Source: [kolchinsky2017].

    >>> import torch
    >>> far = torch.tensor([[0.0], [0.0], [1000.0], [1000.0]])
    >>> round(float(information_lower(far, torch.tensor(1.0))), 6)
    0.693147
    """
    if isinstance(order, bool) or not 0 < order < 1:
        raise InvalidInputError(f"`order` is {order!r}; expected a number between 0 and 1")
    return _mixture(renyi(order), 1.0 - order, mean, scale, mask)


def nonlinear_bottleneck(
    losses: Tensor,
    mean: Tensor,
    scale: Tensor,
    *,
    price: float,
    shape: Callable[[Tensor], Tensor] = torch.square,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The loss of a decoder plus a price on how much its codes tell of the inputs, in the batch.

    $$\frac1n \sum_i \ell_i + \text{price} \cdot u\!\left(\widehat I(X;T)\right)$$

    with `information_upper` as Î. `losses` (n,) are the decoder's at codes drawn with this noise. `shape` is u,
    increasing and convex: where the target is a function of the input the plain Lagrangian (u the identity) jumps
    between the ends of the curve, and the square, which is the default, reaches all of it. A batch bounds I by log n:
    `price` means little where Î is near. `mask`, `weight` and `nonfinite` as in `kullback.losses.batches.averaged`,
    the latter two for the losses. Source: [kolchinsky2019], [kolchinsky2019b].

    >>> import torch
    >>> far = torch.tensor([[0.0], [1000.0]])
    >>> round(float(nonlinear_bottleneck(torch.ones(2), far, torch.tensor(1.0), price=1.0)), 6)  # 1 + log² 2
    1.480453
    """
    check_number("price", price, zero=True)
    losses = one_each("losses", losses, len(mean))
    loss = averaged(lambda x: x, losses, mask=mask, weight=weight, nonfinite=nonfinite)
    return loss + price * shape(information_upper(mean, scale, mask=mask)).to(loss.dtype)


def _mixture(d: Divergence, factor: float, mean: Tensor, scale: Tensor, mask: Tensor | None) -> Tensor:
    mean = rows("mean", mean)
    try:
        scale = torch.as_tensor(scale, device=mean.device).to(mean.dtype).expand_as(mean)
    except RuntimeError as error:
        raise ShapeError(
            f"`scale` has shape {tuple(scale.shape)}; expected {tuple(mean.shape)} or what broadcasts to it"
        ) from error
    m, s = counted(mean, mask), counted(scale, mask)
    if len(m) == 0:
        return (mean[:0] + scale[:0]).sum()
    first, second = (
        Independent(Normal(m[a], s[a], validate_args=False), 1) for a in ((slice(None), None), (None,))
    )
    costs = factor * torch.as_tensor(between(d, first, second, kind="exact").value)
    # a mean of exponentials of minus what may be large: their largest, 1 of every law with itself, comes off
    return (math.log(len(m)) - torch.logsumexp(-costs, dim=1)).mean().to(mean.dtype)
