"""Means over the rows that count, for losses that are not the divergence of two rows of logits alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kullback.errors import DTypeError, ShapeError


def kept(lead: Sequence[int], *masks: Tensor | None) -> Tensor:
    """Which rows count, shape of the leading axes: those where every mask is true."""
    known = [x for x in masks if x is not None]
    for x in known:
        if tuple(x.shape) != tuple(lead):
            raise ShapeError(
                f"a mask or labels of shape {tuple(x.shape)}; expected {tuple(lead)}, one entry for every row of logits"
            )
    if not known:
        return torch.ones(tuple(lead), dtype=torch.bool)
    return torch.stack([x.to(torch.bool) for x in known]).all(0)


def averaged(values: Tensor, denominator: float | Tensor | None) -> Tensor:
    """The sum of the values over their number or over `denominator`; 0 where there is none."""
    return values.sum() / (max(1, values.numel()) if denominator is None else denominator)


def check_logits(student: Tensor, teacher: Tensor) -> None:
    """Refuses what is not two arrays of logits of one shape."""
    for name, side in (("student", student), ("teacher", teacher)):
        if not isinstance(side, Tensor) or not side.is_floating_point():
            got = side.dtype if isinstance(side, Tensor) else type(side).__name__
            raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real logits")
        if side.ndim < 2:
            raise ShapeError(
                f"`{name}` has shape {tuple(side.shape)}; expected (..., classes) with a leading axis"
            )
    if student.shape != teacher.shape:
        raise ShapeError(
            f"the student's logits have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}; "
            "they must agree"
        )
