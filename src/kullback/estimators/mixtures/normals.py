"""Mixtures of normal laws by expectation-maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from kullback.estimators.mixtures.law import Floats, Ints, Law, whitened

_STEPS, _TRIAL_STEPS, _TOLERANCE = 100, 15, 1e-4  # the tolerance is in nats a row
_SHRUNK = 0.3  # of the pooled covariance, as the prior's guess of a component's


@dataclass(frozen=True)
class NormalMixture(Law):
    """Normal laws with shares (k,), means (k, d) and covariances (k, d, d)."""

    shares: Floats
    means: Floats
    covariances: Floats

    def log_density(self, z: Floats) -> Floats:
        """The logarithm of the sum of the parts."""
        return np.asarray(logsumexp(self.parts(z), axis=1))

    def margin(self, columns: Ints) -> NormalMixture:
        """The same mixture of the parts' margins."""
        block = self.covariances[:, columns[:, None], columns]
        return NormalMixture(self.shares, self.means[:, columns], block)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """n rows of the mixture."""
        part = rng.choice(len(self.shares), size=n, p=self.shares)
        z = rng.standard_normal((n, self.means.shape[1]))
        for k, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            z[part == k] = z[part == k] @ np.linalg.cholesky(covariance).T + mean
        return z

    def parts(self, z: Floats) -> Floats:
        """The log of share times density of each component, (n, k)."""
        found = np.empty((len(z), len(self.shares)))
        for k, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            root = np.linalg.cholesky(covariance)
            away = whitened(z - mean, root)
            volume = float(np.log(np.diag(root)).sum()) + 0.5 * len(mean) * math.log(2 * math.pi)
            found[:, k] = math.log(self.shares[k]) - volume - 0.5 * np.einsum("ij,ij->i", away, away)
        return found


@dataclass(frozen=True)
class _Fitter:
    """Rows and the prior of each covariance: `rows` pseudo-rows with the covariance `guess`."""

    z: Floats
    guess: Floats
    rows: int

    def maximise(self, belongs: Floats) -> NormalMixture:
        """The laws of the rows that belong to each component."""
        d = self.z.shape[1]
        mass = belongs.sum(axis=0) + 1e-9
        means = (belongs.T @ self.z) / mass[:, None]
        covariances = np.empty((len(mass), d, d))
        for k in range(len(mass)):
            away = self.z - means[k]
            scatter = (away * belongs[:, k, None]).T @ away
            covariances[k] = (scatter + self.rows * self.guess) / (mass[k] + self.rows)
        return NormalMixture(mass / mass.sum(), means, covariances)

    def run(self, belongs: Floats, steps: int) -> tuple[Floats, float]:
        """Whom the rows belong to, and the mean log-likelihood, when it no longer grows."""
        last = -math.inf
        for _ in range(steps):
            parts = self.maximise(belongs).parts(self.z)
            whole = np.asarray(logsumexp(parts, axis=1))
            belongs = np.exp(parts - whole[:, None])
            likelihood = float(whole.mean())
            if likelihood - last < _TOLERANCE:
                break
            last = likelihood
        return belongs, last


def fit(z: Floats, components: int, rng: np.random.Generator) -> NormalMixture:
    """The mixture of so many components, from the better of two starts: clusters, and shells about the mean."""
    n, d = z.shape
    pooled = np.cov(z.T)
    guess = pooled * _SHRUNK * components ** (-2.0 / d)
    fitter = _Fitter(z, guess if components > 1 else pooled, d + 2 if components > 1 else 0)
    if components == 1:
        return fitter.maximise(np.ones((n, 1)))
    white = whitened(z - z.mean(axis=0), np.linalg.cholesky(pooled))
    radius = np.argsort(np.argsort(np.einsum("ij,ij->i", white, white)))
    starts = [_clusters(white, components, rng), radius * components // n]
    tried = [fitter.run(_soft(start, components), _TRIAL_STEPS) for start in starts]
    belongs, _ = fitter.run(max(tried, key=lambda t: t[1])[0], _STEPS)
    return fitter.maximise(belongs)


def _soft(part: Ints, components: int) -> Floats:
    return 0.9 * np.eye(components)[part] + 0.1 / components


def _clusters(z: Floats, components: int, rng: np.random.Generator) -> Ints:
    """Lloyd's clusters from centres that are drawn far from each other. Source: [arthur2007]."""
    centres = z[rng.integers(len(z), size=1)]
    nearest = ((z - centres[0]) ** 2).sum(axis=1)
    for _ in range(components - 1):
        far = rng.choice(len(z), p=nearest / nearest.sum()) if nearest.any() else 0
        centres = np.vstack([centres, z[far]])
        nearest = np.minimum(nearest, ((z - z[far]) ** 2).sum(axis=1))
    part = np.zeros(len(z), dtype=np.int64)
    for _ in range(10):
        part = np.argmin((centres**2).sum(axis=1) - 2 * z @ centres.T, axis=1)
        for k in np.unique(part):
            centres[k] = z[part == k].mean(axis=0)
    return part
