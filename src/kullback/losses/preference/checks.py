"""What the objectives on preferences ask of their input, before any arithmetic."""

from __future__ import annotations

import math

from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError


def check_coefficient(name: str, value: float, *, zero: bool = False) -> None:
    """Refuses what is not a finite number above 0, or from 0 on."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (value == 0 and not zero):
        least = "of at least 0" if zero else "above 0"
        raise InvalidInputError(f"`{name}` is {value!r}; expected a finite number {least}")


def check_rate(name: str, value: float) -> None:
    """Refuses what is not a share below one half."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 0.5:
        raise InvalidInputError(f"`{name}` is {value!r}; expected a share from 0 to below 0.5")


def check_same(sides: dict[str, Tensor], *, axes: int = 1) -> int:
    """The number of examples, where all sides are tensors of one shape with so many axes."""
    for name, x in sides.items():
        if not isinstance(x, Tensor):
            raise DTypeError(f"`{name}` is {type(x).__name__}; expected a torch tensor")
    shapes = {name: tuple(x.shape) for name, x in sides.items()}
    first = next(iter(shapes.values()))
    if len(first) != axes or any(shape != first for shape in shapes.values()):
        told = ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
        asked = "one number for every answer" if axes == 1 else "(answers, tokens)"
        raise ShapeError(f"shapes are {told}; expected the same shape for all: {asked}")
    return first[0]
