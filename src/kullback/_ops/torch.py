"""torch under the names that the formulas use; gradients of any order pass through."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import (  # noqa: F401  (re-exported: this module is a namespace)
    Tensor,
    abs,
    argsort,
    atan2,
    clip,
    cos,
    erf,
    exp,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    round,
    sign,
    sin,
    sqrt,
    stack,
    tanh,
    where,
    zeros_like,
)
from torch._C._functorch import is_functorch_wrapped_tensor as _is_wrapped  # pyright: ignore[reportMissingImports]
from torch.linalg import eigvalsh, inv  # noqa: F401
from torch.nn.functional import logsigmoid as log_sigmoid  # noqa: F401

NAME = "torch"
GRADIENTS = True  # whether arrays may carry derivatives
BLOCK = 1 << 17  # elements of one temporary: a dozen of them stay in the nearer caches

_EXPM1 = tuple(1.0 / math.factorial(k + 1) for k in range(14))
_ARTANH = tuple(1.0 / (2 * k + 1) for k in range(16))
_ROOT_HALF = 0x3F3504F3  # the bits of √½ in single precision
_LOG_2 = math.log(2.0)


def expm1(x: Tensor) -> Tensor:
    """eˣ − 1; the compiler's own on a CPU is exp(x) − 1, without the digits that are the point of it."""
    if not torch.compiler.is_compiling() or x.device.type != "cpu":
        return torch.expm1(x)
    series = polynomial(_EXPM1[: 14 if x.dtype == torch.float64 else 7], x)
    return where(abs(x) < 0.35, x * series, exp(x) - 1.0)


def log1p_half(x: Tensor) -> Tensor:
    """log(1 + x) for −½ ≤ x ≤ 0; compiled on a CPU it is 2 artanh(x/(2 + x)), in half the time of the general one."""
    if not torch.compiler.is_compiling() or x.device.type != "cpu":
        return torch.log1p(x)
    z = x / (2.0 + x)  # at most 1/3
    return 2.0 * z * polynomial(_ARTANH[: 16 if x.dtype == torch.float64 else 7], z * z)


def log1p_above(x: Tensor) -> Tensor:
    """log(1 + x) for −½ ≤ x < 2¹²⁷; compiled in single precision on a CPU it is made of k log 2 and a short series."""
    if not torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32:
        return torch.log1p(x)
    # the compiler would call a library for every vector: 2ᵏ of 1 + x from its bits, so that 2⁻ᵏ (1 + x) is in [√½, √2)
    k = ((1.0 + x).view(torch.int32) - _ROOT_HALF) >> 23
    scale = ((127 - k) << 23).view(torch.float32)
    y = x * scale + (scale - 1.0)  # and that less 1, in which x has lost no digit
    z = y / (2.0 + y)
    return k.to(torch.float32) * _LOG_2 + 2.0 * z * polynomial(_ARTANH[:5], z * z)


def asarray(x: Any, like: Tensor | None = None) -> Tensor:
    if isinstance(x, Tensor) or like is None:
        return torch.as_tensor(x)
    return torch.as_tensor(x, dtype=like.dtype, device=like.device)


def kind(x: Tensor) -> str:
    """`float`, `integer`, `bool` or `other`."""
    if x.dtype is torch.bool:
        return "bool"
    if x.dtype.is_floating_point:
        return "float"
    return "other" if x.dtype.is_complex else "integer"


def dtype_name(x: Tensor) -> str:
    return str(x.dtype)


def precision(x: Tensor) -> int:
    """Bits of one element."""
    return 64 if x.dtype is torch.float64 else 32 if x.dtype is torch.float32 else 8 * x.dtype.itemsize


def to_index(x: Tensor, like: Tensor) -> Tensor:
    """Whole numbers as indices, of the type that `argsort` gives."""
    return x.to(like.dtype)


def to_float(x: Tensor, bits: int) -> Tensor:
    """The same values in float32 or float64."""
    return x.to(torch.float64 if bits == 64 else torch.float32)


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.broadcast_to(x, tuple(shape))


def moveaxis(x: Tensor, source: int, destination: int) -> Tensor:
    return torch.movedim(x, source, destination)  # which, unlike torch.moveaxis, vmap knows


