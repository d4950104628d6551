"""Roots between two ends of opposite sign, for whole arrays at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]

_EPS = float(np.finfo(float).eps)
_STEPS = 200


def root_bracket(
    f: Function,
    low: np.ndarray,
    high: np.ndarray,
    f_low: np.ndarray,
    f_high: np.ndarray,
    *,
    relative: float = 2 * _EPS,
    absolute: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Two ends, at most twice the tolerance apart, between which f passes zero; f may jump or be infinite there.

    `f_low <= 0 <= f_high` elementwise, `low` may lie above `high`. Chandrupatla's method: inverse quadratic steps
    where they are safe, halves elsewhere. Source: [chandrupatla1997].
    """
    x1, f1, x2, f2 = high, f_high, low, f_low
    t = np.full_like(x1, 0.5)
    done = np.zeros(x1.shape, dtype=bool)
    for step in range(_STEPS):
        width = np.abs(x2 - x1)
        tolerance = absolute + relative * np.maximum(np.abs(x1), np.abs(x2))
        done = done | (width <= 2 * tolerance) | (f1 == 0) | (f2 == 0)
        if done.all():
            break
        least = tolerance / np.where(done, 1.0, width)
        x = np.where(done, x1, x1 + np.clip(t, least, 1 - least) * (x2 - x1))
        value = np.where(done, f1, f(x))
        same = np.sign(value) == np.sign(f1)
        x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
        x2, f2 = np.where(same | done, x2, x1), np.where(same | done, f2, f1)
        x1, f1 = x, value
        # every third step a half, or a root lost in rounding would be approached one tolerance at a time
        t = np.full_like(x1, 0.5) if step % 3 == 2 else _fraction(x1, x2, x3, f1, f2, f3)
    exact = np.where(f1 == 0, x1, x2)
    found = (f1 == 0) | (f2 == 0)
    below = f1 < 0
    return (
        np.where(found, exact, np.where(below, x1, x2)),
        np.where(found, exact, np.where(below, x2, x1)),
    )


def _fraction(*points: np.ndarray) -> np.ndarray:
    """Where between x1 and x2 to look next; a half where the quadratic through the points is not to be trusted."""
    x1, x2, x3, f1, f2, f3 = points
    xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
    safe = (1 - np.sqrt(1 - xi) < phi) & (phi < np.sqrt(xi))
    quadratic = f1 / (f1 - f2) * f3 / (f3 - f2) - (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f2 - f3)
    return np.where(safe & np.isfinite(quadratic), quadratic, 0.5)
