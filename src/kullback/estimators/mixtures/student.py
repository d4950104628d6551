"""The multivariate Student law about 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from kullback.estimators.mixtures.law import Floats, Ints, Law, whitened

_STEPS, _TOLERANCE = 50, 1e-4
_FREEDOMS = 0.5, 60.0  # more are nearly normal, fewer have no tails that ranks could tell
_CLOSE = 0.02  # in log degrees of freedom, well below what 10 000 rows tell


@dataclass(frozen=True)
class Student(Law):
    """Degrees of freedom and the scatter matrix (d, d)."""

    freedom: float
    scatter: Floats

    def log_density(self, z: Floats) -> Floats:
        """The log of the density."""
        v, d = self.freedom, len(self.scatter)
        root = np.linalg.cholesky(self.scatter)
        away = whitened(z, root)
        constant = float(gammaln((v + d) / 2) - gammaln(v / 2)) - 0.5 * d * math.log(v * math.pi)
        rise = np.log1p(np.einsum("ij,ij->i", away, away) / v)
        return constant - float(np.log(np.diag(root)).sum()) - 0.5 * (v + d) * rise

    def margin(self, columns: Ints) -> Student:
        """A Student law with the same degrees of freedom."""
        return Student(self.freedom, self.scatter[np.ix_(columns, columns)])

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Normal rows over a common chi."""
        z = rng.standard_normal((n, len(self.scatter))) @ np.linalg.cholesky(self.scatter).T
        return z / np.sqrt(rng.chisquare(self.freedom, size=(n, 1)) / self.freedom)


def fit(z: Floats, freedom: float, start: Floats) -> Student:
    """The scatter of largest likelihood by reweighting, from the covariance of the rows' normal scores."""
    scatter = start
    for _ in range(_STEPS):
        away = whitened(z, np.linalg.cholesky(scatter))
        weight = (freedom + z.shape[1]) / (freedom + np.einsum("ij,ij->i", away, away))
        new = (z * weight[:, None]).T @ z / len(z)
        step = float(np.abs(new - scatter).max())
        scatter = new
        if step < _TOLERANCE:
            break
    return Student(freedom, scatter)


def likeliest(scores: Callable[[float], Floats], start: Floats) -> float:
    """The degrees of freedom under which the dependence of all columns is likeliest.

    `scores` gives the columns with Student margins of so many degrees of freedom; the columns' own densities are taken
    off, so that only their copula counts.
    """
    last = start

    def cost(log_freedom: float) -> float:
        nonlocal last
        freedom = math.exp(log_freedom)
        z = scores(freedom)
        law = fit(z, freedom, last)
        last = law.scatter
        alone = sum(law.margin(np.array([j])).log_density(z[:, [j]]) for j in range(z.shape[1]))
        return -float((law.log_density(z) - alone).mean())

    low, high = map(math.log, _FREEDOMS)
    found: Any = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": _CLOSE})
    return math.exp(found.x)
