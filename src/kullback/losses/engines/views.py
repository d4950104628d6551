"""Other shapes of a side: a few of its columns and the sum of the rest, or a few columns spread over all classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from kullback.losses.engines.rows import Slope
from kullback.losses.engines.sides import Side


@dataclass(frozen=True, eq=False)
class Gathered:
    r"""The named columns of wide logits and, unless it is left out, the log-sum-exp of the others as one more.

    `ids` has shape (rows, k). The id `classes` names a class that does not exist: its logit is −inf.
    """

    ids: Tensor
    classes: int
    rest: bool
    holes: bool  # whether some ids are `classes`

    def logits(self, z: Tensor) -> Tensor:
        """Shape (rows, k) or (rows, k + 1), with the tape."""
        wide = self.widened(z)
        kept = wide.gather(-1, self.ids)
        if not self.rest:
            return kept
        return torch.cat([kept, _log_sum_exp(wide.scatter(-1, self.ids, -math.inf))], -1)

    def side(self, inner: Side, rows: Tensor | None) -> Side:
        """The same chunk by chunk."""
        return _Narrow(inner, self, rows)

    def widened(self, z: Tensor) -> Tensor:
        """With a column for the class that does not exist, where some id names it."""
        return pad(z, (0, 1), value=-math.inf) if self.holes else z


@dataclass(frozen=True, eq=False)
class Scattered:
    """Narrow logits, of the named classes and of any other one, as logits of all classes; `ids` as above."""

    ids: Tensor
    classes: int

    def logits(self, narrow: Tensor) -> Tensor:
        """Shape (rows, classes)."""
        return self.spread(narrow, self.ids)

    def side(self, inner: Side, rows: Tensor | None) -> Side:
        """The same chunk by chunk."""
        return _Wide(inner, self, rows)

    def spread(self, narrow: Tensor, ids: Tensor) -> Tensor:
        """The rows that `ids` belong to."""
        wide = narrow[:, -1:].expand(-1, self.classes + 1)
        return wide.scatter(-1, ids, narrow[:, :-1])[:, :-1]


class _Narrow(Side):
    """A wide side that shows its few columns; gradients reach the classes of the rest by their shares of it."""

    def __init__(self, inner: Side, view: Gathered, rows: Tensor | None) -> None:
        self.inner, self.view, self.needs = inner, view, inner.needs
        self.ids = view.ids if rows is None else view.ids[rows]

    def open(self, start: int, stop: int) -> None:
        self.start = start
        self.inner.open(start, stop)

    def block(self, start: int, stop: int) -> Tensor:
        self.wide = self.inner.block(start, stop)
        z, ids = self.view.widened(self.wide), self._ids(start, stop)
        kept = z.gather(-1, ids)
        if not self.view.rest:
            return kept
        outside = z.scatter(-1, ids, -math.inf)
        top = outside.amax(-1, keepdim=True)
        nothing = torch.isneginf(top)
        self.shares = torch.softmax(outside, -1).masked_fill_(nothing, 0.0)
        total = torch.where(nothing, top, top - self.shares.amax(-1, keepdim=True).log())
        return torch.cat([kept, total], -1)

    def put(self, start: int, z: Tensor, slope: Slope) -> None:  # noqa: ARG002  (the wide ones)
        gradient = slope.made()
        ids, classes = self._ids(start, start + len(gradient)), self.view.classes
        if self.view.rest:
            wide, gradient = self.shares * gradient[:, -1:], gradient[:, :-1]
        else:
            wide = gradient.new_zeros(len(gradient), classes + self.view.holes)
        wide.scatter_(-1, ids, gradient)
        self.inner.put(start, self.wide, Slope(wide[:, :classes]))

    def close(self) -> None:
        self.inner.close()

    def gradients(self) -> tuple[Tensor | None, ...]:
        return self.inner.gradients()

    def _ids(self, start: int, stop: int) -> Tensor:
        return self.ids[self.start + start : self.start + stop]


class _Wide(Side):
    """A narrow side, without gradients, that shows all classes."""

    needs = False

    def __init__(self, inner: Side, view: Scattered, rows: Tensor | None) -> None:
        self.inner, self.view = inner, view
        self.ids = view.ids if rows is None else view.ids[rows]

    def open(self, start: int, stop: int) -> None:
        self.start = start
        self.inner.open(start, stop)

    def block(self, start: int, stop: int) -> Tensor:
        return self.view.spread(
            self.inner.block(start, stop), self.ids[self.start + start : self.start + stop]
        )

    def put(self, start: int, z: Tensor, slope: Slope) -> None:  # noqa: ARG002
        raise AssertionError("a stored teacher has no gradient")

    def close(self) -> None:
        self.inner.close()

    def gradients(self) -> tuple[Tensor | None, ...]:
        return self.inner.gradients()


def _log_sum_exp(x: Tensor) -> Tensor:
    """Over the last axis, kept; −inf where nothing is finite, without a NaN in any derivative."""
    nothing = torch.isneginf(x).all(-1, keepdim=True)
    total = torch.where(nothing, 0.0, x).logsumexp(-1, keepdim=True)
    return torch.where(nothing, -math.inf, total)
