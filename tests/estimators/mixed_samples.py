"""Rows of known laws, as methods of estimation read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample, read_joint

Draw = Callable[[np.random.Generator], JointSample]


def joint(x, y, given=None, kinds: Sequence[str | None] = (None, None, None)) -> JointSample:
    """The problem as the verbs read it."""
    return read_joint(x, y, given, kinds=tuple(kinds), divergence=None, weights=None, missing="raise", seed=0)


def normal(n: int, rho: float, d: int = 1) -> Draw:
    """d independent pairs of correlation rho: −d log(1 − rho²)/2."""

    def draw(rng: np.random.Generator) -> JointSample:
        x, e = rng.normal(size=(2, n, d))
        return joint(x, rho * x + np.sqrt(1 - rho**2) * e)

    return draw


def shifted(n: int, d: int, shift: float, *, classes: int = 2) -> Draw:
    """Normal columns whose mean moves with the class."""

    def draw(rng: np.random.Generator) -> JointSample:
        c = rng.integers(0, classes, n)
        x = rng.normal(size=(n, d)) + shift / np.sqrt(d) * c[:, None]
        return joint(x, c, kinds=("continuous", "discrete", None))

    return draw


def ends(found: Estimate, level: float = 0.95) -> tuple[float, float]:
    """The interval of an estimate."""
    if found.interval is not None:
        return found.interval(level)
    reach = 1.959963984540054 * np.hypot(found.standard_error, found.bias_error)
    return found.value - reach, found.value + reach


def coverage(method: InformationMethod, draw: Draw, truth: float, *, draws: int, seed: int) -> float:
    """How often the 95 % interval holds the truth."""
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(draws):
        low, high = ends(method.estimate(draw(rng)))
        held += low <= truth <= high
    return held / draws
