"""A reference measure close to the data: laws like it have neighbour balls without the bias of curved densities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Floats = NDArray[np.float64]
_ROUNDS = 20  # of EM: the shares of the scales need not converge, any reference is unbiased to first order
_TINY = 1e-280  # probabilities below come from their logarithms
_FLAT = 1e-12  # a correlation matrix with a smaller eigenvalue has columns that depend on each other


@dataclass(frozen=True)
class Reference:
    r"""A mixture of Gaussians of one centre and one shape, with scales 1/4, 1/2, 1, 2, … of that shape.

    $$g(z) = \sum_c \pi_c\, N\big(z;\ \mu,\ s_c^2 \Sigma\big)$$

    Heavy and light tails alike are near one of these. `shape` is $\Sigma$.
    """

    centre: Floats
    shape: Floats
    scales: Floats
    shares: Floats

    def moved(self, axes: Floats) -> Reference:
        """The same measure in coordinates z → z·axes."""
        return Reference(self.centre @ axes, axes.T @ self.shape @ axes, self.scales, self.shares)

    def log_boxes(self, points: Floats, reach: Floats) -> Floats:
        r"""$\log G(B) - \log g(z)$ of cubes of half width `reach` (n, K) about points (n, d).

        The shape must be diagonal. Where g is flat over a cube this is the log of the cube's volume.
        """
        deviations = np.sqrt(np.diag(self.shape))
        away = np.abs(points - self.centre) / deviations
        kept = [c for c, share in enumerate(self.shares) if share > 1e-3]
        mass = [np.log(self.shares[c]) + _log_cubes(away, reach, deviations, self.scales[c]) for c in kept]
        norm = np.log(deviations).sum() + 0.5 * len(deviations) * np.log(2 * np.pi)
        radius = (away**2).sum(axis=1)
        density = [
            np.log(self.shares[c])
            - 0.5 * radius / self.scales[c] ** 2
            - norm
            - len(deviations) * np.log(self.scales[c])
            for c in kept
        ]
        return np.logaddexp.reduce(mass) - np.logaddexp.reduce(density)[:, None]


def _log_cubes(away: Floats, reach: Floats, deviations: Floats, scale: float) -> Floats:
    """The log-probability of cubes under independent normals, (n, K)."""
    out = np.zeros_like(reach)
    for j, deviation in enumerate(deviations):
        out += _log_strips(away[:, j, None] / scale, reach / (deviation * scale))
    return out


def _log_strips(middle: Floats, half: Floats) -> Floats:
    """log of Φ(middle + half) − Φ(middle − half), for middles ≥ 0, with all digits."""
    # mirrored to the lower tail, where probabilities keep their digits
    mass = ndtr(half - middle) - ndtr(-half - middle)
    narrow = half * (1.0 + middle) < 1e-3
    out = np.log(np.where(narrow | (mass < _TINY), 1.0, mass))
    a, w = np.broadcast_to(middle, half.shape)[narrow], half[narrow]
    out[narrow] = np.log(2 * w) - 0.5 * (a * a + math.log(2 * math.pi)) + w * w * (a * a - 1) / 6
    far = ~narrow & (mass < _TINY)
    a, w = np.broadcast_to(middle, half.shape)[far], half[far]
    top = log_ndtr(w - a)
    out[far] = top + np.log(-np.expm1(log_ndtr(-w - a) - top))
    return out


def fit(points: Floats) -> Reference:
    """One Gaussian, or the mixture where it is likelier by more than two parameters cost ([schwarz1978]).

    A share of a wide scale that the rows do not ask for would make the tails of a normal law too heavy. The same in
    every affine coordinate system.
    """
    normal = Reference(points.mean(axis=0), scatter(points), np.ones(1), np.ones(1))
    mixed = _mixture(points)
    gain = _log_likelihood(mixed, points) - _log_likelihood(normal, points)
    return mixed if gain > math.log(len(points)) else normal


def _log_likelihood(law: Reference, points: Floats) -> float:
    """The log-likelihood of the rows, less a constant."""
    member = np.outer(_radii(points, law.centre, law.shape), -0.5 / law.scales**2)
    member += np.log(law.shares) - points.shape[1] * np.log(law.scales)
    return float(
        np.logaddexp.reduce(member, axis=1).sum() - 0.5 * len(points) * np.linalg.slogdet(law.shape)[1]
    )


def _mixture(points: Floats) -> Reference:
    """The mixture's centre, shape and shares by EM from moments."""
    n, d = points.shape
    centre, shape = points.mean(axis=0), scatter(points)
    farthest = np.sqrt(_radii(points, centre, shape).max())
    powers = np.arange(-2.0, max(1.0, np.ceil(np.log2(farthest))) + 1)
    scales: Floats = np.exp2(powers)
    shares = np.full(len(scales), 1 / len(scales))
    for _ in range(_ROUNDS):
        member = np.outer(_radii(points, centre, shape), -0.5 / scales**2)
        member += np.log(shares) - d * np.log(scales)
        member -= member.max(axis=1, keepdims=True)
        np.exp(member, out=member)
        member /= member.sum(axis=1, keepdims=True)
        pull = member @ scales**-2.0
        centre = pull @ points / pull.sum()
        away = points - centre
        shape = (away * pull[:, None]).T @ away / n
        shares = np.maximum(
            member.mean(axis=0), 1e-300
        )  # a scale that nobody uses stays in the logarithm's domain
    return Reference(centre, shape, scales, shares)


def flat(points: Floats) -> bool:
    """Whether the points lie on a plane, line or point of their space, where no density exists."""
    covariance = scatter(points)
    deviations = np.sqrt(np.diag(covariance))
    if not deviations.all():
        return True
    return bool(np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[0] < _FLAT)


def whitening(shape: Floats) -> Floats:
    """Axes in which a shape is the identity: points → points·axes."""
    return np.linalg.inv(np.linalg.cholesky(shape)).T.astype(np.float64)


def scatter(points: Floats) -> Floats:
    """The covariance matrix (d, d)."""
    return np.atleast_2d(np.cov(points, rowvar=False))


def _radii(points: Floats, centre: Floats, shape: Floats) -> Floats:
    """Squared distances from the centre in the metric of the shape."""
    whitened = (points - centre) @ whitening(shape)
    return np.einsum("ij,ij->i", whitened, whitened)
