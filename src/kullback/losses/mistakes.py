"""The common mistakes with a loss, one function each: a case in, what was found out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence
from kullback.losses.engines.sides import raised
from kullback.losses.heads import Head
from kullback.losses.token import per_token

Wanted = Literal["coverage", "modes"]

_ELEMENTS = 1 << 24  # logits of one side that are looked at one by one
_ALIKE = 1e-3  # relative difference below which two losses are the same number


class Finding(NamedTuple):
    """A mistake by its name, what was seen, and what to do.

    >>> Finding("padding", "3 rows are constant", "pass `mask`").name
    'padding'
    """

    name: str
    seen: str
    remedy: str


Found = Iterator[Finding]


class Asked(NamedTuple):
    """What the caller says about the loss, and the aim that the divergence has."""

    wanted: Wanted | None
    aim: Wanted | None
    value: float | None
    teacher_learns: bool


@dataclass(frozen=True)
class Case:
    """A loss that is to be looked at; pairs are student and teacher, or D(teacher‖student) and D(student‖teacher)."""

    d: Divergence
    sides: tuple[Tensor | Head, Tensor | Head]
    logits: tuple[Tensor, Tensor]  # of some rows that count
    counted: Tensor
    values: tuple[Tensor, Tensor]  # 0 where a row does not count
    labels: Tensor | None
    ignore_index: int
    asked: Asked
    temperature: float
    squared_temperature: bool

    @property
    def named(self) -> tuple[tuple[str, Tensor], tuple[str, Tensor]]:
        """The logits with the names of their sides."""
        return ("student", self.logits[0]), ("teacher", self.logits[1])

    @property
    def usable(self) -> bool:
        """Whether there are rows, and finite numbers in them."""
        return bool(self.counted.any()) and all(bool(torch.isfinite(z).any()) for z in self.logits)


def sampled(side: Tensor | Head, counted: Tensor) -> Tensor:
    """Logits of rows that count, evenly spaced if there are too many of them; single precision at least."""
    rows = counted.reshape(-1).nonzero()[:, 0]
    most = max(2, _ELEMENTS // max(1, side.shape[-1]))
    rows = rows[:: -(-len(rows) // most) or 1]
    if isinstance(side, Head):
        hidden = side.hidden.reshape(-1, side.hidden.shape[-1])[rows]
        side = Head(hidden.to(side.weight.dtype), side.weight, side.bias, side.scale, side.softcap).logits()
        return raised(side)
    return raised(side.reshape(-1, side.shape[-1])[rows])


def nothing_counts(case: Case) -> Found:
    """No row counts, which is no error in a loop and no training either."""
    if not bool(case.counted.any()):
        yield Finding(
            "everything masked",
            f"none of {case.counted.numel()} rows counts, so that the loss is 0 whatever the student does",
            "Look at `mask` (true where a row counts), or at `labels` and `ignore_index`",
        )


def not_finite(case: Case) -> Found:
    """NaN and +inf in the logits, and divergences that are infinite."""
    for name, z in case.named:
        bad = torch.isnan(z) | (z == math.inf)
        rows = bad.any(-1) | (z == -math.inf).all(-1)
        if bool(rows.any()):
            half = _kind(case.sides[name == "teacher"]) == torch.float16
            cause = "float16 ends at 65504: use bfloat16 or float32 in the model's last layer" if half else ""
            yield Finding(
                "not finite",
                f"{int(rows.sum())} of {len(z)} rows of the {name} have NaN, +inf, or no class above -inf",
                cause or 'Mend the model, or leave such rows out by `mask` or `nonfinite="skip"`',
            )
    infinite = int((case.values[0] == math.inf).sum())
    if infinite:
        yield Finding(
            "infinite rows",
            f"{infinite} rows have D(teacher‖student) = inf: one side masks a class that the other uses",
            "Mask the same classes on both sides, or take a bounded divergence such as js",
        )


def probabilities(case: Case) -> Found:
    """Rows that sum to 1, read as logits: the loss of two nearly flat distributions."""
    for name, z in case.named if case.usable else ():
        close = (z.sum(-1) - 1).abs() < 1e-2
        if bool((z >= 0).all()) and bool(close.all()):
            yield Finding(
                "probabilities",
                f"every row of the {name} is non-negative and sums to 1",
                f"Pass logits; if these are probabilities, {name}.log() are logits of theirs",
            )


def softened_twice(case: Case) -> Found:
    """Normalised log-probabilities under a temperature, which may have been there before."""
    if case.temperature == 1.0 or not case.usable:
        return
    for name, z in case.named:
        if bool((z.logsumexp(-1).abs() < 1e-3).all()):
            yield Finding(
                "log-probabilities",
                f"the {name} is normalised, and a temperature of {case.temperature:g} softens it",
                "Right if they are of temperature 1; if they were softened already, pass temperature=1",
            )


def padding(case: Case) -> Found:
    """Rows without information, or repeated, that count."""
    if not case.usable:
        return
    flat = [(z.amax(-1) == z.amin(-1)) & torch.isfinite(z[:, 0]) for z in case.logits]
    rows = int((flat[0] | flat[1]).sum())
    if rows and case.logits[0].shape[-1] > 1:
        yield Finding(
            "padding",
            f"{rows} of {len(flat[0])} rows that count have the same logit for every class",
            "If they are padding, leave them out by `mask` or by `labels` with `ignore_index`",
        )
    again = [(z[1:] == z[:-1]).all(-1) for z in case.logits]
    rows = int((again[0] & again[1] & ~(flat[0] | flat[1])[1:]).sum())
    if rows:
        yield Finding(
            "repeated rows",
            f"{rows} rows that count repeat the row before them, on both sides",
            "If they are padding, leave them out by `mask` or by `labels` with `ignore_index`",
        )


def labels_that_are_no_classes(case: Case) -> Found:
    """Labels outside the classes that do not take their rows out."""
    if case.labels is None:
        return
    classes = case.logits[0].shape[-1]
    odd = case.counted & ((case.labels < 0) | (case.labels >= classes))
    if bool(odd.any()):
        shown = ", ".join(str(int(x)) for x in case.labels[odd].unique()[:3])
        yield Finding(
            "labels",
            f"{int(odd.sum())} labels are no class of {classes} ({shown}), and their rows count",
            f"Rows are left out where the label is `ignore_index`, which is {case.ignore_index} here",
        )


def padded_vocabulary(case: Case) -> Found:
    """Trailing classes with one logit in every row, on one side or both."""
    if not case.usable or len(case.logits[0]) < 2:
        return
    for name, z in case.named:
        same = (z == z[:1, -1:]).all(0).flip(0)
        tail = int(same.long().cumprod(0).sum())
        mass = float(torch.softmax(z, -1)[:, z.shape[-1] - tail :].sum(-1).mean()) if tail else 0.0
        if 0 < tail < z.shape[-1] and mass > 0:
            yield Finding(
                "padded vocabulary",
                f"the last {tail} of {z.shape[-1]} logits of the {name} are {float(z[0, -1]):g} in every "
                f"row and have a mass of {mass:.2g}",
                "If no token stands there, cut them off on both sides or set them to -inf on both",
            )


def equal(case: Case) -> Found:
    """One model, twice."""
    if case.usable and torch.equal(*case.logits):
        yield Finding(
            "student is teacher",
            "both have the same logits, so that loss and gradient are 0",
            "Look whether one model, or one of its outputs, was passed twice",
        )


def gradients(case: Case) -> Found:
    """Who learns."""
    student, teacher = (any(x.requires_grad for x in _tensors(side)) for side in case.sides)
    if teacher and not student:
        yield Finding(
            "sides swapped",
            "the teacher requires a gradient and the student does not",
            "Pass the model that learns as `student`",
        )
    elif teacher and not case.asked.teacher_learns:
        yield Finding(
            "teacher learns",
            "the teacher requires a gradient, which it gets and which costs time and memory",
            "Run it under torch.no_grad(), or say teacher_learns=True",
        )


def coarse(case: Case) -> Found:
    """Rounded logits: the divergence that rounding alone makes, ½ f''(1) E[(rounding of the gap)²]."""
    kinds = [_kind(side) for side in case.sides]
    scale = case.d.curvature_at_one if isinstance(case.d, FDivergence) else 1.0
    if not case.usable or not scale or max(torch.finfo(k).eps for k in kinds) < 1e-3:
        return
    noise = torch.zeros(())
    for z, kind in zip(case.logits, kinds, strict=True):
        steps = (torch.where(torch.isfinite(z), z, 0.0) / case.temperature).abs() * torch.finfo(kind).eps
        noise = noise + (torch.softmax(z / case.temperature, -1) * steps.square()).sum(-1).mean() / 24
    seen, expected = float(case.values[0][case.counted].mean()), scale * float(noise)
    if 0 < seen < 2 * expected:
        yield Finding(
            "half precision",
            f"the divergence, {seen:.2g}, is of the size that rounding of the logits makes, {expected:.2g}",
            "Compute the logits in float32: no loss can see below what they are rounded to",
        )


def temperature_alone(case: Case) -> Found:
    """Softening by T makes gradients smaller by T²."""
    if case.temperature != 1.0 and not case.squared_temperature:
        share = case.temperature**-2
        yield Finding(
            "temperature without T²",
            f"at T = {case.temperature:g} gradients are about {share:.2g} of what they are at T = 1",
            "Pass squared_temperature=True, or weigh the loss by hand",
        )


def direction(case: Case) -> Found:
    """The side on which the divergence errs, and the one that is wanted."""
    if case.asked.wanted and case.asked.aim and case.asked.wanted != case.asked.aim:
        yield Finding(
            "direction",
            f"{case.d!r} as D(teacher‖student) makes for {case.asked.aim}, and {case.asked.wanted} is wanted",
            f"Take the other direction, d.dual, which is {getattr(case.d, 'dual', None)!r}",
        )


def other_value(case: Case) -> Found:
    """A number from elsewhere, held against this loss and what becomes of it by the usual slips."""
    if case.asked.value is None or not case.usable:
        return
    known = list(_readings(case))
    if not math.isfinite(known[0][1]) or _alike(case.asked.value, known[0][1]):
        return
    for reading, number, remedy in known[1:]:
        if _alike(case.asked.value, number):
            yield Finding(
                "value", f"{case.asked.value:.5g} is {reading}; the loss is {known[0][1]:.5g}", remedy
            )
            return
    yield Finding(
        "value",
        f"{case.asked.value:.5g} is not the loss, {known[0][1]:.5g}, nor one of {len(known) - 1} usual slips of it",
        "Compare the two row by row, with kb.per_token",
    )


def _readings(case: Case) -> Iterator[tuple[str, float, str]]:
    """What the loss may have become: words, number, remedy; the loss itself first."""
    counted, rows = int(case.counted.sum()), case.counted.numel()
    classes = case.logits[0].shape[-1]
    totals = [float(v.double().sum()) for v in case.values]
    squared = case.temperature**2
    scales = [("", 1.0), (" times T²", squared)]
    if case.squared_temperature:
        scales = [("", squared), (" without T²", 1.0)]
    for way, total in zip(("D(teacher‖student)", "D(student‖teacher)"), totals, strict=True):
        swapped = "Swap the arguments. " if total is totals[1] else ""
        for words, scale in scales:
            for divisor, name, remedy in (
                (counted, "a row", ""),
                (counted * classes, "a row and a class", 'reduction="mean" divides by the classes, too'),
                (rows * classes, "a row, masked or not, and a class", "Divide by the rows that count"),
                (case.counted.shape[0], "an entry of the first axis", '"batchmean" divides by that axis'),
                (1, "in all", "Divide by the number of rows that count"),
                (rows, "a row, masked or not", "Divide by the rows that count"),
            ):
                said = swapped + remedy or "Say squared_temperature as it is meant"
                yield f"{way} {name}{words}", total * scale / divisor, said.rstrip(". ")
    yield "D(teacher‖student) a row in bits", totals[0] / counted / math.log(2), "Multiply by log 2"
    student, teacher = case.sides
    every = per_token(case.d, student, teacher, temperature=case.temperature).double()
    yield "the mean of all rows, masked ones too", float(every.mean()), "Leave masked rows out of the sum"
    p = torch.softmax(case.logits[1] / case.temperature, -1)
    cross = -torch.xlogy(p, torch.softmax(case.logits[0] / case.temperature, -1)).sum(-1).mean()
    yield (
        "the cross-entropy",
        float(cross),
        "It has the teacher's entropy in it, and is not 0 where they agree",
    )


def _alike(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_ALIKE)


def _tensors(side: Tensor | Head) -> list[Tensor]:
    parts = [side.hidden, side.weight, side.bias] if isinstance(side, Head) else [side]
    return [x for x in parts if x is not None]


def _kind(side: Tensor | Head) -> torch.dtype:
    return _tensors(side)[0].dtype


CHECKS: tuple[Callable[[Case], Found], ...] = (
    nothing_counts,
    not_finite,
    probabilities,
    softened_twice,
    padding,
    labels_that_are_no_classes,
    padded_vocabulary,
    equal,
    gradients,
    coarse,
    temperature_alone,
    direction,
    other_value,
)
