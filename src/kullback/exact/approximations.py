"""Approximations of the KL divergence of two mixtures, each under its name; none of them is a bound.

All take a pair of mixtures, or a mixture and one law, in whatever form `between` reads, and return plain numbers in
nats, arrays for batches, with gradients towards torch parameters. `between` puts certified bounds around the first that
lies inside them; these functions are for asking for one of them.
"""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, ops
from kullback.divergences import FDivergence, kl
from kullback.divergences.simplex import plain
from kullback.errors import UnsupportedPairError
from kullback.exact.component_pairs import table, weights
from kullback.exact.families.normal import multivariate_normal
from kullback.exact.law import Law
from kullback.exact.normals import Normals, log_average, normals
from kullback.exact.overlap import log_products
from kullback.exact.reading import read
from kullback.exact.structure import aligned
from kullback.exact.triangular import factor, transpose

__all__ = ["matched_pairs", "moment_matched", "product", "unscented", "variational"]


def unscented(P: Any, Q: Any, *, of: FDivergence = kl) -> float:
    r"""The mean over 2d points of each component of P that have its mean and covariance, [goldberger2003].

    $$\sum_i \frac{w_i}{2d} \sum_{k=1}^{2d} f^\circ\!\left(\frac{q(x_{ik})}{p(x_{ik})}\right), \qquad
    x_{ik} = \mu_i \pm \sqrt{d}\, L_i e_k,$$

    for KL the average of log(p/q); exact where log(p/q) is quadratic around each component. P and Q are normal laws or
    mixtures of them. `of` is any f-divergence. Raises `UnsupportedPairError` for other laws.

    >>> from scipy import stats
    >>> unscented(stats.norm(0, 1), stats.norm(1, 1))  # exact for two normal laws
    0.5
    """
    p, q = _pair(P, Q)
    return _number(of_points(of, *_normals(p, q)))


def variational(P: Any, Q: Any) -> float:
    r"""The variational approximation, for components of any family with a KL divergence in closed form.

    $$\sum_i w_i \log \frac{\sum_k w_k e^{-KL(p_i \| p_k)}}{\sum_j v_j e^{-KL(p_i \| q_j)}}$$

    Exact where components of P do not overlap with each other and each meets one of Q alone. Raises
    `UnsupportedPairError` without closed forms. Source: [hershey2007].

    >>> from scipy import stats
    >>> variational(stats.norm(0, 1), stats.norm(1, 1))
    0.5
    """
    return _number(of_divergences(*_pair(P, Q)))


def product(P: Any, Q: Any) -> float:
    r"""The product approximation, from integrals of products of normal components.

    $$\sum_i w_i \log \frac{\sum_k w_k \int p_i p_k}{\sum_j v_j \int p_i q_j}$$

    Both logarithms are upper bounds of the means that they stand for, so that their difference may be negative. Raises
    `UnsupportedPairError` for other laws. Source: [hershey2007].

    >>> from scipy import stats
    >>> round(product(stats.norm(0, 1), stats.norm(1, 1)), 12)  # half of the shift squared, halved
    0.25
    """
    p, q = _normals(*_pair(P, Q))
    own, other = log_products(p, p), log_products(p, q)
    gain = log_average(own, p.weights[..., None, :]) - log_average(other, q.weights[..., None, :])
    return _number(ops(gain).sum(p.weights * gain))


def moment_matched(P: Any, Q: Any) -> float:
    r"""The KL divergence of the two normal laws with the mixtures' means and covariances.

    $$KL\big(N(\mu_P, \Sigma_P) \,\|\, N(\mu_Q, \Sigma_Q)\big)$$

    It knows nothing of modes. P and Q are normal laws or mixtures of them; raises `UnsupportedPairError` for others.
    Source: [hershey2007].

    >>> from scipy import stats
    >>> moment_matched(stats.norm(0, 1), stats.norm(1, 1))
    0.5
    """
    made = []
    for mixture in _normals(*_pair(P, Q)):
        mean, covariance = mixture.moments()
        made.append({"loc": mean, "scale_tril": factor(covariance)[0]})
    return _number(multivariate_normal(*made))


def matched_pairs(P: Any, Q: Any) -> float:
    r"""Each component of P against the one of Q that is nearest to it, for components with a KL in closed form.

    $$\sum_i w_i \min_j \left[ KL(p_i \| q_j) + \log \frac{w_i}{v_j} \right]$$

    Good where components do not overlap. Raises `UnsupportedPairError` without closed forms. Source: [goldberger2003].

    >>> from scipy import stats
    >>> matched_pairs(stats.norm(0, 1), stats.norm(1, 1))
    0.5
    """
    p, q = _pair(P, Q)
    w, v, pairs = weights(p), weights(q), table(kl, p, q)
    xp = ops(w, v, pairs)
    with xp.quiet():
        nearest = -xp.max(xp.log(v)[..., None, :] - pairs)
        own = xp.log(xp.where(w > 0, w, 1.0))
    return _number(xp.sum(w * (nearest + own)))


def of_points(d: FDivergence, p: Normals, q: Normals) -> Array:
    """The unscented approximation of any f-divergence, as an average over p of f° at q/p."""
    xp, dimension = ops(p.loc, q.loc), p.dimension
    columns = math.sqrt(dimension) * transpose(p.scale_tril)
    total = 0.0
    for sign in (1.0, -1.0):
        points = p.loc[..., None, :] + sign * columns
        flat = points.reshape(*points.shape[:-3], -1, dimension)
        log_ratio = q.log_density(flat) - p.log_density(flat)
        terms = -log_ratio if d == kl else d.dual.value(log_ratio)
        share = terms.reshape(*terms.shape[:-1], p.size, dimension)
        total = total + xp.sum(p.weights * xp.sum(share)) / (2.0 * dimension)
    return total


def of_divergences(p: Law, q: Law) -> Array:
    """The variational approximation."""
    w, v = weights(p), weights(q)
    gain = log_average(-table(kl, p, p), w[..., None, :]) - log_average(-table(kl, p, q), v[..., None, :])
    return ops(gain).sum(w * gain)


def _pair(P: Any, Q: Any) -> tuple[Law, Law]:
    return aligned(kl, read(P, "P"), read(Q, "Q"))


def _normals(p: Law, q: Law) -> tuple[Normals, Normals]:
    left, right = normals(p), normals(q)
    if left is None or right is None:
        other = p if left is None else q
        raise UnsupportedPairError(
            f"this approximation is for normal laws and mixtures of them; {other.name} is neither; `variational` and "
            "`matched_pairs` take components of any family with a closed form"
        )
    return left, right


def _number(value: Array) -> float:
    return plain(ops(value), value)
