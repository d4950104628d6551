"""Normal laws and their mixtures as proposals: drawing, densities, and fitting by moments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array
from kullback.errors import InvalidInputError, ShapeError


@dataclass(frozen=True, eq=False)
class NormalMixture:
    r"""A mixture of k normal laws on d coordinates, $g = \sum_k a_k\, N(\mu_k, L_k L_k^T)$; one normal law is k = 1.

    `means` has shape (k, d), `factors` (k, d, d), lower triangular, `shares` (k,), summing to 1; made by `normal` or
    `of_normals` from covariances.

    >>> mixture = NormalMixture.of_normals([[0.0], [4.0]], [[[1.0]], [[1.0]]])
    >>> round(float(mixture.log_density([[2.0]])[0]), 4)  # −2²/2 − log √(2π)
    -2.9189
    """

    means: np.ndarray
    factors: np.ndarray
    shares: np.ndarray

    @classmethod
    def normal(cls, mean: Array, covariance: Array) -> NormalMixture:
        r"""One normal law, $N(\mu, \Sigma)$, of a mean of shape (d,) and a covariance of shape (d, d).

        >>> NormalMixture.normal([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]]).means.shape
        (1, 2)
        """
        return cls.of_normals(np.asarray(mean, float)[None], np.asarray(covariance, float)[None])

    @classmethod
    def of_normals(cls, means: Array, covariances: Array, *, shares: Array | None = None) -> NormalMixture:
        r"""A mixture from means (k, d), covariances (k, d, d) and shares (k,), $a_k = 1/k$ unless given.

        Raises `ShapeError` where the shapes do not fit, `InvalidInputError` for a covariance that is not symmetric and
        positive definite or shares that are not a distribution.

        >>> NormalMixture.of_normals([[0.0], [4.0]], [[[1.0]], [[1.0]]]).shares.tolist()
        [0.5, 0.5]
        """
        means, covariances = np.asarray(means, float), np.asarray(covariances, float)
        if means.ndim != 2 or covariances.shape != (*means.shape, means.shape[-1]):
            raise ShapeError(
                f"means of shape {means.shape} and covariances of shape {covariances.shape} do not fit; expected "
                "(k, d) and (k, d, d), or (d,) and (d, d) for one normal law"
            )
        k = len(means)
        weights = np.full(k, 1.0 / k) if shares is None else np.asarray(shares, float)
        if weights.shape != (k,) or not np.all(weights >= 0) or abs(float(np.sum(weights)) - 1.0) > 1e-6:
            raise InvalidInputError(f"shares must be {k} numbers >= 0 that sum to 1, got {weights.tolist()}")
        if not np.all(np.isfinite(means)):
            raise InvalidInputError("a mean is not finite")
        return cls(means, np.stack([_factor(c) for c in covariances]), weights / np.sum(weights))

    @property
    def dimension(self) -> int:
        """The number of coordinates, $d$.

        >>> NormalMixture.normal([0.0], [[1.0]]).dimension
        1
        """
        return self.means.shape[1]

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        r"""n independent draws, shape (n, d): a component by its share, then $\mu_k + L_k z$.

        >>> import numpy as np
        >>> NormalMixture.normal([0.0], [[1.0]]).draw(3, np.random.default_rng(0)).shape
        (3, 1)
        """
        component = rng.choice(len(self.shares), size=n, p=self.shares)
        z = rng.standard_normal((n, self.dimension))
        return self.means[component] + np.einsum("nij,nj->ni", self.factors[component], z)

    def log_components(self, x: Array) -> np.ndarray:
        r"""The log-density of each component, shape (n, k), $-\tfrac12 |z|^2 - \log|L| - \tfrac d2 \log 2\pi$.

        >>> NormalMixture.normal([0.0], [[1.0]]).log_components([[0.0]]).shape
        (1, 1)
        """
        x = np.asarray(x, float)
        out = []
        for mean, factor in zip(self.means, self.factors, strict=True):
            z = np.linalg.solve(factor, (x - mean).T)
            volume = float(np.sum(np.log(np.diag(factor)))) + 0.5 * self.dimension * math.log(2.0 * math.pi)
            out.append(-0.5 * np.sum(z * z, axis=0) - volume)
        return np.stack(out, axis=1)

    def log_density(self, x: Array) -> np.ndarray:
        r"""The log-density of the mixture, shape (n,), $\log \sum_k a_k g_k(x)$.

        >>> float(NormalMixture.normal([0.0], [[1.0]]).log_density([[0.0]])[0])
        -0.9189385332046727
        """
        return log_sum(self.log_components(x), self.shares)

    def joined(self, other: NormalMixture, share: float) -> NormalMixture:
        """Both mixtures as one, the other with this share of the mass."""
        return NormalMixture(
            np.concatenate([self.means, other.means]),
            np.concatenate([self.factors, other.factors]),
            np.concatenate([(1.0 - share) * self.shares, share * other.shares]),
        )


def log_sum(log_components: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """log Σ a_k exp(component k), without overflow."""
    top = np.max(log_components, axis=1)
    return top + np.log(np.exp(log_components - top[:, None]) @ shares)


def fitted(x: np.ndarray, log_weights: np.ndarray) -> NormalMixture:
    """The normal law with the weighted mean and covariance of x: the nearest in kl from the weighted points.

    Where few points carry the weight, the weights are flattened until enough do for a covariance.
    """
    n, dimension = x.shape
    w = _spread_out(log_weights, min(n / 2.0, 10.0 * (dimension + 1)))
    mean = w @ x
    centred = x - mean
    covariance = (w[:, None] * centred).T @ centred
    # a direction in which all points agree gets a sliver of width, so that the law keeps a density
    width = 1e-6 * max(float(np.max(np.diag(covariance))), 1e-30)
    return NormalMixture.normal(mean, covariance + width * np.eye(dimension))


def _spread_out(log_weights: np.ndarray, least: float) -> np.ndarray:
    """exp(τ log w), normalised, with the largest τ ≤ 1 that leaves an effective size of at least `least`."""
    live = log_weights > -math.inf
    least = min(least, 0.9 * float(np.sum(live)))

    def tempered(tau: float) -> np.ndarray:
        w = np.where(live, np.exp(tau * np.where(live, log_weights - np.max(log_weights), 0.0)), 0.0)
        return w / np.sum(w)

    w = tempered(1.0)
    if 1.0 / np.sum(w * w) >= least:
        return w
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        w = tempered(middle)
        low, high = (middle, high) if 1.0 / np.sum(w * w) >= least else (low, middle)
    return tempered(low)


def _factor(covariance: np.ndarray) -> np.ndarray:
    scale = float(np.max(np.abs(covariance)))
    if not math.isfinite(scale) or float(np.max(np.abs(covariance - covariance.T))) > 1e-8 * scale:
        raise InvalidInputError(
            "a covariance must be finite and symmetric; pass (C + C.T) / 2 if that is what is meant"
        )
    try:
        return np.linalg.cholesky(0.5 * (covariance + covariance.T))
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(covariance)[0])
        raise InvalidInputError(
            f"a covariance must be positive definite; its smallest eigenvalue is {smallest:.3g}"
        ) from None
