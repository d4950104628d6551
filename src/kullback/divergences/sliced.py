"""Sliced Wasserstein distances: the average over directions of what the line can do exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array, Namespace
from kullback.divergences.masses import Masses
from kullback.divergences.placed import Placed
from kullback.divergences.wasserstein import Wasserstein, power_mean, wasserstein
from kullback.errors import InvalidInputError

_DIRECTIONS = 64


@dataclass(frozen=True, repr=False)
class SlicedWasserstein(Placed):
    r"""The sliced Wasserstein distance of order p at least 1, in the unit of x.

    $$SW_p = \Big(\int_{|\theta| = 1} W_p^p(\theta \cdot p,\, \theta \cdot q)\, d\theta\Big)^{1/p}$$

    the average over all directions of the distances of the projected distributions. A metric, at most W_p, and on the
    line equal to it. The directions are a fixed, evenly spread set: equal angles in the plane, a Kronecker
    sequence of `directions` points beyond it. No plan is needed: n log n a direction. Source: [bonneel2015].

    >>> import kullback as kb
    >>> square = [[0.0, 0.0], [1.0, 0.0]]  # one unit apart: the mean of |cos| over all directions, 2 / pi
    >>> round(kb.sliced_wasserstein(1)([1.0, 0.0], [0.0, 1.0], positions=square), 2)
    0.64
    """

    order: float
    directions: int = _DIRECTIONS

    @property
    def name(self) -> str:
        many = "" if self.directions == _DIRECTIONS else f", {self.directions} directions"
        return f"sliced_wasserstein({self.order:.12g}{many})"

    @property
    def formula(self) -> str:
        return (
            rf"\Big(E_\theta W_p^p(\theta \cdot p, \theta \cdot q)\Big)^{{1/p}},\quad p = {self.order:.12g}"
        )

    def _on_points(self, xp: Namespace, pair: Masses, x: Array) -> Array:
        line = Wasserstein(self.order)
        if x.ndim == 1:
            return line._on_points(xp, pair, x)
        along = [
            line._on_points(xp, pair, xp.sum(x * xp.asarray(direction, like=x)))
            for direction in unit_directions(self.directions, int(x.shape[1]))
        ]
        distances = xp.stack(along, axis=-1)
        share = 1.0 / self.directions
        return power_mean(xp, self.order, share + xp.zeros_like(distances), distances)


def unit_directions(count: int, dimension: int) -> np.ndarray:
    """Evenly spread unit vectors (count, dimension), the same on every call; opposite ones count once."""
    if dimension == 2:
        angles = math.pi * (np.arange(count) + 0.5) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # a Kronecker sequence whose steps are the powers of the root of x^(d+1) = x + 1, which fills the cube evenly
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimension + 1))
    steps = root ** -np.arange(1.0, dimension + 1.0)
    from scipy.special import ndtri  # takes as long to load as all of the nouns

    vectors = ndtri((0.5 + np.arange(1.0, count + 1.0)[:, None] * steps) % 1.0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sliced_wasserstein(order: float, *, directions: int = _DIRECTIONS) -> SlicedWasserstein:
    r"""The sliced Wasserstein distance of that order: $\big(E_\theta W_p^p(\theta \cdot p, \theta \cdot q)\big)^{1/p}$.

    `directions` of them are taken. Raises `InvalidInputError` for an order below 1, or for no direction.
    Source: [bonneel2015].

    >>> sliced_wasserstein(2)([1.0, 0.0], [0.0, 1.0], positions=[2.0, 5.0])
    3.0
    """
    if isinstance(directions, bool) or not isinstance(directions, int) or directions < 1:
        raise InvalidInputError(f"directions must be a whole number of at least 1, got {directions!r}")
    return SlicedWasserstein(wasserstein(order).order, directions)


FAMILIES = {"sliced_wasserstein": (sliced_wasserstein, (1.0, 2.0))}
