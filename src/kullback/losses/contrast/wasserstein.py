"""How far a joint law is from independence in the distance of transport, as an objective."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.contrast.checks import check_number, real

Critic = Callable[[Tensor, Tensor], Tensor]


def wasserstein_dependency(
    critic: Critic,
    first: Tensor,
    second: Tensor,
    *,
    generator: torch.Generator,
    penalty: float = 10.0,
    limit: float = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Minus the dual of the Wasserstein-1 distance of the joint law from the product, with a penalty on slopes.

    $$-\frac1n \sum_i \big[T(x_i, y_i) - T(x_i, y_{i'})\big] + \lambda\, \overline{\max(0, |\nabla T| - L)^2}$$

    `first` x (n, ...) and `second` y (n, ...), n ≥ 2 pairs; `critic` T gives a number for every row of the two; y_{i'}
    are the same y moved round by a number of rows drawn from `generator`. The penalty λ (`penalty`) looks at points
    between (x_i, y_i) and (x_i, y_{i'}), at places that `generator` draws, for a slope beyond L (`limit`), as
    `lipschitz_penalty` does. With a critic that is Lipschitz by construction, `penalty` = 0, the mean difference is a
    lower bound of L·W₁; without either it bounds nothing. In the unit of the data; unlike InfoNCE it has no cap.
    `info_nce` plus `lipschitz_penalty` is Wasserstein predictive coding. `mask`, `weight` and `nonfinite` as in
    `kullback.losses.batches`. Raises `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [ozair2019],
    [gulrajani2017].

    >>> import torch
    >>> x = torch.tensor([[1.0], [-1.0]])
    >>> g = torch.Generator().manual_seed(0)
    >>> float(wasserstein_dependency(lambda x, y: -(x - y).abs()[:, 0], x, x, generator=g, penalty=0.0))
    -2.0
    """
    check_number("penalty", penalty, zero=True)
    check_number("limit", limit)
    first, second = (_sides(name, x) for name, x in (("first", first), ("second", second)))
    n = len(first)
    if len(second) != n:
        raise ShapeError(f"`first` has {n} rows and `second` {len(second)}; expected as many")
    counts = torch.arange(n, device=first.device) if mask is None else mask.to(torch.bool).nonzero()[:, 0]
    if len(counts) < 2:
        raise InvalidInputError(f"{len(counts)} pairs count; the product of the margins needs two")
    x, y = first[counts], second[counts]
    step = torch.randint(1, len(counts), (), generator=generator, device=generator.device)
    moved = y.roll(int(step), 0)
    place = (
        torch.rand(len(counts), generator=generator, device=generator.device)
        .to(y)
        .reshape(-1, *[1] * (y.ndim - 1))
    )
    between = (moved + place * (y - moved)).detach()

    def terms(x: Tensor, y: Tensor, moved: Tensor, between: Tensor) -> Tensor:
        gap = _scored(critic, x, moved) - _scored(critic, x, y)
        return gap + penalty * _excess(critic, x, between, limit) if penalty else gap

    weight = weight if weight is None else weight[counts]
    return averaged(terms, x, y, moved, between, weight=weight, nonfinite=nonfinite)


def lipschitz_penalty(
    critic: Critic,
    first: Tensor,
    second: Tensor,
    *,
    limit: float = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""What a critic's slope is beyond its limit, $\frac1n \sum_i \max(0, |\nabla T(x_i, y_i)| - L)^2$.

    `critic` T gives a number for every row of `first` x and `second` y; the slope is towards both, in Euclidean length
    over all entries, and the rows must not depend on each other. `limit` is L; slopes below it are free, because the
    dual of W₁ asks no more. Gradients reach the critic, not x and y. Other arguments and errors as in
    `wasserstein_dependency`. Source: [gulrajani2017], [petzka2018].

    >>> import torch
    >>> x = torch.zeros(4, 1)
    >>> float(lipschitz_penalty(lambda x, y: (3 * x + 4 * y)[:, 0], x, x))  # (5 − 1)²
    16.0
    """
    check_number("limit", limit)
    x, y = (_sides(name, side) for name, side in (("first", first), ("second", second)))
    return averaged(
        lambda x, y: _excess(critic, x, y, limit), x, y, mask=mask, weight=weight, nonfinite=nonfinite
    )


def _excess(critic: Critic, x: Tensor, y: Tensor, limit: float) -> Tensor:
    with torch.enable_grad():
        sides = [side.detach().requires_grad_() for side in (x, y)]
        slopes = torch.autograd.grad(
            _scored(critic, *sides).sum(), sides, create_graph=True, materialize_grads=True
        )
        squares = sum(slope.flatten(1).square().sum(-1) for slope in slopes)
        assert isinstance(squares, Tensor)
        # the root has no slope at 0, where nothing is beyond the limit
        beyond = squares > limit**2
        return torch.where(beyond, torch.where(beyond, squares, 1.0).sqrt() - limit, 0.0).square()


def _scored(critic: Critic, x: Tensor, y: Tensor) -> Tensor:
    scores = critic(x, y)
    if tuple(scores.shape) != (len(x),):
        raise ShapeError(
            f"the critic gave shape {tuple(scores.shape)}; expected {(len(x),)}, a number for every row"
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _sides(name: str, x: Tensor) -> Tensor:
    """The side as it came, because a critic may be of its precision, where it is rows of real numbers."""
    axes = x.ndim if isinstance(x, Tensor) and x.ndim > 1 else 2
    real(name, x, axes, "(n, ...), one row an example")
    return x
