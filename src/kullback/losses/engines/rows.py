"""One block of rows of logits: the divergence of every row and its gradients, while the block is in cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kullback._ops import Namespace, ops
from kullback.divergences import Divergence, FDivergence
from kullback.divergences.growth import reach
from kullback.losses.engines.chunks import block_rows
from kullback.losses.engines.maps import Map, as_map

# Rows below these are so near equality that the sum of terms is the better sum: D is f''(1) r²/2 there, but of the
# order of r itself, times the jump of f' at 1, where f has a kink.
_CLOSE = 1e-2
_CLOSE_AT_KINK = 2e-2


class Slope(NamedTuple):
    """The gradient part − mass × total of every row, whose last step is left to whoever stores it: one pass less."""

    part: Tensor
    mass: Tensor | None = None  # of nothing: `part` is all of it
    total: Tensor | None = None

    def into(self, out: Tensor) -> Tensor:
        """The gradient in `out`, which may be the logits' own memory."""
        if self.mass is None or self.total is None:
            return out.copy_(self.part)
        return torch.addcmul(self.part, self.mass, self.total, value=-1.0, out=out)

    def made(self) -> Tensor:
        """The gradient in memory of its own."""
        return self.part if self.mass is None else self.into(self.part)

    def times(self, factor: Tensor) -> Slope:
        """Every row times its factor."""
        return Slope(self.made().mul_(factor[:, None]))

    def replace(self, index: Tensor, rows: Tensor) -> None:
        """Some of the rows by their gradients."""
        self.part[index] = rows
        if self.mass is not None and self.total is not None:
            self.mass[index], self.total[index] = 0.0, 0.0


class Numbers(NamedTuple):
    r"""What else the kernel finds of a row, in columns: max z, $\log \sum e^{z - \max z}$, the sums of the parts."""

    top_q: Tensor
    rest_q: Tensor
    top_p: Tensor
    rest_p: Tensor
    pulled: Tensor
    pushed: Tensor
    far: Tensor  # where none of them is to be trusted, one of every row


class Rows(NamedTuple):
    """Values of shape (rows,), and the gradients of their sum, `None` where nobody asked; no numbers by the noun."""

    value: Tensor
    to_student: Slope | None
    to_teacher: Slope | None
    numbers: Numbers | None = None

    @property
    def slopes(self) -> tuple[Slope | None, Slope | None]:
        """Towards student and teacher."""
        return self.to_student, self.to_teacher


