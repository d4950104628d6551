r"""The Stirling part of a remainder of log Γ in NumPy, all elements in a few array operations.

$E(y, x) = \log\Gamma(y) - \log\Gamma(x) - \psi(x)(y - x) - k(y, x)$ with $k(y, x) = y \log(y/x) - y + x$: with
$\Gamma(z + 1) = z\,\Gamma(z)$ both arguments are raised until the series in 1/z serves, whose terms
$u^m - v^m - m v^{m-1}(u - v)$ are a polynomial in u = 1/y and v = 1/x times $(u - v)^2$.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kullback._ops.remainders import exp_remainder
from kullback.exact.binet import SHIFT, STIRLING

_STEPS = np.arange(SHIFT)
_ORDER = 2 * len(STIRLING)
_BLOCK = 1024


def _bent() -> np.ndarray:
    """C with Σ c_m Σ_j j v^j u^(m−j) = Σ C_ij u^i v^j over odd m."""
    found = np.zeros((_ORDER, _ORDER))
    for m in range(1, _ORDER, 2):
        for j in range(1, m + 1):
            found[m - j, j] = STIRLING[m // 2] * j
    return found


def _tilted() -> np.ndarray:
    """C with Σ m c_m Σ_j u^(m−j) v^j = Σ C_ij u^i v^j over odd m."""
    found = np.zeros((_ORDER, _ORDER))
    for m in range(1, _ORDER, 2):
        for j in range(m + 1):
            found[m - j, j] = STIRLING[m // 2] * m
    return found


_BENT, _TILTED = _bent(), _tilted()


def excess(y: np.ndarray, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """E(y, x) with y = x + h, elementwise for arrays of one shape."""
    return _in_blocks(_excess, y, x, h)[0]


def slopes(y: np.ndarray, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives of E(y, x) in y and in x: [ψ − log](y) − [ψ − log](x) and −h (ψ'(x) − 1/x)."""
    to_y, to_x = _in_blocks(_slopes, y, x, h)
    return to_y, to_x


def _in_blocks(function: Callable[..., tuple[np.ndarray, ...]], *arrays: np.ndarray) -> list[np.ndarray]:
    """The function, whose temporaries are twenty times as large as its arguments, on pieces that stay in cache."""
    shape = arrays[0].shape
    if arrays[0].size <= _BLOCK:
        return list(function(*arrays))
    flat = [x.reshape(-1) for x in arrays]
    parts = [function(*(x[i : i + _BLOCK] for x in flat)) for i in range(0, flat[0].size, _BLOCK)]
    return [np.concatenate(x).reshape(shape) for x in zip(*parts, strict=True)]


def _excess(y: np.ndarray, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray]:
    with np.errstate(all="ignore"):
        large, high, low = _raised(y, x)
        u, v = 1.0 / high, 1.0 / low
        ratio = _log_ratio(high, low, h)
        if large.all():
            return (0.5 * exp_remainder(ratio) + h * h * u * v * _bilinear(_BENT, u, v),)
        lower = np.concatenate([x[..., None] + _STEPS, low[..., None]], axis=-1)
        upper = np.concatenate([y[..., None] + _STEPS, high[..., None]], axis=-1)
        logs = _log_ratio(upper, lower, h[..., None])
        each = exp_remainder(logs)
        found = 0.5 * each[..., -1] + h * h * u * v * _bilinear(_BENT, u, v)
        # k(y + N, x + N) − k(y, x): near equality both are small, far from it their large parts cancel on paper
        grown = h[..., None] * logs - lower * each
        far = y * (np.log1p(SHIFT / y) - np.log1p(SHIFT / x)) + SHIFT * ratio
        between = np.where(np.abs(h) < 0.5 * x, grown[..., -1] - grown[..., 0], far)
        return (found + np.where(large, 0.0, each[..., :-1].sum(axis=-1) + between),)


def _slopes(y: np.ndarray, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(all="ignore"):
        large, high, low = _raised(y, x)
        u, v = 1.0 / high, 1.0 / low
        to_y = h * u * v * (0.5 + _bilinear(_TILTED, u, v))
        alone = x >= SHIFT
        w = 1.0 / np.where(alone, x, x + SHIFT)
        to_x = w * w * (0.5 + w * _trigamma(w * w))
        if not large.all():
            upper, lower = y[..., None] + _STEPS, x[..., None] + _STEPS
            gained = h * (1.0 / (upper * lower)).sum(axis=-1) + _log_ratio(high, low, h) - _log_ratio(y, x, h)
            to_y = to_y + np.where(large, 0.0, gained)
            to_x = to_x + np.where(alone, 0.0, (1.0 / (lower * lower)).sum(axis=-1) + w - 1.0 / x)
        return to_y, -h * to_x


def _raised(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    large = (y >= SHIFT) & (x >= SHIFT)
    step = np.where(large, 0.0, SHIFT)
    return large, y + step, x + step


def _log_ratio(y: np.ndarray, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    w = h / x
    found = np.log1p(w)
    return found if w.min(initial=0.0) > -0.5 else np.where(w > -0.5, found, np.log(y / x))


def _bilinear(c: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ((_powers(u) @ c) * _powers(v)).sum(axis=-1)


def _powers(x: np.ndarray) -> np.ndarray:
    found = np.empty((*x.shape, _ORDER))
    found[..., 0], found[..., 1:] = 1.0, x[..., None]
    return np.multiply.accumulate(found, axis=-1)


def _trigamma(square: np.ndarray) -> np.ndarray:
    """(ψ'(1/v) − v − v²/2)/v³ from v²: the coefficients are the Bernoulli numbers."""
    total = np.zeros_like(square)
    for m in range(_ORDER - 1, 0, -2):
        total = total * square + STIRLING[m // 2] * m * (m + 1)
    return total
