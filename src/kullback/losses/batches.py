"""The mean of an objective over the examples of a batch: what counts, what is not finite, and what is done about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError

NonFinite = Literal["propagate", "skip", "raise"]


def averaged(
    terms: Callable[..., Tensor],
    *parts: Tensor,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The mean $\frac1n \sum_i w_i\, \text{terms}(\text{parts})_i$ over the n examples that count.

    `parts` have one entry an example on their first axis, and `terms` makes one number of each. Examples outside
    `mask` are left out before the arithmetic, so that nothing in them reaches a value or a gradient; with none left
    the mean is 0. `weight` multiplies. `nonfinite` says what becomes of examples whose number is not finite:
    `"propagate"` them, `"skip"` them with a warning that counts them (the others are computed again without them,
    because a product with 0 does not stop a NaN on its way back), or `"raise"` `InvalidInputError`. Raises
    `ShapeError` where axes disagree, and `InvalidInputError` for an empty batch, which has no mean.

    >>> import torch
    >>> float(averaged(torch.log, torch.tensor([1.0, 0.0]), mask=torch.tensor([True, False])))
    0.0
    """
    n = _examples(parts, mask, weight)
    if mask is None and nonfinite == "propagate":  # none is left out
        values = terms(*parts)
        return (values if weight is None else values * weight).mean()
    rows = _finite(terms, parts, _inside(mask, parts[0]), nonfinite)
    if len(rows) == 0:
        return sum((part[:0].sum() for part in parts if part.is_floating_point()), parts[0].new_zeros(()))
    values = terms(*_of(parts, rows))
    if weight is not None:
        values = values * (weight if len(rows) == n else weight[rows])
    return values.mean()


def counted(
    terms: Callable[..., Tensor],
    *parts: Tensor,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The numbers i of the examples that count, those of $\text{terms}(\text{parts})_i$ whose mean `averaged` takes.

    For objectives in which examples meet before any mean is taken. Arguments and errors as there.

    >>> import torch
    >>> counted(torch.log, torch.tensor([1.0, 0.0, 2.0]), mask=torch.tensor([True, False, True])).tolist()
    [0, 2]
    """
    _examples(parts, mask, None)
    return _finite(terms, parts, _inside(mask, parts[0]), nonfinite)


def _inside(mask: Tensor | None, like: Tensor) -> Tensor:
    if mask is not None and not bool(mask.all()):
        return mask.nonzero()[:, 0]
    return torch.arange(len(like), device=like.device)


def _of(parts: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
    return parts if len(rows) == len(parts[0]) else tuple(part[rows] for part in parts)


def _finite(
    terms: Callable[..., Tensor], parts: tuple[Tensor, ...], rows: Tensor, nonfinite: NonFinite
) -> Tensor:
    """The rows that stay, once the policy has looked at their numbers."""
    if nonfinite not in get_args(NonFinite):
        raise InvalidInputError(
            f"`nonfinite` is {nonfinite!r}; expected one of {', '.join(map(repr, get_args(NonFinite)))}"
        )
    if nonfinite == "propagate" or len(rows) == 0:
        return rows
    with torch.no_grad():
        good = torch.isfinite(terms(*_of(parts, rows)))
    if bool(good.all()):
        return rows
    bad = rows[~good]
    text = f"{len(bad)} of {len(rows)} examples are not finite, the first is number {int(bad[0])}"
    if nonfinite == "raise":
        raise InvalidInputError(f"{text}; look for NaN or an infinite log-probability, or mask them out")
    warnings.warn(f"{text}; they were skipped", RuntimeWarning, stacklevel=4)
    return rows[good]


def _examples(parts: tuple[Tensor, ...], mask: Tensor | None, weight: Tensor | None) -> int:
    named = [*((f"part {i}", part) for i, part in enumerate(parts)), ("`mask`", mask), ("`weight`", weight)]
    n = len(parts[0]) if parts[0].ndim else 0
    for name, x in named:
        if x is not None and (x.ndim == 0 or len(x) != n):
            raise ShapeError(f"{name} has shape {tuple(x.shape)}; expected {n} examples on its first axis")
    if n == 0:
        raise InvalidInputError("there is no example, and the mean of none does not exist")
    return n
