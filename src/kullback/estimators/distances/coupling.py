"""The cheapest plan on the line, its cost, and the prices (dual potentials) that prove it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    r"""The least cost $\min_\pi E|x - y|^p$ and the potentials $\varphi, \psi$, row by row, whose means add to it."""

    cost: float
    of_x: Floats
    of_y: Floats


def on_line(x: Floats, y: Floats, w: Floats, v: Floats, order: float) -> Plan:
    r"""The plan that couples equal quantiles, for masses w and v that sum to 1.

    Going through the steps of both distribution functions, x moves while y stays or y while x does, and each potential
    changes by what the move changes of the cost: $\varphi(x') - \varphi(x) = |x' - y|^p - |x - y|^p$.
    """
    by_x, by_y = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    xs, ys = x[by_x], y[by_y]
    up_x, up_y = np.cumsum(w[by_x]), np.cumsum(v[by_y])
    # the step that each sample takes next comes where its mass is used up; the last ones are not taken
    breaks = np.concatenate([up_x[:-1], up_y[:-1]])
    turn = np.argsort(breaks, kind="stable")
    moves_x = turn < len(x) - 1
    at_x = np.concatenate([[0], np.cumsum(moves_x)])
    at_y = np.concatenate([[0], np.cumsum(~moves_x)])
    lengths = np.diff(np.concatenate([[0.0], breaks[turn], [1.0]]))
    cost = np.abs(xs[at_x] - ys[at_y]) ** order
    change = np.diff(cost)
    phi, psi = np.zeros(len(x)), np.full(len(y), cost[0])
    phi[1:] = np.cumsum(change[moves_x])
    psi[1:] += np.cumsum(change[~moves_x])
    of_x, of_y = np.empty(len(x)), np.empty(len(y))
    of_x[by_x], of_y[by_y] = phi, psi
    return Plan(float(lengths @ cost), of_x, of_y)
