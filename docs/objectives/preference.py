"""The figure of the page on preferences: where preference optimisation ends under three divergences.

`python docs/objectives/preference.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.optimize import root_scalar

import chart
import kullback as kb
from kullback import FDivergence

ANSWERS = np.arange(13)
REFERENCE = np.exp(-0.5 * ((ANSWERS - 6) / 2.6) ** 2)
REFERENCE /= REFERENCE.sum()
REWARD = ANSWERS / 4.0  # the farther to the right, the better
MOVED = 0.5  # nats of KL(policy‖reference), the same for all
SHOWN: tuple[FDivergence, ...] = (kb.kl, kb.js, kb.reverse_kl)


@cache
def policy(d: FDivergence) -> np.ndarray:
    """The law of the largest reward at a price on d, the price such that it has moved as far as the others."""

    def at(log_price: float) -> np.ndarray:
        return np.asarray(
            kb.upper_expectation(d, REWARD, reference=REFERENCE, penalty=float(np.exp(log_price))).weights
        )

    found = root_scalar(lambda x: float(kb.kl(at(x), REFERENCE)) - MOVED, bracket=(-6.0, 6.0), xtol=1e-10)
    return at(found.root)


def preference_policies() -> str:
    """Probability of every answer under the reference and three policies."""
    series = [_series(f"policy by {d.name}", policy(d)) for d in SHOWN]
    return chart.lines(
        series,
        at=range(0, 13, 2),
        levels=(0.0, 0.1, 0.2, 0.3),
        caption="answer, the better the farther right",
        label="probability",
        plain=[_series("reference", REFERENCE)],
    )


def _series(name: str, law: Sequence[float] | np.ndarray) -> chart.Series:
    return chart.Series(
        name, tuple(chart.Point(float(i), float(p)) for i, p in zip(ANSWERS, law, strict=True))
    )


FIGURES = {"preference_policies": preference_policies}


def main() -> None:
    """Print what the figure shows."""
    for d in SHOWN:
        p = policy(d)
        print(f"{d.name:<12} reward {p @ REWARD:.3f}  least policy/reference {(p / REFERENCE).min():.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
