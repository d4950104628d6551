"""Invertible maps of the line that a law may carry: what two laws share of them, no f-divergence sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Transform:
    """x ↦ loc + scale·x, x ↦ eˣ, x ↦ 1/x or x ↦ x^power, by `name`; `loc` and `scale` may be arrays over a batch."""

    name: str
    loc: Any = 0.0
    scale: Any = 1.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transform) or self.name != other.name:
            return False
        return bool(
            np.array_equal(np.asarray(self.loc), np.asarray(other.loc))
            and np.array_equal(np.asarray(self.scale), np.asarray(other.scale))
        )

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def increasing(self) -> bool:
        """Whether larger numbers go to larger ones."""
        return self.name == "exp" or (self.name != "reciprocal" and bool(np.all(np.asarray(self.scale) > 0)))

    def at(self, index: tuple[int, ...]) -> Transform:
        """The map at one place of a batch."""
        loc, scale = (_one(np.asarray(x), index) for x in (self.loc, self.scale))
        return replace(self, loc=loc, scale=scale)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The image of x."""
        if self.name == "exp":
            return np.exp(x)
        if self.name == "reciprocal":
            return 1.0 / x
        if self.name == "power":
            return x**self.scale
        return self.loc + self.scale * x

    def forward_end(self, x: float) -> float:
        """The image of an end of the support, infinities included."""
        if self.name == "exp":
            return 0.0 if x == -math.inf else math.inf if x == math.inf else math.exp(x)
        if self.name == "reciprocal":
            return math.inf if x == 0 else 1.0 / x
        return float(self.forward(np.asarray(x)))

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """The point whose image is y."""
        if self.name == "exp":
            return np.log(y)
        if self.name == "reciprocal":
            return 1.0 / y
        if self.name == "power":
            return y ** (1.0 / self.scale)
        return (y - self.loc) / self.scale

    def log_slope(self, x: np.ndarray) -> np.ndarray:
        """The logarithm of the size of the derivative at x."""
        if self.name == "exp":
            return x
        if self.name == "reciprocal":
            return -2.0 * np.log(x)
        if self.name == "power":
            return np.log(np.abs(self.scale)) + (self.scale - 1.0) * np.log(x)
        return np.zeros_like(x) + np.log(np.abs(self.scale))


def _one(x: np.ndarray, index: tuple[int, ...]) -> Any:
    place = index[max(len(index) - x.ndim, 0) :]
    kept = (slice(None),) * (x.ndim - len(place))
    found = x[(*kept, *(0 if n == 1 else i for i, n in zip(place, x.shape[len(kept) :], strict=True)))]
    return found if found.ndim else float(found)
