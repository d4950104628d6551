"""Entropies of the spectrum of a kernel matrix: how many different things there are among points or items."""

from __future__ import annotations

import math
from typing import Any

from kullback._ops import Array, Namespace, ops
from kullback.divergences import simplex
from kullback.divergences.kernels import Kernel
from kullback.errors import DTypeError, InvalidInputError, ShapeError


def kernel_matrix(points: Any, *, kernel: Kernel) -> Array:
    r"""The kernel at all pairs of points, $K_{ij} = k(x_i, x_j)$.

    `points` has shape (n, d), or (n,) on the line; the result (n, n), in the caller's array library with gradients.
    The differences are taken column by column, so that near points keep their digits and memory is that of the
    result. Raises `DTypeError`, `ShapeError` or `InvalidInputError`. Source: [gretton2012].

    >>> import kullback as kb
    >>> kernel_matrix([0.0, 2.0], kernel=kb.GaussianKernel(1.0)).round(6).tolist()
    [[1.0, 0.135335], [0.135335, 1.0]]
    """
    xp = ops(points)
    x = _real(xp, "points", points)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(f"`points` has shape {tuple(x.shape)}; expected (n,) or (n, d), n and d at least 1")
    square = xp.zeros_like(x[:, None, 0] + x[None, :, 0])
    for j in range(x.shape[1]):
        gap = x[:, None, j] - x[None, :, j]
        square = square + gap * gap
    return kernel(square)


def spectral_entropy(kernel: Any, *, order: float = 1.0, weights: Any = None) -> Array:
    r"""The Rényi entropy of a kernel matrix's eigenvalues, at order 1 von Neumann's, in nats.

    $$S_q = \frac{1}{1 - q} \log \sum_i \lambda_i^q, \qquad S_1 = -\sum_i \lambda_i \log \lambda_i, \qquad
    \lambda = \operatorname{eig} \frac{W^{1/2} K W^{1/2}}{\operatorname{tr} W K}$$

    `kernel` is a symmetric positive semi-definite matrix (..., n, n), `weights` (n,) are the shares W of its items
    (equal ones unless given), `order` lies in [0, ∞]: log of the rank at 0, −log of the largest eigenvalue at ∞.
    Eigenvalues that rounding cannot tell from 0 count as 0. Gradients of torch and JAX pass through.

    Raises `ShapeError` for what is no square matrix, `InvalidInputError` for one that is not symmetric or has a
    negative eigenvalue, for an order below 0 and for weights that are no shares. Source: [giraldo2015], [friedman2023].

    >>> round(float(spectral_entropy([[1.0, 0.5], [0.5, 1.0]])), 6)  # eigenvalues 3/4 and 1/4
    0.562335
    >>> round(float(spectral_entropy([[1.0, 0.5], [0.5, 1.0]], order=2)), 6)  # log(8/5)
    0.470004
    """
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not order >= 0:
        raise InvalidInputError(f"`order` is {order!r}; expected a number from 0 to infinity")
    xp = ops(kernel, weights) if weights is not None else ops(kernel)
    k = _square(xp, kernel)
    if weights is not None:
        root = xp.sqrt(_shares(xp, weights, k))
        k = root[..., :, None] * k * root[..., None, :]
    return simplex.plain(xp, renyi_of_shares(xp, eigenvalue_shares(xp, k), float(order)))


def vendi(kernel: Any, *, order: float = 1.0, weights: Any = None) -> Array:
    r"""The Vendi score: the effective number of different items, the exponential of the spectral entropy.

    $$\mathrm{VS}_q = \exp S_q(K), \qquad 1 \le \mathrm{VS}_q \le n$$

    1 where all items are the same, n where all are orthogonal; `kernel` (..., n, n) holds similarities with ones on the
    diagonal. A small `order` counts rare kinds, a large one the common kinds; it does not rise with the order.
    Arguments and errors are those of `spectral_entropy`. Source: [friedman2023], [pasarkar2024].

    >>> round(float(vendi([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], order=2)), 6)  # 1 / (4/9 + 1/9)
    1.8
    """
    entropy = spectral_entropy(kernel, order=order, weights=weights)
    xp = ops(entropy)
    return simplex.plain(xp, xp.exp(entropy))


