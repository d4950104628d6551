"""Kernels of unit variance: their bandwidth is their standard deviation, so one rule serves them all."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Kernel(ABC):
    """A symmetric density of mean 0 and variance 1 that is 0 beyond `radius`."""

    @property
    @abstractmethod
    def radius(self) -> float:
        """How many bandwidths it reaches to each side."""

    @abstractmethod
    def density(self, z: Floats) -> Floats:
        """The kernel at a distance of z bandwidths."""

    def taps(self, bandwidth: float) -> Floats:
        """Its masses on the nodes of a grid of step 1, from −radius to radius, summing to 1."""
        reach = math.ceil(self.radius * bandwidth)
        heights = self.density(np.arange(-reach, reach + 1) / bandwidth)
        return heights / heights.sum()


@dataclass(frozen=True)
class Gaussian(Kernel):
    r"""The normal kernel, $K(z) = e^{-z^2/2} / \sqrt{2\pi}$; beyond 8.6 bandwidths it is under 1e-16 of its peak.

    Source: [parzen1962].

    >>> round(float(Gaussian().density(np.zeros(1))[0]), 6)
    0.398942
    """

    @property
    def radius(self) -> float:
        """Where rounding ends it."""
        return 8.6

    def density(self, z: Floats) -> Floats:
        """The normal density."""
        return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Epanechnikov(Kernel):
    r"""The parabola, $K(z) = \tfrac{3}{4\sqrt5} (1 - z^2/5)$ on $|z| \le \sqrt5$, of least asymptotic error.

    Source: [silverman1986].

    >>> round(float(Epanechnikov().density(np.zeros(1))[0]), 6)
    0.33541
    """

    @property
    def radius(self) -> float:
        """Where the parabola meets 0."""
        return math.sqrt(5.0)

    def density(self, z: Floats) -> Floats:
        """The parabola, 0 outside."""
        return np.maximum(1.0 - z * z / 5.0, 0.0) * (0.75 / math.sqrt(5.0))
