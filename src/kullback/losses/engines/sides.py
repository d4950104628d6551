"""The two sides of a loss while it runs: what makes a chunk of logits, and where its gradient goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from kullback.losses.engines.chunks import lend, take_back
from kullback.losses.engines.rows import Slope
from kullback.losses.heads import Head

Parts = tuple[Tensor, Tensor | None, Tensor | None]  # logits, or hidden states with weight and bias


class View(Protocol):
    """Another shape in which a side shows its logits."""

    def logits(self, z: Tensor, /) -> Tensor:
        """All at once, with the tape."""
        ...

    def side(self, inner: Side, rows: Tensor | None) -> Side:
        """Chunk by chunk; `rows` are the rows that count."""
        ...


@dataclass(frozen=True)
class Form:
    """What a side is beside its tensors."""

    linear: bool
    scale: float = 1.0
    softcap: float | None = None
    temperature: float = 1.0
    product: torch.dtype | None = None  # of a head's matrix products
    view: View | None = None

    def logits(self, parts: Sequence[Any]) -> Tensor:
        """All logits at once, with the tape."""
        first, weight, bias = parts
        if self.linear:
            cast = [None if x is None else x.to(self.product) for x in (first, weight, bias)]
            first = Head(cast[0], cast[1], cast[2], self.scale, self.softcap).logits()  # type: ignore[arg-type]
        z = tempered(raised(first), self.temperature)
        return z if self.view is None else self.view.logits(z)


def taken_apart(thing: Tensor | Head, temperature: float) -> tuple[Form, Parts]:
    """The form and the tensors of what the caller passed, all leading axes in one."""
    if isinstance(thing, Head):
        hidden = thing.hidden.reshape(-1, thing.hidden.shape[-1])
        product = _product_type(hidden, thing.weight)
        return Form(True, thing.scale, thing.softcap, temperature, product), (
            hidden,
            thing.weight,
            thing.bias,
        )
    return Form(False, temperature=temperature), (thing.flatten(end_dim=-2), None, None)


def kept(
    forms: Sequence[Form], parts: Sequence[Parts], rows: Tensor | None
) -> tuple[list[Form], list[Parts]] | None:
    """Logits of the rows that count in place of heads, with the tape; `None` where they are better made twice.

    Of no more rows than a weight has columns they take no more memory than the weight's gradient.
    """
    chosen: list[Parts] = [(p[0] if rows is None else p[0][rows], *p[1:]) for p in parts]
    heads = [(f, p) for f, p in zip(forms, chosen, strict=True) if f.linear]
    if (
        not heads
        or any(f.view is not None for f in forms)
        or any(len(p[0]) > p[0].shape[1] for _, p in heads)
    ):
        return None
    with torch.autocast(chosen[0][0].device.type, enabled=False):
        made: list[Parts] = [
            (f.logits(p), None, None) if f.linear else p for f, p in zip(forms, chosen, strict=True)
        ]
    return [Form(False) if f.linear else f for f in forms], made


def raised(x: Tensor) -> Tensor:
    """In the precision that divergences are computed in: single at least."""
    return x if x.dtype == torch.float64 else x.to(torch.float32)


def tempered(z: Tensor, temperature: float | Tensor) -> Tensor:
    """Logits over the temperature; a masked class stays masked, and no derivative sees its infinity."""
    if isinstance(temperature, float):
        return z if temperature == 1.0 else z / temperature
    masked = torch.isinf(z)
    return torch.where(masked, z, torch.where(masked, 0.0, z) / temperature)


class Side(ABC):
    """Logits that come in chunks of rows; gradients towards them go back the same way."""

    needs: bool

    @abstractmethod
    def open(self, start: int, stop: int) -> None:
        """Makes the logits of these rows available."""

    @abstractmethod
    def block(self, start: int, stop: int) -> Tensor:
        """What the divergence sees of rows of the open chunk."""

    @abstractmethod
    def put(self, start: int, z: Tensor, slope: Slope) -> None:
        """Takes the gradient towards `z`, the block from row `start` of the open chunk, and may take its memory."""

    @abstractmethod
    def close(self) -> None:
        """Passes the open chunk's gradient on."""

    @abstractmethod
    def gradients(self) -> tuple[Tensor | None, ...]:
        """The gradients towards the tensors that the side is made of."""


def side(
    form: Form,
    parts: Parts,
    rows: Tensor | None,
    needs: Sequence[bool],
    most: int,
    factors: Tensor | None = None,
) -> Side:
    """The side of these parts; `rows` are the rows that count (all if `None`), `most` the rows of one chunk.

    Gradients are multiplied by `factors`, one for each row that counts (1 if `None`).
    """
    if form.linear:
        made: Side = _Linear(form, parts, rows, needs, most, factors)
    else:
        made = _Given(form, parts[0], rows, needs[0], factors)
    return made if form.view is None else form.view.side(made, rows)


