"""The examples that count, for statistics of a batch that are no mean over its examples."""

from __future__ import annotations

import warnings
from typing import get_args

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite


def usable(*parts: Tensor, mask: Tensor | None, nonfinite: NonFinite) -> tuple[Tensor, ...]:
    """The same rows of all parts: those inside the mask, and under `"skip"` only the finite ones."""
    if nonfinite not in get_args(NonFinite):
        raise InvalidInputError(
            f"`nonfinite` is {nonfinite!r}; expected one of {', '.join(map(repr, get_args(NonFinite)))}"
        )
    n = len(parts[0])
    if mask is not None and tuple(mask.shape) != (n,):
        raise ShapeError(f"`mask` has shape {tuple(mask.shape)}; expected {(n,)}, an entry for every example")
    if mask is not None:
        parts = tuple(x[mask.to(torch.bool)] for x in parts)
    if nonfinite == "propagate":
        return parts
    good = torch.stack([x.detach().flatten(1).isfinite().all(1) for x in parts]).all(0)
    if bool(good.all()):
        return parts
    text = f"{int((~good).sum())} of {len(good)} examples are not finite, the first that counts is number "
    text += str(int((~good).nonzero()[0, 0]))
    if nonfinite == "raise":
        raise InvalidInputError(f"{text}; look for NaN in the states, or mask them out")
    warnings.warn(f"{text}; they were skipped", RuntimeWarning, stacklevel=4)
    return tuple(x[good] for x in parts)
