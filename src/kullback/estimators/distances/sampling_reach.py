"""How far an empirical law is from its own: what keeps an interval honest where two laws are too close to tell."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate

Floats = NDArray[np.float64]
Distance = Callable[[Floats, Floats, Floats, Floats], float]  # of points x and y with masses w and v

_FAR = 2.0  # reaches of sampling noise beyond which the distance's own errors are near normal


def within_sample(distance: Distance, x: Floats, w: Floats, *, splits: int, seed: int) -> tuple[float, float]:
    r"""Mean and standard deviation of $W(P_n, P)$, from the distance between random halves of one sample.

    The difference of two halves' distribution functions varies four times as much as that of P_n from P, so on the line
    the distance is half as large; in d columns it shrinks by $2^{-1/d}$ at least. Rows are sorted before they are
    split, so that their order in the table does not matter.
    """
    if len(x) < 4:
        raise InvalidInputError(f"an interval needs at least 4 rows of each sample, got {len(x)}")
    order = np.lexsort(x.T)
    rng = np.random.default_rng([seed, 2])
    found = []
    for _ in range(splits):
        chosen = order[np.argsort(rng.random(len(x)), kind="stable")]
        a, b = chosen[: len(x) // 2], chosen[len(x) // 2 :]
        found.append(distance(x[a], x[b], w[a] / w[a].sum(), w[b] / w[b].sum()))
    shrinks = max(0.5, 2.0 ** (-1.0 / x.shape[1])) if x.shape[1] > 1 else 0.5
    return shrinks * float(np.mean(found)), shrinks * float(np.std(found, ddof=1))


def estimate(
    value: float, error: float, noise: tuple[tuple[float, float], tuple[float, float]], *, line: bool
) -> Estimate:
    r"""The estimate of a distance W whose delta-method error is `error`, with its interval.

    $$|\hat W - W| \le W(P_n, P) + W(Q_m, Q)$$

    always, so that sum's quantile is the reach of the interval unless the value is well above it. Then the reach is
    z·error, and beyond the line the low end also allows for the upward bias of empirical distances, which is at most
    the mean of that sum.
    """
    bias, spread = noise[0][0] + noise[1][0], math.hypot(noise[0][1], noise[1][1])
    near = value <= _FAR * (bias + 2.0 * spread)

    def ends(level: float) -> tuple[float, float]:
        z = float(ndtri(0.5 + level / 2))
        if near:
            return value - bias - z * spread, value + bias + z * spread
        return value - z * error - (0.0 if line else bias), value + z * error

    told = (
        f"an empirical distance is too large on average, here by up to {bias:.3g}: about that of equal laws"
    )
    return Estimate(value, error, interval=ends, notes=(told,) if near else ())
