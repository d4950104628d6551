"""What a fitted law can do: give its log-density, its margins, and rows of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Law(ABC):
    """A law on columns whose margins have densities of their own."""

    @abstractmethod
    def log_density(self, z: Floats) -> Floats:
        """log g at rows z (n, columns), in nats."""

    @abstractmethod
    def margin(self, columns: Ints) -> Law:
        """The law of some of the columns."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """n rows of the law."""


def pointwise(law: Law, x: Floats, y: Floats) -> Floats:
    r"""$\log g(x, y) - \log g(x) - \log g(y)$ for each row.

    Summed over the law itself it is the law's own information.
    """
    of_x, of_y = np.split(np.arange(x.shape[1] + y.shape[1]), [x.shape[1]])
    joint = law.log_density(np.hstack([x, y]))
    return joint - law.margin(of_x).log_density(x) - law.margin(of_y).log_density(y)


def whitened(z: NDArray[Any], root: NDArray[Any]) -> Floats:
    """Rows in units in which a covariance with this Cholesky factor is one."""
    return z @ np.linalg.inv(root).T
