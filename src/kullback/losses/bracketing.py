"""Between which two numbers the divergence from a teacher lies of whom the largest classes are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from kullback.divergences import Divergence, FDivergence
from kullback.divergences.renyi import Bhattacharyya, Renyi
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses.engines.chunks import block_rows
from kullback.losses.engines.sides import tempered
from kullback.losses.engines.views import Gathered
from kullback.losses.heads import Head
from kullback.losses.sparse import TopK

_STEPS = 60  # of a search that keeps two thirds each: the tail's mass to eleven digits


@dataclass(frozen=True, eq=False)
class Bracket:
    r"""The two ends of what the divergence of all classes can be, $L \le D \le U$, and the mass that is known.

    All of shape (...), one entry a token, in double precision. Source: [csiszar1967].

    >>> import torch, kullback as kb
    >>> teacher = TopK(torch.tensor([[0]]), torch.tensor([[0.5]]).log(), vocabulary=2)
    >>> round(float(bracket(kb.kl, torch.tensor([[0.25, 0.75]]).log(), teacher).high[0]), 6)
    0.143841
    """

    low: Tensor
    high: Tensor
    captured: Tensor


def bracket(
    d: Divergence, student: Tensor | Head, teacher: TopK, *, temperature: float | None = None
) -> Bracket:
    r"""The least and the greatest $D(\text{teacher}_i \| \text{student}_i)$ that fit the classes of `teacher`.

    Below, all other classes are one: no division of the tail brings the divergence under it. Above, D is convex in that
    division, so that its largest value stands at a corner: the classes that the student finds least likely take the
    tail, none more than the smallest class that is known, because those are the largest ones. It is +inf where such a
    class has no mass in the student and D no limit there.

    At a `temperature` other than the recorded one (the default) the tail's mass is itself known between two numbers: in
    one heap, and evenly spread. Both ends then stand for all masses in between, and above one class takes it all.

    `student` has shape (..., classes). No gradient. For f-divergences and their monotone maps (Rényi); others raise
    `UnsupportedPairError`. Raises `ShapeError`, `InvalidInputError`. Source: [csiszar1967].

    >>> import torch, kullback as kb
    >>> student = torch.tensor([[0.5, 0.375, 0.125]]).log()
    >>> teacher = TopK(torch.tensor([[0]]), torch.tensor([[0.75]]).log(), vocabulary=3)
    >>> found = bracket(kb.total_variation, student, teacher)
    >>> [round(float(x[0]), 6) for x in (found.low, found.high)]  # 3/4 against 1/2; and 1/4 against 1/8
    [0.25, 0.375]
    """
    if not isinstance(d, (FDivergence, Renyi, Bhattacharyya)):
        raise UnsupportedPairError(
            f"{d.name} may grow when classes are put together, so that a few of them bound nothing; an f-divergence or "
            "a Rényi divergence does not"
        )
    if tuple(student.shape) != teacher.shape:
        raise ShapeError(
            f"the student's logits have shape {tuple(student.shape)} and the teacher's {teacher.shape}"
        )
    at = teacher.temperature if temperature is None else temperature
    if not (math.isfinite(at) and at > 0):
        raise InvalidInputError(f"`temperature` is {at!r}; expected a finite number above 0")
    with torch.no_grad():
        known = _Known.of(teacher, at)
        lead, step = teacher.shape[:-1], block_rows(teacher.vocabulary, teacher.ids.device)
        ends = [
            _ends(d, z, known.rows(start, start + len(z)), teacher.vocabulary)
            for start, z in _blocks(student, at, step)
        ]
        low, high = (torch.cat(x).reshape(lead) for x in zip(*ends, strict=True))
        return Bracket(low, high, teacher.captured.double())


@dataclass(frozen=True, eq=False)
class _Known:
    """What the recorded classes say at the temperature of the question, in rows."""

    ids: Tensor  # (rows, k), one past the last class for none
    shares: Tensor  # logarithms of the masses among the known classes
    cap: Tensor  # what one unknown class can have at most
    tail: tuple[Tensor, Tensor]  # the ends of what the unknown ones can have together
    others: Tensor  # how many they are

    @classmethod
    def of(cls, teacher: TopK, temperature: float) -> _Known:
        holes = teacher.holes.reshape(-1, teacher.ids.shape[-1])
        logs = teacher.log_probs.double().reshape(holes.shape).masked_fill(holes, -math.inf)
        ids = torch.where(holes, teacher.vocabulary, teacher.ids.reshape(holes.shape)).long()
        least = torch.where(holes, 0.0, logs).amin(-1)  # 0 for a row that knows nothing
        others = teacher.vocabulary - (~holes).sum(-1)
        tail = teacher.tail().reshape(-1)
        _check_largest(tail, least, others)
        power = teacher.temperature / temperature
        shares = torch.where(holes, -math.inf, power * logs).log_softmax(-1).nan_to_num(nan=-math.inf)
        if power == 1.0:
            return cls(ids, shares, least.exp(), (tail.exp(), tail.exp()), others)
        # in units of the smallest known class: so many of its size hold the tail
        n = (tail - least).exp()
        heaps = n.floor() + (n - n.floor()) ** power
        even = others * (n / others.clamp(min=1)) ** power
        named = (power * (logs - least[:, None])).exp().sum(-1)
        ends = heaps / (named + heaps), even / (named + even)
        return cls(ids, shares, torch.ones_like(least), ends, others)

    def rows(self, start: int, stop: int) -> _Known:
        """Some of the rows."""
        cut = slice(start, stop)
        return _Known(
            self.ids[cut],
            self.shares[cut],
            self.cap[cut],
            (self.tail[0][cut], self.tail[1][cut]),
            self.others[cut],
        )

    def logits(self, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of the known masses and of the tail, where that has the mass `tail`."""
        return self.shares + (-tail).log1p()[:, None], tail.log()[:, None]


