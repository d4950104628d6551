"""Two vocabularies side by side: padded ones brought to one size, different ones to the classes that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.engines.sides import raised
from kullback.losses.heads import Head
from kullback.losses.sparse import TopK

Side = Tensor | Head | TopK


def aligned(student: Tensor | Head, teacher: Side) -> tuple[Tensor | Head, Side]:
    r"""Both sides with the classes of the larger one; those that the smaller lacks get the logit $z_v = -\infty$.

    For one tokenizer whose logits were padded to different sizes: the first classes of both mean the same. Logits of
    shape (..., classes) are padded. A `Head` gets rows of zeros in its weight, which is copied, and a bias of −inf; one
    with a soft cap or a negative scale would make a finite logit of that: it raises `InvalidInputError`, and the other
    side is to be cut, `head.weight[:classes]`. A `TopK` teacher changes its number of classes alone.

    Where the student is the smaller one and the teacher has mass beyond it, divergences that forbid that (kl) are +inf.
    Raises `DTypeError`. Source: [hinton2015].

    >>> import torch
    >>> [x.tolist() for x in aligned(torch.zeros(1, 2), torch.zeros(1, 3))]
    [[[0.0, 0.0, -inf]], [[0.0, 0.0, 0.0]]]
    """
    for name, side in (("student", student), ("teacher", teacher)):
        if not isinstance(side, Side):
            raise DTypeError(
                f"`{name}` is a {type(side).__name__}; expected logits, a Head or a TopK teacher"
            )
    classes = max(student.shape[-1], teacher.shape[-1])
    return _widened(student, classes), _widened(teacher, classes)


def _widened(side: Any, classes: int) -> Any:
    missing = classes - side.shape[-1]
    if missing == 0:
        return side
    if isinstance(side, Tensor):
        return pad(side, (0, missing), value=-math.inf)
    if isinstance(side, TopK):
        return replace(side, vocabulary=classes)
    if side.softcap is not None or side.scale < 0:
        raise InvalidInputError(
            f"a Head with {'a soft cap' if side.softcap is not None else 'a negative scale'} gives no class the logit "
            f"-inf; cut the other side to {side.shape[-1]} classes, for a Head by weight[:{side.shape[-1]}]"
        )
    bias = side.weight.new_zeros(side.shape[-1]) if side.bias is None else side.bias
    return replace(
        side, weight=pad(side.weight, (0, 0, 0, missing)), bias=pad(bias, (0, missing), value=-math.inf)
    )


@dataclass(frozen=True, eq=False)
class _Channel:
    """Where the mass of every class goes: edges from a class to a shared one, and the logarithms of their shares."""

    sources: Tensor
    targets: Tensor
    log_shares: Tensor

    def carry(self, z: Tensor, classes: int) -> Tensor:
        """Logits of the shared classes, each the log-sum-exp of what arrives."""
        sources, targets, shares = (x.to(z.device) for x in (self.sources, self.targets, self.log_shares))
        moved = z[..., sources] + shares.to(z.dtype)
        shape = (*z.shape[:-1], classes)
        top = z.new_full(shape, -math.inf).scatter_reduce(
            -1, targets.expand(moved.shape), moved.detach(), "amax"
        )
        top = torch.where(torch.isneginf(top), 0.0, top)
        total = z.new_zeros(shape).index_add(-1, targets, (moved - top[..., targets]).exp())
        empty = total == 0
        return torch.where(empty, -math.inf, top + torch.where(empty, 1.0, total).log())


class VocabularyMap:
    r"""What two tokenizers have in common, as the classes on which their distributions can be compared.

    `mapping` sends a class of the teacher to the student's of the same meaning, or to several, which take equal shares.
    The shared classes are those of the student that something is sent to, in the order of their numbers; the last one,
    `rest`, takes the mass of all others, of either side. What is sent to one class is added up:

    $$p_c = \sum_{t \to c} w_{tc}\, p_t$$

    A divergence of what the two maps give is at least 0; what it cannot see is how either side divides its rest.
    `teacher` and `student` are the two numbers of classes. Raises `InvalidInputError`. Source: [csiszar1967].

    >>> import torch, kullback as kb
    >>> shared = VocabularyMap({0: 1, 2: 1}, teacher=3, student=2)  # 0 and 2 mean the student's 1; 1 means nothing
    >>> shared.of_teacher(torch.tensor([[0.2, 0.5, 0.3]]).log()).exp()
    tensor([[0.5000, 0.5000]])
    """

    def __init__(self, mapping: Mapping[int, int | Sequence[int]], *, teacher: int, student: int) -> None:
        sent = {source: _listed(source, to) for source, to in mapping.items()}
        reached = sorted({c for to in sent.values() for c in to})
        for name, numbers, classes in (("teacher", sent, teacher), ("student", reached, student)):
            wrong = [c for c in numbers if not 0 <= c < classes]
            if wrong:
                raise InvalidInputError(
                    f"`mapping` names the {name}'s class {wrong[0]}, of {classes} classes"
                )
        place = {c: i for i, c in enumerate(reached)}
        self.shared, self.rest, self.classes = tuple(reached), len(reached), len(reached) + 1
        self.sizes = {"teacher": teacher, "student": student}
        edges = [
            (source, place[c], -math.log(len(to))) for source, to in sorted(sent.items()) for c in to
        ] + [(source, self.rest, 0.0) for source in range(teacher) if source not in sent]
        sources, targets, shares = zip(*edges, strict=True)
        self._teacher = _Channel(
            torch.tensor(sources), torch.tensor(targets), torch.tensor(shares, dtype=torch.float64)
        )
        own = torch.tensor([place.get(c, self.rest) for c in range(student)])
        self._student = _Channel(torch.arange(student), own, torch.zeros(student))

    @classmethod
    def of_tokens(
        cls,
        teacher_tokens: Mapping[str, int],
        student_tokens: Mapping[str, int],
        *,
        teacher: int,
        student: int,
    ) -> VocabularyMap:
        """Equal strings mean the same, as in two tokenizers' `get_vocab()`; the sizes are those of the logits.

        >>> VocabularyMap.of_tokens({"a": 0, "b": 1}, {"b": 0, "c": 1}, teacher=2, student=2).shared
        (0,)
        """
        pairs = {i: student_tokens[token] for token, i in teacher_tokens.items() if token in student_tokens}
        return cls(pairs, teacher=teacher, student=student)

    def __repr__(self) -> str:
        sizes = self.sizes
        return f"VocabularyMap({sizes['teacher']} and {sizes['student']} classes, {len(self.shared)} shared and a rest)"

    def of_teacher(self, logits: Tensor | Head) -> Tensor:
        """The teacher's logits as logits of the shared classes and the rest, shape (..., `classes`).

        >>> VocabularyMap({0: [0, 1]}, teacher=1, student=2).of_teacher(torch.zeros(1, 1)).exp()
        tensor([[0.5000, 0.5000, 0.0000]])
        """
        return self._carried("teacher", self._teacher, logits)

    def of_student(self, logits: Tensor | Head) -> Tensor:
        """The student's logits as logits of the shared classes and the rest; gradients pass.

        >>> VocabularyMap({0: 1}, teacher=1, student=3).of_student(torch.zeros(1, 3)).exp()
        tensor([[1., 2.]])
        """
        return self._carried("student", self._student, logits)

    def _carried(self, name: str, channel: _Channel, logits: Tensor | Head) -> Tensor:
        if not isinstance(logits, (Tensor, Head)):
            raise DTypeError(
                f"`{name}` is a {type(logits).__name__}; expected logits or a Head: classes that a TopK does not "
                "name cannot be sent anywhere"
            )
        if logits.shape[-1] != self.sizes[name]:
            raise ShapeError(
                f"the {name}'s logits have shape {tuple(logits.shape)}; this map is from {self.sizes[name]} classes"
            )
        return channel.carry(raised(logits.logits() if isinstance(logits, Head) else logits), self.classes)


def _listed(source: int, to: int | Sequence[int]) -> tuple[int, ...]:
    found = (to,) if isinstance(to, int) else tuple(to)
    if not found or len(set(found)) < len(found):
        raise InvalidInputError(
            f"`mapping` sends class {source} to {to!r}; expected one or more different classes, or leave it out"
        )
    return found
