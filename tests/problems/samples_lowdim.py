"""Seven families whose information is set by a parameter, up to 10 nats: how far can an estimate follow?

They judge and are never tuned on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma

from problems import samples_flows as flows
from problems import samples_joint_laws as laws
from problems.samples_problem import Generator, JointProblem, Rows, tags

THREE = "benchmark-3"
LEVELS = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)


@cache
def benchmark_3() -> tuple[JointProblem, ...]:
    """Every family at every level."""
    makers = (_normal, _student, _uniform, _smoothed, _exponential, _quantised, _stairs)
    return tuple(make(level) for make in makers for level in LEVELS)


def _normal(level: float) -> JointProblem:
    rho = math.sqrt(-math.expm1(-2 * level))
    return laws.normal(f"correlated-normal-{level:g}", THREE, laws.dense(1, 1, rho), 1)


def _student(level: float) -> JointProblem:
    """Four degrees of freedom add a constant to the information of the normal law."""
    added = laws.student("", THREE, np.eye(2), 1, 4).truth
    rho = math.sqrt(-math.expm1(-2 * (level - added)))
    return laws.student(f"correlated-student-{level:g}", THREE, laws.dense(1, 1, rho), 1, 4)


def _uniform(level: float) -> JointProblem:
    normal = _normal(level)
    return normal.through(f"correlated-uniform-{level:g}", flows.normal_cdf, flows.normal_cdf, tags="edge")


def _smoothed(level: float) -> JointProblem:
    inverse = _solved(lambda s: s / 2 if s <= 1 else 1 / (2 * s) + math.log(s), level)
    return laws.additive(f"smoothed-uniform-{level:g}", THREE, 1 / (2 * inverse))


def _exponential(level: float) -> JointProblem:
    """x gamma, y exponential with x as its rate."""
    inverse = _solved(lambda k: float(digamma(1 / k)) + k + math.log(k), level)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        # logarithms, which keep all information: shapes near 0 underflow otherwise
        log_x = np.log(rng.gamma(1 + 1 / inverse, size=n)) + inverse * np.log1p(-rng.uniform(size=n))
        return log_x[:, None], (np.log(rng.exponential(size=n)) - log_x)[:, None]

    return JointProblem(f"gamma-exponential-{level:g}", draw, level, THREE, tags=tags("smooth"))


def _quantised(level: float) -> JointProblem:
    """x uniform, y the cell of x."""
    cells = round(math.exp(level))

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x = rng.uniform(size=(n, 1))
        return x, np.floor(cells * x).astype(np.int64)

    options = {"kind_y": "discrete"}
    words = tags("mixed")
    return JointProblem(
        f"quantised-uniform-{level:g}", draw, math.log(cells), THREE, tags=words, options=options
    )


def _stairs(level: float) -> JointProblem:
    """x a class, y the class plus uniform noise that stays below the next one."""
    cells = round(math.exp(level))

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        k = rng.integers(cells, size=(n, 1))
        return k, k + rng.uniform(size=(n, 1))

    options = {"kind_x": "discrete"}
    words = tags("mixed")
    return JointProblem(
        f"smoothed-discrete-{level:g}", draw, math.log(cells), THREE, tags=words, options=options
    )


def _solved(rising: Callable[[float], float], level: float) -> float:
    """The argument at which an increasing function reaches the level."""
    return math.exp(brentq(lambda log: rising(math.exp(log)) - level, -12, 12, xtol=1e-14))
