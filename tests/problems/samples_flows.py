"""Maps that can be undone: what y knows about x, it knows about the image of x."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from problems.samples_problem import Flow, Rows


def half_cube(x: Rows) -> Rows:
    """Sign and power 3/2: longer tails, a kink in the density at 0."""
    return x * np.sqrt(np.abs(x))


def normal_cdf(x: Rows) -> Rows:
    """Uniform margins from normal ones."""
    return ndtr(x)


def wiggly_x(x: Rows) -> Rows:
    """An uneven scale; its slope stays positive."""
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def wiggly_y(y: Rows) -> Rows:
    """Another uneven scale."""
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def swiss_roll(u: Rows) -> Rows:
    """The unit interval rolled up in the plane."""
    t = 1.5 * math.pi * (1 + 2 * u[:, 0])
    return np.column_stack([t * np.cos(t), t * np.sin(t)]) / 21


def spiral(i: int, j: int, speed: float) -> Flow:
    """Turns columns i and j by an angle that grows with the squared distance from the origin."""

    def turn(x: Rows) -> Rows:
        angle = speed * np.sum(x * x, axis=1)
        turned = x.copy()
        turned[:, i] = np.cos(angle) * x[:, i] - np.sin(angle) * x[:, j]
        turned[:, j] = np.sin(angle) * x[:, i] + np.cos(angle) * x[:, j]
        return turned

    return turn


def two_bumps(shares: tuple[float, float], centres: tuple[float, float]) -> Flow:
    """A standard normal column to a mixture of two unit normal laws, by the inverse of its distribution function."""

    def height(t: Rows) -> Rows:
        return shares[0] * ndtr(t - centres[0]) + shares[1] * ndtr(t - centres[1])

    return lambda x: _inverted(height, ndtr(x), min(centres) - 10, max(centres) + 10)


def _inverted(rising: Callable[[Rows], Rows], level: Rows, low: float, high: float) -> Rows:
    """By halving, which no plateau disturbs."""
    below, above = np.full_like(level, low), np.full_like(level, high)
    for _ in range(60):
        middle = (below + above) / 2
        up = rising(middle) < level
        below, above = np.where(up, middle, below), np.where(up, above, middle)
    return (below + above) / 2


def rotation(dims: int, seed: int) -> Flow:
    """A fixed random rotation of the columns."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((dims, dims)))[0]
    return lambda x: x @ q


def shear(strength: float = 1.0) -> Flow:
    """Every column but the first moved by a sine of the one before it."""

    def bend(x: Rows) -> Rows:
        return np.column_stack([x[:, 0], x[:, 1:] + strength * np.sin(2 * x[:, :-1])])

    return bend


def signed_power(a: float) -> Flow:
    """Sign and power a of every column."""
    return lambda x: np.sign(x) * np.abs(x) ** a


def after(*flows: Flow) -> Flow:
    """One map after another, the first given first."""

    def run(x: Rows) -> Rows:
        for flow in flows:
            x = flow(x)
        return x

    return run
