"""Remainders of laws of positive definite matrices: traces, determinants and the multivariate gamma function."""

from __future__ import annotations

import numpy as np

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.exact.remainders import excess_at, log_ratio, stirling_excess
from kullback.exact.triangular import diagonal


def log_diagonal_ratio(p: Array, q: Array) -> Array:
    """log(P_ii/Q_ii) of triangular matrices with positive diagonals, as the last axis."""
    a, b = diagonal(p), diagonal(q)
    return log_ratio(a, b, a - b)


def off_diagonal_square(x: Array) -> Array:
    """The sum of the squares of what is not on the diagonal."""
    xp = ops(x)
    others = xp.to_float(xp.asarray(1.0 - np.eye(x.shape[-1]), like=x), 64)
    return xp.sum(xp.sum(others * x * x))


def scatter_excess(a: Array, b: Array, h: Array, change: Array, log_on: Array) -> Array:
    r"""$\sum_j k(b, a\lambda_j)$ plus what log Γ_d at b has beyond d k(b, a): the Wishart divergence, with b = a + h.

    The λ are the squares of the singular values of the triangular matrix I + `change`, whose diagonal has the
    logarithms `log_on`; k(x, y) = x log(x/y) − x + y.
    """
    xp = ops(change)
    d = change.shape[-1]
    first, second, gap = a[..., None], b[..., None], h[..., None]
    scales = xp.exp(2.0 * log_on)
    traces = excess_at(first * scales, log_ratio(second, first, gap) - 2.0 * log_on)
    return a * off_diagonal_square(change) + xp.sum(traces) + multigamma_excess(b, a, h, d)


def multigamma_excess(y: Array, x: Array, h: Array, d: int) -> Array:
    r"""$\log\Gamma_d(y) - \log\Gamma_d(x) - \psi_d(x)(y - x) - d\,k(y, x) \ge 0$, with y = x + h."""
    total = 0.0
    for i in range(d):
        lower = 0.5 * i
        total = total + stirling_excess(y - lower, x - lower, h) + _lowered(y, x, h, lower)
    return total


def _lowered(y: Array, x: Array, h: Array, s: float) -> Array:
    """k(y − s, x − s) − k(y, x) ≥ 0, without taking that difference where y is near x."""
    if s == 0:
        return 0.0 * (y + x)
    xp = ops(y, x)
    e, fall = h / x, s * h / ((x - s) * y)
    direct = (y - s) * xp.log1p(fall) - s * log_ratio(y, x, h)
    # h/x − log(1 + h/x) and the same of the fall
    slow, fast = (exp_remainder(log_ratio(z + g, z, g)) for z, g in ((x, h), ((x - s) * y, s * h)))
    near = s * s * h * h / ((x - s) * x * y) + s * slow - (y - s) * fast
    return xp.where(xp.abs(e) < 0.5, near, direct)
