"""Any library that follows the array-API standard, under the names that the formulas use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from kullback.errors import DTypeError

Array = Any


class Standard:
    """A wrapper around the namespace `xp`, with the functions that the standard lacks."""

    GRADIENTS = False  # the standard knows no derivatives

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self.NAME = xp.__name__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)

    def asarray(self, x: Any, like: Array = None) -> Array:
        if hasattr(x, "__array_namespace__") or like is None:
            return self._xp.asarray(x)
        return self._xp.asarray(x, dtype=like.dtype)

    def kind(self, x: Array) -> str:
        """`float`, `integer`, `bool` or `other`."""
        for name, family in (("bool", "bool"), ("float", "real floating"), ("integer", "integral")):
            if self._xp.isdtype(x.dtype, family):
                return name
        return "other"

    def dtype_name(self, x: Array) -> str:
        return str(x.dtype)

    def precision(self, x: Array) -> int:
        """Bits of one element."""
        return self._xp.finfo(x.dtype).bits

    def to_float(self, x: Array, bits: int) -> Array:
        """The same values in float32 or float64."""
        return self._xp.astype(x, self._xp.float64 if bits == 64 else self._xp.float32, copy=False)

    def to_index(self, x: Array, like: Array) -> Array:
        """Whole numbers as indices, of the type that `argsort` gives."""
        return self._xp.astype(x, like.dtype)

    def where(self, condition: Array, x: Array | float, y: Array | float) -> Array:
        like: Any = x if hasattr(x, "dtype") else y
        x, y = (v if hasattr(v, "dtype") else self._xp.asarray(v, dtype=like.dtype) for v in (x, y))
        return self._xp.where(condition, x, y)

    def maximum(self, x: Array, y: Array | float) -> Array:
        return self._xp.maximum(x, y if hasattr(y, "dtype") else self._xp.asarray(y, dtype=x.dtype))

    def minimum(self, x: Array, y: Array | float) -> Array:
        return self._xp.minimum(x, y if hasattr(y, "dtype") else self._xp.asarray(y, dtype=x.dtype))

    def sum(self, x: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return self._xp.sum(x, axis=axis, keepdims=keepdims)

    def max(self, x: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return self._xp.max(x, axis=axis, keepdims=keepdims)

    def cumulative_sum(self, x: Array, axis: int = -1) -> Array:
        return self._xp.cumulative_sum(x, axis=axis)

    def inv(self, x: Array) -> Array:
        return self._xp.linalg.inv(x)

    def eigvalsh(self, x: Array) -> Array:
        return self._xp.linalg.eigvalsh(x)

    def solve_lower(self, lower: Array, right: Array) -> Array:
        """L⁻¹ B for lower-triangular L; the standard knows no triangles."""
        return self._xp.linalg.solve(lower, right)

    def extremes(self, x: Array) -> tuple[float, float]:
        """The smallest and the largest element."""
        return float(self._xp.min(x)), float(self._xp.max(x))

    def sides(self, r: Array) -> tuple[Array, Array]:
        """min(r, 0) and min(−r, 0)."""
        return self.minimum(r, 0.0), self.minimum(-r, 0.0)

    def log1p_half(self, x: Array) -> Array:
        """log(1 + x) for −½ ≤ x ≤ 0."""
        return self._xp.log1p(x)

    def log1p_above(self, x: Array) -> Array:
        """log(1 + x) for −½ ≤ x < 2¹²⁷."""
        return self._xp.log1p(x)

    def log_sigmoid(self, x: Array) -> Array:
        """−log(1 + e^−x)."""
        return -self._xp.logaddexp(self._xp.zeros_like(x), -x)

    def choose(self, size: Array, radius: float, near: Array, far: Array) -> Array:
        """`near` where size < radius, `far` elsewhere; both finite everywhere."""
        return self._xp.where(size < radius, near, far)

    def folded(self, less: Array, r: Array) -> Array:
        """−|r|, where `less` says that r is negative."""
        return -self._xp.abs(r)

    def ordered(self, less: Array, p: Array, q: Array) -> tuple[Array, Array]:
        """The smaller and the larger of p and q, where `less` says that p is less."""
        return self._xp.minimum(p, q), self._xp.maximum(p, q)

    def polynomial(self, coefficients: Sequence[float], x: Array) -> Array:
        """c[0] + c[1] x + c[2] x² + ..., by Horner's rule."""
        total = self._xp.zeros_like(x) + coefficients[-1]
        for c in reversed(coefficients[:-1]):
            total = total * x + c
        return total

    def power_of_two(self, x: Array) -> Array:
        """A power of two near each element, exactly."""
        return self._xp.pow(self._xp.zeros_like(x) + 2.0, self._xp.floor(self._xp.log2(x)))

    def erf(self, x: Array) -> Array:
        from scipy import special

        return self.asarray(special.erf(self.to_numpy(x)))

    def softmax(self, x: Array) -> Array:
        e = self._xp.exp(x - self._top(x))
        return e / self.sum(e, keepdims=True)

    def logsumexp(self, x: Array) -> Array:
        top = self._top(x)
        return top + self._xp.log(self.sum(self._xp.exp(x - top), keepdims=True))

    def _top(self, x: Array) -> Array:
        top = self.max(x, keepdims=True)
        return self.where(self._xp.isfinite(top), top, 0.0)

    def detach(self, x: Array) -> Array:
        return x

    def concrete(self, x: Array) -> bool:
        """Whether the values can be looked at now: the standard knows no traces."""
        return True

    at_hand = concrete  # whether looking at a value costs nothing

    def to_numpy(self, x: Array) -> Any:
        import numpy as np

        return np.from_dlpack(x)

    def host(self, x: Array) -> Any:
        """The values in NumPy where neither a gradient nor a trace nor a device needs the array itself, else None."""
        return None

    def recording(self) -> bool:
        """Whether what is computed now may be differentiated."""
        return False

    def quiet(self) -> AbstractContextManager[Any]:
        """Silences NumPy's warnings, in case the library computes with it underneath."""
        import numpy as np

        return np.errstate(all="ignore")

    def by_rows(self, function: Callable[..., Array], *arrays: Array) -> Array:
        """`function(*arrays)`, which reduces the last axis by a sum."""
        return function(*arrays)

    def with_gradient(
        self, plain: Callable[..., Array], closed: Callable[..., Any], a: Array, b: Array
    ) -> Array:
        """The standard keeps no gradients: the plain number."""
        return plain(a, b)

    def derivative(self, f: Callable[[Array], Array], t: Array) -> Array:
        raise DTypeError(
            f"{self.NAME} has no derivatives; "
            "pass derivative= to FDivergence.from_generator, or use NumPy, torch or JAX"
        )

    def second_derivative(self, f: Callable[[Array], Array], t: Array) -> Array:
        return self.derivative(f, t)
