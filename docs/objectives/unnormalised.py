"""The figure of the page on models without normaliser: what the law of the noise costs, by divergence.

`python docs/objectives/unnormalised.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from functools import partial

import numpy as np

import curve
import kullback as kb

NOUNS = (kb.js, kb.squared_hellinger, kb.kl)
WIDTH = 1.3
GRID = np.linspace(-14.0, 18.0, 6401)


def error(d: kb.FDivergence, centre: float) -> float:
    """Standard error of the mean of N(0, 1) beside log Z, over that of maximum likelihood, for many draws."""
    log_p = -0.5 * GRID**2 - 0.5 * np.log(2 * np.pi)
    log_q = -0.5 * ((GRID - centre) / WIDTH) ** 2 - 0.5 * np.log(2 * np.pi) - np.log(WIDTH)
    step = GRID[1] - GRID[0]
    p, q, r = np.exp(log_p) * step, np.exp(log_q) * step, log_p - log_q
    slopes = np.stack([GRID, -np.ones_like(GRID)])  # of the log-ratio towards mean and log Z
    weight = d.curvature(r)
    bend = (q * weight * slopes) @ slopes.T
    noise = spread(p, weight * np.exp(-r) * slopes) + spread(q, weight * slopes)
    inverse = np.linalg.inv(bend)
    return float(np.sqrt((inverse @ noise @ inverse)[0, 0]))


def spread(masses: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """The covariance of the rows."""
    mean = terms @ masses
    return (masses * terms) @ terms.T - np.outer(mean, mean)


def efficiency() -> str:
    """The error against the distance of the noise."""
    lines = [curve.Line(d.name, partial(error, d)) for d in NOUNS]
    return curve.svg(lines, marks=(0, 1, 2, 3, 4), caption="distance of the noise from the data", top=10.0)


FIGURES = {"cost of noise": efficiency}


def main() -> None:
    """Print what the figure shows."""
    for d in NOUNS:
        print(f"{d.name:<18}", "  ".join(f"{error(d, x):.3f}" for x in (0.0, 1.0, 2.0, 3.0, 4.0)))  # noqa: T201


if __name__ == "__main__":
    main()