class _Given(Side):
    """Logits that exist already."""

    def __init__(
        self, form: Form, logits: Tensor, rows: Tensor | None, needs: bool, factors: Tensor | None
    ) -> None:
        self.form, self.logits, self.rows, self.needs = form, logits, rows, needs
        self.factors = _columns(factors, 1.0 / form.temperature)
        # rows that do not count keep a gradient of zero
        self.gradient = torch.zeros_like(logits) if needs and rows is not None else None
        if needs and rows is None:
            self.gradient = torch.empty_like(logits)

    def open(self, start: int, stop: int) -> None:  # noqa: ARG002  (blocks are cut from the logits themselves)
        self.start = start

    def _place(self, start: int, stop: int) -> slice | Tensor:
        place = slice(self.start + start, self.start + stop)
        return place if self.rows is None else self.rows[place]

    def block(self, start: int, stop: int) -> Tensor:
        return tempered(raised(self.logits[self._place(start, stop)]), self.form.temperature)

    def put(self, start: int, z: Tensor, slope: Slope) -> None:
        assert self.gradient is not None
        assert self.factors is not None
        place, low = self._place(start, start + len(z)), self.start + start
        factors = self.factors[low : low + len(z)]
        if isinstance(place, slice) and slope.part.dtype == self.gradient.dtype:
            slope.into(self.gradient[place]).mul_(factors)
        else:
            self.gradient[place] = slope.made().mul_(factors).to(self.gradient.dtype)

    def close(self) -> None:
        pass

    def gradients(self) -> tuple[Tensor | None, ...]:
        return self.gradient, None, None


class _Linear(Side):
    """Logits of a linear head; the chunk's buffer takes their gradient, too."""

    def __init__(
        self,
        form: Form,
        parts: Parts,
        rows: Tensor | None,
        needs: Sequence[bool],
        most: int,
        factors: Tensor | None,
    ) -> None:
        hidden, weight, bias = parts
        assert weight is not None
        self.factors = _columns(factors, form.scale / form.temperature)
        self.form, self.total, self.rows, self.needs = form, len(hidden), rows, any(needs)
        kind = form.product
        self.hidden = (hidden if rows is None else hidden[rows]).to(kind)
        self.weight, self.bias = weight.to(kind), None if bias is None else bias.to(kind)
        self.lent = lend(most * len(weight), self.hidden.dtype, self.hidden.device)
        self.buffer = self.lent[: most * len(weight)].view(most, len(weight))
        self.to_hidden = torch.empty_like(self.hidden) if needs[0] else None
        # sums over all tokens are kept in single precision at least
        wide = torch.float64 if kind == torch.float64 else torch.float32
        # the first chunk writes it, if there is one
        empty = torch.empty_like if len(self.hidden) else torch.zeros_like
        self.to_weight = empty(weight, dtype=wide) if needs[1] else None
        self.to_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and needs[2] else None
        self.kinds = [None if x is None else x.dtype for x in parts]

    def open(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        raw, h = self.buffer[: stop - start], self.hidden[start:stop]
        if self.bias is None:
            torch.mm(h, self.weight.T, out=raw)
        else:
            torch.addmm(self.bias, h, self.weight.T, out=raw)

    def block(self, start: int, stop: int) -> Tensor:
        form, z = self.form, raised(self.buffer[start:stop])
        if form.scale != 1.0:
            z = z * form.scale
        if form.softcap is not None:
            z = (z / form.softcap).tanh_().mul_(form.softcap)
        return tempered(z, form.temperature)

    def put(self, start: int, z: Tensor, slope: Slope) -> None:
        form, place = self.form, self.buffer[start : start + len(z)]
        if form.softcap is None and place.dtype == slope.part.dtype:
            gradient = slope.into(place)
        else:
            gradient = slope.made()
            if form.softcap is not None:
                # the derivative of the cap, 1 − tanh², from what it made
                share = z * (form.temperature / form.softcap)
                gradient = gradient.addcmul_(gradient * share, share, value=-1.0)
            place.copy_(gradient)
        if self.to_bias is not None and self.factors is not None:
            low = self.start + start
            factors = self.factors[low : low + len(z), 0].to(gradient.dtype)
            self.to_bias += torch.mv(gradient.T, factors)

    def close(self) -> None:
        assert self.factors is not None
        place = slice(self.start, self.stop)
        made, h, factors = self.buffer[: self.stop - self.start], self.hidden[place], self.factors[place]
        # the factors of the rows are multiplied with what is narrow, not with the gradient of all classes
        if self.to_hidden is not None:
            torch.mm(made, self.weight, out=self.to_hidden[place]).mul_(factors)
        if self.to_weight is not None:
            _accumulate(self.to_weight, made.T, (h * factors).to(h.dtype), first=self.start == 0)

    def gradients(self) -> tuple[Tensor | None, ...]:
        take_back(self.lent)
        hidden = self.to_hidden
        if hidden is not None and self.rows is not None:
            hidden = hidden.new_zeros(self.total, hidden.shape[1]).index_copy_(0, self.rows, hidden)
        made = (hidden, self.to_weight, self.to_bias)
        return tuple(None if x is None else x.to(k) for x, k in zip(made, self.kinds, strict=True))


def _columns(factors: Tensor | None, constant: float) -> Tensor | None:
    return None if factors is None else factors[:, None] * constant


def _product_type(hidden: Tensor, weight: Tensor) -> torch.dtype:
    """The type of the matrix products: autocast's where it is on, else the wider of the two."""
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return torch.promote_types(hidden.dtype, weight.dtype)


def _accumulate(total: Tensor, left: Tensor, right: Tensor, *, first: bool) -> None:
    if left.dtype != total.dtype:
        product = left @ right
        total.copy_(product) if first else total.add_(product)
    elif first:
        torch.mm(left, right, out=total)
    else:
        total.addmm_(left, right)
