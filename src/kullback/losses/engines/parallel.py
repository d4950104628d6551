"""Rows whose classes lie on several processes: a few numbers of every row travel, the logits stay where they are."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from kullback._ops import Array, ops
from kullback.divergences import Divergence, FDivergence
from kullback.divergences.growth import reach
from kullback.errors import InvalidInputError
from kullback.losses.engines.chunks import block_rows
from kullback.losses.engines.rows import Classes, Rows, carefully, masses

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

# elements that are worked on between two exchanges, at least: each of these waits for the slowest process
_EXCHANGED = 1 << 20


@dataclass(frozen=True, eq=False)
class Across(Classes):
    """The processes of a group, each with some of the classes of every row.

    `summed` says of either side whether it has hidden states whose gradient is to be summed over the processes.
    """

    group: ProcessGroup
    summed: tuple[bool, bool]

    def kernel(self, d: FDivergence, needs: tuple[bool, bool], *, compiled: bool) -> Callable[..., Any]:
        """As of rows that are here, with three exchanges: of two maxima, two sums and three sums of every row."""
        finish = (_compiled if compiled else _finish)(d)

        def kernel(student: Tensor, teacher: Tensor) -> list[Tensor]:
            # masses among the classes that are here, and from their log-sum-exps those among all of them
            (q, *of_q), (p, *of_p) = masses(student), masses(teacher)
            here = torch.stack([of_q[0] + of_q[1], of_p[0] + of_p[1]])
            top = self.largest(here.clone())
            rest = self.total(torch.exp(here - top)).log()
            (q, pull), (p, push), sums = finish(student, teacher, q, p, here, top + rest)
            pulled, pushed, far = self.total(sums)
            found = [(pulled + pushed)[:, 0], torch.where(far > 0, math.inf, 0.0)[:, 0]]
            found += [top[0], rest[0], top[1], rest[1], pulled, pushed]
            return found + ([pull, q] if needs[0] else []) + ([push, p] if needs[1] else [])

        return kernel

    def carefully(self, d: Divergence, student: Tensor, teacher: Tensor, needs: tuple[bool, bool]) -> Rows:
        """By the noun, whose sums and maxima are taken over all processes."""
        # each sends its share of one number backwards, and what arrives from all of them is summed
        return carefully(d, student, teacher, needs, xp=_Joined(self, ops(student)), share=1 / self.size)

    @property
    def size(self) -> int:
        """How many processes there are."""
        return dist.get_world_size(self.group)

    def total(self, x: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        dist.all_reduce(x, dist.ReduceOp.SUM, self.group)
        return x

    def largest(self, x: Tensor) -> Tensor:
        """The maximum over the processes, in place; a NaN may get lost and shows in the sums that follow."""
        dist.all_reduce(x, dist.ReduceOp.MAX, self.group)
        return x

    def steps(
        self,
        most: int,
        width: int,
        device: torch.device,
        same: Callable[[], dict[str, int]],
        *,
        compiled: bool,
    ) -> tuple[int, int]:
        """On all processes the same; raises `InvalidInputError`, on all of them, where they make different calls."""
        some = max(1, width)  # a process without classes finds out together with the others
        block = max(block_rows(some, device, compiled=compiled), _EXCHANGED // some)
        shared = same()
        mine = torch.tensor([*shared.values(), most, block, width], dtype=torch.int64, device=device)
        high, low = self.largest(torch.stack([mine, -mine])).tolist()
        unlike = [name for name, top, bottom in zip(shared, high, low, strict=False) if top != -bottom]
        if unlike:
            raise InvalidInputError(
                f"the processes of the group disagree about {unlike[0]}; each of them has to make the same call, for "
                "its own classes of the same rows"
            )
        if low[-1] == 0:
            raise InvalidInputError("a process of the group has no class; use a group of fewer processes")
        return -low[-3], -low[-2]

    def hidden(self, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        """Summed over the processes, each of which has made the share of its own classes: here and nowhere else."""
        made = list(gradients)
        for place, wanted in zip((0, 3), self.summed, strict=True):
            share = made[place]
            if wanted and share is not None:
                made[place] = self.total(share.contiguous())
        return tuple(made)


def fingerprint(*parts: object) -> int:
    """A number by which processes tell whether they mean the same."""
    return zlib.crc32(repr(parts).encode())


def _finish(d: FDivergence) -> Callable[..., Any]:
    def finish(
        student: Tensor, teacher: Tensor, q: Tensor, p: Tensor, here: Tensor, everywhere: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
        """Masses and parts of the gradients of either side; their sums here, and whether a ratio is out of reach."""
        shares = torch.exp(here - everywhere)
        q, p = q.mul_(shares[0]), p.mul_(shares[1])
        log_q, log_p = everywhere
        r = (teacher - student).sub_(log_p - log_q)
        push, pull = d._both(p, q, r)
        near = r.abs_().amax(-1, keepdim=True) < reach(ops(r), r, d.steepness)  # false where it is NaN
        sums = [pull.sum(-1, keepdim=True), push.sum(-1, keepdim=True), (~near).to(r.dtype)]
        return (q, pull), (p, push), torch.stack(sums)

    return finish


@cache
def _compiled(d: FDivergence) -> Callable[..., Any]:
    finish: Any = _finish(d)
    # a code object of its own, as for rows that are here
    finish.__code__ = finish.__code__.replace()
    return torch.compile(finish, fullgraph=True)


class _Joined:
    """The functions of torch, with reductions of the last axis that go on over the processes."""

    def __init__(self, across: Across, base: Any) -> None:
        self.across, self.base = across, base

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)

    def at_hand(self, x: Array) -> bool:  # noqa: ARG002
        """Never: what one process sees of its classes must not decide what it computes."""
        return False

    def sum(self, x: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return _Summed.apply(self.across, x.sum(axis, keepdim=keepdims))

    def max(self, x: Array, axis: int = -1, keepdims: bool = False) -> Array:
        top = _Largest.apply(self.across, x)
        return top if keepdims else top.squeeze(axis)

    def logsumexp(self, x: Array) -> Array:
        top = self.max(x.detach(), keepdims=True)
        top = torch.where(torch.isfinite(top), top, 0.0)
        return top + self.sum(torch.exp(x - top), keepdims=True).log()

    def with_gradient(
        self, plain: Callable[..., Array], closed: Callable[..., Any], a: Array, b: Array
    ) -> Array:
        return _Closed.apply(self.across, closed, a, b) if torch.is_grad_enabled() else plain(a, b)


# The number that is differentiated is the sum over the processes of what each of them calls its share, so that the
# gradient of a sum is the sum of the gradients, and nothing is counted once a process.


class _Summed(torch.autograd.Function):
    """The sum over the processes."""

    @staticmethod
    def forward(ctx: Any, across: Across, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.across = across
        return across.total(x.clone())

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        return None, ctx.across.total(upstream[0].clone())


class _Largest(torch.autograd.Function):
    """The maximum of the last axis over the processes; its gradient goes in equal parts to all that attain it."""

    @staticmethod
    def forward(ctx: Any, across: Across, x: Tensor) -> Tensor:  # type: ignore[override]
        top = across.largest(x.amax(-1, keepdim=True))
        ctx.across = across
        ctx.save_for_backward(x, top)
        return top

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        x, top = ctx.saved_tensors
        attained = (x == top).to(x.dtype)
        up, count = ctx.across.total(torch.stack([upstream[0], attained.sum(-1, keepdim=True)]))
        return None, attained * (up / count)


class _Closed(torch.autograd.Function):
    """A number of two logit arrays whose gradients are made with it."""

    @staticmethod
    def forward(ctx: Any, across: Across, closed: Callable[..., Any], a: Tensor, b: Tensor) -> Tensor:  # type: ignore[override]
        ctx.across, ctx.needs = across, ctx.needs_input_grad[2:]
        value, *gradients = closed(a, b, *ctx.needs)
        ctx.save_for_backward(*(g for g in gradients if g is not None))
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        up, gradients = ctx.across.total(upstream[0].clone()).unsqueeze(-1), iter(ctx.saved_tensors)
        return None, None, *(up * next(gradients) if need else None for need in ctx.needs)
