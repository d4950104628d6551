"""Control variates of known mean for draws of normal laws and their mixtures: their first and second moments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kullback.divergences import FDivergence
from kullback.exact.control_variates import (
    Draws,
    Estimator,
    Mean,
    Regressed,
    average,
    levels_off,
    regressed,
    without_growth,
)
from kullback.exact.law import Law
from kullback.exact.normals import Normals, normals
from kullback.exact.pareto import pareto_k

_DRAWS = 50  # for every coefficient that is fitted
_MOST = 100  # coefficients
_NO_VARIANCE = 0.5  # tail index
_ROUNDING = 16.0 * float(np.finfo(float).eps)  # of a mean, relative to its terms


@dataclass(frozen=True, repr=False, eq=False)
class WithMoments(Regressed):
    r"""Regressed on monomials of the draws, (n, m), whose mean is 0, and on t − 1 unless that is without a variance.

    The log-ratio of two mixtures is close to a quadratic function where most draws fall, and a mixture of normal laws
    has a known mean and covariance: in coordinates z in which they are 0 and the identity, $E[z_i] = 0$ and
    $E[z_i z_j] = \delta_{ij}$.
    """

    monomials: np.ndarray
    ratio: bool
    name = "regressed on moments"

    def mean(self, draws: Draws) -> Mean:
        """The value of the regression line where all control variates are 0."""
        made = super().mean(draws) if self.uses_ratio(draws.g) else self._without_ratio(draws)
        # where the terms are a quadratic function of the draws, nothing but rounding is left of their spread
        size = float(np.mean(np.abs(made.terms))) + abs(made.value)
        return replace(made, error=made.error + _ROUNDING * size)

    def _without_ratio(self, draws: Draws) -> Mean:
        rest = without_growth(draws, draws.values(draws.s), draws.values(draws.g.value(draws.s)))
        if rest is None:
            return super().mean(draws)
        made = average(draws, self.reduced(rest), self.name)
        return replace(made, terms=rest, notes=("t - 1 left out: its variance is infinite",))

    def uses_ratio(self, g: FDivergence) -> bool:
        """Where t has a variance, or where the terms contain it anyway."""
        return self.ratio or not levels_off(Draws(g, np.zeros(1), np.ones(1), False))

    def reduced(self, x: np.ndarray) -> np.ndarray:
        """x less its regression on the monomials, which leaves its mean what it is."""
        if not np.all(np.isfinite(x)):
            return x
        centred = self.monomials - self.monomials.mean(axis=0)
        size = centred.T @ centred
        return x - self.monomials @ np.linalg.lstsq(size, centred.T @ (x - x.mean()), rcond=None)[0]


def with_moments(drawn: Law, other: Law, x: np.ndarray, log_ratio: np.ndarray) -> Estimator:
    """The estimator for draws x of shape (n, ...) of the first law: regressed on moments where these are known.

    `log_ratio` is that of the other law to the one drawn from. Where its tail leaves no variance, a slope fitted to it
    would be decided by a few draws, and biased by them.
    """
    p, q = normals(drawn), normals(other)
    if p is None or _DRAWS * (2 * p.dimension + 1) > len(x) or 2 * p.dimension >= _MOST:
        return regressed
    z = _white(p, x)
    rows, columns = np.tril_indices(p.dimension)
    if len(rows) + p.dimension <= min(_MOST, len(x) // _DRAWS):
        squares = [z[:, rows] * z[:, columns] - (rows == columns)]
    else:
        # too many products: squares, and the one combination in which the laws' own moments differ
        squares = [z * z - 1.0] if q is None else [z * z - 1.0, _quadratic(p, q, z)]
    return WithMoments(np.concatenate([z, *squares], axis=1), not pareto_k(log_ratio) > _NO_VARIANCE)


def _white(p: Normals, x: np.ndarray) -> np.ndarray:
    mean, covariance = p.moments()
    return np.linalg.solve(np.linalg.cholesky(covariance), (x.reshape(len(x), -1) - mean).T).T


def _quadratic(p: Normals, q: Normals, z: np.ndarray) -> np.ndarray:
    """zᵀ M z − tr M with M the precision of q in the coordinates z, (n, 1)."""
    (_, covariance), (_, wide) = p.moments(), q.moments()
    root = np.linalg.solve(np.linalg.cholesky(wide), np.linalg.cholesky(covariance))
    return (np.sum((z @ root.T) ** 2, axis=1) - np.sum(root**2))[:, None]