def renyi_of_shares(xp: Namespace, values: Array, order: float) -> Array:
    """The entropy of shares that rise to the last one, which is 1 less the others and keeps its digits near 1."""
    small = values[..., :-1]
    rest = xp.sum(small, keepdims=True)
    share = xp.concat([small, 1.0 - rest], axis=-1)
    live = share > 0
    log = xp.concat([xp.log(xp.where(small > 0, small, 1.0)), xp.log1p(-rest)], axis=-1)
    if order == 0:
        return xp.log(xp.sum(xp.where(live, xp.zeros_like(share) + 1.0, 0.0)))
    if order == 1:
        return -xp.sum(share * log)
    if order == math.inf:
        return -log[..., -1]
    # Σ λ (λ^{q−1} − 1) has terms of one sign and keeps its digits near q = 1; far off, its logarithm does not overflow
    growth = xp.sum(share * xp.where(live, xp.expm1(_within(xp, (order - 1.0) * log)), 0.0))
    close = xp.abs(growth) < 0.5
    near = xp.log1p(xp.where(close, growth, 0.0))
    far = xp.logsumexp(xp.where(live, order * log, -math.inf))[..., 0]
    return xp.where(close, near, far) / (1.0 - order)


def _within(xp: Namespace, exponent: Array) -> Array:
    """The exponent, below where a power overflows: such a sum is far from 1, and its other form is taken."""
    return xp.minimum(exponent, 60.0)


def eigenvalue_shares(xp: Namespace, matrix: Array) -> Array:
    """The eigenvalues over their sum, from the smallest; those that are rounding are 0."""
    values = xp.eigvalsh(matrix)
    top = xp.max(xp.abs(values), keepdims=True)
    noise = 4.0 * values.shape[-1] * _epsilon(xp, values) * top
    if xp.concrete(values) and bool(xp.any(values < -noise)):
        raise InvalidInputError(
            f"the kernel matrix has the eigenvalue {xp.extremes(values)[0]:.3g} below 0, so it is no kernel of any "
            "features; make the similarity positive semi-definite, a cosine or a Gaussian kernel for instance"
        )
    values = xp.where(values > noise, values, 0.0)
    return values / xp.sum(values, keepdims=True)


def _epsilon(xp: Namespace, x: Array) -> float:
    return 2.0**-52 if xp.precision(x) == 64 else 2.0**-23


def _real(xp: Namespace, name: str, x: Any) -> Array:
    array = xp.asarray(x)
    if xp.kind(array) not in ("float", "integer"):
        raise DTypeError(f"`{name}` has dtype {xp.dtype_name(array)}; expected real numbers")
    exact = xp.kind(array) == "float" and xp.precision(array) <= 32
    array = xp.to_float(array, 32 if exact else 64)
    if xp.concrete(array) and bool(xp.any(~xp.isfinite(array))):
        raise InvalidInputError(f"`{name}` holds a number that is not finite")
    return array


def _square(xp: Namespace, kernel: Any) -> Array:
    k = _real(xp, "kernel", kernel)
    if k.ndim < 2 or k.shape[-1] != k.shape[-2] or k.shape[-1] == 0:
        raise ShapeError(f"`kernel` has shape {tuple(k.shape)}; expected the matrix (..., n, n) of n items")
    if xp.concrete(k):
        asymmetry = xp.extremes(xp.abs(k - xp.moveaxis(k, -1, -2)))[1]
        size = xp.extremes(xp.abs(k))[1]
        if size == 0 or asymmetry > 64 * _epsilon(xp, k) * size:
            raise InvalidInputError(
                f"`kernel` differs from its transpose by {asymmetry:.3g} where its largest entry is {size:.3g}; "
                "expected a symmetric matrix that is not zero"
            )
    return k


def _shares(xp: Namespace, weights: Any, k: Array) -> Array:
    w = xp.to_float(xp.asarray(weights, like=k), xp.precision(k))
    if tuple(w.shape) != (k.shape[-1],):
        raise ShapeError(
            f"`weights` has shape {tuple(w.shape)}; expected ({k.shape[-1]},), one for each item"
        )
    if xp.concrete(w) and not (xp.extremes(w)[0] >= 0 and 0 < float(xp.sum(w)) < math.inf):
        raise InvalidInputError("`weights` are shares of the items: not negative, finite, and not all 0")
    return w / xp.sum(w)