def maximum(x: Tensor, y: Tensor | float) -> Tensor:
    return torch.maximum(x, y) if isinstance(y, Tensor) else torch.clamp(x, min=y)


def minimum(x: Tensor, y: Tensor | float) -> Tensor:
    return torch.minimum(x, y) if isinstance(y, Tensor) else torch.clamp(x, max=y)


def sum(x: Tensor, axis: int = -1, keepdims: bool = False) -> Tensor:  # noqa: A001
    return torch.sum(x, dim=axis, keepdim=keepdims)


def max(x: Tensor, axis: int = -1, keepdims: bool = False) -> Tensor:  # noqa: A001
    return torch.amax(x, dim=axis, keepdim=keepdims)


def extremes(x: Tensor) -> tuple[float, float]:
    """The smallest and the largest element."""
    low, high = torch.aminmax(x.detach())
    return float(low), float(high)


def sides(r: Tensor) -> tuple[Tensor, Tensor]:
    """min(r, 0) and min(−r, 0).

    Chosen by `where` if gradients are kept: at r = 0 the gradient of `clamp` would enter both sides at once.
    """
    if torch.is_grad_enabled():
        less = r < 0
        return torch.where(less, r, 0.0), torch.where(less, 0.0, -r)
    return torch.clamp(r, max=0.0), torch.clamp(-r, max=0.0)


def choose(size: Tensor, radius: float, near: Tensor, far: Tensor) -> Tensor:
    """`near` where size < radius, `far` elsewhere; both finite everywhere."""
    if torch.is_grad_enabled() or not at_hand(size):
        return torch.where(size < radius, near, far)
    # a mask of floats and an interpolation, exact at its ends, take a third of the time of `where` on the processor
    inside = torch.lt(size, radius, out=torch.empty_like(size))
    return torch.lerp(far, near, inside)


def folded(less: Tensor, r: Tensor) -> Tensor:
    """−|r|, where `less` says that r is negative; smooth from the right at 0, where −|r| has no derivative."""
    return torch.where(less, r, -r) if torch.is_grad_enabled() else -torch.abs(r)


