"""The examples that count, for statistics of a batch that are no mean over its examples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.losses.batches import NonFinite, counted


def usable(*parts: Tensor, mask: Tensor | None, nonfinite: NonFinite) -> tuple[Tensor, ...]:
    """The same rows of all parts: those inside the mask, and under `"skip"` only the finite ones."""
    rows = counted(_marked, *parts, mask=mask, nonfinite=nonfinite)
    return parts if len(rows) == len(parts[0]) else tuple(x[rows] for x in parts)


def _marked(*parts: Tensor) -> Tensor:
    """0 for every example that is finite in all parts, NaN for the others."""
    good = torch.stack([x.isfinite().flatten(1).all(1) for x in parts]).all(0)
    return torch.where(good, 0.0, math.nan)
