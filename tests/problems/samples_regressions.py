"""y as a function of x with normal noise, and laws that a label or a count takes part in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from scipy.stats import gamma, poisson

from problems import samples_truths as truths
from problems.samples_joint_laws import QUADRATURE, high
from problems.samples_problem import Flow, Generator, JointProblem, Rows, tags


def regression(
    name: str, family: str, mean: Flow, deviation: Flow, *, noise_columns: int = 0, words: str = "hard"
) -> JointProblem:
    """x uniform on ±1, y normal around mean(x); further columns of x are normal noise."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x = rng.uniform(-1, 1, n)
        y = mean(x) + deviation(x) * rng.standard_normal(n)
        return np.column_stack([x, rng.standard_normal((n, noise_columns))]), y[:, None]

    x, weight = truths.panels(np.linspace(-1, 1, 201), 4)
    truth = truths.of_regression(mean, deviation, x, weight / 2)
    words = f"{words} {high(1 + noise_columns, 1)}"
    return JointProblem(
        name, draw, truth, family, (1 + noise_columns, 1), tags(words), how=QUADRATURE, error=1e-7
    )


def labelled(name: str, family: str, shares: Sequence[float], centres: Sequence[float]) -> JointProblem:
    """x is a unit normal law around the centre of its class, y the class."""
    w, m = np.asarray(shares), np.asarray(centres)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        k = rng.choice(len(w), size=n, p=w)
        return (m[k] + rng.standard_normal(n))[:, None], k[:, None]

    truth = truths.of_regression(lambda c: c, np.ones_like, m, w)
    options = {"kind_y": "discrete"}
    return JointProblem(name, draw, truth, family, (1, 1), tags("mixed"), QUADRATURE, 1e-8, options)


def switched(name: str, family: str, slopes: Sequence[float], noise: float) -> JointProblem:
    """x is a class and a number: the class says with which slope y follows the number."""
    a = np.asarray(slopes)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        k, z = rng.integers(len(a), size=n), rng.standard_normal(n)
        return np.column_stack([k, z]), (a[k] * z + noise * rng.standard_normal(n))[:, None]

    z, weight = truths.panels(np.linspace(-8.5, 8.5, 103), 4)
    mass = np.tile(weight * np.exp(-z * z / 2 - truths.HALF_LOG_2PI), len(a)) / len(a)
    at = np.concatenate([slope * z for slope in a])
    truth = truths.of_regression(lambda m: m, lambda m: np.full_like(m, noise), at, mass)
    options = {"kind_x": ("discrete", "continuous")}
    return JointProblem(name, draw, truth, family, (2, 1), tags("mixed"), QUADRATURE, 1e-7, options)


def table(name: str, family: str, masses: ArrayLike) -> JointProblem:
    """Two categorical variables with these joint masses."""
    p = np.asarray(masses, dtype=float)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        cell = rng.choice(p.size, size=n, p=p.ravel())
        row, column = np.divmod(cell, p.shape[1])
        return row[:, None], column[:, None]

    options = {"kind_x": "discrete", "kind_y": "discrete"}
    return JointProblem(name, draw, truths.of_table(p), family, tags=tags("discrete"), options=options)


def masked(problem: JointProblem, name: str, zero_x: float, zero_y: float) -> JointProblem:
    """x and y of continuous laws are set to 0 in shares of the rows, independently of everything.

    Zeros show, so that I = (1 − a)(1 − b) I of the rows that are left.
    """
    inner = problem.draw

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x, y = inner(n, rng)
        out_x, out_y = rng.uniform(size=(2, n, 1))
        return np.where(out_x < zero_x, 0.0, x), np.where(out_y < zero_y, 0.0, y)

    truth = (1 - zero_x) * (1 - zero_y) * problem.truth
    return JointProblem(name, draw, truth, problem.family, problem.dims, tags("atoms"), error=problem.error)


def counted(name: str, family: str, shape: float) -> JointProblem:
    """x of a gamma law is the rate of the count y."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x = rng.gamma(shape, size=n)
        return x[:, None], rng.poisson(x)[:, None]

    x, weight = truths.panels(np.linspace(0, 60, 601), 6)
    mass = weight * gamma.pdf(x, shape)
    p = poisson.pmf(np.arange(150)[:, None], x)
    marginal = p @ mass
    truth = float(np.sum(xlogy(p, p) @ mass) - np.sum(xlogy(marginal, marginal)))
    options = {"kind_y": "discrete"}
    return JointProblem(name, draw, truth, family, (1, 1), tags("mixed"), QUADRATURE, 1e-6, options)


def rounded(problem: JointProblem, name: str, rho: float, step: float) -> JointProblem:
    """A bivariate normal law of correlation ρ, both variables rounded to multiples of a step."""
    truth = truths.of_table(truths.rounded_normal_table(rho, step))
    return problem_with(problem, name, truth, lambda v: step * np.round(v / step), "atoms")


def problem_with(problem: JointProblem, name: str, truth: float, both: Flow, words: str) -> JointProblem:
    """The problem after a map of both variables that loses something, with its new truth."""
    inner = problem.draw

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x, y = inner(n, rng)
        return both(x), both(y)

    return JointProblem(name, draw, truth, problem.family, problem.dims, tags(words), QUADRATURE, 1e-8)
