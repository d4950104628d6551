"""The array libraries that every number must agree on, behind one small face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch

# float64 in JAX; what happens without it is a test of its own
jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Backend:
    """How to make an array of this library, and how to read one."""

    name: str
    make: Callable[[np.ndarray, str], Any]
    numpy: Callable[[Any], np.ndarray]
    kind: type

    def array(self, x: Any, dtype: str = "float64") -> Any:
        return self.make(np.asarray(x), dtype)

    def number(self, x: Any) -> float:
        assert getattr(x, "shape", ()) == ()
        return float(x)

    def value(self, function: Callable[[Any, Any], Any], x: Any, y: Any, dtype: str = "float64") -> float:
        """One number, of this library, as a float."""
        return self.number(function(self.array(x, dtype), self.array(y, dtype)))

    def __repr__(self) -> str:
        return self.name


def _numpy(x: np.ndarray, dtype: str) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


NUMPY = Backend("numpy", _numpy, np.asarray, np.ndarray)
TORCH = Backend(
    "torch",
    lambda x, dtype: torch.tensor(x.tolist(), dtype=getattr(torch, dtype)),
    lambda x: x.detach().to(torch.float64).numpy(),
    torch.Tensor,
)
JAX = Backend("jax", lambda x, dtype: jnp.asarray(x, dtype=dtype), np.asarray, jax.Array)
STRICT = Backend(
    "array_api_strict",
    lambda x, dtype: array_api_strict.asarray(x.astype(dtype)),
    np.from_dlpack,
    type(array_api_strict.asarray(0.0)),
)
BACKENDS = (NUMPY, TORCH, JAX, STRICT)
