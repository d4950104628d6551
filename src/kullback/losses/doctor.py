"""A look at a loss before a training run: the common mistakes by name, with what was seen and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import Any, Literal

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence, kl
from kullback.errors import DTypeError, KullbackError
from kullback.losses.heads import Head
from kullback.losses.mistakes import CHECKS, Asked, Case, Finding, Wanted, sampled
from kullback.losses.shards import refuse_shards
from kullback.losses.token import per_token

_WIDTH = 79
_AIMS = {"coverage": "cover all that the teacher does", "modes": "keep to what the teacher does most"}


@dataclass(frozen=True, repr=False)
class Checkup:
    r"""What `check_loss` found, printed on lines of 79 columns; `ok` where it found nothing.

    `to_student` is the mean of $D(\text{teacher} \| \text{student})$ over the rows that count and `to_teacher` that of
    the other direction, in nats, NaN where they cannot be computed. `aim` says what the first makes of a student:
    `"coverage"` where mass that it lacks costs more than mass that it has in excess, `"modes"` where it is the other
    way round, `None` where neither costs more or nobody knows.

    >>> import torch, kullback as kb
    >>> kb.check_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])).aim
    'coverage'
    """

    d: Divergence
    findings: tuple[Finding, ...]
    rows: int
    counted: int
    to_student: float
    to_teacher: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def aim(self) -> Wanted | None:
        """What the divergence makes of a student."""
        return aim(self.d)

    def __str__(self) -> str:
        aims = f", which makes a student {_AIMS[self.aim]}" if self.aim else ""
        lines = [
            _wrapped(f"D(teacher‖student) = {self.to_student:.4g} nats by {self.d!r}{aims}"),
            f"D(student‖teacher) = {self.to_teacher:.4g} nats, on {self.counted} of {self.rows} rows",
        ]
        if not self.counted:
            lines = [f"{self.d!r} of student and teacher has no value"]
        lines += [
            _wrapped(f"{i}. {f.name}: {f.seen}. {f.remedy}.", 3) for i, f in enumerate(self.findings, 1)
        ]
        return "\n".join([*lines, "nothing was found"] if self.ok else lines)

    __repr__ = __str__


def check_loss(
    student: Tensor | Head,
    teacher: Tensor | Head,
    *,
    d: Divergence = kl,
    mask: Tensor | None = None,
    labels: Tensor | None = None,
    ignore_index: int = -100,
    temperature: float = 1.0,
    squared_temperature: bool = False,
    wanted: Literal["coverage", "modes"] | None = None,
    value: float | Tensor | None = None,
    teacher_learns: bool = False,
) -> Checkup:
    r"""The common mistakes in what is about to be passed to `loss`, found on one batch before a training run.

    Named are: what `loss` would refuse (vocabularies, shapes, types), no row that counts, NaN and overflow, rows
    of infinite divergence, probabilities where logits are meant, log-probabilities that are softened again, padding
    that counts, labels that are no classes, padded vocabularies, student and teacher equal, gradients to the teacher,
    logits too coarse for their difference, and a temperature whose gradients shrink with its square.

    `wanted` is what the student should become: one that covers all that the teacher does (`"coverage"`, as
    $D(\text{teacher} \| \text{student})$ of KL makes it), or one that keeps to the teacher's `"modes"` (as KL's other
    direction does). `value` is a number that another implementation of the loss gave for the batch: a direction
    swapped, a mean over classes, `batchmean` of three axes, rows that should not count and a missing T² are recognised.
    `teacher_learns=True` says that its gradients are meant. The other arguments are as in `loss`.

    Costs a few passes over the logits without gradients. Raises nothing that it can name. Source: [hinton2015].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([[0.9, 0.1]]); q = torch.tensor([[0.25, 0.75]])
    >>> [finding.name for finding in kb.check_loss(student=q, teacher=p.log()).findings]
    ['probabilities']
    """
    options = {"mask": mask, "labels": labels, "ignore_index": ignore_index, "temperature": temperature}
    sides = student, teacher
    with torch.no_grad():
        try:
            rows, back = _both_ways(d, sides, options)
        except KullbackError as error:
            found = Finding("refused", str(error).rstrip("."), "Nothing else was looked at")
            return Checkup(d, (found,), 0, 0, float("nan"), float("nan"))
        counted = _counted(rows, mask, labels, ignore_index)
        asked = Asked(wanted, aim(d), None if value is None else float(value), teacher_learns)
        case = Case(
            d,
            sides,
            (sampled(student, counted), sampled(teacher, counted)),
            counted,
            (rows, back),
            labels,
            ignore_index,
            asked,
            temperature,
            squared_temperature,
        )
        findings = tuple(finding for check in CHECKS for finding in check(case))
    means = [float(x[counted].double().mean()) for x in (rows, back)]
    return Checkup(d, findings, counted.numel(), int(counted.sum()), *means)


def aim(d: Divergence) -> Wanted | None:
    """What costs more without bound or at the bound: classes that the student lacks, or those it has in excess."""
    if not isinstance(d, FDivergence) or d.at_infinity == d.at_zero:
        return None
    return "coverage" if d.at_infinity > d.at_zero else "modes"


def _both_ways(d: Divergence, sides: tuple[Any, Any], options: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """D(teacher‖student) and D(student‖teacher), which is the same noun with its arguments swapped."""
    refuse_shards("check_loss", student=sides[0], teacher=sides[1])
    for name, side in zip(("student", "teacher"), sides, strict=True):
        if not isinstance(side, (Tensor, Head)):
            raise DTypeError(
                f"`{name}` is a {type(side).__name__}; check_loss looks at all classes: pass logits or a Head"
            )
    return per_token(d, *sides, **options), per_token(d, *sides[::-1], **options)


def _counted(rows: Tensor, mask: Tensor | None, labels: Tensor | None, ignore_index: int) -> Tensor:
    if labels is not None:
        return labels != ignore_index
    return torch.ones_like(rows, dtype=torch.bool) if mask is None else mask.to(torch.bool)


def _wrapped(text: str, indent: int = 0) -> str:
    return fill(text, _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
