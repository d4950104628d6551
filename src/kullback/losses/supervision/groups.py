"""Rows that are judged by their mean: the pixels of an image, the examples of a batch, the members of a bag."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError


@dataclass(frozen=True)
class Groups:
    """n rows in G groups: the numbers of the groups, ascending, and where among them each row's is."""

    numbers: Tensor
    place: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> Groups:
        """By the number of each row's group, (n,)."""
        present, place = torch.unique(numbers, return_inverse=True)
        return cls(present, place)

    def total(self, x: Tensor) -> Tensor:
        """Sums of rows (n, ...) within their groups, (G, ...)."""
        return x.new_zeros(len(self.numbers), *x.shape[1:]).index_add(0, self.place, x)

    def mean(self, x: Tensor, *, weight: Tensor | None = None) -> Tensor:
        """Means of rows (n, ...) within their groups, (G, ...)."""
        mass = x.new_ones(len(x)) if weight is None else weight.to(x.dtype)
        share = (mass / self.total(mass)[self.place]).reshape(-1, *(1,) * (x.ndim - 1))
        return self.total(share * x)

    def log_mean(self, log_x: Tensor, *, weight: Tensor | None = None) -> Tensor:
        """The logarithm of the means of eˣ, (G, K): a class that is 0 in a whole group is -inf, without gradient."""
        index = self.place[:, None].expand_as(log_x)
        top = torch.full((len(self.numbers), log_x.shape[-1]), -math.inf).to(log_x)
        top = top.scatter_reduce(0, index, log_x.detach(), "amax")
        top = torch.where(torch.isneginf(top), 0.0, top)
        mean = self.mean((log_x - top[self.place]).exp(), weight=weight)
        nothing = mean == 0
        return torch.where(nothing, -math.inf, torch.where(nothing, 1.0, mean).log() + top)


def check_rows(name: str, x: Tensor, axes: str) -> Tensor:
    """The tensor in at least single precision, where it is one of real numbers with as many `axes` as are named."""
    told = f"({axes})"
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real numbers, {told}")
    if x.ndim != len(axes.split()):
        raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected {told}")
    return x.to(torch.promote_types(x.dtype, torch.float32))


def check_numbers(name: str, numbers: Tensor, rows: int) -> Tensor:
    """The numbers of the groups of the rows, where they are whole and one a row."""
    if not isinstance(numbers, Tensor) or numbers.is_floating_point() or numbers.dtype == torch.bool:
        got = numbers.dtype if isinstance(numbers, Tensor) else type(numbers).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of whole numbers, one for each row")
    if numbers.shape != (rows,):
        raise ShapeError(
            f"`{name}` has shape {tuple(numbers.shape)}; expected ({rows},), one number for each row"
        )
    return numbers


def check_laws(name: str, laws: Tensor, classes: int) -> Tensor:
    """Logarithms of rows of probabilities, as constants; -inf where they are 0."""
    laws = laws.detach().to(torch.promote_types(laws.dtype, torch.float32))
    if laws.ndim == 0 or laws.shape[-1] != classes:
        raise ShapeError(
            f"`{name}` has shape {tuple(laws.shape)}; expected {classes} classes on its last axis"
        )
    off = (laws.sum(-1) - 1.0).abs()
    if not bool((laws >= 0).all()) or not bool((off <= 1e-5).all()):
        raise InvalidInputError(
            f"`{name}` must be non-negative and sum to 1 over the classes; its least entry is {float(laws.min()):g}, a "
            f"sum is off by {float(off.max()):g}"
        )
    return laws.log()