class Classes:
    """Where the classes of a row are: all of them here."""

    def kernel(
        self, d: FDivergence, needs: tuple[bool, bool], *, compiled: bool
    ) -> Callable[[Tensor, Tensor], list[Tensor]]:
        """Makes values, sizes beyond which these are not to be trusted, six numbers, parts and masses of gradients."""
        return (_compiled if compiled else _kernel)(d, needs)

    def carefully(self, d: Divergence, student: Tensor, teacher: Tensor, needs: tuple[bool, bool]) -> Rows:
        """The same by the noun, for rows that the kernel is not to be trusted with."""
        return carefully(d, student, teacher, needs)

    def steps(
        self,
        most: int,
        width: int,
        device: torch.device,
        same: Callable[[], dict[str, int]],  # noqa: ARG002  (for classes that are elsewhere, too)
        *,
        compiled: bool,
    ) -> tuple[int, int]:
        """Rows of one chunk, at most `most`, and of one block of `width` classes; `same` is what has to agree."""
        return most, block_rows(width, device, compiled=compiled)

    def hidden(self, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        """The six gradients, with those of hidden states as the caller wants them."""
        return gradients


HERE = Classes()


def rows(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    needs: tuple[bool, bool],
    *,
    compiled: bool = False,
    classes: Classes = HERE,
) -> Rows:
    r"""D(teacher‖student) of every row of two arrays of logits of shape (rows, classes).

    With t = p/q an f-divergence is $\sum_v p f'(t) + \sum_v q\,(f(t) - t f'(t))$, the two parts of its gradients, so
    that beside the gradients the number costs a sum. Rows where it is small next to rounding, a class is masked, or a
    ratio lies beyond the reach of the formulas are done again with the care of the noun itself.
    """
    if not isinstance(d, FDivergence):
        found = as_map(d)
        if found is None:
            return classes.carefully(d, student, teacher, needs)
        return _through(found, d, student, teacher, needs, compiled, classes)
    value, size, *made = classes.kernel(d, needs, compiled=compiled)(student, teacher)
    far = ~(size < reach(ops(student), student, d.steepness))  # also where it is NaN
    close = ~far & (value < _nearness(d))
    if bool(close.any()):
        index = close.nonzero()[:, 0]
        value[index] = classes.carefully(d, student[index], teacher[index], (False, False)).value
    numbers, parts = Numbers._make([*made[:6], far]), iter(made[6:])
    totals = zip(needs, (numbers.pulled, numbers.pushed), strict=True)
    slopes = [Slope(next(parts), next(parts), total) if need else None for need, total in totals]
    found = Rows(value, slopes[0], slopes[1], numbers)
    return _done_again(d, far, student, teacher, needs, classes, found)


def _through(
    mapped: Map,
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    needs: tuple[bool, bool],
    compiled: bool,
    classes: Classes,
) -> Rows:
    inner = rows(mapped.inner, student, teacher, needs, compiled=compiled, classes=classes)
    value, derivative, doubtful = mapped(inner.value)
    to_student, to_teacher = (None if g is None else g.times(derivative) for g in inner.slopes)
    assert inner.numbers is not None
    numbers = inner.numbers._replace(far=inner.numbers.far | doubtful)
    found = Rows(value, to_student, to_teacher, numbers)
    return _done_again(d, doubtful, student, teacher, needs, classes, found)


def _done_again(
    d: Divergence,
    which: Tensor,
    student: Tensor,
    teacher: Tensor,
    needs: tuple[bool, bool],
    classes: Classes,
    found: Rows,
) -> Rows:
    """What was found, with some of the rows done carefully."""
    if bool(which.any()):
        index = which.nonzero()[:, 0]
        again = classes.carefully(d, student[index], teacher[index], needs)
        found.value[index] = again.value
        for whole, part in zip(found.slopes, again.slopes, strict=True):
            if whole is not None and part is not None:
                whole.replace(index, part.made())
    return found


def carefully(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    needs: tuple[bool, bool],
    *,
    xp: Namespace = None,
    share: float = 1.0,
) -> Rows:
    """The same by the noun on logits, which knows about masked classes and every size of ratio.

    The noun computes in `xp`, and what is differentiated is `share` of the values' sum.
    """
    pair = [x.detach().requires_grad_(need) for x, need in zip((student, teacher), needs, strict=True)]
    with torch.enable_grad():
        value = d._on_logits(pair[1], pair[0], xp)
        total = value.sum() * share
    value = value.detach()
    asked = [x for x, need in zip(pair, needs, strict=True) if need]
    if not total.requires_grad:  # nobody asked, or Rényi's order 0, which sees nothing but the supports
        made = iter([torch.zeros_like(x) for x in asked])
    else:
        made = iter(torch.autograd.grad(total, asked))
    to_student, to_teacher = (Slope(next(made)) if need else None for need in needs)
    return Rows(value, to_student, to_teacher)


@cache
def _nearness(d: FDivergence) -> float:
    """The value below which a row counts as near equality."""
    scale = d.curvature_at_one
    return _CLOSE_AT_KINK * d.jump_at_one if scale is None else _CLOSE * scale


def _kernel(d: FDivergence, needs: tuple[bool, bool]) -> Callable[[Tensor, Tensor], list[Tensor]]:
    def kernel(student: Tensor, teacher: Tensor) -> list[Tensor]:
        (q, *of_q), (p, *of_p) = masses(student), masses(teacher)
        # what rounding leaves in the log-sum-exps is one constant a row, which centring removes
        r = (teacher - student).sub_((of_p[0] + of_p[1]) - (of_q[0] + of_q[1]))
        push, pull = d._both(p, q, r)
        pulled, pushed = _sum(pull), _sum(push)
        found = [(pulled + pushed)[:, 0], r.abs_().amax(-1), *of_q, *of_p, pulled, pushed]
        # the last step of the gradients is left to the caller: fused, it would take all of this a second time
        return found + ([pull, q] if needs[0] else []) + ([push, p] if needs[1] else [])

    return kernel


@cache
def _compiled(d: FDivergence, needs: tuple[bool, bool]) -> Callable[[Tensor, Tensor], list[Tensor]]:
    kernel: Any = _kernel(d, needs)
    # the compiler counts what it has made by code object: sharing one, the ninth divergence would be refused
    kernel.__code__ = kernel.__code__.replace()
    return torch.compile(kernel, fullgraph=True)


_PIECE = 256


def _sum(x: Tensor) -> Tensor:
    """The sum of every row; compiled by way of short ones, since the compiler's runs in long lanes that lose digits."""
    if not torch.compiler.is_compiling() or x.shape[-1] < _PIECE:
        return x.sum(-1, keepdim=True)
    # in products of the pieces the compiler knows the lengths of any number of classes
    pieces = x.shape[-1] // _PIECE
    whole = pieces * _PIECE
    total = x[..., :whole].unflatten(-1, (pieces, _PIECE)).sum(-1).sum(-1, keepdim=True)
    return total if whole == x.shape[-1] else total + x[..., whole:].sum(-1, keepdim=True)


def masses(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax, and the log-sum-exp of every row in two parts: the maximum and what comes on top of it."""
    top = logits.amax(-1, keepdim=True)
    if torch.compiler.is_compiling():
        e = torch.exp(logits - top)
        total = _sum(e)
        return e * (1.0 / total), top, total.log()
    # outside a fused loop softmax is the quicker exponential, and the largest mass tells the sum
    masses = torch.softmax(logits, -1)
    # its sum runs in a few long lanes, which swallow small masses next to one of nearly 1; this one is pairwise
    masses = masses.mul_(masses.sum(-1, keepdim=True).reciprocal_())
    return masses, top, -masses.amax(-1, keepdim=True).log()
