"""Two views whose features agree, each with its own and with no other: Barlow Twins."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.errors import InvalidInputError
from kullback.losses.batches import NonFinite
from kullback.losses.contrast.checks import check_number, states
from kullback.losses.contrast.rows import usable


def cross_correlation(
    first: Tensor, second: Tensor, *, mask: Tensor | None = None, nonfinite: NonFinite = "propagate"
) -> Tensor:
    r"""The correlation of every feature of one view with every feature of the other over the batch.

    $$C_{ab} = \frac{\sum_i (x_{ia} - \bar x_a)(y_{ib} - \bar y_b)}
    {\sqrt{\sum_i (x_{ia} - \bar x_a)^2}\,\sqrt{\sum_i (y_{ib} - \bar y_b)^2}}$$

    `first` x and `second` y (n, width), two views of n ≥ 2 examples, give (width, width). A feature that does not vary
    beyond rounding has correlation 0 with all. Examples outside `mask`, and those that are not finite where `nonfinite`
    is `"skip"`, are left out. Raises `ShapeError`, `DTypeError` or `InvalidInputError`.

    >>> import torch
    >>> x = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> cross_correlation(x, 3 * x + 1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    x, y = usable(*states(("first", first), ("second", second)), mask=mask, nonfinite=nonfinite)
    if len(x) < 2:
        raise InvalidInputError(f"{len(x)} examples count; a correlation needs two")
    return _standard(x).T @ _standard(y)


def barlow_twins(
    first: Tensor,
    second: Tensor,
    *,
    redundancy: float = 5.1e-3,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Barlow Twins: the cross-correlation of two views drawn to the identity.

    $$\sum_a (1 - C_{aa})^2 + \lambda \sum_{a \ne b} C_{ab}^2$$

    0 where every feature is the same in both views and correlated with no other; width at independence, up to the noise
    of the batch. `redundancy` is λ. Where the views are one normal law, $-\tfrac12 \log \det C$ is the total
    correlation of its features, in nats, and the second sum four times that to leading order: the first term keeps
    what the views share, the second makes the features tell different things. C, `mask`, `nonfinite` and errors as in
    `cross_correlation`. Source: [zbontar2021].

    >>> import torch
    >>> x = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> float(barlow_twins(x, x)), float(barlow_twins(x, -x))  # each feature off by 2
    (0.0, 8.0)
    """
    check_number("redundancy", redundancy, zero=True)
    c = cross_correlation(first, second, mask=mask, nonfinite=nonfinite)
    own = c.diagonal()
    others = (c - torch.diag(own)).square().sum()
    return (1 - own).square().sum() + redundancy * others


def _standard(x: Tensor) -> Tensor:
    """Columns with mean 0 and length 1; columns that are constant up to rounding become 0."""
    largest = x.detach().abs().amax(0)
    centred = x - x.mean(0)
    length = torch.linalg.vector_norm(centred, dim=0)
    constant = length.detach() <= 4 * torch.finfo(x.dtype).eps * len(x) ** 0.5 * largest
    return torch.where(constant, 0.0, centred) / torch.where(constant, 1.0, length)
