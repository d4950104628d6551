"""A teacher of whom the largest classes of every token are known, and what becomes of the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.engines.sides import Form, Parts, raised, taken_apart
from kullback.losses.engines.views import Gathered, Scattered
from kullback.losses.heads import Head

# how far above 1 the known masses may sum, by the bits of what was stored
_TOLERANCE = {64: 1e-6, 32: 1e-4, 16: 2**-5}


class Rest(Enum):
    """What is made of the classes that a `TopK` teacher does not name; m is the mass of those that it does."""

    BUCKET = "bucket"
    """One class on both sides, of mass 1 − m and of the student's sum: never above the divergence of all classes."""
    CONDITIONAL = "conditional"
    """Left out on both sides, each renormalised on the named classes: blind to what the student puts elsewhere."""
    TRUNCATED = "truncated"
    """Without mass in the teacher, who is divided by m; the student, whole, pays for what it puts there."""
    UNIFORM = "uniform"
    """The mass 1 − m spread evenly over them in the teacher; the student whole."""


@dataclass(frozen=True, eq=False)
class TopK:
    r"""A teacher known by the k largest classes of every token, to stand where `loss` takes a teacher's logits.

    `ids` has shape (..., k) with class numbers below `vocabulary`, `log_probs` the logarithms of their probabilities
    among all classes; a row with fewer has an id of −1 or a log-probability of −inf in the places left over. `log_tail`
    of shape (...), the logarithm of the mass of all other classes, keeps its digits if it was recorded; without it, it
    is log(1 − Σ p), computed in double precision; where rounding has brought Σ p above 1 the tail is empty, and the
    named masses are divided by their sum. `rest` says how the unnamed classes are compared. By default they are one
    class of both sides: the loss is a divergence, at least 0 and by data processing at most that of all classes,

    $$D\big((p_1, \dots, p_k, 1 - \textstyle\sum p) \,\|\, (q_1, \dots, q_k, 1 - \sum q)\big).$$

    `temperature` is the one that the log-probabilities were recorded at. A loss at another one needs $p^{1/T}$ of
    classes that nobody recorded: it is exact for every `rest` but the bucket, which refuses it (see `bracket`).

    Raises `InvalidInputError`, `ShapeError` or `DTypeError`. Source: [csiszar1967].

    >>> import torch, kullback as kb
    >>> from kullback.losses import TopK
    >>> teacher = TopK(torch.tensor([[0]]), torch.tensor([[0.5]]).log(), vocabulary=3)
    >>> student = torch.tensor([[0.25, 0.5, 0.25]]).log()
    >>> round(float(kb.loss(kb.kl, student, teacher)), 6)  # of (1/2, 1/2) from (1/4, 3/4)
    0.143841
    """

    ids: Tensor
    log_probs: Tensor
    vocabulary: int
    log_tail: Tensor | None = None
    rest: Rest = Rest.BUCKET
    temperature: float = 1.0

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_values(self)

    @classmethod
    def of_logits(cls, logits: Tensor, k: int, *, rest: Rest = Rest.BUCKET, temperature: float = 1.0) -> TopK:
        r"""The k largest classes of $\mathrm{softmax}(z / T)$, with the mass of the others to all its digits.

        `logits` has shape (..., classes). A constant: gradients do not pass. Raises `InvalidInputError`.

        >>> import torch
        >>> TopK.of_logits(torch.tensor([[0.2, 0.7, 0.1]]).log(), 1).ids.tolist()
        [[1]]
        """
        if not 1 <= k <= logits.shape[-1]:
            raise InvalidInputError(f"k is {k}; expected 1 to {logits.shape[-1]}, the number of classes")
        log_p = torch.log_softmax(raised(logits.detach()) / temperature, -1)
        values, ids = log_p.topk(k, -1)
        tail = log_p.scatter(-1, ids, -math.inf).logsumexp(-1)
        return cls(ids, values, logits.shape[-1], tail, rest, temperature)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the logits that this stands for."""
        return (*self.ids.shape[:-1], self.vocabulary)

    @property
    def captured(self) -> Tensor:
        """The probability of the named classes of every token, shape (...)."""
        return self._known().exp().sum(-1).to(raised(self.log_probs).dtype)

    def __getitem__(self, place: Any) -> TopK:
        """Some of the tokens, by an index into the leading axes."""
        tail = None if self.log_tail is None else self.log_tail[place]
        return replace(self, ids=self.ids[place], log_probs=self.log_probs[place], log_tail=tail)

    def to(self, device: torch.device | str) -> TopK:
        """The same on another device."""
        tail = None if self.log_tail is None else self.log_tail.to(device)
        return replace(self, ids=self.ids.to(device), log_probs=self.log_probs.to(device), log_tail=tail)

    @property
    def holes(self) -> Tensor:
        """Where a row names no class, shape (..., k)."""
        return (self.ids < 0) | torch.isneginf(self.log_probs)

    def tail(self) -> Tensor:
        """The logarithm of the mass of the classes that are not named, in double precision, shape (...)."""
        if self.log_tail is not None:
            tail = self.log_tail.double()
        else:
            # the largest mass is what 1 cancels with, and 1 - e^x is exact in its logarithm
            known = self._known().sort(-1, descending=True).values
            mass = -known[..., 0].expm1() - known[..., 1:].exp().sum(-1)
            # below 0 by rounding alone: the named masses are then divided by their sum
            tail = torch.clamp(mass, min=0.0).log()
        return torch.where(self._others() == 0, -math.inf, tail)

    def _known(self) -> Tensor:
        return self.log_probs.double().masked_fill(self.holes, -math.inf)

    def _others(self) -> Tensor:
        """How many classes are not named, shape (...)."""
        return self.vocabulary - (~self.holes).sum(-1)

    def _seen(self, temperature: float) -> tuple[Gathered | None, Form, Tensor]:
        """How the student is to be looked at, and this teacher's form and logits of as many classes."""
        softer = temperature / self.temperature
        holes = self.holes
        ids = torch.where(holes, self.vocabulary, self.ids).reshape(-1, self.ids.shape[-1]).long()
        known = self._known()
        gathered = Gathered(ids, self.vocabulary, self.rest is not Rest.CONDITIONAL, bool(holes.any()))
        form, view = Form(linear=False, temperature=softer), gathered
        if self.rest is Rest.CONDITIONAL:
            narrow = known
        elif self.rest is Rest.TRUNCATED:
            narrow = torch.cat([known, torch.full_like(known[..., :1], -math.inf)], -1)
        else:
            tail = self.tail()
            if self.rest is Rest.UNIFORM:
                form, view = replace(form, view=Scattered(ids, self.vocabulary)), None
                tail = tail - self._others().clamp(min=1).double().log()
            elif softer != 1.0:
                raise InvalidInputError(
                    f"the teacher was recorded at temperature {self.temperature:g} and the loss is at {temperature:g}: "
                    "the mass of its rest is not known there; pass rest=Rest.CONDITIONAL, TRUNCATED or UNIFORM, or "
                    "record it at that temperature (kullback.losses.bracket tells how much is open)"
                )
            narrow = torch.cat([known, tail[..., None]], -1)
        return view, form, narrow.reshape(-1, narrow.shape[-1]).to(raised(self.log_probs).dtype)


