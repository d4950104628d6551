"""JAX under the names that the formulas use; jit, grad and vmap pass through."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.numpy import (  # noqa: F401  (re-exported: this module is a namespace)
    abs,
    argsort,
    broadcast_to,
    clip,
    concat,
    cos,
    cumulative_sum,
    exp,
    expand_dims,
    expm1,
    isfinite,
    isinf,
    isnan,
    log,
    maximum,
    minimum,
    moveaxis,
    round,
    sign,
    sin,
    sqrt,
    stack,
    take_along_axis,
    tanh,
    where,
    zeros_like,
)
from jax.numpy import arctan2 as atan2  # noqa: F401
from jax.numpy.linalg import eigvalsh, inv  # noqa: F401

NAME = "jax"
GRADIENTS = True  # whether arrays may carry derivatives


@jax.custom_jvp
def log1p(x: jax.Array) -> jax.Array:
    """log(1 + x) to the last bit or two, where XLA's own is a hundred roundings away (at x = −0.41).

    1 + x is rounded, and x over the rounded difference puts right what that did to the logarithm.
    """
    whole = jax.lax.optimization_barrier(1.0 + x)  # XLA would take 1 + x − 1 for x
    step = whole - 1.0
    plain = (step == 0.0) | jnp.isinf(whole)
    ratio = jnp.where(plain, 1.0, x / jnp.where(plain, 1.0, step))
    return jnp.where(step == 0.0, x, jnp.log(whole) * ratio)


log1p.defjvps(lambda tangent, _, x: tangent / (1.0 + x))
log1p_half = log1p  # for −½ ≤ x ≤ 0
log1p_above = log1p  # for −½ ≤ x < 2¹²⁷


def log_sigmoid(x: jax.Array) -> jax.Array:
    """−log(1 + e^−x)."""
    return -jnp.logaddexp(jnp.zeros_like(x), -x)


def asarray(x: Any, like: Any = None) -> jax.Array:
    if isinstance(x, jax.Array) or like is None:
        return jnp.asarray(x)
    return jnp.asarray(x, dtype=like.dtype)


def kind(x: jax.Array) -> str:
    """`float`, `integer`, `bool` or `other`."""
    for name, family in (("bool", jnp.bool_), ("float", jnp.floating), ("integer", jnp.integer)):
        if jnp.issubdtype(x.dtype, family):
            return name
    return "other"


def dtype_name(x: jax.Array) -> str:
    return str(x.dtype)


def precision(x: jax.Array) -> int:
    """Bits of one element."""
    return 8 * x.dtype.itemsize


def to_index(x: jax.Array, like: jax.Array) -> jax.Array:
    """Whole numbers as indices, of the type that `argsort` gives."""
    return x.astype(like.dtype)


def to_float(x: jax.Array, bits: int) -> jax.Array:
    """The same values in float32, or in float64 where JAX has it switched on."""
    return x.astype(jnp.float64 if bits == 64 and jax.config.read("jax_enable_x64") else jnp.float32)


def sum(x: jax.Array, axis: int = -1, keepdims: bool = False) -> jax.Array:  # noqa: A001
    return jnp.sum(x, axis=axis, keepdims=keepdims)


def max(x: jax.Array, axis: int = -1, keepdims: bool = False) -> jax.Array:  # noqa: A001
    return jnp.max(x, axis=axis, keepdims=keepdims)


def extremes(x: jax.Array) -> tuple[float, float]:
    """The smallest and the largest element."""
    return float(jnp.min(x)), float(jnp.max(x))


def sides(r: jax.Array) -> tuple[jax.Array, jax.Array]:
    """min(r, 0) and min(−r, 0), chosen so that at r = 0 a gradient enters one side only."""
    less = r < 0
    return jnp.where(less, r, 0.0), jnp.where(less, 0.0, -r)


def choose(size: jax.Array, radius: float, near: jax.Array, far: jax.Array) -> jax.Array:
    """`near` where size < radius, `far` elsewhere; both finite everywhere."""
    return jnp.where(size < radius, near, far)


def folded(less: jax.Array, r: jax.Array) -> jax.Array:
    """−|r|, where `less` says that r is negative; smooth from the right at 0, where −|r| has no derivative."""
    return jnp.where(less, r, -r)


def ordered(less: jax.Array, p: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The smaller and the larger of p and q, where `less` says that p is less.

    Chosen by `where`: the gradient of minimum and maximum is halved at a tie, which would spoil second derivatives.
    """
    return jnp.where(less, p, q), jnp.where(less, q, p)


