"""The second pass over a block of rows: gradients in one sweep, from the numbers that the first has left of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence
from kullback.losses.engines.maps import as_map
from kullback.losses.engines.rows import HERE, Classes, Rows, Slope

Slopes = tuple[Slope | None, Slope | None]


def left(d: Divergence, found: Rows, needs: tuple[bool, bool]) -> list[Tensor]:
    r"""What a row leaves: both log-normalisers, and for each side that needs a gradient the sum of its part.

    The normalisers are in double precision, so that $e^{z - \log \sum e^z}$ has all digits of single precision however
    large the logits are. A sum is NaN where the row is the noun's. Of a function of an f-divergence the value is left
    as well, of a divergence that is the noun's throughout nothing.
    """
    if found.numbers is None or not any(needs):
        return []
    x = found.numbers
    logs = [x.top_q.double() + x.rest_q.double(), x.top_p.double() + x.rest_p.double()]
    totals = [t for need, t in zip(needs, (x.pulled, x.pushed), strict=True) if need]
    kept = [y[:, 0] for y in logs] + [t[:, 0].masked_fill(x.far, torch.nan) for t in totals]
    return kept if as_map(d) is None else [*kept, found.value]


def again(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    numbers: Sequence[Tensor],
    needs: tuple[bool, bool],
    *,
    compiled: bool = False,
    classes: Classes = HERE,
) -> Slopes:
    """The gradients of the values of every row; `numbers` is what the first pass has left of these rows."""
    if not numbers:
        return classes.carefully(d, student, teacher, needs).slopes
    mapped, width = as_map(d), 2 + sum(needs)
    inner: Any = d if mapped is None else mapped.inner
    kernel = (_compiled if compiled else _kernel)(inner, needs)
    made = iter(kernel(student, teacher, *_columns(numbers[:width], student.dtype)))
    slopes = [Slope(*next(made)) if need else None for need in needs]
    if mapped is not None:
        derivative = mapped.derivative(numbers[-1])
        slopes = [None if x is None else x.times(derivative) for x in slopes]
    index = numbers[2].isnan().nonzero()[:, 0]
    if len(index):
        careful = classes.carefully(d, student[index], teacher[index], needs).slopes
        for whole, part in zip(slopes, careful, strict=True):
            if whole is not None and part is not None:
                whole.replace(index, part.made())
    return slopes[0], slopes[1]


def _columns(numbers: Sequence[Tensor], kind: torch.dtype) -> list[Tensor]:
    """Log-normalisers in two parts, the rounded ones and what rounding took, and the sums."""
    columns = [x[:, None] for x in numbers]
    high = [x.to(kind) for x in columns[:2]]
    low = [(x - y).to(kind) for x, y in zip(columns[:2], high, strict=True)]
    return [*high, *low, *columns[2:]]


def _kernel(d: FDivergence, needs: tuple[bool, bool]) -> Callable[..., list[tuple[Tensor, ...]]]:
    def kernel(
        student: Tensor,
        teacher: Tensor,
        high_q: Tensor,
        high_p: Tensor,
        low_q: Tensor,
        low_p: Tensor,
        *totals: Tensor,
    ) -> list[tuple[Tensor, ...]]:
        q = (student - high_q).sub_(low_q).exp_()
        p = (teacher - high_p).sub_(low_p).exp_()
        # to the last bit what the first pass has formed: a constant that differs would not be the one centred away
        r = (teacher - student).sub_(high_p - high_q)
        push, pull = d._both(p, q, r)
        parts = [x for x, need in zip(((pull, q), (push, p)), needs, strict=True) if need]
        found = [(*part, total) for part, total in zip(parts, totals, strict=True)]
        if torch.compiler.is_compiling():
            return [(part - mass * total,) for part, mass, total in found]
        return found

    return kernel


@cache
def _compiled(d: FDivergence, needs: tuple[bool, bool]) -> Callable[..., list[tuple[Tensor, ...]]]:
    kernel: Any = _kernel(d, needs)
    # a code object of its own, as for the first pass
    kernel.__code__ = kernel.__code__.replace()
    return torch.compile(kernel, fullgraph=True)
