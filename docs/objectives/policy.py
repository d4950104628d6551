"""The figure of the page on policies: the best policy of one hump for a target of two, by divergence.

`python docs/objectives/policy.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

import chart
import kullback as kb
from kullback import FDivergence

OUTCOMES = np.arange(60.0)
PLACE = (OUTCOMES - 30.0) / 10.0
FEATURES = np.stack([PLACE, PLACE**2], 1)
TARGET = log_softmax(
    np.logaddexp(
        np.log(0.7) - 0.5 * ((PLACE + 1.4) / 0.45) ** 2, np.log(0.3) - 0.5 * ((PLACE - 1.3) / 0.5) ** 2
    )
)
SHOWN: tuple[FDivergence, ...] = (kb.kl, kb.js, kb.reverse_kl)


@cache
def policy(d: FDivergence) -> np.ndarray:
    """Log-probabilities of the policy of least D_f(policy‖target), from several starts."""

    def far(theta: np.ndarray) -> float:
        return float(d.of_logits(FEATURES @ theta, TARGET))

    starts = ((a, b) for a in (-2.0, 0.0, 2.0) for b in (-0.3, -1.0))
    found = min((minimize(far, start, method="Nelder-Mead") for start in starts), key=lambda made: made.fun)
    return log_softmax(FEATURES @ found.x)


def policies() -> str:
    """Probability of every outcome under the target and three policies."""
    return chart.lines(
        [_series(f"policy by {d.name}", policy(d)) for d in SHOWN],
        at=range(0, 60, 10),
        levels=(0.0, 0.02, 0.04, 0.06, 0.08, 0.1),
        caption="outcome",
        label="probability",
        plain=[_series("target", TARGET)],
    )


def _series(name: str, log_p: np.ndarray) -> chart.Series:
    points = (chart.Point(float(x), float(y)) for x, y in zip(OUTCOMES, np.exp(log_p), strict=True))
    return chart.Series(name, tuple(points), marks=False)


FIGURES = {"policies": policies}


def main() -> None:
    """Print what the figure shows, every divergence of every policy."""
    for row in SHOWN:
        values = " ".join(f"{float(row.of_logits(policy(column), TARGET)):8.4f}" for column in SHOWN)
        mass = np.exp(policy(row))[OUTCOMES > 36].sum()
        print(f"{row.name:<12}{values}   on the right hump {mass:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
