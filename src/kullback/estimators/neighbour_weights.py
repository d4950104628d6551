"""How neighbour estimates at several k become one: weights that trade bias for noise, and the error of the result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20)
_FLOOR = 0.4  # the least share of the jackknife's variance that its correction may leave


@dataclass(frozen=True)
class BiasPrior:
    r"""What is believed of the bias before any data: its powers of k/n, how large, and the noise it is weighed against.

    $$T_k = T + b_1 (k/n)^{g_1} + b_2 (k/n)^{g_2} + \varepsilon_k, \quad b_j \sim N(0, t_j^2), \quad
    \mathrm{Cov}(\varepsilon_k, \varepsilon_l) = \frac{c}{n} \frac{(\min/\max)^{0.3}}{\max(k, l)}$$

    `exponents` are $g_1, g_2$, `spreads` $t_1, t_2$ in nats, `noise` is $c$.
    """

    exponents: tuple[float, float]
    spreads: tuple[float, float]
    noise: float

    def noises(self, ks: tuple[int, ...], n: int) -> Floats:
        """The covariance of the noise, (K, K)."""
        low, high = _pairs(ks)
        return self.noise / n * (low / high) ** 0.3 / high

    def biases(self, ks: tuple[int, ...], n: float) -> Floats:
        r"""$t_j (k/n)^{g_j}$ (2, K), whose products are the covariance of the bias."""
        powers = np.array([[(k / n) ** g for k in ks] for g in self.exponents])
        return powers * np.array(self.spreads)[:, None]


@dataclass(frozen=True)
class Excess:
    r"""By how much the delete-one jackknife is too large: universal constants of the local geometry.

    $$E[k, l] = \frac{h\,(a\,1\{k = l\} + b\,(\min/\max)^p)}{\max(k, l)}, \qquad E V_\text{jack} - V = E/n$$

    The jackknife never falls short on average ([efron1981]); how far it goes beyond is measured on uniform points on a
    torus. `own` is $a$, `shared` $b$, `power` $p$, `share` $h$.
    """

    own: float
    shared: float
    power: float
    share: float = 1.0

    def matrix(self, ks: tuple[int, ...]) -> Floats:
        """E over a grid of k."""
        low, high = _pairs(ks)
        return self.share * (self.own * np.eye(len(ks)) + self.shared * (low / high) ** self.power) / high


@dataclass(frozen=True)
class Weighting:
    """Weights over a grid of k that sum to 1, and the standard deviation of the bias that they leave."""

    ks: tuple[int, ...]
    weights: Floats
    bias_error: float


def single(k: int) -> Weighting:
    """The estimate at one k, as it is: no bias is removed and none is guessed."""
    return Weighting((k,), np.ones(1), 0.0)


def grid(n: int) -> tuple[int, ...]:
    """The k that n rows can carry: at most a quarter of them, and one neighbour more for the jackknife."""
    return tuple(k for k in GRID if k <= max(1, n // 4))


@lru_cache(maxsize=256)
def weigh(n: int, prior: BiasPrior) -> Weighting:
    r"""The best linear unbiased combination over the grid when the bias is random, and what it leaves.

    $$w = \frac{G^{-1} 1}{1^\top G^{-1} 1}, \quad G = \mathrm{Cov}(\varepsilon) + \sum_j t_j^2 u_j u_j^\top, \quad
    B^2 = \sum_j t_j^2 (w^\top u_j)^2, \quad u_j = (k/n)^{g_j}$$

    `n` is the number of rows (of the smaller sample where there are two).

    >>> found = weigh(500, BiasPrior((1 / 2, 1.0), (0.5, 2.0), 1.0))  # of information, two columns
    >>> round(float(found.weights[0]), 2), round(found.bias_error, 4)
    (0.2, 0.0235)
    """
    ks = grid(n)
    scaled = prior.biases(ks, n)
    raw = np.linalg.solve(prior.noises(ks, n) + scaled.T @ scaled, np.ones(len(ks)))
    w = raw / raw.sum()
    w.setflags(write=False)  # the cache hands out this very array
    return Weighting(ks, w, float(np.linalg.norm(scaled @ w)))


def jackknife(deleted: Floats) -> Floats:
    r"""Covariances over the grid from the estimates without one row each, (K, n):
    $V_J = \frac{n-1}{n} \sum_j (T^{(-j)} - \bar T)(T^{(-j)} - \bar T)^\top$; two samples add theirs up.

    Source: [efron1981].

    >>> jackknife(np.array([[0.0, 1.0, 2.0]])).round(3).tolist()
    [[1.333]]
    """
    n = deleted.shape[1]
    centred = deleted - deleted.mean(axis=1, keepdims=True)
    return (n - 1) / n * (centred @ centred.T)


def variance(w: Floats, covariance: Floats, excess: Floats, n: int, *, floor: float = _FLOOR) -> float:
    """The variance of a combination w: the jackknife's less its `excess` over n, and at least `floor` of the former.

    >>> variance(np.ones(1), np.eye(1), 100 * np.eye(1), 200)
    0.5
    """
    return corrected(float(w @ covariance @ w), w, excess, n, floor=floor)


def corrected(plain: float, w: Floats, excess: Floats, n: int, *, floor: float = _FLOOR) -> float:
    """As `variance`, from the jackknife's variance of the combination itself."""
    return max(plain - float(w @ excess @ w) / n, floor * plain)


def lean(weighting: Weighting, values: Floats, covariance: Floats, excess: Floats, n: int) -> float:
    """How far the weights moved the estimate from k = 5 (or the largest k below), in units of the move's own noise.

    Above 3 the answer rests on the model of the bias more than on the data.
    """
    anchor = int(np.searchsorted(weighting.ks, 5, side="right")) - 1
    move = np.array(weighting.weights)
    move[max(anchor, 0)] -= 1.0
    noise = variance(move, covariance, excess, n, floor=0.3)
    moved = abs(float(move @ values))
    return moved / math.sqrt(noise) if noise > 0 else 0.0


def information_excess() -> Excess:
    """For mutual information: the mean over smooth problems, as no torus has both margins."""
    return Excess(0.90, 1.55, 0.5)


def divergence_excess(dimension: int) -> Excess:
    """For the KL divergence: three quarters of what equal laws give, as unlike laws are known only in bounds."""
    own, shared = _between(dimension, (3.57, 1.94, 1.38, 1.01), (3.08, 3.13, 3.41, 3.91))
    return Excess(own, shared, 0.3, share=0.75)


def entropy_excess(dimension: int) -> Excess:
    """For the entropy."""
    own, shared = _between(dimension, (2.25, 1.10, 0.77, 0.43), (1.41, 1.80, 2.08, 2.45))
    return Excess(own, shared, 0.3)


def _between(dimension: int, own: tuple[float, ...], shared: tuple[float, ...]) -> tuple[float, float]:
    """Constants measured at 1, 2, 3 and 5 columns; 4 lies between, beyond 5 they stay."""
    at = (1.0, 2.0, 3.0, 5.0)
    return float(np.interp(dimension, at, own)), float(np.interp(dimension, at, shared))


def _pairs(ks: tuple[int, ...]) -> tuple[Floats, Floats]:
    k = np.array(ks, dtype=np.float64)
    return np.minimum.outer(k, k), np.maximum.outer(k, k)
