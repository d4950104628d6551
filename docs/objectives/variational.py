"""The figure of the page on variational inference: one normal guide of a posterior of two modes, by order.

`python docs/objectives/variational.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

import curve
import kullback as kb

GRID = np.linspace(0.0, 10.0, 401)
ORDERS = (1.0, 0.8, 0.0, -6.0)


@dataclass(frozen=True)
class Fit:
    """The best guide: where it stands, how wide it is, and the logarithms of its probabilities."""

    centre: float
    width: float
    log_q: np.ndarray


def normal(centre: float, width: float) -> np.ndarray:
    """Logarithms of the probabilities of a normal law on the grid."""
    return log_softmax(-0.5 * ((GRID - centre) / width) ** 2)


@cache
def posterior() -> np.ndarray:
    """Two modes, the left one of mass 0.7."""
    return np.logaddexp(math.log(0.7) + normal(3.4, 0.5), math.log(0.3) + normal(5.6, 0.9))


def gap(order: float, log_q: np.ndarray) -> float:
    """What the bound of many draws leaves open: a Rényi divergence, up to a factor that does not move its optimum."""
    p = posterior()
    if order > 0:
        return float(kb.renyi(order).of_logits(log_q, p))
    return float(kb.renyi(1 - order).of_logits(p, log_q))  # at 0 the limit, KL(posterior‖guide)


@cache
def fitted(order: float) -> Fit:
    """The guide that the order prefers, from several starts."""
    starts = [(c, math.log(w)) for c in (3.4, 4.5, 5.6) for w in (0.6, 2.0)]
    options = {"xatol": 1e-6, "fatol": 1e-12}
    found = [
        minimize(
            lambda x: gap(order, normal(x[0], math.exp(x[1]))), start, method="Nelder-Mead", options=options
        )
        for start in starts
    ]
    centre, log_width = min(found, key=lambda x: x.fun).x
    return Fit(float(centre), math.exp(log_width), normal(centre, math.exp(log_width)))


def guides() -> str:
    """The posterior and a guide for every order."""
    shown = {"posterior": posterior(), **{f"guide at order {a:g}": fitted(a).log_q for a in ORDERS}}
    step = GRID[1] - GRID[0]
    lines = [curve.Line(name, partial(np.interp, xp=GRID, fp=np.exp(x) / step)) for name, x in shown.items()]
    return curve.svg(lines, marks=(0, 2, 4, 6, 8, 10), caption="density of a latent variable", top=1.0)


FIGURES = {"guides": guides}


def main() -> None:
    """Print what the figure shows."""
    for order in ORDERS:
        fit = fitted(order)
        print(f"order {order:g}  centre {fit.centre:.3f}  width {fit.width:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
