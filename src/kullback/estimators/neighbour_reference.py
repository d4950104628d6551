"""A reference measure close to the data: laws like it have neighbour balls without the bias of curved densities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Floats = NDArray[np.float64]
_ROUNDS = 20  # of EM: the shares of the scales need not converge, any reference is unbiased to first order
_PLACING = 30  # rounds more in which each scale finds its own centre
_ROWS = 2000  # that take part in all rounds; all rows in one more
_HELD = 3.0  # rows at the mean that each part has beside its own
_USED = 1e-3  # a part with less is left out
_TINY = 1e-280  # probabilities below come from their logarithms
_FLAT = 1e-12  # a correlation matrix with a smaller eigenvalue has columns that depend on each other


@dataclass(frozen=True)
class Reference:
    r"""A mixture of Gaussians of one shape, with scales 1/4, 1/2, 1, 2, … of that shape, each about its own centre.

    $$g(z) = \sum_c \pi_c\, N\big(z;\ \mu_c,\ s_c^2 \Sigma\big)$$

    Heavy and light tails alike are near one of these with one centre, and longer tails on one side than on the other
    near one whose wide parts lie to that side. `centres` (parts, d) are the $\mu_c$, `shape` is $\Sigma$.
    """

    centres: Floats
    shape: Floats
    scales: Floats
    shares: Floats

    def moved(self, axes: Floats) -> Reference:
        """The same measure in coordinates z → z·axes."""
        return Reference(self.centres @ axes, axes.T @ self.shape @ axes, self.scales, self.shares)

    def log_boxes(self, points: Floats, reach: Floats) -> Floats:
        r"""$\log G(B) - \log g(z)$ of cubes of half width `reach` (n, K) about points (n, d).

        The shape must be diagonal. Where g is flat over a cube this is the log of the cube's volume.
        """
        deviations = np.sqrt(np.diag(self.shape))
        norm = np.log(deviations).sum() + 0.5 * len(deviations) * np.log(2 * np.pi)
        mass, density = [], []
        for c in np.flatnonzero(self.shares > _USED):
            away = np.abs(points - self.centres[c]) / (deviations * self.scales[c])
            mass.append(np.log(self.shares[c]) + _log_cubes(away, reach, deviations * self.scales[c]))
            height = -0.5 * (away**2).sum(axis=1) - len(deviations) * np.log(self.scales[c])
            density.append(np.log(self.shares[c]) + height - norm)
        return np.logaddexp.reduce(mass) - np.logaddexp.reduce(density)[:, None]


def _log_cubes(away: Floats, reach: Floats, deviations: Floats) -> Floats:
    """The log-probability of cubes under independent normals, (n, K); `away` in their deviations."""
    out = np.zeros_like(reach)
    for j, deviation in enumerate(deviations):
        out += _log_strips(away[:, j, None], reach / deviation)
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
    """One Gaussian, a mixture about one centre, or one of parts with their own, by Schwarz's criterion ([schwarz1978]).

    A share of a wide scale that the rows do not ask for would make the tails of a normal law too heavy. The same in
    every affine coordinate system.
    """
    n, d = points.shape
    normal = Reference(points.mean(axis=0)[None], scatter(points), np.ones(1), np.ones(1))
    radii = _squares((points - normal.centres[0]) @ whitening(normal.shape))
    rows = _spread(points, radii)
    mixed = _mixture(rows, normal, math.sqrt(radii.max()))
    placed = mixed
    for _ in range(_PLACING):
        placed = _stepped(placed, rows, shared=False)
    if len(rows) < n:  # what the few rows say, said by all
        mixed, placed = _stepped(mixed, points, shared=True), _stepped(placed, points, shared=False)
    own = d * (np.count_nonzero(placed.shares > _USED) - 1)
    # a mixture counts as two parameters more than a Gaussian: scales that hardly anything uses are none
    rivals = ((normal, 0), (mixed, 2), (placed, 2 + own))
    return max(rivals, key=lambda r: _log_likelihood(r[0], points) - r[1] / 2 * math.log(n))[0]


def _log_likelihood(law: Reference, points: Floats) -> float:
    """The log-likelihood of the rows, less a constant."""
    heights = np.logaddexp.reduce(_log_parts(law, points), axis=1)
    return float(heights.sum() - 0.5 * len(points) * np.linalg.slogdet(law.shape)[1])


def _log_parts(law: Reference, points: Floats) -> Floats:
    """What each part adds to the density of each row, in logarithms, less what all have in common, (n, parts)."""
    axes = whitening(law.shape)
    shared = (law.centres == law.centres[0]).all()
    away = [_squares((points - c) @ axes) for c in (law.centres[:1] if shared else law.centres)]
    out = np.stack(away, axis=1) * (-0.5 / law.scales**2)
    out += np.log(law.shares) - points.shape[1] * np.log(law.scales)
    return out


def _members(law: Reference, points: Floats) -> Floats:
    """The probability that a row comes from each part, (n, parts)."""
    found = _log_parts(law, points)
    found -= found.max(axis=1, keepdims=True)
    np.exp(found, out=found)
    found /= found.sum(axis=1, keepdims=True)
    return found


def _mixture(points: Floats, normal: Reference, farthest: float) -> Reference:
    """The mixture about one centre, from the moments, with scales up to the `farthest` row."""
    scales: Floats = np.exp2(np.arange(-2.0, max(1.0, math.ceil(math.log2(farthest))) + 1))
    parts = len(scales)
    law = Reference(np.tile(normal.centres[0], (parts, 1)), normal.shape, scales, np.full(parts, 1 / parts))
    for _ in range(_ROUNDS):
        law = _stepped(law, points, shared=True)
    return law


def _stepped(law: Reference, points: Floats, *, shared: bool) -> Reference:
    """A likelier mixture of the same scales, by one step of EM.

    All parts have one centre where it is `shared`; else a few rows hold each to the mean of all.
    """
    member = _members(law, points)
    pull = member * law.scales**-2.0
    if shared:
        weight = pull.sum(axis=1)
        centres = np.tile(weight @ points / weight.sum(), (len(law.scales), 1))
        away = points - centres[0]
        shape = (away * weight[:, None]).T @ away
    else:
        held = member.T @ points + _HELD * points.mean(axis=0)
        centres = held / (member.sum(axis=0) + _HELD)[:, None]
        shape = np.zeros_like(law.shape)
        for centre, weight in zip(centres, pull.T, strict=True):
            away = points - centre
            shape += (away * weight[:, None]).T @ away
    shares = np.maximum(member.mean(axis=0), 1e-300)  # one that no row uses stays in the logarithm's domain
    return Reference(centres, shape / len(points), law.scales, shares)


def _spread(points: Floats, radii: Floats) -> Floats:
    """At most 2000 rows, evenly by how far out they lie: whatever axes they are in, and however they are ordered."""
    step = -(-len(points) // _ROWS)
    return points if step == 1 else points[np.argsort(radii)[step // 2 :: step]]


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


def _squares(points: Floats) -> Floats:
    """Squared distances from the origin."""
    return np.einsum("ij,ij->i", points, points)
