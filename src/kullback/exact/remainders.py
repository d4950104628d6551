r"""The non-negative pieces of which closed forms are sums, so that near-equal parameters keep their digits."""

from __future__ import annotations

from kullback._ops import Array, ops
from kullback._ops.remainders import exp_remainder
from kullback.divergences import kl
from kullback.divergences.simplex import terms
from kullback.exact import stirling
from kullback.exact.binet import SHIFT, STIRLING


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
    y, x, h = (xp.asarray(z) for z in (y + 0.0 * x, x + 0.0 * y, h + 0.0 * (x + y)))
    arrays = [xp.host(z) for z in (y, x, h)]
    if all(z is not None for z in arrays):
        return xp.asarray(stirling.excess(*arrays), like=y)
    if not (xp.GRADIENTS and xp.at_hand(y)):
        return _by_branches(y, x, h)

    def plain(a: Array, b: Array) -> Array:
        return _by_branches(a[..., 0], b[..., 0], a[..., 1])

    # the difference travels with both arguments, and its share of the gradient is in theirs
    return xp.with_gradient(plain, _with_slopes, xp.stack([y, h], axis=-1), xp.stack([x, h], axis=-1))


def _with_slopes(a: Array, b: Array, need_a: bool, need_b: bool) -> tuple[Array, Array | None, Array | None]:
    xp = ops(a, b)
    y, x, h = a[..., 0], b[..., 0], a[..., 1]
    if xp.recording():
        value, zero = _by_branches(y, x, h), xp.zeros_like(y)
        to_y = xp.derivative(lambda t: _by_branches(y + t, x, h + t), zero)
        to_x = xp.derivative(lambda t: _by_branches(y, x + t, h - t), zero)
    else:
        arrays = [xp.to_numpy(z) for z in (y, x, h)]
        made = (stirling.excess(*arrays), *(stirling.slopes(*arrays) if need_a or need_b else ()))
        value, *slopes = (xp.asarray(z, like=a) for z in made)
        if not slopes:
            return value, None, None
        to_y, to_x = slopes
    none = xp.zeros_like(to_y)
    return (
        value,
        xp.stack([to_y, none], axis=-1) if need_a else None,
        xp.stack([to_x, none], axis=-1) if need_b else None,
    )


def _by_branches(y: Array, x: Array, h: Array) -> Array:
    """The same on any array, traced ones included: every branch is computed and one is taken."""
    xp = ops(y, x, h)
    with xp.quiet():
        large = (x >= SHIFT) & (y >= SHIFT)
        direct = _series(xp.where(large, y, 1.0 + SHIFT), xp.where(large, x, 1.0 + SHIFT), h)
        low_y, low_x, low_h = xp.where(large, 1.0, y), xp.where(large, 1.0, x), xp.where(large, 0.0, h)
        return xp.where(large, direct, _shifted(low_y, low_x, low_h))


def _shifted(y: Array, x: Array, h: Array) -> Array:
    xp = ops(y, x, h)
    total = _series(y + SHIFT, x + SHIFT, h)
    for k in range(int(SHIFT)):
        total = total + exp_remainder(log_ratio(y + k, x + k, h))
    # k(y + N, x + N) − k(y, x): near equality both are small, far from it their large parts cancel on paper
    near = xp.abs(h) < 0.5 * x
    close = excess_at(x + SHIFT, log_ratio(y + SHIFT, x + SHIFT, h)) - excess_at(x, log_ratio(y, x, h))
    far = y * (xp.log1p(SHIFT / y) - xp.log1p(SHIFT / x)) + SHIFT * log_ratio(y + SHIFT, x + SHIFT, h)
    return total + xp.where(near, close, far)


def _series(y: Array, x: Array, h: Array) -> Array:
    """B(y, x) − k(y, x) for large arguments: −½ log z and the powers of 1/z, each by its own remainder."""
    u, v = 1.0 / y, 1.0 / x
    total, power, inner = 0.0, v, v
    for m in range(1, 2 * len(STIRLING)):
        if m % 2:
            total = total + STIRLING[m // 2] * inner
        power = power * v
        inner = u * inner + (m + 1) * power
    return 0.5 * exp_remainder(log_ratio(y, x, h)) + h * h * u * v * total


def log_gamma_excess(y: Array, x: Array, h: Array) -> Array:
    """log Γ(y) − log Γ(x) − ψ(x)(y − x) ≥ 0, elementwise, with y = x + h."""
    xp = ops(y, x, h)
    return stirling_excess(y, x, h) + excess_at(x + 0.0 * y, log_ratio(y, x + 0.0 * y, h + xp.zeros_like(y)))
