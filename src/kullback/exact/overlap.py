r"""Integrals of products of normal laws and of their mixtures, and what is made of them, in closed form.

$\int N(x; \mu, \Sigma)\, N(x; \mu', \Sigma')\, dx = N(\mu - \mu'; 0, \Sigma + \Sigma')$. Differences of such integrals
are formed from differences of the parameters, so that mixtures with near-equal components keep their digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.errors import UnsupportedPairError
from kullback.exact.law import Law
from kullback.exact.normals import Normals, log_average, normals
from kullback.exact.triangular import diagonal, factor, solve, transpose

_LARGEST = 10_000_000  # numbers in one table of matrices
_NEAR = 0.5  # changes of a logarithm below which a difference is formed from differences of parameters


def overlap(p: Law, q: Law, *, kernel: Array | None = None) -> Array:
    r"""$\log \iint p(x)\, N(x - y; 0, \Lambda)\, q(y)\, dx\, dy$, over the batch; without Λ, $\log \int pq$.

    `p` and `q` are normal laws, multivariate ones or mixtures of either; `kernel` is the covariance Λ of shape (d, d),
    or a variance for d = 1. Raises `UnsupportedPairError` for other laws.
    """
    left, right = _both(p, q)
    return _log_total(log_products(left, right, kernel=kernel), left.weights, right.weights)


def squared_gap(p: Law, q: Law, *, kernel: Array | None = None) -> Array:
    r"""$\iint (p - q)(x)\, N(x - y; 0, \Lambda)\, (p - q)(y)\, dx\, dy$; without Λ, $\int (p - q)^2$, the square of L2.

    Components are compared in the order in which they come: near-equal ones keep their digits, and equal mixtures give
    exactly 0. Arguments and errors are those of `overlap`.
    """
    gap = _gap(*_both(p, q), kernel)
    return gap.square * gap.xp.exp(gap.top)


def angle(p: Law, q: Law) -> Array:
    r"""The Cauchy–Schwarz divergence $-\log \langle p, q \rangle^2 / (\|p\|^2 \|q\|^2)$, accurate near equality too."""
    left, right = _both(p, q)
    gap = _gap(left, right, None)
    xp = gap.xp
    sizes = [_log_total(log_products(x, x), x.weights, x.weights) for x in (left, right)]
    shared = _log_total(log_products(left, right), left.weights, right.weights)
    far = sizes[0] + sizes[1] - 2.0 * shared
    close = far < _NEAR
    p_size, q_size = (xp.exp(xp.where(close, size - gap.top, 0.0)) for size in sizes)
    across = xp.where(close, gap.square, 0.0) - xp.where(close, gap.along, 0.0) ** 2 / q_size
    return xp.where(close, -xp.log1p(-across / p_size), far)


def log_products(p: Normals, q: Normals, *, kernel: Array | None = None) -> Array:
    """Logarithms of the integrals of the products of all pairs of components, (..., k, l)."""
    xp = ops(p.loc, q.loc)
    if p.size * q.size * p.dimension**2 > _LARGEST and p.size > 1:
        return xp.concat([log_products(p.one(i), q, kernel=kernel) for i in range(p.size)], axis=-2)
    total = _table(p, q) + _matrix(kernel, like=p.loc)
    return _log_normal(total, p.down().loc - q.across().loc)


def _table(p: Normals, q: Normals) -> Array:
    return p.covariance[..., :, None, :, :] + q.covariance[..., None, :, :, :]


def _matrix(kernel: Array | None, like: Array) -> Array:
    if kernel is None:
        return 0.0
    xp = ops(like)
    matrix = xp.to_float(xp.asarray(kernel, like=like), 64)
    return matrix if len(matrix.shape) > 1 else matrix[..., None, None]


def _log_normal(covariance: Array, x: Array) -> Array:
    xp = ops(covariance, x)
    lower, _ = factor(covariance)
    z = solve(lower, x[..., None])[..., 0]
    return -xp.sum(0.5 * z * z + xp.log(diagonal(lower)) + 0.5 * math.log(2.0 * math.pi))


def _log_total(table: Array, w: Array, v: Array) -> Array:
    """log Σ w_i v_j exp(table_ij)."""
    return log_average(log_average(table, v[..., None, :]), w)


def _both(p: Law, q: Law) -> tuple[Normals, Normals]:
    left, right = normals(p), normals(q)
    if left is None or right is None:
        other = p if left is None else q
        raise UnsupportedPairError(
            f"the integral of a product is known for normal laws and their mixtures; {other.name} is neither"
        )
    return left, right


@dataclass(frozen=True)
class _Gap:
    """⟨p − q, p − q⟩ and ⟨p − q, q⟩, both divided by exp(top)."""

    xp: Namespace
    square: Array
    along: Array
    top: Array


def _gap(p: Normals, q: Normals, kernel: Array | None) -> _Gap:
    r"""From $p - q = \sum_i (w_i - v_i)\, p_i + v_i (p_i - q_i)$, whose products cancel on paper, not in numbers."""
    p, q = _padded(p, q)
    xp = ops(p.loc, q.loc)
    pp, pq, qq = (log_products(a, b, kernel=kernel) for a, b in ((p, p), (p, q), (q, q)))
    top = xp.detach(xp.maximum(xp.max(xp.max(pp)), xp.max(xp.max(qq))))
    a, m = _changes(p, q, kernel)
    b, qp = transpose(a), transpose(pq)
    near = (xp.abs(a) < _NEAR) & (xp.abs(b) < _NEAR) & (xp.abs(m) < _NEAR)
    a, b, m = (xp.where(near, x, 0.0) for x in (a, b, m))
    pp, pq, qp, qq = (xp.exp(x - top[..., None, None]) for x in (pp, pq, qp, qq))
    second = qq * (xp.expm1(a) * xp.expm1(b) + xp.exp(a + b) * xp.expm1(m))
    second = xp.where(near, second, pp - pq - qp + qq)
    first = xp.where(near, qq * xp.exp(a) * xp.expm1(b + m), pp - pq)
    before = xp.where(near, qq * xp.expm1(a), pq - qq)
    moved, v = p.weights - q.weights, q.weights

    def form(x: Array, table: Array, y: Array) -> Array:
        return xp.sum(xp.sum(x[..., :, None] * table * y[..., None, :]))

    square = form(moved, pp, moved) + 2.0 * form(moved, first, v) + form(v, second, v)
    return _Gap(xp, square, form(moved, pq, v) + form(v, before, v), top)


def _padded(p: Normals, q: Normals) -> tuple[Normals, Normals]:
    """Both with the same number of components: those that one lacks come from the other, with weight 0."""
    size = min(p.size, q.size)
    return _joined(p, q, size), _joined(q, p, size)


def _joined(p: Normals, other: Normals, size: int) -> Normals:
    if other.size == size:
        return p
    xp, rest = ops(p.loc, other.loc), slice(size, None)
    batch = np.broadcast_shapes(tuple(p.weights.shape[:-1]), tuple(other.weights.shape[:-1]))

    def joined(x: Array, y: Array, rank: int) -> Array:
        pieces = [xp.broadcast_to(z, (*batch, *z.shape[len(z.shape) - rank :])) for z in (x, y)]
        return xp.concat(pieces, axis=-rank)

    return Normals(
        joined(p.weights, 0.0 * other.weights[..., rest], 1),
        joined(p.loc, other.loc[..., rest, :], 2),
        joined(p.scale_tril, other.scale_tril[..., rest, :, :], 3),
    )


def _changes(p: Normals, q: Normals, kernel: Array | None) -> tuple[Array, Array]:
    r"""First and second differences of the log products ℓ, formed from the differences of the parameters.

    $a_{ij} = \ell(p_i, q_j) - \ell(q_i, q_j)$ and $m_{ij} = \ell(p_i, p_j) - \ell(p_i, q_j) - \ell(q_i, p_j) +
    \ell(q_i, q_j)$. With S the sum of covariances of the pair $q_i, q_j$, E and F what $p_i$ and $p_j$ add to it, and R
    their inverses, e.g. $R_E = (S + E)^{-1}$: $R_E - R = -R_E E R$, and
    $|S+E||S+F| / (|S||S+E+F|) = |I + R_{EF}\, E R F|$.
    """
    xp = ops(p.loc, q.loc)
    step = p.scale_tril - q.scale_tril
    grown = p.scale_tril @ transpose(step) + step @ transpose(q.scale_tril)
    moved = p.loc - q.loc
    e, f = grown[..., :, None, :, :], grown[..., None, :, :, :]
    u, v = moved[..., :, None, :, None], moved[..., None, :, :, None]
    s = _table(q, q) + _matrix(kernel, like=q.loc)
    delta = (q.down().loc - q.across().loc)[..., None]
    r, r_e, r_f, r_ef = (_inverse(x) for x in (s, s + e, s + f, s + e + f))

    def inner(x: Array, y: Array) -> Array:
        return xp.sum(x * y, axis=-2)[..., 0]

    square = inner(2.0 * delta + u, r_e @ u) - inner(delta, r_e @ (e @ (r @ delta)))
    first = -0.5 * (log_det(r @ e) + square)
    fd, ed = f @ (r @ delta), e @ (r @ delta)
    mixed = inner(delta, r_ef @ (e @ (r_f @ fd)) + r_ef @ (f @ (r_e @ ed)))
    mixed = mixed - inner(u, r_ef @ (f @ (r_e @ (u + 2.0 * delta))))
    mixed = mixed - inner(v, r_ef @ (e @ (r_f @ (v - 2.0 * delta)))) - 2.0 * inner(u, r_ef @ v)
    return first, 0.5 * (log_det(r_ef @ e @ (r @ f)) - mixed)


def _inverse(matrix: Array) -> Array:
    lower, _ = factor(matrix)
    xp = ops(matrix)
    identity = xp.to_float(xp.asarray(np.eye(matrix.shape[-1]), like=matrix), 64)
    root = solve(lower, 0.0 * lower + identity)
    return transpose(root) @ root


def log_det(x: Array) -> Array:
    """log |I + X| by elimination, with pivots kept less 1, so that small X loses no digits; NaN where one is < 0."""
    xp = ops(x)
    total = 0.0
    with xp.quiet():
        for _ in range(x.shape[-1]):
            pivot = x[..., 0, 0]
            total = total + xp.log1p(pivot)
            row, column = x[..., :1, 1:], x[..., 1:, :1]
            x = x[..., 1:, 1:] - column @ row / (1.0 + pivot[..., None, None])
    return total
