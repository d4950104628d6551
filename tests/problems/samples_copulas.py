"""Copulas: laws of uniform margins, in which the whole of a dependence is, with their densities and draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from problems import samples_truths as truths
from problems.samples_problem import Flow, Generator, JointProblem, Rows, tags


@dataclass(frozen=True)
class Copula:
    """Draws (n, 2) of uniform margins, and the log density as a function of log u and log v."""

    draw: Callable[[int, Generator], Rows]
    log_density: Callable[[Rows, Rows], Rows]


def clayton(theta: float) -> Copula:
    """Dependence in the lower tail: small values come together."""

    def draw(n: int, rng: Generator) -> Rows:
        return (1 + rng.exponential(size=(n, 2)) / rng.gamma(1 / theta, size=(n, 1))) ** (-1 / theta)

    def log_density(a: Rows, b: Rows) -> Rows:
        total = np.log(np.exp(-theta * a) + np.expm1(-theta * b))
        return math.log1p(theta) - (theta + 1) * (a + b) - (2 + 1 / theta) * total

    return Copula(draw, log_density)


def gumbel(theta: float) -> Copula:
    """Dependence in the upper tail; the common factor of the rows is a positive stable law."""
    a = 1 / theta

    def draw(n: int, rng: Generator) -> Rows:
        angle, e = rng.uniform(0, math.pi, (n, 1)), rng.exponential(size=(n, 1))
        common = np.sin(a * angle) / np.sin(angle) ** theta * (np.sin((1 - a) * angle) / e) ** (theta - 1)
        return np.exp(-((rng.exponential(size=(n, 2)) / common) ** a))

    def log_density(a: Rows, b: Rows) -> Rows:
        total = (-a) ** theta + (-b) ** theta
        root = total ** (1 / theta)
        logs = (theta - 1) * (np.log(-a) + np.log(-b)) + (1 / theta - 2) * np.log(total)
        return logs - root - a - b + np.log(root + theta - 1)

    return Copula(draw, log_density)


def frank(theta: float) -> Copula:
    """Dependence in the middle, none in the tails."""
    whole = -math.expm1(-theta)

    def draw(n: int, rng: Generator) -> Rows:
        u, level = rng.uniform(size=(2, n))
        tilted = np.exp(-theta * u)
        v = -np.log1p(-level * whole / (level + (1 - level) * tilted)) / theta
        return np.column_stack([u, v])

    def log_density(a: Rows, b: Rows) -> Rows:
        u, v = np.exp(a), np.exp(b)
        below = whole - np.expm1(-theta * u) * np.expm1(-theta * v)
        return math.log(theta * whole) - theta * (u + v) - 2 * np.log(below)

    return Copula(draw, log_density)


def coupled(
    name: str, family: str, copula: Copula, x: Flow, y: Flow, *, words: str = "smooth"
) -> JointProblem:
    """x and y are the images of the copula's margins under two quantile functions."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        uv = copula.draw(n, rng)
        return x(uv[:, :1]), y(uv[:, 1:])

    truth = truths.of_copula(copula.log_density)
    return JointProblem(name, draw, truth, family, tags=tags(words), how="quadrature", error=1e-6)


def uniform(u: Rows) -> Rows:
    """The quantiles of the uniform law."""
    return u


def normal(u: Rows) -> Rows:
    """The quantiles of the standard normal law."""
    return ndtri(u)


def exponential(u: Rows) -> Rows:
    """The quantiles of the exponential law."""
    return -np.log1p(-u)


def cauchy(u: Rows) -> Rows:
    """The quantiles of the Cauchy law."""
    return np.tan(math.pi * (u - 0.5))
