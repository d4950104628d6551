"""What the objectives of contrast ask of their input, before any arithmetic."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError


def check_number(name: str, value: float, *, zero: bool = False) -> None:
    """Refuses what is not a finite number above 0, or from 0 on."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (value == 0 and not zero):
        raise InvalidInputError(
            f"`{name}` is {value!r}; expected a finite number {'of at least 0' if zero else 'above 0'}"
        )


def check_temperature(temperature: float | Tensor) -> None:
    """Refuses what is not a number above 0; a temperature that is trained is a tensor without axes."""
    if not isinstance(temperature, Tensor):
        check_number("temperature", temperature)
    elif temperature.numel() != 1:
        raise ShapeError(f"`temperature` has shape {tuple(temperature.shape)}; expected one number")
    else:
        check_number("temperature", temperature.item())


def real(name: str, x: Tensor, axes: int, told: str) -> Tensor:
    """The tensor in at least single precision, where it is one of real numbers with so many axes."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real numbers")
    if x.ndim != axes or x.numel() == 0:
        raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected {told}")
    return x.to(torch.promote_types(x.dtype, torch.float32))


def states(first: tuple[str, Tensor], second: tuple[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Two sides of one shape (n, width), in at least single precision."""
    x, y = (real(name, side, 2, "(n, width), one row an example") for name, side in (first, second))
    if x.shape != y.shape:
        raise ShapeError(
            f"`{first[0]}` has shape {tuple(x.shape)} and `{second[0]}` {tuple(y.shape)}; expected the same for both"
        )
    return x, y
