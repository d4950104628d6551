"""Joint laws in their usual parameters, from which the families of problems are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from problems import samples_truths as truths
from problems.samples_problem import Generator, JointProblem, Rows, tags

QUADRATURE = "quadrature"


def high(dx: int, dy: int) -> str:
    """The tag of problems with many columns."""
    return "high" if max(dx, dy) >= 10 else ""


def dense(dx: int, dy: int, rho: float = 0.5) -> Rows:
    """Every pair of columns has correlation ρ."""
    return np.full((dx + dy, dx + dy), rho) + (1 - rho) * np.eye(dx + dy)


def sparse(dx: int, dy: int, rhos: Sequence[float] = (0.8, 0.8)) -> Rows:
    """The first columns of x and y are correlated pair by pair, the others not at all."""
    c = np.eye(dx + dy)
    for i, rho in enumerate(rhos):
        c[i, dx + i] = c[dx + i, i] = rho
    return c


def normal(name: str, family: str, covariance: ArrayLike, dx: int, words: str = "smooth") -> JointProblem:
    """A multivariate normal law of mean 0."""
    c = np.asarray(covariance, dtype=float)
    root = np.linalg.cholesky(c)
    dims = dx, len(c) - dx

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        rows = rng.standard_normal((n, len(c))) @ root.T
        return rows[:, :dx], rows[:, dx:]

    return JointProblem(name, draw, truths.of_normal(c, dx), family, dims, tags(f"{words} {high(*dims)}"))


def student(
    name: str, family: str, covariance: ArrayLike, dx: int, df: float, words: str = "heavy"
) -> JointProblem:
    """A multivariate t law with this dispersion: one scale for the whole row."""
    c = np.asarray(covariance, dtype=float)
    root = np.linalg.cholesky(c)
    dims = dx, len(c) - dx

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        rows = rng.standard_normal((n, len(c))) @ root.T * np.sqrt(df / rng.chisquare(df, (n, 1)))
        return rows[:, :dx], rows[:, dx:]

    return JointProblem(
        name, draw, truths.of_student(c, dx, df), family, dims, tags(f"{words} {high(*dims)}")
    )


def additive(name: str, family: str, half_width: float) -> JointProblem:
    """A uniform x seen through uniform noise."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-half_width, half_width, size=(n, 1))

    return JointProblem(name, draw, truths.of_additive_uniform(half_width), family, tags=tags("edge"))


def normal_mixture(
    name: str, family: str, shares: ArrayLike, means: ArrayLike, covariances: ArrayLike
) -> JointProblem:
    """A mixture of normal laws of one x and one y."""
    w, m, c = (np.asarray(part, dtype=float) for part in (shares, means, covariances))
    roots = np.linalg.cholesky(c)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        k = rng.choice(len(w), size=n, p=w)
        rows = m[k] + np.einsum("nij,nj->ni", roots[k], rng.standard_normal((n, 2)))
        return rows[:, :1], rows[:, 1:]

    truth = truths.of_normal_mixture(w, m, c)
    return JointProblem(name, draw, truth, family, tags=tags("smooth hard"), how=QUADRATURE, error=1e-8)


def concentric(name: str, family: str, dims: int, count: int) -> JointProblem:
    """Balls of radius 1 … count around one centre; y is the number of the ball, with noise of deviation 0.01."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        k = rng.integers(1, count + 1, size=(n, 1))
        return k * rng.standard_normal((n, dims)), k + 0.01 * rng.standard_normal((n, 1))

    words = tags(f"hard {high(dims, 1)}")
    truth = truths.of_concentric(dims, count)
    return JointProblem(name, draw, truth, family, (dims, 1), words, how=QUADRATURE, error=1e-8)


def inliers(name: str, family: str, dims: int, share: float, rho: float = 0.8) -> JointProblem:
    """Two correlated pairs and other columns of noise; in a share of the rows x and y are independent."""
    root = np.linalg.cholesky(sparse(dims, dims, (rho, rho)))

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        rows = rng.standard_normal((n, 2 * dims))
        alone = rng.uniform(size=(n, 1)) < share
        rows = np.where(alone, rows, rows @ root.T)
        return rows[:, :dims], rows[:, dims:]

    words = tags(f"hard {high(dims, dims)}")
    truth = truths.of_inliers(rho, share)
    return JointProblem(name, draw, truth, family, (dims, dims), words, how=QUADRATURE, error=1e-8)


def with_noise_column(problem: JointProblem, name: str) -> JointProblem:
    """The same with a column of standard normal noise after x's own."""
    inner = problem.draw

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x, y = inner(n, rng)
        return np.column_stack([x, rng.standard_normal(n)]), y

    dims = problem.dims[0] + 1, problem.dims[1]
    tagged = problem.tags
    return JointProblem(name, draw, problem.truth, problem.family, dims, tagged, problem.how, problem.error)