def any(x: jax.Array) -> jax.Array:  # noqa: A001
    return jnp.any(x)


def polynomial(coefficients: Sequence[float], x: jax.Array) -> jax.Array:
    """c[0] + c[1] x + c[2] x² + ..., by Horner's rule."""
    total = jnp.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def power_of_two(x: jax.Array) -> jax.Array:
    """The power of two at or just above each element, exactly."""
    return jnp.ldexp(jnp.ones_like(x), jnp.frexp(x)[1])


def erf(x: jax.Array) -> jax.Array:
    return jax.scipy.special.erf(x)


def softmax(x: jax.Array) -> jax.Array:
    return jax.nn.softmax(x, axis=-1)


def logsumexp(x: jax.Array) -> jax.Array:
    return jax.nn.logsumexp(x, axis=-1, keepdims=True)


def detach(x: jax.Array) -> jax.Array:
    return jax.lax.stop_gradient(x)


def concrete(x: jax.Array) -> bool:
    """Whether the values can be looked at now (not inside a trace)."""
    return not isinstance(x, Tracer)


def at_hand(x: jax.Array) -> bool:
    """Whether looking at a value costs nothing: never worth a wait here, the compiler fuses either form."""
    return False


def to_numpy(x: jax.Array) -> Any:
    return jax.device_get(x)


def host(x: jax.Array) -> Any:
    """The values in NumPy where neither a gradient nor a trace nor a device needs the array itself, else None."""
    if isinstance(x, Tracer) or next(iter(x.devices())).platform != "cpu":
        return None
    return jax.device_get(x)


def recording() -> bool:
    """Whether what is computed now may be differentiated."""
    return True


def quiet() -> AbstractContextManager[Any]:
    """JAX raises no floating-point warnings."""
    return nullcontext()


def by_rows(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """`function(*arrays)`, which reduces the last axis by a sum."""
    return function(*arrays)


def with_gradient(plain: Callable[..., jax.Array], closed: Callable[..., Any], a: Any, b: Any) -> jax.Array:
    """`plain(a, b)`, whose derivatives of any order follow from the gradients that `closed` returns beside it."""
    a, b = jnp.broadcast_arrays(a, b)
    number = jax.custom_jvp(plain)

    def rule(primals: Any, tangents: Any) -> Any:
        value, *gradients = closed(*primals, True, True)
        return value, builtins.sum(jnp.sum(g * t, axis=-1) for g, t in zip(gradients, tangents, strict=True))

    number.defjvp(rule)
    return number(a, b)


def derivative(f: Callable[[Any], Any], t: jax.Array) -> jax.Array:
    """f'(t) elementwise, by forward-mode differentiation; itself differentiable."""
    return jax.jvp(f, (t,), (jnp.ones_like(t),))[1]


def second_derivative(f: Callable[[Any], Any], t: jax.Array) -> jax.Array:
    """f''(t) elementwise, by forward-mode differentiation twice; itself differentiable."""
    return derivative(lambda x: derivative(f, x), t)


def solve_lower(lower: jax.Array, right: jax.Array) -> jax.Array:
    """L⁻¹ B for lower-triangular L; the leading axes broadcast."""
    batch = jnp.broadcast_shapes(lower.shape[:-2], right.shape[:-2])
    left, b = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (lower, right))
    return jax.lax.linalg.triangular_solve(left, b, left_side=True, lower=True)
