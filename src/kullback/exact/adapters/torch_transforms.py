"""The invertible maps of torch.distributions, each read as one of ours or kept as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._ops import Namespace, ops
from kullback.errors import UnsupportedPairError
from kullback.exact.adapters import attributes
from kullback.exact.transform import Transform


@dataclass(frozen=True, eq=False)
class TorchTransform(Transform):
    """A map that torch knows how to invert; two are equal where torch says so."""

    map: Any = None
    xp: Namespace = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TorchTransform) and bool(self.map == other.map)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def increasing(self) -> bool:
        """Whether torch gives it a positive sign."""
        return bool(np.all(_values(self.xp, self.map.sign) > 0))

    def at(self, index: tuple[int, ...]) -> Transform:
        """The map itself: what torch holds is not taken apart."""
        if index:
            raise UnsupportedPairError(
                f"{self.name} cannot be taken apart over a batch; pass one law at a time"
            )
        return self

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The image of x."""
        return _values(self.xp, self.map(self._points(x)))

    def forward_end(self, x: float) -> float:
        """The image of an end of the support."""
        if math.isfinite(x):
            return float(self.forward(np.asarray(x)))
        # torch keeps images away from the ends of their range
        name, fallback = (
            ("upper_bound", math.inf) if (x > 0) == self.increasing else ("lower_bound", -math.inf)
        )
        return float(getattr(self.map.codomain, name, fallback))

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """The point whose image is y."""
        return _values(self.xp, self.map.inv(self._points(y)))

    def log_slope(self, x: np.ndarray) -> np.ndarray:
        """The logarithm of the size of the derivative at x."""
        points = self._points(x)
        return _values(self.xp, self.map.log_abs_det_jacobian(points, self.map(points)))

    def _points(self, x: np.ndarray) -> Any:
        return self.xp.to_float(self.xp.asarray(np.array(x)), 64)


def read(t: Any, xp: Namespace) -> Transform | None:
    """The map of torch as one of ours; `None` where it has no inverse."""
    name = type(t).__name__
    if name == "ExpTransform":
        return Transform("exp")
    if name == "AffineTransform":
        return attributes.affine(ops(t.loc).asarray(t.loc), ops(t.scale).asarray(t.scale))
    if name == "PowerTransform":
        return Transform("power", 0.0, attributes.affine(0.0, ops(t.exponent).asarray(t.exponent)).scale)
    return TorchTransform(name, map=t, xp=xp) if t.bijective else None


def _values(xp: Namespace, x: Any) -> np.ndarray:
    return np.asarray(xp.to_numpy(xp.detach(xp.asarray(x))), dtype=float)
