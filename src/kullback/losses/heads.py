"""Where logits come from: an array of them, or a linear head that makes them a few rows at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError


@dataclass(frozen=True, eq=False)
class Head:
    r"""Logits that are never all in memory: $z = s\,(h W^\top + b)$, soft-capped to $c \tanh(z / c)$ if asked.

    `hidden` has shape (..., width), `weight` (classes, width) and `bias` (classes,); `scale` is s and `softcap` c, as
    in models that scale or cap their logits. In a loss it stands for logits of shape (..., classes): they are made,
    compared and turned into gradients chunk by chunk. A tensor that needs no gradient gets none and costs none, so a
    frozen head is one whose `weight` does not require grad.

    Raises `ShapeError` or `InvalidInputError`.

    >>> import torch, kullback as kb
    >>> kb.Head(torch.zeros(2, 5, 8), torch.zeros(100, 8)).shape
    (2, 5, 100)
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None

    def __post_init__(self) -> None:
        h, w = tuple(self.hidden.shape), tuple(self.weight.shape)
        if len(w) != 2 or len(h) < 2 or h[-1] != w[-1]:
            raise ShapeError(
                f"hidden states of shape {h} do not fit a weight of shape {w}; expected (..., width) and "
                "(classes, width)"
            )
        if self.bias is not None and tuple(self.bias.shape) != w[:1]:
            raise ShapeError(
                f"`bias` has shape {tuple(self.bias.shape)}; expected ({w[0]},), one for every class"
            )
        if not math.isfinite(self.scale) or self.scale == 0:
            raise InvalidInputError(f"`scale` is {self.scale!r}; expected a finite number that is not 0")
        if self.softcap is not None and not (math.isfinite(self.softcap) and self.softcap > 0):
            raise InvalidInputError(
                f"`softcap` is {self.softcap!r}; expected a positive number, or None for no cap"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the logits that this stands for."""
        return (*self.hidden.shape[:-1], self.weight.shape[0])

    def logits(self) -> Tensor:
        """All of the logits at once, for a look at a few rows or for derivatives of derivatives.

        >>> import torch, kullback as kb
        >>> kb.Head(torch.ones(1, 2), torch.ones(3, 2), scale=0.5).logits().tolist()
        [[1.0, 1.0, 1.0]]
        """
        z = self.hidden @ self.weight.T
        z = self.scale * (z if self.bias is None else z + self.bias)
        return z if self.softcap is None else self.softcap * (z / self.softcap).tanh()


def check_side(name: str, side: object) -> None:
    """Refuses what is neither real logits of shape (..., classes) nor a `Head`."""
    if not isinstance(side, (Tensor, Head)):
        raise DTypeError(f"`{name}` is a {type(side).__name__}; expected a torch tensor of logits or a Head")
    kind = side.hidden.dtype if isinstance(side, Head) else side.dtype
    if not kind.is_floating_point:
        raise DTypeError(f"`{name}` has dtype {kind}; logits are real numbers: convert them to float")
    if len(side.shape) < 2:
        raise ShapeError(
            f"`{name}` has shape {tuple(side.shape)}; expected (..., classes) with a leading axis"
        )
