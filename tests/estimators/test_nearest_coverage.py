"""Intervals of the nearest-neighbour estimators cover, on laws that their constants were not chosen on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import kullback as kb
from kullback.estimators import KozachenkoLeonenko, NearestKL, entropy, estimate

Rng = np.random.Generator
NORMAL = 0.5 * math.log(2 * math.pi * math.e)


def bimodal(rng: Rng, n: int) -> np.ndarray:
    return rng.standard_normal(n) + 2 * rng.choice([-1, 1], n)


def moments() -> tuple[float, float]:
    """The entropy of the bimodal law, and its KL from the normal of its mean and variance, on a fine grid."""
    z = np.linspace(-14, 14, 200_001)
    p = 0.5 * (np.exp(-0.5 * (z - 2) ** 2) + np.exp(-0.5 * (z + 2) ** 2)) / math.sqrt(2 * math.pi)
    h = float(np.trapezoid(-p * np.log(p), z))
    return h, 0.5 * math.log(2 * math.pi * 5) + 0.5 - h


ENTROPIES: dict[str, tuple[Callable[[Rng, int], np.ndarray], float]] = {
    "exponential": (lambda r, n: r.exponential(size=n), 1.0),
    "two exponentials": (lambda r, n: r.exponential(size=(n, 2)), 2.0),
    "bimodal": (bimodal, moments()[0]),
    "Laplace, two columns": (lambda r, n: r.laplace(size=(n, 2)), 2 + 2 * math.log(2)),
    # the constants were chosen on these
    "normal, three columns": (lambda r, n: r.standard_normal((n, 3)), 3 * NORMAL),
    "square": (lambda r, n: r.random((n, 2)), 0.0),
}
DIVERGENCES: dict[str, tuple[Callable[[Rng, int, int], tuple[np.ndarray, np.ndarray]], float]] = {
    "exponential": (
        lambda r, n, m: (r.exponential(size=n), 2 * r.exponential(size=m)),
        math.log(2) - 0.5,
    ),
    "bimodal from normal": (
        lambda r, n, m: (bimodal(r, n), math.sqrt(5) * r.standard_normal(m)),
        moments()[1],
    ),
    "two exponentials": (
        lambda r, n, m: (r.exponential(size=(n, 2)), 1.5 * r.exponential(size=(m, 2))),
        2 * (math.log(1.5) + 1 / 1.5 - 1),
    ),
    # the constants were chosen on these
    "shift": (lambda r, n, m: (r.standard_normal(n), r.standard_normal(m) + 1), 0.5),
    "shift, three columns": (
        lambda r, n, m: (r.standard_normal((n, 3)), r.standard_normal((m, 3)) + math.sqrt(1 / 3)),
        0.5,
    ),
    "Laplace from normal": (
        lambda r, n, m: (r.laplace(size=n), math.sqrt(2) * r.standard_normal(m)),
        0.5 * math.log(math.pi) - 0.5,
    ),
}


def judge(answers: list[kb.Answer], truth: float) -> None:
    """At least 90 % cover, and intervals are at most 1.3 times as wide as they must be, up to the error of both.

    A few samples may overlap too little for an interval.
    """
    low, high, value = np.array([[a.low, a.high, a.value] for a in answers if math.isfinite(a.low)]).T
    assert len(low) >= 0.8 * len(answers)
    allowance = 1 + 2 / math.sqrt(2 * len(answers))
    assert np.mean((low <= truth) & (truth <= high)) >= 0.90
    assert (high - low).mean() <= 1.3 * allowance * 3.92 * value.std()


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTROPIES)
def test_entropies_are_covered(name: str) -> None:
    draw, truth = ENTROPIES[name]
    judge(
        [entropy(draw(np.random.default_rng(s), 400), method=KozachenkoLeonenko()) for s in range(200)], truth
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(400, 400), (300, 1200), (1200, 300)])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_are_covered(name: str, n: int, m: int) -> None:
    draw, truth = DIVERGENCES[name]
    pairs = (draw(np.random.default_rng(s), n, m) for s in range(150))
    judge([estimate(kb.kl, x, y, method=NearestKL()) for x, y in pairs], truth)


def test_a_dozen_intervals_cover() -> None:
    draw, truth = DIVERGENCES["exponential"]
    found = [
        estimate(kb.kl, *draw(np.random.default_rng(s), 200, 250), method=NearestKL()) for s in range(12)
    ]
    assert sum(a.low <= truth <= a.high for a in found) >= 10
