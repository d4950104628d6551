r"""The non-negative pieces of which closed forms are sums, so that near-equal parameters keep their digits."""

from __future__ import annotations

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.divergences import kl
from kullback.divergences.simplex import terms

# B_2j / (2j (2j − 1)), the coefficients of Stirling's series in z^(1−2j)
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
    43867 / 244188,
    -174611 / 125400,
)
_SHIFT = 10.0  # from here on ten terms of Stirling's series are exact to the last bit


def excess(p: Array, q: Array) -> Array:
    """k(p, q) = p log(p/q) − p + q ≥ 0, elementwise for masses of any total."""
    xp = ops(p, q)
    with xp.quiet():
        return terms(kl, p, q)


def excess_at(q: Array, r: Array) -> Array:
    """k(p, q) from q and r = log(p/q), where the caller knows r better than p."""
    return q * kl.value(r)


def ratio_excess(p: Array, q: Array) -> Array:
    """p/q − 1 − log(p/q) ≥ 0 for positive p and q, elementwise."""
    return exp_remainder(log_ratio(p, q, p - q))


def log_ratio(p: Array, q: Array, gap: Array) -> Array:
    """log(p/q) of positive numbers, to the last bit where they are close; `gap` is p − q, elementwise."""
    xp = ops(p, q, gap)
    with xp.quiet():
        w = gap / q
        near = xp.abs(w) < 0.5
        return xp.where(near, xp.log1p(xp.where(near, w, 0.0)), xp.log(p) - xp.log(q))


def stirling_excess(y: Array, x: Array, h: Array) -> Array:
    r"""What the remainder of log Γ at y has beyond k(y, x): $B(y, x) - k(y, x)$, elementwise, with y = x + h.

    $B(y, x) = \log\Gamma(y) - \log\Gamma(x) - \psi(x)(y - x) \ge 0$. Where both are large it comes from Stirling's
    series, whose terms have remainders without cancellation; else from $\Gamma(z + 1) = z\,\Gamma(z)$, applied until
    they are. `h` is an argument because the caller may know the difference better than y − x shows.
    """
    xp = ops(y, x, h)
    y, x, h = y + 0.0 * x, x + 0.0 * y, h + 0.0 * x
    with xp.quiet():
        large = (x >= _SHIFT) & (y >= _SHIFT)
        direct = _series(xp.where(large, y, 1.0 + _SHIFT), xp.where(large, x, 1.0 + _SHIFT), h)
        low_y, low_x, low_h = (xp.where(large, 1.0, z) for z in (y, x, h))
        low_h = xp.where(large, 0.0, low_h)
        shifted = _shifted(low_y, low_x, low_h)
        return xp.where(large, direct, shifted)


def _shifted(y: Array, x: Array, h: Array) -> Array:
    xp = ops(y, x, h)
    total = _series(y + _SHIFT, x + _SHIFT, h)
    for k in range(int(_SHIFT)):
        total = total + exp_remainder(log_ratio(y + k, x + k, h))
    # k(y + N, x + N) − k(y, x): near equality both are small, far from it their large parts cancel on paper
    near = xp.abs(h) < 0.5 * x
    close = excess_at(x + _SHIFT, log_ratio(y + _SHIFT, x + _SHIFT, h)) - excess_at(x, log_ratio(y, x, h))
    far = y * (xp.log1p(_SHIFT / y) - xp.log1p(_SHIFT / x)) + _SHIFT * log_ratio(y + _SHIFT, x + _SHIFT, h)
    return total + xp.where(near, close, far)


def _series(y: Array, x: Array, h: Array) -> Array:
    """B(y, x) − k(y, x) for large arguments: −½ log z and the powers of 1/z, each by its own remainder."""
    u, v = 1.0 / y, 1.0 / x
    total, power, inner = 0.0, v, v
    for m in range(1, 2 * len(_STIRLING)):
        if m % 2:
            total = total + _STIRLING[m // 2] * inner
        power = power * v
        inner = u * inner + (m + 1) * power
    return 0.5 * exp_remainder(log_ratio(y, x, h)) + h * h * u * v * total


def log_gamma_excess(y: Array, x: Array, h: Array) -> Array:
    """log Γ(y) − log Γ(x) − ψ(x)(y − x) ≥ 0, elementwise, with y = x + h."""
    xp = ops(y, x, h)
    return stirling_excess(y, x, h) + excess_at(x + 0.0 * y, log_ratio(y, x + 0.0 * y, h + xp.zeros_like(y)))
