"""The loop over chunks of rows for chosen classes: log-probabilities, entropy and divergence, gradients on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.losses.engines.choices import Sums, gradient, log_ratios, summed
from kullback.losses.engines.chunks import Engine, block_rows
from kullback.losses.engines.rows import Slope, rows
from kullback.losses.engines.sides import Form, Side, side


@dataclass(frozen=True)
class Plan:
    """What is to be computed, beside three tensors of the policy and three of the reference, where there is one."""

    d: Divergence | None
    forms: tuple[Form, ...]
    rows: Tensor | None  # the rows that count, all if None
    ids: Tensor  # of the rows that count
    engine: Engine


class Values(NamedTuple):
    """One number for every row that counts, or what comes from above for it; `None` for nothing."""

    log_probs: Tensor | None
    entropy: Tensor | None
    reference_log_probs: Tensor | None = None
    log_ratio: Tensor | None = None
    divergence: Tensor | None = None


class Selection(torch.autograd.Function):
    """The values that are there; the backward pass makes the logits once more, from three numbers a row."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *tensors: Tensor | None) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Keeps the inputs and the sums of every row."""
        with torch.autocast(plan.ids.device.type, enabled=False):
            values, sums = _values(plan, tensors)
        ctx.plan = plan
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *(x for each in sums for x in each))
        return tuple(x for x in values if x is not None)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> Any:
        """Gradients of the values, weighted with what comes from above."""
        plan, needs, up = ctx.plan, ctx.needs_input_grad[1:], Values(*upstream)
        tensors, kept = ctx.saved_tensors[: len(needs)], ctx.saved_tensors[len(needs) :]
        if torch.is_grad_enabled():
            return None, *_by_tape(plan, tensors, needs, up)
        sums = [Sums(*kept[i : i + 3]) for i in range(0, len(kept), 3)]
        with torch.autocast(plan.ids.device.type, enabled=False):
            return None, *_gradients(plan, tensors, sums, needs, up)


def _values(plan: Plan, tensors: Sequence[Any]) -> tuple[Values, list[Sums]]:
    chosen = range(len(plan.forms))
    run = _Run(plan, tensors, (False,) * len(tensors), chosen)
    found: list[list[Tensor | None]] = []
    kept: list[tuple[Tensor, ...]] = []
    for place, blocks in run:
        ids, sums = plan.ids[place], [summed(z) for z in blocks]
        made = [each.log_probs(z, ids) for each, z in zip(sums, blocks, strict=True)]
        row: list[Tensor | None] = [made[0], sums[0].entropy]
        if len(blocks) == 2:
            row += [made[1], log_ratios(blocks[0], blocks[1], ids, made[0] - made[1])]
        if plan.d is not None:
            row.append(rows(plan.d, blocks[1], blocks[0], (False, False), compiled=run.compiled).value)
        found.append(row)
        kept.append(tuple(x for each in sums for x in each))
    run.gradients()
    columns = [torch.cat(x) for x in zip(*kept, strict=True)]
    sums = [Sums(*columns[3 * i : 3 * i + 3]) for i in chosen]
    return Values(*(torch.cat(x) for x in zip(*found, strict=True))), sums  # type: ignore[arg-type]


def _gradients(
    plan: Plan, tensors: Sequence[Any], sums: list[Sums], needs: Sequence[bool], up: Values
) -> list[Tensor | None]:
    asked = [any(needs[i : i + 3]) for i in range(0, len(needs), 3)]
    # a side whose logits no gradient looks at is not made again
    used = [i for i, need in enumerate(asked) if need or up.divergence is not None]
    towards = [
        (_sum(up.log_probs, up.log_ratio), up.entropy),
        (_sum(up.reference_log_probs, None if up.log_ratio is None else -up.log_ratio), None),
    ]
    run = _Run(plan, tensors, needs, used)
    for place, blocks in run:
        parts: tuple[Tensor | None, ...] = (None, None)
        if up.divergence is not None and plan.d is not None:
            ask = (asked[1], asked[0])
            found = rows(plan.d, blocks[1], blocks[0], ask, compiled=run.compiled)
            parts = tuple(None if x is None else x.made() for x in reversed(found.slopes))
        for i, z in zip(used, blocks, strict=True):
            if asked[i]:
                of_choice = [None if x is None else x[place] for x in towards[i]]
                made = gradient(z, sums[i].at(place), plan.ids[place], *of_choice)
                if parts[i] is not None:
                    made.addcmul_(parts[i], up.divergence[place, None])  # type: ignore[index]
                run.put(i, place, z, made)
    return run.gradients()


