"""An f made straight towards 0, which is no larger and finite there: lower limits where f(0) is infinite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array
from kullback.divergences import FDivergence


@dataclass(frozen=True, repr=False)
class Straight(FDivergence):
    r"""f between two log-ratios and its tangents beyond, $g \le f$; so $D_g \le D_f$, and g(0) is finite.

    >>> from kullback.divergences import reverse_kl
    >>> Straight(reverse_kl, math.log(0.5)).at_zero  # f(t) − t f'(t) = −log t at 1/2
    0.6931471805599453
    """

    of: FDivergence
    low: float = -math.inf
    high: float = math.inf

    @property
    def name(self) -> str:
        return f"{self.of.name}, straight beyond [{self.low:g}, {self.high:g}]"

    @property
    def formula(self) -> str:
        return rf"{self.of.formula} \quad (e^{{{self.low:g}}} \le t \le e^{{{self.high:g}}})"

    @property
    def dual(self) -> FDivergence:
        return Straight(self.of.dual, -self.high, -self.low)

    @property
    def at_zero(self) -> float:
        return self.of.at_zero if self.low == -math.inf else float(self.of.tilt(self.low))

    @property
    def curvature_at_one(self) -> float | None:
        return self.of.curvature_at_one

    @property
    def jump_at_one(self) -> float:
        return self.of.jump_at_one

    def _below(self, u: Array) -> Array:
        inside = self.of._below(np.maximum(u, self.low))
        if self.low == -math.inf:
            return inside
        return np.where(u < self.low, self.at_zero + np.exp(u) * self.of.slope(self.low), inside)

    def _slope(self, r: Array) -> Array:
        return self.of._slope(np.clip(r, self.low, self.high))

    def _curvature(self, r: Array) -> Array:
        return np.where(
            (r >= self.low) & (r <= self.high), self.of._curvature(np.clip(r, self.low, self.high)), 0.0
        )
