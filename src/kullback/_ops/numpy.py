"""NumPy under the names that the formulas use."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy import (  # noqa: F401  (re-exported: this module is a namespace)
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
    log1p,
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
from numpy import arctan2 as atan2  # noqa: F401
from numpy.linalg import eigvalsh, inv  # noqa: F401

NAME = "numpy"
GRADIENTS = False  # whether arrays may carry derivatives
BLOCK = 1 << 15  # elements of one temporary: 256 kB of float64, which the second-level cache holds a few of

log1p_half = log1p  # for −½ ≤ x ≤ 0
log1p_above = log1p  # for −½ ≤ x < 2¹²⁷


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    """−log(1 + e^−x)."""
    return -np.logaddexp(np.zeros_like(x), -x)


def asarray(x: Any, like: Any = None) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype.kind in "iub" and not hasattr(x, "dtype") and like is not None:
        return array.astype(np.result_type(like))
    return array


def kind(x: np.ndarray) -> str:
    """`float`, `integer`, `bool` or `other`."""
    return {"f": "float", "i": "integer", "u": "integer", "b": "bool"}.get(x.dtype.kind, "other")


def dtype_name(x: np.ndarray) -> str:
    return str(x.dtype)


def precision(x: np.ndarray) -> int:
    """Bits of one element."""
    return 8 * x.dtype.itemsize


def to_float(x: np.ndarray, bits: int) -> np.ndarray:
    """The same values in float32 or float64."""
    return x.astype(np.float64 if bits == 64 else np.float32, copy=False)


def to_index(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Whole numbers as indices, of the type that `argsort` gives."""
    return x.astype(like.dtype)


def sum(x: np.ndarray, axis: int = -1, keepdims: bool = False) -> np.ndarray:  # noqa: A001
    # float64 partial sums cost nothing here and keep 1e8 float32 terms to their own precision
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=np.float64).astype(x.dtype)


def max(x: np.ndarray, axis: int = -1, keepdims: bool = False) -> np.ndarray:  # noqa: A001
    return np.max(x, axis=axis, keepdims=keepdims)


def extremes(x: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest element."""
    return float(np.min(x)), float(np.max(x))


def sides(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """min(r, 0) and min(−r, 0)."""
    return np.minimum(r, 0.0), np.minimum(-r, 0.0)


def choose(size: np.ndarray, radius: float, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """`near` where size < radius, `far` elsewhere; both finite everywhere."""
    return np.where(size < radius, near, far)


def folded(less: np.ndarray, r: np.ndarray) -> np.ndarray:
    """−|r|, where `less` says that r is negative."""
    return -np.abs(r)


def ordered(less: np.ndarray, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smaller and the larger of p and q, where `less` says that p is less."""
    return np.minimum(p, q), np.maximum(p, q)


def any(x: np.ndarray) -> np.bool:  # noqa: A001
    return np.any(x)


def polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    """c[0] + c[1] x + c[2] x² + ..., by Horner's rule in one buffer."""
    total = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total *= x
        total += c
    return total


def power_of_two(x: np.ndarray) -> np.ndarray:
    """The power of two at or just above each element, exactly."""
    return np.ldexp(np.ones_like(x), np.frexp(x)[1])


def erf(x: np.ndarray) -> np.ndarray:
    from scipy import special

    return special.erf(x)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - _finite(np.max(x, axis=-1, keepdims=True)))
    return e / np.sum(e, axis=-1, keepdims=True, dtype=np.float64).astype(x.dtype)


def logsumexp(x: np.ndarray) -> np.ndarray:
    top = _finite(np.max(x, axis=-1, keepdims=True))
    total = np.sum(np.exp(x - top), axis=-1, keepdims=True, dtype=np.float64).astype(x.dtype)
    return top + np.log(total)


def _finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x), x, 0)


def detach(x: np.ndarray) -> np.ndarray:
    return x


def concrete(x: np.ndarray) -> bool:
    """Whether the values can be looked at now (not inside a trace)."""
    return True