def _check_largest(tail: Tensor, least: Tensor, others: Tensor) -> None:
    room = least + others.clamp(min=1).log()
    wrong = (tail > room + 0.1) & ~torch.isneginf(tail)  # a tenth more than rounding in storage makes of it
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0, 0])
        raise InvalidInputError(
            f"the unnamed classes of row {row} have mass {float(tail[row].exp()):.3g}, more than {int(others[row])} "
            f"classes hold that are no larger than the smallest named one, {float(least[row].exp()):.3g}: these are "
            "not the teacher's largest"
        )


def _blocks(student: Tensor | Head, temperature: float, step: int) -> Iterator[tuple[int, Tensor]]:
    """First row and double-precision logits of a few rows at a time."""
    first = student.hidden if isinstance(student, Head) else student
    flat = first.reshape(-1, first.shape[-1])
    for start in range(0, len(flat), step):
        rows = flat[start : start + step]
        z = replace(student, hidden=rows).logits() if isinstance(student, Head) else rows
        yield start, tempered(z.double(), float(temperature))


def _ends(d: Divergence, z: Tensor, known: _Known, classes: int) -> tuple[Tensor, Tensor]:
    narrow = Gathered(known.ids, classes, rest=True, holes=True).logits(z)

    def together(tail: Tensor) -> Tensor:
        return d._on_logits(torch.cat(known.logits(tail), -1), narrow)

    high = torch.maximum(*(_worst(d, z, known, tail) for tail in known.tail))
    return _least(together, *known.tail), high


def _least(value: Callable[[Tensor], Tensor], start: Tensor, end: Tensor) -> Tensor:
    """The least of a convex function between two points, by rows."""
    if bool((start == end).all()):
        return value(start)
    for _ in range(_STEPS):
        third = (end - start) / 3
        left, right = start + third, end - third
        falls = value(left) > value(right)
        start, end = torch.where(falls, left, start), torch.where(falls, end, right)
    return value(0.5 * (start + end))


def _worst(d: Divergence, z: Tensor, known: _Known, tail: Tensor) -> Tensor:
    """D with the tail on the classes that the student finds least likely, each filled up to the cap."""
    classes = z.shape[-1]
    named, _ = known.logits(tail)
    cap = torch.maximum(known.cap, tail / known.others.clamp(min=1))[:, None]
    open_to = pad(z, (0, 1)).scatter(-1, known.ids, math.inf)[:, :classes]
    order = open_to.argsort(-1)
    place = torch.arange(classes, device=z.device)
    filled = (tail[:, None] - cap * place).clamp(min=0.0).minimum(cap)
    filled = torch.where(place < known.others[:, None], filled, 0.0)
    wide = pad(torch.zeros_like(z).scatter(-1, order, filled.log()), (0, 1))
    return d._on_logits(wide.scatter(-1, known.ids, named)[:, :classes], z)
