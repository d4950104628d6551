"""What the objectives on samples ask of their input, before any arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged

_HALF = (torch.float16, torch.bfloat16)


def sides(axes: int | None, **named: Tensor | None) -> tuple[Tensor, ...]:
    """The tensors that were given, of one shape with so many axes, half precision as float32."""
    given = {name: x for name, x in named.items() if x is not None}
    for name, x in given.items():
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real numbers")
    shapes = {name: tuple(x.shape) for name, x in given.items()}
    first = next(iter(shapes.values()))
    if (axes is not None and len(first) != axes) or any(shape != first for shape in shapes.values()):
        told = ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
        asked = "one number for every sample" if axes == 1 else "one number for every token in each"
        raise ShapeError(f"shapes are {told}; expected the same shape for all: {asked}")
    return tuple(x.float() if x.dtype in _HALF else x for x in given.values())


def check_generator(d: FDivergence) -> None:
    """Refuses what has no f."""
    if not isinstance(d, FDivergence):
        raise InvalidInputError(
            f"{d!r} is not an f-divergence: it has no slope f' to train samples by; use kl, js ..."
        )


def over_tokens(
    terms: Callable[..., Tensor],
    *parts: Tensor,
    mask: Tensor | None,
    weight: Tensor | None,
    nonfinite: NonFinite,
) -> Tensor:
    """The mean over tokens of any shape."""
    for name, x in (("mask", mask), ("weight", weight)):
        if x is not None and x.shape != parts[0].shape:
            raise ShapeError(
                f"`{name}` has shape {tuple(x.shape)}; expected {tuple(parts[0].shape)}, one entry for every token"
            )
    flat = [None if x is None else x.reshape(-1) for x in (mask, weight)]
    tokens = (x.reshape(-1) for x in parts)
    return averaged(terms, *tokens, mask=flat[0], weight=flat[1], nonfinite=nonfinite)
