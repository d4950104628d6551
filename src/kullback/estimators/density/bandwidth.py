"""Rules for the bandwidth: each reads masses on a grid and answers in steps of it, so no scale enters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.optimize import root_scalar

from kullback.errors import ConvergenceError, InvalidInputError

Floats = NDArray[np.float64]

_NORMAL_QUARTILES = 1.3489795003921634  # between the quartiles of the standard normal law


class Bandwidth(ABC):
    """A rule that turns the masses of one column into the standard deviation of the kernel."""

    @abstractmethod
    def steps(self, masses: Floats, n: float, dimension: int) -> float:
        """The bandwidth in steps of the grid, for an effective number n of rows in `dimension` columns."""


@dataclass(frozen=True)
class Scott(Bandwidth):
    r"""The normal reference rule, $h = \sigma\, n^{-1/(d+4)}$ with σ the standard deviation of the column.

    Source: [scott1992].

    >>> import kullback.estimators as ke
    >>> round(ke.grid_density([-1.0, 0.0, 1.0], bandwidth=ke.Scott()).bandwidth[0], 3)
    0.803
    """

    def steps(self, masses: Floats, n: float, dimension: int) -> float:
        """The rule's value."""
        return _deviation(masses, n) * n ** (-1 / (dimension + 4))


@dataclass(frozen=True)
class Silverman(Bandwidth):
    r"""Silverman's rule of thumb, which outliers and two modes do not mislead.

    $$h = c_d \min(\sigma, \text{IQR}/1.349)\, n^{-1/(d+4)}, \qquad c_1 = 0.9, \quad
    c_d = \left(\tfrac{4}{d+2}\right)^{1/(d+4)} \text{ for } d > 1$$

    Source: [silverman1986].

    >>> import kullback.estimators as ke
    >>> x = [-1.0, 0.0, 1.0]
    >>> h = ke.grid_density(x, bandwidth=ke.Silverman()).bandwidth[0]
    >>> bool(h < ke.grid_density(x, bandwidth=ke.Scott()).bandwidth[0])
    True
    """

    def steps(self, masses: Floats, n: float, dimension: int) -> float:
        """The rule's value."""
        factor = 0.9 if dimension == 1 else (4 / (dimension + 2)) ** (1 / (dimension + 4))
        quartiles = (_quantile(masses, 0.75) - _quantile(masses, 0.25)) / _NORMAL_QUARTILES
        return factor * min(_deviation(masses, n), quartiles) * n ** (-1 / (dimension + 4))


@dataclass(frozen=True)
class ImprovedSheatherJones(Bandwidth):
    r"""The bandwidth that solves Botev's fixed-point equation: no normal law is assumed, so modes stay apart.

    $$t = \xi\,\gamma^{[5]}(t), \qquad h = \sqrt{t}$$

    The equation is solved in units of the data's range, whatever their scale. For two columns the rule is that of each
    times $n^{1/5 - 1/6}$. Raises `ConvergenceError` where the equation has no root, as for a handful of rows.

    Source: [botev2010].

    >>> import numpy as np, kullback.estimators as ke
    >>> x = np.r_[np.linspace(-1, 1, 200), np.linspace(99, 101, 200)]  # two modes
    >>> h = ke.grid_density(x, bandwidth=ke.ImprovedSheatherJones(), cells=4096).bandwidth[0]
    >>> 0.05 < h < 0.5
    True
    """

    def steps(self, masses: Floats, n: float, dimension: int) -> float:
        """The root of the equation."""
        # a margin of a tenth at each side: the cosine transform mirrors what it meets at the ends
        padded = np.pad(masses / masses.sum(), len(masses) // 10)
        power = (0.5 * np.asarray(dct(padded))[1:]) ** 2
        orders = (np.pi * np.arange(1, len(padded))) ** 2

        def roughness(s: int, t: float) -> float:
            return 2 * float(np.sum(orders**s * power * np.exp(-orders * t)))

        def gap(log_t: float) -> float:
            return log_t - math.log(_stages(roughness, math.exp(log_t), n))

        root = _first_root(gap, np.linspace(2 * math.log(0.25 / len(padded)), 2 * math.log(0.3), 40))
        return math.exp(0.5 * root) * len(padded) * n ** (0.2 - 1 / (dimension + 4))


def _stages(roughness, t: float, n: float) -> float:
    """ξγ(t): from the seventh derivative down to the second, each with the bandwidth that the one above suggests."""
    found = roughness(7, t)
    for s in range(6, 1, -1):
        odd = math.prod(range(1, 2 * s, 2)) / math.sqrt(2 * math.pi)
        time = (2 * (1 + 0.5 ** (s + 0.5)) / 3 * odd / (n * max(found, 5e-324))) ** (2 / (3 + 2 * s))
        found = roughness(s, time)
    return (2 * n * math.sqrt(math.pi) * max(found, 5e-324)) ** -0.4


def _first_root(gap, at: Floats) -> float:
    values = [gap(x) for x in at]
    if values[0] > 0:  # the root is finer than the grid, which the caller sees and refines
        return float(at[0])
    for k in range(len(at) - 1):
        if values[k] <= 0 < values[k + 1]:
            return root_scalar(gap, bracket=(at[k], at[k + 1]), method="brentq").root
    raise ConvergenceError(
        "the equation of the improved Sheather-Jones rule has no root for these rows; "
        "take Silverman() or a number"
    )


def critical_bandwidths(n: int, d: int) -> tuple[float, float]:
    r"""Below which bandwidths a Gaussian kernel estimate of n standard normal rows in d columns is about single rows.

    $$I(1/h_G^2) = \frac{\log n}{d}, \quad I(\beta) = \tfrac12\Big[\log(1+\beta) - \frac{\beta}{(1+\beta)^2}\Big],
    \qquad h_{\text{CLT}} = \sqrt2\, h_G$$

    Under $h_G$ one row makes the density; under $h_{\text{CLT}}$ its fluctuations are not normal. In units of the
    columns' standard deviation; returned as ($h_G$, $h_\text{CLT}$). Raises `InvalidInputError` for n < 2 or d < 1.

    Source: [biroli2024].

    >>> [round(h, 3) for h in critical_bandwidths(2000, 10)]
    [0.481, 0.68]
    """
    if n < 2 or d < 1:
        raise InvalidInputError(f"critical bandwidths need n >= 2 rows and d >= 1 columns, got n={n}, d={d}")
    rate = math.log(n) / d

    def gap(log_beta: float) -> float:
        beta = math.exp(log_beta)
        # β/(1+β)² over e^{−log β}: nothing overflows for large rates
        return 0.5 * (np.logaddexp(0.0, log_beta) - 1 / ((1 + beta) * (1 + 1 / beta))) - rate

    beta = math.exp(root_scalar(gap, bracket=(math.log(1e-9), 2 * rate + 2), method="brentq").root)
    return beta**-0.5, (beta / 2) ** -0.5


def _deviation(masses: Floats, n: float) -> float:
    nodes = np.arange(len(masses))
    share = masses / masses.sum()
    mean = share @ nodes
    variance = share @ (nodes - mean) ** 2 * n / (n - 1)
    return math.sqrt(max(variance - 1 / 6, 1e-3))  # sharing a row between two nodes adds 1/6 on average


def _quantile(masses: Floats, level: float) -> float:
    below = np.cumsum(masses)
    return float(np.interp(level * below[-1], below, np.arange(len(masses))))