at_hand = concrete  # whether looking at a value costs nothing


def to_numpy(x: np.ndarray) -> np.ndarray:
    return x


def host(x: np.ndarray) -> np.ndarray:
    """The values in NumPy where neither a gradient nor a trace nor a device needs the array itself, else None."""
    return x


def recording() -> bool:
    """Whether what is computed now may be differentiated."""
    return False


def quiet() -> AbstractContextManager[Any]:
    """Silences floating-point warnings: branches that `where` does not take may overflow."""
    return np.errstate(all="ignore")


def by_rows(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """`function(*arrays)`, which reduces the last axis by a sum, computed in blocks that stay in cache."""
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    n = shape[-1]
    if len(shape) == 1 or np.prod(shape) <= BLOCK:
        flat = [np.broadcast_to(x, shape) for x in arrays]
        return _row(function, flat, n) if len(shape) == 1 else function(*map(np.ascontiguousarray, flat))
    rows = [np.broadcast_to(x, shape).reshape(-1, n) for x in arrays]
    if n > BLOCK:
        return np.array([_row(function, [x[i] for x in rows], n) for i in range(len(rows[0]))]).reshape(
            shape[:-1]
        )
    step = BLOCK // n
    parts = [
        function(*(np.ascontiguousarray(x[i : i + step]) for x in rows)) for i in range(0, len(rows[0]), step)
    ]
    return np.concatenate(parts).reshape(shape[:-1])


def _row(function: Callable[..., np.ndarray], arrays: list[np.ndarray], n: int) -> np.ndarray:
    if n <= BLOCK:
        return function(*map(np.ascontiguousarray, arrays))
    parts = [function(*(np.ascontiguousarray(x[i : i + BLOCK]) for x in arrays)) for i in range(0, n, BLOCK)]
    return np.sum(np.array(parts), dtype=np.float64).astype(parts[0].dtype)


def with_gradient(plain: Callable[..., Any], closed: Callable[..., Any], a: Any, b: Any) -> np.ndarray:
    """NumPy keeps no gradients: the plain number, row block by row block."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    rows = [np.broadcast_to(x, shape).reshape(-1, shape[-1]) for x in (a, b)]
    step = builtins.max(1, BLOCK // shape[-1])
    parts = [
        plain(*(np.ascontiguousarray(x[i : i + step]) for x in rows)) for i in range(0, len(rows[0]), step)
    ]
    return np.concatenate(parts).reshape(shape[:-1])


def derivative(f: Callable[[Any], Any], t: np.ndarray) -> np.ndarray:
    """f'(t) by a complex step: exact to rounding for an analytic f, since nothing is subtracted."""
    step = 1e-9 * t  # the error is of the order of its square, relative to t
    return np.imag(f(t + 1j * step)) / step


def second_derivative(f: Callable[[Any], Any], t: np.ndarray) -> np.ndarray:
    """f''(t) by Cauchy's integral over a circle around each t: exact to rounding for an analytic f."""
    points = 32
    turn = np.exp(2j * np.pi * np.arange(points) / points)
    radius = 0.3 * t
    around = f(t[..., None] + radius[..., None] * turn)
    return 2.0 * np.real(np.mean(around * turn**-2, axis=-1)) / (radius * radius)


def solve_lower(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """L⁻¹ B for lower-triangular L; the leading axes broadcast."""
    from scipy.linalg import solve_triangular  # on first use: it would be a third of the time of the import

    n, k = right.shape[-2:]
    batch = np.broadcast_shapes(lower.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(lower, (*batch, n, n)).reshape(-1, n, n)
    each = zip(left, np.broadcast_to(right, (*batch, n, k)).reshape(-1, n, k), strict=True)
    solved = [solve_triangular(a, b, lower=True, check_finite=False) for a, b in each]
    return np.stack(solved).reshape(*batch, n, k) if solved else np.empty((*batch, n, k))
