"""Informations that need an integral or a special function, each by its own formula, none by the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, log_ndtr, logsumexp, ndtr, xlogy
from scipy.stats import chi

from problems.samples_problem import Rows

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def of_normal(covariance: ArrayLike, dx: int) -> float:
    """½ log(|Σx| |Σy| / |Σ|)."""
    c = np.asarray(covariance, dtype=float)
    parts = c[:dx, :dx], c[dx:, dx:], c
    x, y, both = (float(np.linalg.slogdet(part)[1]) for part in parts)
    return 0.5 * (x + y - both)


def of_student(covariance: ArrayLike, dx: int, df: float) -> float:
    """What the joint scale of a multivariate t adds to the normal part; x and y share it even where uncorrelated."""

    def f(t: float) -> float:
        return float(gammaln(t / 2) - t / 2 * digamma(t / 2))

    dims = len(np.asarray(covariance))
    return of_normal(covariance, dx) + f(df) + f(df + dims) - f(df + dx) - f(df + dims - dx)


def of_additive_uniform(half_width: float) -> float:
    """X uniform on the unit interval, Y = X + noise uniform on ± half_width."""
    return half_width - np.log(2 * half_width) if half_width <= 0.5 else 1 / (4 * half_width)


def of_inliers(rho: float, share: float) -> float:
    """Two pairs of correlation ρ, exchanged for independent ones in a share of the rows.

    Turning both pairs by 45° makes the log-density ratio of the pairs −log(1 − ρ²) + a E − b E' with exponential E, E':
    a = b = ρ among dependent rows, a = ρ/(1 + ρ) and b = ρ/(1 − ρ) among independent ones.
    """

    def mean(a: float, b: float) -> float:
        s, weight = panels(np.linspace(0, 60, 121), 12)
        both = np.exp(-s) * weight
        ratio = -np.log1p(-rho * rho) + a * s[:, None] - b * s[None, :]
        return float(both @ np.logaddexp(np.log1p(-share) + ratio, np.log(share)) @ both)

    return (1 - share) * mean(rho, rho) + share * mean(rho / (1 + rho), rho / (1 - rho))


def of_concentric(dims: int, count: int) -> float:
    """Which of `count` centred normal laws of standard deviations 1 … count x is from; y says it all but exactly."""
    scales = np.arange(1, count + 1)
    r, weight = panels(np.linspace(0, 12 * count + count * np.sqrt(dims), 400), 10)
    logs = chi.logpdf(r / scales[:, None], dims) - np.log(scales)[:, None]
    ratio = logs - logsumexp(logs, axis=0) + np.log(count)
    return float(np.sum(np.exp(logs) * ratio * weight) / count)


def of_normal_mixture(shares: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> float:
    """A mixture of normal laws in the plane, by Gauss–Legendre panels as wide as the standard deviations."""
    w, m, c = (np.asarray(part, dtype=float) for part in (shares, means, covariances))
    deviations = np.sqrt(np.stack([c[:, 0, 0], c[:, 1, 1]], axis=1))
    edges = [
        np.unique((m[:, i, None] + deviations[:, i, None] * np.arange(-9, 10)).round(12)) for i in range(2)
    ]
    (x, wx), (y, wy) = (panels(e, 10) for e in edges)
    slope = c[:, 0, 1] / c[:, 0, 0]
    rest = np.sqrt(c[:, 1, 1] - slope * c[:, 0, 1])
    joint = np.zeros((len(x), len(y)))
    px, py = np.zeros_like(x), np.zeros_like(y)
    for k in range(len(w)):
        left = w[k] * _density(x, m[k, 0], deviations[k, 0])
        px, py = px + left, py + w[k] * _density(y, m[k, 1], deviations[k, 1])
        centre = m[k, 1] + slope[k] * (x - m[k, 0])
        joint += left[:, None] * _density(y[None, :], centre[:, None], rest[k])
    terms = xlogy(joint, joint) - xlogy(joint, px[:, None]) - xlogy(joint, py[None, :])
    return float(wx @ terms @ wy)


def of_regression(
    mean: Callable[[Rows], Rows], deviation: Callable[[Rows], Rows], x: Rows, mass: Rows
) -> float:
    """y normal around mean(x) with deviation(x), x given as nodes of a quadrature with their masses."""
    m, s = mean(x), deviation(x)
    low, high, fine = np.min(m - 9 * s), np.max(m + 9 * s), np.min(s)
    y, weight = panels(np.linspace(low, high, int(np.ceil((high - low) / fine)) + 1), 6)
    marginal = np.zeros_like(y)
    for part in np.array_split(np.arange(len(x)), max(1, len(x) * len(y) // 10**6)):
        marginal += mass[part] @ _density(y[None, :], m[part, None], s[part, None])
    noise = float(mass @ np.log(s)) + HALF_LOG_2PI + 0.5
    return float(-weight @ xlogy(marginal, marginal)) - noise


def of_copula(log_density: Callable[[Rows, Rows], Rows]) -> float:
    """∫ c log c over normal scores; the density gets log u and log v, which are exact in both tails."""
    z, weight = panels(np.linspace(-8.5, 8.5, 69), 8)
    mass = weight * np.exp(-z * z / 2 - HALF_LOG_2PI)
    logs = log_density(log_ndtr(z)[:, None], log_ndtr(z)[None, :])
    return float(mass @ (np.exp(logs) * logs) @ mass)


def of_table(masses: ArrayLike) -> float:
    """Σ p log(p / (row · column)) of a joint table."""
    p = np.asarray(masses, dtype=float)
    return float(np.sum(xlogy(p, p)) - np.sum(xlogy(p.sum(0), p.sum(0))) - np.sum(xlogy(p.sum(1), p.sum(1))))


def rounded_normal_table(rho: float, step: float) -> Rows:
    """The masses of the cells into which rounding to multiples of `step` puts a bivariate normal law."""
    half = int(np.ceil(8.5 / step))
    edges = step * (np.arange(-half, half + 2) - 0.5)
    x, weight = panels(edges, 16)
    spread = np.sqrt(1 - rho * rho)
    inner = ndtr((edges[None, 1:] - rho * x[:, None]) / spread) - ndtr(
        (edges[None, :-1] - rho * x[:, None]) / spread
    )
    cells = (weight * _density(x, 0.0, 1.0))[:, None] * inner
    return cells.reshape(len(edges) - 1, 16, -1).sum(axis=1)


def panels(edges: Sequence[float] | Rows, nodes: int) -> tuple[Rows, Rows]:
    """Nodes and weights of Gauss–Legendre within every pair of neighbouring edges."""
    t, w = np.polynomial.legendre.leggauss(nodes)
    e = np.asarray(edges, dtype=float)
    half = np.diff(e)[:, None] / 2
    return ((e[:-1, None] + half) + half * t).ravel(), (half * w).ravel()


def _density(x: Rows, mean: float | Rows, deviation: float | Rows) -> Rows:
    return np.exp(-0.5 * ((x - mean) / deviation) ** 2 - HALF_LOG_2PI) / deviation