class _Run:
    """The chunks of some of the sides, block by block: iterating opens and closes them."""

    def __init__(
        self, plan: Plan, tensors: Sequence[Any], needs: Sequence[bool], used: Sequence[int]
    ) -> None:
        self.count, self.compiled = len(plan.ids), plan.engine.compiled
        every = [tensors[3 * i : 3 * i + 3] for i in range(len(plan.forms))]
        weights = [every[i][1] for i in used if every[i][1] is not None]
        per_row = sum(len(w) * w.element_size() for w in weights)
        total = sum(w.numel() * w.element_size() for w in weights)
        device = plan.ids.device
        self.most = max(1, plan.engine.rows(self.count, per_row, total, device))
        first = every[0]
        self.step = block_rows(first[0].shape[-1] if first[1] is None else len(first[1]), device)
        wide = any(x is not None and x.dtype == torch.float64 for x in tensors)
        ones = torch.ones(self.count, device=device, dtype=torch.float64 if wide else torch.float32)
        self.sides: dict[int, Side] = {
            i: side(plan.forms[i], tuple(every[i]), plan.rows, needs[3 * i : 3 * i + 3], self.most, ones)
            for i in used
        }
        self.width = len(needs)

    def __iter__(self) -> Iterator[tuple[slice, list[Tensor]]]:
        # with no rows at all there is one chunk of none, so that shapes come out right
        for start in range(0, max(self.count, 1), self.most):
            stop = min(start + self.most, self.count)
            self.start = start
            for each in self.sides.values():
                each.open(start, stop)
            for low in range(0, max(stop - start, 1), self.step):
                high = min(low + self.step, stop - start)
                yield slice(start + low, start + high), self._blocks(low, high)
            for each in self.sides.values():
                if each.needs:
                    each.close()

    def _blocks(self, low: int, high: int) -> list[Tensor]:
        blocks = [each.block(low, high) for each in self.sides.values()]
        wide = torch.float64 if any(z.dtype == torch.float64 for z in blocks) else torch.float32
        return [z.to(wide) for z in blocks]

    def put(self, i: int, place: slice, z: Tensor, made: Tensor) -> None:
        """Hands the gradient of a block to its side."""
        self.sides[i].put(place.start - self.start, z, Slope(made))

    def gradients(self) -> list[Tensor | None]:
        """Those of all tensors."""
        found: list[Tensor | None] = [None] * self.width
        for i, each in self.sides.items():
            found[3 * i : 3 * i + 3] = each.gradients()
        return found


def _by_tape(plan: Plan, tensors: Sequence[Any], needs: Sequence[bool], up: Values) -> list[Tensor | None]:
    """Gradients that can be differentiated again, from logits that are all in memory."""
    with torch.autocast(plan.ids.device.type, enabled=False):
        values = _on_tape(plan, tensors)
    weighted = [(x, u) for x, u in zip(values, up, strict=False) if u is not None]
    asked: Any = [x for x, need in zip(tensors, needs, strict=True) if need]
    outputs, ups = zip(*weighted, strict=True)
    made = iter(torch.autograd.grad(outputs, asked, ups, create_graph=True, materialize_grads=True))
    return [next(made) if need else None for need in needs]


def _on_tape(plan: Plan, tensors: Sequence[Any]) -> list[Tensor]:
    logits = [form.logits(tensors[3 * i : 3 * i + 3]) for i, form in enumerate(plan.forms)]
    wide = torch.float64 if any(z.dtype == torch.float64 for z in logits) else torch.float32
    logits = [(z if plan.rows is None else z[plan.rows]).to(wide) for z in logits]
    logs = [torch.log_softmax(z, -1) for z in logits]
    chosen = [x.gather(-1, plan.ids[:, None])[:, 0] for x in logs]
    chosen = [torch.where(torch.isneginf(x), x.detach(), x) for x in chosen]
    finite = torch.where(torch.isneginf(logs[0]), 0.0, logs[0])
    values = [chosen[0], -(torch.softmax(logits[0], -1) * finite).sum(-1)]
    if len(logits) == 2:
        values += [chosen[1], chosen[0] - chosen[1]]
    if plan.d is not None:
        values.append(plan.d._on_logits(logits[0], logits[1]))
    return values


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b
