"""Kernels of a distance between points: what a maximum mean discrepancy compares distributions by."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from kullback._ops import Array, ops
from kullback.errors import InvalidInputError


class Kernel(ABC):
    """A function of the squared Euclidean distance of two points, positive definite up to a constant."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name with its parameter."""

    @abstractmethod
    def __call__(self, square: Array) -> Array:
        """The kernel's value at points of that squared distance, elementwise."""

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class GaussianKernel(Kernel):
    r"""The Gaussian kernel $k(x, y) = \exp(-\|x - y\|^2 / (2h^2))$ of bandwidth h, in the unit of x.

    Characteristic: its MMD is 0 for equal distributions only. Raises `InvalidInputError` unless h is positive and
    finite. Source: [gretton2012].

    >>> import numpy as np
    >>> import kullback as kb
    >>> round(float(kb.GaussianKernel(1.0)(np.array(2.0))), 6)
    0.367879
    """

    bandwidth: float

    def __post_init__(self) -> None:
        _positive(self.bandwidth)

    @property
    def name(self) -> str:
        return f"gaussian {self.bandwidth:.12g}"

    def __call__(self, square: Array) -> Array:
        return ops(square).exp(-0.5 * square / self.bandwidth**2)


@dataclass(frozen=True, repr=False)
class LaplacianKernel(Kernel):
    r"""The Laplacian kernel $k(x, y) = \exp(-\|x - y\| / h)$ of bandwidth h, in the unit of x.

    Characteristic. Raises `InvalidInputError` unless h is positive and finite. Source: [gretton2012].

    >>> import numpy as np
    >>> import kullback as kb
    >>> round(float(kb.LaplacianKernel(2.0)(np.array(4.0))), 6)
    0.367879
    """

    bandwidth: float

    def __post_init__(self) -> None:
        _positive(self.bandwidth)

    @property
    def name(self) -> str:
        return f"laplacian {self.bandwidth:.12g}"

    def __call__(self, square: Array) -> Array:
        return ops(square).exp(-distance(square) / self.bandwidth)


@dataclass(frozen=True, repr=False)
class DistanceKernel(Kernel):
    r"""The kernel of the energy distance, $k(x, y) = -\|x - y\|$, positive definite on differences of distributions.

    The square of its MMD is the energy distance. Source: [szekely2013].

    >>> import kullback as kb
    >>> kb.mmd(kb.DistanceKernel())([1.0, 0.0], [0.0, 1.0], positions=[0.0, 2.0])
    2.0
    """

    name = "distance"

    def __call__(self, square: Array) -> Array:
        return -distance(square)


def distance(square: Array) -> Array:
    """The root, whose derivative at 0 is taken as 0."""
    xp = ops(square)
    apart = square > 0
    return xp.where(apart, xp.sqrt(xp.where(apart, square, 1.0)), 0.0)


def _positive(bandwidth: float) -> None:
    if isinstance(bandwidth, bool) or not isinstance(bandwidth, (int, float)) or not 0 < bandwidth < math.inf:
        raise InvalidInputError(f"a kernel needs a positive finite bandwidth, got {bandwidth!r}")
