"""What the objectives of the bottleneck ask of their input, before any arithmetic."""

from __future__ import annotations

import math

from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.engines.sides import raised


def check_number(name: str, value: float, *, zero: bool = False) -> None:
    """Refuses what is not a finite number above 0, or from 0 on."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not real or value < 0 or (value == 0 and not zero):
        raise InvalidInputError(
            f"`{name}` is {value!r}; expected a finite number {'of at least 0' if zero else 'above 0'}"
        )


def rows(name: str, x: Tensor, *, n: int | None = None) -> Tensor:
    """Numbers (n, width) in at least single precision, one row an example."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real numbers")
    if x.ndim != 2 or x.numel() == 0 or (n is not None and len(x) != n):
        told = "(n, width), one row an example" if n is None else f"({n}, width), a row for every example"
        raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected {told}")
    return raised(x)


def one_each(name: str, x: Tensor, n: int) -> Tensor:
    """One number an example, in at least single precision."""
    if x.shape != (n,):
        raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected ({n},), one number an example")
    return raised(x)


def counted(x: Tensor, mask: Tensor | None) -> Tensor:
    """The rows that count; the others are left out before any arithmetic."""
    if mask is None:
        return x
    if mask.ndim != 1 or len(mask) != len(x):
        raise ShapeError(f"`mask` has shape {tuple(mask.shape)}; expected ({len(x)},), one entry an example")
    return x[mask.bool()]