def paired(
    student: Tensor | Head, teacher: Tensor | Head | TopK, temperature: float, rows: Tensor | None
) -> tuple[tuple[Form, Form], tuple[Tensor | None, ...]]:
    """Forms and tensors of the two sides, shown in the same classes; `rows` are the rows that count."""
    mine, parts = taken_apart(student, temperature)
    if isinstance(teacher, TopK):
        if teacher.ids.device != parts[0].device:
            raise InvalidInputError(
                f"the teacher is on {teacher.ids.device} and the student on {parts[0].device}; pass teacher.to(...)"
            )
        _check_support(teacher, rows)
        view, form, narrow = teacher._seen(temperature)
        others: Parts = (narrow, None, None)
        return (replace(mine, view=view), form), (*parts, *others)
    form, others = taken_apart(teacher, temperature)
    return (mine, form), (*parts, *others)


def _check_support(x: TopK, rows: Tensor | None) -> None:
    if x.rest not in (Rest.CONDITIONAL, Rest.TRUNCATED):
        return
    empty = x.holes.all(-1).reshape(-1)
    if bool((empty if rows is None else empty[rows]).any()):
        raise InvalidInputError(
            f"a row of the teacher names no class, and {x.rest} has nothing to renormalise there; mask it, or use "
            "Rest.BUCKET"
        )


