"""The loop over chunks of rows: values and gradients in one pass, for logits that exist and for heads alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.errors import InvalidInputError
from kullback.losses.engines.again import Slopes, again, left
from kullback.losses.engines.chunks import Engine
from kullback.losses.engines.parallel import fingerprint
from kullback.losses.engines.rows import HERE, Classes, Rows, rows
from kullback.losses.engines.sides import Form, Parts, Side, side


@dataclass(frozen=True)
class Plan:
    """What is to be computed, beside the tensors."""

    d: Divergence
    forms: tuple[Form, Form]  # student, teacher
    rows: Tensor | None  # the rows that count, all if None
    engine: Engine
    classes: Classes = HERE

    def same(self, needs: Sequence[Sequence[bool]], parts: tuple[Parts, Parts]) -> dict[str, int]:
        """What processes that share the classes have to agree on."""
        options = [(f.linear, f.scale, f.softcap, f.temperature) for f in self.forms]
        return {
            "the divergence, its direction or how logits are scaled": fingerprint(self.d, options),
            "the types of the tensors": fingerprint(
                [str(x.dtype) for part in parts for x in part if x is not None]
            ),
            "which tensors require a gradient": fingerprint([list(n) for n in needs]),
            "how many rows there are": len(parts[0][0]),
            "which rows count": -1 if self.rows is None else crc32(self.rows.cpu().numpy().tobytes()),
        }


class Made(NamedTuple):
    """Values of the rows that count, what is left of these, and gradients towards the six tensors."""

    values: Tensor
    numbers: list[Tensor]
    gradients: tuple[Tensor | None, ...]


def run(
    plan: Plan,
    parts: tuple[Parts, Parts],
    needs: Sequence[bool],
    factors: Tensor | None,
    numbers: Sequence[Tensor] | None = None,
) -> Made:
    """Values, and where `factors` are given the gradients of Σ factor × value; `needs` goes with the six tensors.

    Without factors, what is left for a second pass; from these `numbers` it makes gradients alone.
    """
    first = parts[0][0]
    count = len(first) if plan.rows is None else len(plan.rows)
    wanted = (needs[:3], needs[3:]) if factors is not None else ([False] * 3,) * 2
    sides, most, step = _opened(plan, parts, wanted, factors, count)
    asked, later = (any(wanted[0]), any(wanted[1])), (any(needs[:3]), any(needs[3:]))
    found: list[tuple[Tensor, list[Tensor]]] = []
    for start in range(0, count, most):
        stop = min(start + most, count)
        for each in sides:
            each.open(start, stop)
        for low in range(0, stop - start, step):
            high = min(low + step, stop - start)
            blocks = [each.block(low, high) for each in sides]
            if numbers is None:
                made = _first(plan, blocks, asked)
                found.append((made.value, left(plan.d, made, later) if factors is None else []))
                slopes = made.slopes
            else:
                slopes = _second(plan, blocks, asked, [x[start + low : start + high] for x in numbers])
            for each, z, gradient in zip(sides, blocks, slopes, strict=True):
                if gradient is not None:
                    each.put(low, z, gradient)
        for each in sides:
            if each.needs:
                each.close()
    gradients = plan.classes.hidden(tuple(g for each in sides for g in each.gradients()))
    return Made(*_joined(found, first.device), gradients)


def _opened(
    plan: Plan,
    parts: tuple[Parts, Parts],
    wanted: Sequence[Sequence[bool]],
    factors: Tensor | None,
    count: int,
) -> tuple[list[Side], int, int]:
    """Both sides, and how many rows a chunk and a block of one have."""
    width = len(parts[0][1]) if parts[0][1] is not None else parts[0][0].shape[-1]
    most, step = plan.classes.steps(
        _rows_of_chunk(plan, parts, count),
        width,
        parts[0][0].device,
        lambda: plan.same(wanted, parts),
        compiled=plan.engine.compiled,
    )
    sides = [
        side(form, part, plan.rows, n, most, factors)
        for form, part, n in zip(plan.forms, parts, wanted, strict=True)
    ]
    return sides, most, step


def _first(plan: Plan, blocks: list[Tensor], asked: tuple[bool, bool]) -> Rows:
    return rows(plan.d, *_alike(blocks), asked, compiled=plan.engine.compiled, classes=plan.classes)


def _second(plan: Plan, blocks: list[Tensor], asked: tuple[bool, bool], numbers: list[Tensor]) -> Slopes:
    return again(plan.d, *_alike(blocks), numbers, asked, compiled=plan.engine.compiled, classes=plan.classes)


def _joined(found: list[tuple[Tensor, list[Tensor]]], device: torch.device) -> tuple[Tensor, list[Tensor]]:
    """Values and numbers of all blocks."""
    if not found:
        return torch.zeros(0, device=device), []
    values, numbers = zip(*found, strict=True)
    return torch.cat(values), [torch.cat(x) for x in zip(*numbers, strict=True)]


def _rows_of_chunk(plan: Plan, parts: tuple[Parts, Parts], count: int) -> int:
    weights = [p[1] for p in parts if p[1] is not None]
    per_row = sum(len(w) * w.element_size() for w in weights)
    total = sum(w.numel() * w.element_size() for w in weights)
    return max(1, plan.engine.rows(count, per_row, total, parts[0][0].device))


def _alike(blocks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Both in the wider of the two precisions."""
    kind = torch.promote_types(blocks[0].dtype, blocks[1].dtype)
    return blocks[0].to(kind), blocks[1].to(kind)