def ordered(less: Tensor, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """The smaller and the larger of p and q, where `less` says that p is less.

    Chosen by `where` if gradients are kept: those of minimum and maximum are halved at a tie, which would spoil second
    derivatives.
    """
    if torch.is_grad_enabled():
        return torch.where(less, p, q), torch.where(less, q, p)
    return torch.minimum(p, q), torch.maximum(p, q)


def any(x: Tensor) -> Tensor:  # noqa: A001
    return torch.any(x)


def polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """c[0] + c[1] x + c[2] x² + ..., by Horner's rule; in one buffer where no gradient is kept."""
    in_place = not torch.is_grad_enabled() and concrete(x)
    total = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total.mul_(x).add_(c) if in_place else total * x + c
    return total


def concat(arrays: Sequence[Tensor], axis: int = -1) -> Tensor:
    return torch.cat(tuple(arrays), dim=axis)


def cumulative_sum(x: Tensor, axis: int = -1) -> Tensor:
    return torch.cumsum(x, dim=axis)


def take_along_axis(x: Tensor, indices: Tensor, axis: int = -1) -> Tensor:
    return torch.take_along_dim(x, indices, dim=axis)


def expand_dims(x: Tensor, axis: int) -> Tensor:
    return torch.unsqueeze(x, axis)


def power_of_two(x: Tensor) -> Tensor:
    """The power of two at or just above each element, exactly."""
    return torch.ldexp(torch.ones_like(x), torch.frexp(x).exponent)


def softmax(x: Tensor) -> Tensor:
    masses = torch.softmax(x, dim=-1)
    # torch adds up in a few long lanes: next to a class with nearly all mass the small ones lose their share of it
    return masses / torch.sum(masses, dim=-1, keepdim=True)


def logsumexp(x: Tensor) -> Tensor:
    return torch.logsumexp(x, dim=-1, keepdim=True)


def detach(x: Tensor) -> Tensor:
    return x.detach()


def concrete(x: Tensor) -> bool:
    """Whether the values can be looked at now: not while compiling, not inside vmap or another transform."""
    return not torch.compiler.is_compiling() and not _transformed(x)


def _transformed(*tensors: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return False
    return builtins.any(_is_wrapped(x) for x in tensors)


def at_hand(x: Tensor) -> bool:
    """Whether looking at a value costs nothing: on an accelerator it waits for the device."""
    return concrete(x) and x.device.type == "cpu"


def to_numpy(x: Tensor) -> Any:
    x = x.detach().cpu()
    # NumPy has no bfloat16 and no float8: float32 holds each of their values
    narrow = x.is_floating_point() and x.element_size() < 4 and x.dtype != torch.float16
    return (x.float() if narrow else x).numpy()


def host(x: Tensor) -> Any:
    """The values in NumPy where neither a gradient nor a trace nor a device needs the array itself, else None."""
    return None if x.requires_grad or not at_hand(x) else x.numpy()


def recording() -> bool:
    """Whether what is computed now may be differentiated."""
    return torch.is_grad_enabled()


def quiet() -> AbstractContextManager[Any]:
    """torch raises no floating-point warnings."""
    return nullcontext()


def by_rows(function: Callable[..., Tensor], *arrays: Tensor) -> Tensor:
    """`function(*arrays)`, which reduces the last axis by a sum."""
    return function(*arrays)


class _ClosedForm(torch.autograd.Function):
    """A number of two logit arrays whose gradients are made with it, block by block, instead of by the tape.

    `closed` returns the number and both gradients; the backward pass of a backward pass differentiates those.
    """

    @staticmethod
    def forward(ctx: Any, closed: Callable[..., Any], a: Tensor, b: Tensor) -> Tensor:  # type: ignore[override]
        ctx.closed, ctx.needs = closed, tuple(ctx.needs_input_grad[1:])
        if torch.compiler.is_compiling():
            value, *gradients = closed(a, b, *ctx.needs)
        else:
            value, *gradients = _in_blocks(closed, a, b, *ctx.needs)
        ctx.save_for_backward(a, b, *(g for g in gradients if g is not None))
        return cast("Tensor", value)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        a, b, *made = ctx.saved_tensors
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            made = [g for g in ctx.closed(a, b, *ctx.needs)[1:] if g is not None]
        scale, gradients = upstream[0].unsqueeze(-1), iter(made)
        return None, *(scale * next(gradients) if need else None for need in ctx.needs)


def _in_blocks(closed: Callable[..., Any], a: Tensor, b: Tensor, *needs: bool) -> list[Tensor | None]:
    shape = a.shape
    rows = [x.reshape(-1, shape[-1]) for x in (a, b)]
    value = a.new_empty(len(rows[0]))
    gradients = [torch.empty_like(x) if need else None for x, need in zip(rows, needs, strict=True)]
    # on an accelerator one pass over everything: its kernels are launched one by one
    step = builtins.max(1, BLOCK // shape[-1]) if a.device.type == "cpu" else builtins.max(1, len(value))
    for i in range(0, len(value), step):
        block = slice(i, i + step)
        value[block], *made = closed(*(x[block] for x in rows), *needs)
        for whole, part in zip(gradients, made, strict=True):
            if whole is not None:
                whole[block] = part
    return [value.reshape(shape[:-1]), *(None if g is None else g.reshape(shape) for g in gradients)]


def with_gradient(plain: Callable[..., Tensor], closed: Callable[..., Any], a: Tensor, b: Tensor) -> Tensor:
    """`plain(a, b)`, whose gradients `closed(a, b, need_a, need_b)` returns beside the same number."""
    a, b = torch.broadcast_tensors(a, b)
    return plain(a, b) if _transformed(a, b) else cast("Tensor", _ClosedForm.apply(closed, a, b))


def derivative(f: Callable[[Any], Any], t: Tensor) -> Tensor:
    """f'(t) elementwise, as the gradient of the sum; itself differentiable."""
    # zeros added: a derivative that is 0 everywhere comes as a tensor without storage
    return torch.func.grad(lambda x: torch.sum(f(x)))(t) + torch.zeros_like(t)


def second_derivative(f: Callable[[Any], Any], t: Tensor) -> Tensor:
    """f''(t) elementwise, differentiated twice; itself differentiable."""
    return derivative(lambda x: derivative(f, x), t)


def solve_lower(lower: Tensor, right: Tensor) -> Tensor:
    """L⁻¹ B for lower-triangular L; the leading axes broadcast."""
    return torch.linalg.solve_triangular(lower, right, upper=False)
