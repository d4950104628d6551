"""Views of an example close together and examples far apart, by a nuclear norm: maximum manifold capacity."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite
from kullback.losses.contrast.checks import check_number, real
from kullback.losses.contrast.pairs import directions
from kullback.losses.contrast.rows import usable


def mmcr(
    views: Tensor,
    *,
    compression: float = 0.0,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Maximum manifold capacity: minus the nuclear norm of the examples' centroids on the sphere.

    $$-\|C\|_* + \frac{\lambda}{n} \sum_i \|Z_i\|_*, \qquad c_i = \frac1k \sum_v z_{iv}, \qquad |z_{iv}| = 1$$

    `views` (n, k, width): k views of n examples, brought to length 1 here; Z_i holds the views of example i and C the n
    centroids. At least −`largest_nuclear_norm(n, width)`, attained where the views of an example agree and the
    centroids are as orthogonal as their number allows. `compression` is λ. Examples outside `mask`, and those not
    finite where `nonfinite` is `"skip"`, are left out. No state may have length 0 (it has no direction and counts as
    0). Raises `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [yerxa2023].

    >>> import torch
    >>> agreed = torch.eye(3)[:, None].expand(3, 2, 3)  # two equal views of three orthogonal examples
    >>> round(float(mmcr(agreed)), 5), round(float(mmcr(agreed, compression=1.0)), 5)  # −3, and −3 + √2
    (-3.0, -1.58579)
    """
    check_number("compression", compression, zero=True)
    views = real("views", views, 3, "(n, views, width)")
    (views,) = usable(views, mask=mask, nonfinite=nonfinite)
    if len(views) == 0:
        raise InvalidInputError("no example counts, and the norm of no centroids says nothing")
    z = directions(views)
    loss = -_nuclear(z.mean(1))
    return loss + compression * _nuclear(z).mean() if compression else loss


def largest_nuclear_norm(examples: int, width: int) -> float:
    r"""The most that the nuclear norm of n centroids on the sphere can be, $\sqrt{n \min(n, \text{width})}$.

    By the inequality of Cauchy and Schwarz on the singular values, whose squares sum to n at most: n where the width
    suffices, √(n·width) beyond. Raises `ShapeError`. Source: [yerxa2023].

    >>> largest_nuclear_norm(32, 64), largest_nuclear_norm(64, 16)
    (32.0, 32.0)
    """
    if examples < 1 or width < 1:
        raise ShapeError(f"{examples} examples of width {width}; expected at least one of both")
    return math.sqrt(examples * min(examples, width))


def _nuclear(x: Tensor) -> Tensor:
    if not bool(x.detach().isfinite().all()):
        return x.sum((-2, -1)) * math.nan  # a decomposition would stop with an error of its own
    return torch.linalg.svdvals(x).sum(-1)