def _check_kinds(x: TopK) -> None:
    for name, tensor in (("ids", x.ids), ("log_probs", x.log_probs), ("log_tail", x.log_tail)):
        if not isinstance(tensor, Tensor):
            if name == "log_tail" and tensor is None:
                continue
            raise DTypeError(f"`{name}` is a {type(tensor).__name__}; expected a torch tensor")
        whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)
        if whole != (name == "ids") or tensor.is_complex() or tensor.dtype == torch.bool:
            wanted = "whole numbers" if name == "ids" else "real numbers"
            raise DTypeError(f"`{name}` has dtype {tensor.dtype}; expected {wanted}")
        if tensor.requires_grad:
            raise InvalidInputError(
                f"`{name}` requires a gradient, and a recorded teacher has none: pass its logits, or detach it"
            )
    ids, log_probs = tuple(x.ids.shape), tuple(x.log_probs.shape)
    if ids != log_probs or len(ids) < 2 or ids[-1] == 0:
        raise ShapeError(
            f"`ids` has shape {ids} and `log_probs` {log_probs}; expected (..., k) of both, with a leading axis"
        )
    if x.log_tail is not None and tuple(x.log_tail.shape) != ids[:-1]:
        raise ShapeError(
            f"`log_tail` has shape {tuple(x.log_tail.shape)}; expected {ids[:-1]}, one for every token"
        )
    if not isinstance(x.rest, Rest):
        raise InvalidInputError(f"`rest` is {x.rest!r}; expected one of {', '.join(map(str, Rest))}")
    if not (math.isfinite(x.temperature) and x.temperature > 0):
        raise InvalidInputError(f"`temperature` is {x.temperature!r}; expected a finite number above 0")


def _check_values(x: TopK) -> None:
    if x.ids.numel() == 0:
        return
    ids = x.ids.long()
    if int(ids.max()) >= x.vocabulary or int(ids.min()) < -1:
        raise InvalidInputError(
            f"`ids` lie between {int(ids.min())} and {int(ids.max())}; expected class numbers below the vocabulary of "
            f"{x.vocabulary}, or -1 for none: was the teacher's tokenizer another one?"
        )
    ordered = torch.where(x.holes, -1, ids).sort(-1).values
    if bool(((ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)).any()):
        raise InvalidInputError("`ids` names a class twice in one row; each class has one probability")
    if bool(torch.isnan(x.log_probs).any()):
        raise InvalidInputError("`log_probs` has NaN entries; a place that is left over has -inf")
    bits = x.log_probs.element_size() * 8
    most = float(x._known().exp().sum(-1).max())
    if most > 1 + _TOLERANCE[max(bits, 16)]:
        raise InvalidInputError(
            f"the named classes of a row have probability {most:.6g}, above 1; `log_probs` are logarithms of "
            "probabilities among all classes (log_softmax of the logits), not logits or probabilities"
        )
    if x.log_tail is not None and bool((~(x.log_tail <= 1e-3)).any()):
        raise InvalidInputError("`log_tail` has entries above 0 or NaN; it is the logarithm of a probability")
