"""The training loss of two sets of logits, token by token."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.engines.chunked import PerRow, Plan, Total
from kullback.losses.engines.chunks import Engine
from kullback.losses.engines.rows import HERE
from kullback.losses.engines.sides import kept, raised, tempered
from kullback.losses.heads import Head, check_side
from kullback.losses.shards import Shard, parted
from kullback.losses.sparse import TopK, paired

Per = Literal["token", "sequence", "batch"]
NonFinite = Literal["propagate", "skip", "raise"]


def loss(
    d: Divergence,
    student: Tensor | Head | Shard,
    teacher: Tensor | Head | Shard | TopK,
    *,
    mask: Tensor | None = None,
    labels: Tensor | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    temperature: float | Tensor = 1.0,
    squared_temperature: bool = False,
    per: Per = "token",
    denominator: float | Tensor | None = None,
    nonfinite: NonFinite = "propagate",
    engine: Engine | None = None,
) -> Tensor:
    r"""The training loss $\frac1n \sum_i w_i\, D(\text{teacher}_i \| \text{student}_i)$, teacher first.

    Each side is an array of logits of shape (..., classes) or a `Head`, whose logits are made a few rows at a time; a
    teacher recorded by its largest classes is a `kullback.losses.TopK`, and where the vocabulary is divided among
    processes both sides are a `kullback.losses.Shard` or DTensors.
    Both are softened by `temperature` T, $\mathrm{softmax}(z/T)$; `squared_temperature=True` multiplies by T².
    `d.dual` is the other direction, D(student‖teacher). Gradients reach whatever requires them, teacher included, and
    can be differentiated again.

    Rows count where `mask` is true, or where `labels` differ from `ignore_index`; the others are left out before any
    arithmetic. `weight` multiplies a row's divergence. `per="token"` divides by the number of rows that count;
    `"sequence"` averages within each sequence (the last leading axis), then over the sequences that have such rows;
    `"batch"` divides the sum by the number of sequences. `denominator` replaces the last divisor, for gradients that
    accumulate over several calls or processes. With nothing to count the loss is 0.

    −inf takes a class out; half precision is computed in float32. A value is +inf where the mathematics says so, with
    the gradient of the finite part. `nonfinite` says what becomes of rows that are not finite: `"propagate"` them,
    `"skip"` them with a warning that counts them, or `"raise"` `InvalidInputError`. Returns a scalar in nats. Raises
    `ShapeError`, `DTypeError` or `InvalidInputError`. Source: [hinton2015], [csiszar1967].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> round(float(kb.loss(kb.kl, student=q, teacher=p)), 6)
    0.143841
    """
    _check(temperature, per, denominator)
    task = _Task.of(d, student, teacher, mask, labels, ignore_index, temperature, engine)
    task = task.checked(nonfinite)
    factors = task.factors(weight, per, denominator)
    if squared_temperature:
        factors = factors * temperature**2
    return Total.apply(task.plan, factors, *task.parts)


def per_token(
    d: Divergence,
    student: Tensor | Head | Shard,
    teacher: Tensor | Head | Shard | TopK,
    *,
    mask: Tensor | None = None,
    labels: Tensor | None = None,
    ignore_index: int = -100,
    temperature: float | Tensor = 1.0,
    engine: Engine | None = None,
) -> Tensor:
    r"""$D(\text{teacher}_i \| \text{student}_i)$ of every row, in the shape of the leading axes.

    Rows that do not count are 0. Arguments as in `loss`. With heads no logits are kept: the backward pass makes them
    once more, and gradients in one sweep from three numbers a row (both log-normalisers and a mean; one more where both
    sides learn, or of `renyi`), so that any function of the values can be trained at the memory of a chunk. Only of no
    more rows than hidden states have dimensions they are kept, which is quicker, unless `engine` has a budget. In nats.

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.5, 0.5]]).log(); q = torch.tensor([[0.25, 0.75]]).log()
    >>> [round(x, 6) for x in kb.per_token(kb.kl, student=q, teacher=p).tolist()]
    [0.143841]
    """
    _check(temperature, "token", None)
    task = _Task.of(d, student, teacher, mask, labels, ignore_index, temperature, engine)
    values = PerRow.apply(*task.at_once())
    return task.spread(values)


@dataclass(frozen=True)
class _Task:
    """A plan with its tensors and the shape of the tokens."""

    plan: Plan
    parts: tuple[Tensor | None, ...]
    lead: torch.Size

    @classmethod
    def of(
        cls,
        d: Divergence,
        student: Tensor | Head | Shard,
        teacher: Tensor | Head | Shard | TopK,
        mask: Tensor | None,
        labels: Tensor | None,
        ignore_index: int,
        temperature: float | Tensor,
        engine: Engine | None,
    ) -> _Task:
        mine, other, across = parted(student, teacher)
        if isinstance(temperature, Tensor):
            if isinstance(other, TopK) or across is not None:
                raise InvalidInputError(
                    "`temperature` is a tensor, whose gradient needs all classes of both sides, and the teacher is a "
                    "TopK, or other processes have some of them; pass a number"
                )
            # the temperature's own gradient goes through the tape, which needs the logits
            mine, other = (tempered(_logits(x), temperature) for x in (mine, other))
            temperature = 1.0
        lead = _lead(mine, other)
        counted = _counted(lead, mask, labels, ignore_index)
        rows = None if counted is None or bool(counted.all()) else counted.reshape(-1).nonzero()[:, 0]
        forms, parts = paired(mine, other, float(temperature), rows)
        plan = Plan(d, forms, rows, engine or Engine(), HERE if across is None else across)
        return cls(plan, parts, lead)

    @property
    def like(self) -> Tensor:
        """A tensor in the place and the precision of the values."""
        tensors = [x for x in self.parts if x is not None]
        wide = torch.float64 if torch.float64 in [x.dtype for x in tensors] else torch.float32
        return torch.empty((), dtype=wide, device=tensors[0].device)

    def at_once(self) -> tuple[Any, ...]:
        """The plan and its tensors, with the logits of few rows in place of heads."""
        plan, parts = self.plan, (self.parts[:3], self.parts[3:])
        if plan.engine.memory is None and plan.classes is HERE:
            made = kept(plan.forms, cast("Any", parts), plan.rows)
            if made is not None:
                forms, parts = made
                plan = replace(plan, forms=(forms[0], forms[1]), rows=None)
        return plan, *parts[0], *parts[1]

    def spread(self, values: Tensor) -> Tensor:
        """Values of the rows that count in the shape of the tokens, 0 elsewhere."""
        if self.plan.rows is not None:
            values = values.new_zeros(self.lead.numel()).index_copy(0, self.plan.rows, values)
        return values.reshape(self.lead)

    def checked(self, nonfinite: NonFinite) -> _Task:
        """The same without the rows that are not finite, if the policy asks for a look at them."""
        if nonfinite == "propagate":
            return self
        if nonfinite not in get_args(NonFinite):
            raise InvalidInputError(f"`nonfinite` is {nonfinite!r}; expected one of {_listed(NonFinite)}")
        with torch.no_grad():
            good = torch.isfinite(PerRow.apply(self.plan, *self.parts))
        if bool(good.all()):
            return self
        rows = torch.arange(len(good), device=good.device) if self.plan.rows is None else self.plan.rows
        bad = rows[~good]
        text = f"{len(bad)} of {len(good)} rows have a divergence that is not finite, the first is row {int(bad[0])}"
        if nonfinite == "raise":
            raise InvalidInputError(
                f"{text}; look for NaN in its logits, or a class that only one side has masked"
            )
        warnings.warn(f"{text}; they were skipped", RuntimeWarning, stacklevel=3)
        return replace(self, plan=replace(self.plan, rows=rows[good]))

    def factors(self, weight: Tensor | None, per: Per, denominator: float | Tensor | None) -> Tensor:
        """What the value of every row that counts is multiplied with."""
        rows, like, total = self.plan.rows, self.like, self.lead.numel()
        counted = like.new_ones(total) if rows is None else like.new_zeros(total).index_fill_(0, rows, 1.0)
        counted = counted.reshape(self.lead)
        if total == 0 and denominator is None:
            raise InvalidInputError(
                f"there is no token in logits of leading shape {tuple(self.lead)}; their mean does not exist: pass "
                "`denominator=`"
            )
        if per == "token":
            factors, count = counted, counted.sum()
        else:
            if len(self.lead) < 2:
                raise ShapeError(
                    f'per="{per}" needs logits of shape (..., sequences, tokens, classes); their leading shape is '
                    f"{tuple(self.lead)}"
                )
            lengths = counted.sum(-1, keepdim=True)
            factors = counted / lengths.clamp(min=1.0) if per == "sequence" else counted
            count = (lengths > 0).sum() if per == "sequence" else lengths.numel()
        factors = factors / (
            torch.clamp(torch.as_tensor(count), min=1) if denominator is None else denominator
        )
        if weight is not None:
            factors = factors * _shaped("weight", weight, self.lead).to(like.dtype)
        flat = factors.reshape(-1)
        return flat if rows is None else flat[rows]


def _logits(side: Tensor | Head) -> Tensor:
    z = side.logits() if isinstance(side, Head) else side
    return raised(z)


def _lead(student: Tensor | Head, teacher: Tensor | Head | TopK) -> torch.Size:
    """The leading shape of both sides, once both have been looked at."""
    for name, side in (("student", student), ("teacher", teacher)):
        if not (isinstance(side, TopK) and name == "teacher"):
            check_side(name, side)
    mine, other = tuple(student.shape), tuple(teacher.shape)
    if mine[-1] != other[-1]:
        raise ShapeError(
            f"the student has {mine[-1]} classes and the teacher {other[-1]}; where one is padded, bring both to one "
            "size with kullback.losses.aligned, which gives the classes that are missing the logit -inf"
        )
    if mine != other:
        raise ShapeError(f"the student's logits have shape {mine} and the teacher's {other}; they must agree")
    return torch.Size(mine[:-1])


def _counted(
    lead: torch.Size, mask: Tensor | None, labels: Tensor | None, ignore_index: int
) -> Tensor | None:
    if mask is not None and labels is not None:
        raise InvalidInputError("both `mask` and `labels` say which rows count; pass one of them")
    if labels is not None:
        return _shaped("labels", labels, lead) != ignore_index
    return None if mask is None else _shaped("mask", mask, lead).to(torch.bool)


def _shaped(name: str, x: Tensor, lead: torch.Size) -> Tensor:
    if not isinstance(x, Tensor) or x.shape != lead:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(
            f"`{name}` has shape {shape}; expected {tuple(lead)}, one entry for every row of logits"
        )
    return x


def _check(temperature: float | Tensor, per: str, denominator: float | Tensor | None) -> None:
    given = temperature.detach().reshape(-1).tolist() if isinstance(temperature, Tensor) else [temperature]
    if not all(math.isfinite(t) and t > 0 for t in given):
        raise InvalidInputError(f"`temperature` is {temperature!r}; expected a finite number above 0")
    if per not in get_args(Per):
        raise InvalidInputError(f"`per` is {per!r}; expected one of {_listed(Per)}")
    if denominator is not None and not isinstance(denominator, Tensor) and not denominator > 0:
        raise InvalidInputError(f"`denominator` is {denominator!r}; expected a number above 0")


def _listed(options: object) -> str:
    return ", ".join(map(repr, get_args(options)))
