"""Normalised weights, and variances under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def masses(weights: Floats | None, n: int) -> Floats:
    """The weights divided by their sum; 1/n each where there are none."""
    return np.full(n, 1.0 / n) if weights is None else weights / weights.sum()


def variance(values: Floats, mass: Floats) -> float:
    """The variance of values whose masses sum to 1, corrected for the mean that they were centred at."""
    centred = values - mass @ values
    return float(mass @ centred**2) / max(1.0 - float(mass @ mass), 1e-300)
