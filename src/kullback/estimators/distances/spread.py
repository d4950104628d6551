"""Normalised weights, and variances under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def masses(weights: Floats | None, n: int) -> Floats:
    """The weights divided by their sum; 1/n each where there are none."""
    return np.full(n, 1.0 / n) if weights is None else weights / weights.sum()


def variance(values: Floats, mass: Floats) -> float:
    """The variance of values whose masses sum to 1, corrected for the mean that they were centred at."""
    centred = values - mass @ values
    return float(mass @ centred**2) / max(1.0 - float(mass @ mass), 1e-300)


def square_like_ends(value: float, error: float, level: float) -> tuple[float, float]:
    r"""The ends for a quantity that behaves like a square, whose root is the closer to normal: moved to the right.

    $$\text{value} + \tfrac14 e \min(\text{value}/e,\, e/\text{value})_+ \pm e, \qquad e = z \cdot \text{error}$$

    which is $(\sqrt{\text{value}} \pm e / (2 \sqrt{\text{value}}))^2$ far from 0 and symmetric at 0, where the
    variance of pairs is already in the error.
    """
    reach = float(ndtri(0.5 + level / 2)) * error
    shift = 0.0 if value <= 0 or reach == 0 else 0.25 * reach * min(value / reach, reach / value)
    return value + shift - reach, value + shift + reach
