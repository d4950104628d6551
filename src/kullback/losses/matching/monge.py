"""How much a map costs beyond the cheapest way to the same image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, MissingDependencyError, ShapeError
from kullback.losses.matching.scores import single

Cost = Callable[[Tensor, Tensor], Tensor]


def monge_gap(x: Tensor, image: Tensor, *, cost: Cost | None = None, mask: Tensor | None = None) -> Tensor:
    r"""What a map T costs beyond the cheapest transport of the same points to the same image, at least 0.

    $$\frac1n \sum_i c(x_i, T x_i) - W_c(x, T x), \qquad
    W_c = \min_{\text{permutations } \pi} \frac1n \sum_i c(x_i, T x_{\pi(i)})$$

    `x` and `image` T x have shape (n, ...), one row a point; those where `mask` is true count. `cost` maps points of
    shapes that broadcast, (n, 1, ...) and (1, n, ...), to costs (n, n); by default it is ‖x − y‖², and then
    gradients of convex functions, and only they, have gap 0 in the limit of all points. The plan is exact, without
    entropy, by POT on the host, in n² memory, and the gap of an optimal map is exactly 0. Gradients reach both
    arguments, with the plan held, which makes them exact (the envelope theorem); of two plans that cost the same one is
    taken. In the unit of the cost.

    Raises `MissingDependencyError` without POT (`kullback[transport]`), `ShapeError`, and `InvalidInputError` for
    points that are not finite or for none. Source: [uscidda2023].

    >>> import torch
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> float(monge_gap(x, 1 - x)), float(monge_gap(x, x + 5))  # two points changed places: (1 + 1)/2 − 0
    (1.0, 0.0)
    """
    x, image = (single(z if mask is None else z[mask]) for z in _checked(x, image, mask))
    n = len(x)
    if n == 0:
        raise InvalidInputError("there is no point, and the mean cost of none does not exist")
    if cost is None:  # a shift of either side changes nothing but the rounding
        cost, x, image = _squared_distance, x - x.mean(0), image - image.mean(0)
    costs = cost(x[:, None], image[None])
    if tuple(costs.shape) != (n, n):
        raise ShapeError(f"`cost` gave shape {tuple(costs.shape)}; expected ({n}, {n})")
    if not bool(torch.isfinite(costs).all()):
        raise InvalidInputError(
            "some costs are not finite; look for NaN or infinite points, or mask them out"
        )
    own = torch.eye(n, dtype=costs.dtype, device=costs.device)
    return ((own - _plan(costs)) * costs).sum() / n


def _squared_distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().flatten(2).sum(-1)


def _plan(costs: Tensor) -> Tensor:
    """The cheapest permutation, as a matrix: masses of 1 keep the plan in whole numbers."""
    try:
        import ot
    except ImportError:
        raise MissingDependencyError(
            "the cheapest transport is computed by POT, which is not installed: pip install 'kullback[transport]'"
        ) from None
    matrix = costs.detach().double().cpu().numpy()
    ones = torch.ones(len(costs), dtype=torch.float64).numpy()
    return torch.as_tensor(ot.emd(ones, ones, matrix)).to(costs)


def _checked(x: Tensor, image: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    if x.ndim < 2 or x.shape != image.shape:
        raise ShapeError(
            f"shapes are {tuple(x.shape)} and {tuple(image.shape)}; expected (n, ...) for the points and their images"
        )
    if mask is not None and tuple(mask.shape) != (len(x),):
        raise ShapeError(f"`mask` has shape {tuple(mask.shape)}; expected ({len(x)},)")
    return x, image