class Total(torch.autograd.Function):
    """Σ factor × value as a number whose gradients are made with it."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, factors: Tensor, *parts: Tensor | None) -> Tensor:  # type: ignore[override]
        """Keeps the gradients for the backward pass."""
        needs = ctx.needs_input_grad[2:]
        values, _, gradients = _quietly(plan, parts, needs, factors)
        ctx.plan, ctx.places = plan, [g is not None for g in gradients]
        ctx.save_for_backward(factors, values, *parts, *(g for g in gradients if g is not None))
        return (values.double() * factors.double()).sum().to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Scales what the forward pass has made, or makes it again with the tape."""
        factors, values, *rest = ctx.saved_tensors
        parts, made = rest[:6], iter(rest[6:])
        up = upstream[0]
        if torch.is_grad_enabled():
            return None, *_by_tape(ctx.plan, factors, parts, ctx.needs_input_grad[1:], up)
        scaled = [None if not here else _scaled(next(made), up) for here in ctx.places]
        return None, values * up if ctx.needs_input_grad[1] else None, *scaled


class PerRow(torch.autograd.Function):
    """The values themselves; the backward pass makes the logits once more, and gradients from three numbers a row."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *parts: Tensor | None) -> Tensor:  # type: ignore[override]
        """Keeps the inputs and what is left of every row."""
        values, numbers, _ = _quietly(plan, parts, ctx.needs_input_grad[1:], None)
        ctx.plan = plan
        ctx.save_for_backward(*parts, *numbers)
        return values

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Makes the logits once more, with what comes from above as factors."""
        parts, numbers, up = ctx.saved_tensors[:6], ctx.saved_tensors[6:], upstream[0]
        if torch.is_grad_enabled():
            return None, *_by_tape(ctx.plan, up, parts, (False, *ctx.needs_input_grad[1:]), None)[1:]
        return None, *_quietly(ctx.plan, parts, ctx.needs_input_grad[1:], up, numbers).gradients


def _quietly(
    plan: Plan,
    parts: Sequence[Any],
    needs: Sequence[bool],
    factors: Tensor | None,
    numbers: Sequence[Tensor] | None = None,
) -> Made:
    pair = (parts[0], parts[1], parts[2]), (parts[3], parts[4], parts[5])
    # autocast would halve what has to be single
    with torch.autocast(parts[0].device.type, enabled=False), torch.no_grad():
        return run(plan, pair, needs, factors, numbers)


def _scaled(made: Tensor, up: Tensor) -> Tensor:
    """The gradient times what comes from above, in place: a second pass over the same graph is refused by torch."""
    if up.device.type == "cpu" and up == 1:
        return made
    return made.mul_(up.to(made.dtype))


def _by_tape(
    plan: Plan, factors: Tensor, parts: Sequence[Tensor | None], needs: Sequence[bool], up: Tensor | None
) -> list[Tensor | None]:
    """Gradients that can be differentiated again, from logits that are all in memory."""
    if plan.classes is not HERE:
        raise InvalidInputError(
            "the classes lie on several processes, and gradients of their losses cannot be differentiated again "
            "(create_graph=True); gather the logits of the rows whose second derivatives are needed"
        )
    student, teacher = (form.logits(p) for form, p in zip(plan.forms, (parts[:3], parts[3:]), strict=True))
    if plan.rows is not None:
        student, teacher = student[plan.rows], teacher[plan.rows]
    total = (factors * plan.d._on_logits(*reversed(_alike([student, teacher])))).sum()
    asked: Any = [x for x, need in zip((factors, *parts), needs, strict=True) if need]
    made = iter(torch.autograd.grad(total, asked, up, create_graph=True, materialize_grads=True))
    return [next(made) if need else None for need in needs]
