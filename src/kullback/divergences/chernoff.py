"""Chernoff information: the best exponent of a test between p and q."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, Namespace, ops
from kullback._ops.remainders import exp_remainder
from kullback.divergences import logits, simplex
from kullback.divergences.noun import Divergence

_STEPS = 60  # each at least halves the bracket or the step
_CLOSE = 1e-9  # an error of the exponent enters squared


@dataclass(frozen=True, repr=False)
class Chernoff(Divergence):
    r"""The Chernoff information, minus the logarithm of the smallest affinity between powers of p and q.

    $$\max_{0 \le a \le 1}\; -\log \sum_i p_i^a q_i^{1-a}$$

    The error of the best test between n draws of p and n of q falls like exp(−n times this). Symmetric, not an
    f-divergence; infinite on disjoint supports. The order a comes from Newton's method on the affinity, which is convex
    in a, inside a bracket; by the envelope theorem the gradient is the one with a held fixed. Source: [chernoff1952].

    >>> import kullback as kb
    >>> round(kb.chernoff([1.0, 0.0], [0.5, 0.5]), 6)
    0.693147
    """

    name = "chernoff"
    unit = "nats"
    formula = r"\max_{0 \le a \le 1} -\log \sum_i p_i^a q_i^{1-a}"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        p, q, *totals = arrays
        live = (p != 0) & (q != 0)
        r = simplex.log_ratio(xp, xp.where(live, p, 1.0), xp.where(live, q, 1.0), tuple(totals))[1]
        if totals:
            p, q = p / totals[0], q / totals[2]
        log_q = xp.log(xp.where(live & (q > 0), q, 1.0))
        return _largest(xp, _Cells(p, q, xp.where(live, r, 0.0), log_q, live))

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        pair = logits.compare(xp, a, b)
        # not the logarithm of the mass: a class may be too small for a mass and yet decide the exponent
        log_q = b - xp.logsumexp(b) if pair.log_q is None else pair.log_q
        live = xp.isfinite(a) & xp.isfinite(b)
        return _largest(xp, _Cells(pair.p, pair.q, pair.r, log_q, live))


@dataclass(frozen=True)
class _Cells:
    """Masses, log q and r = log p − log q; where a class is not `live` in both, r is 0."""

    p: Array
    q: Array
    r: Array
    log_q: Array
    live: Array

    def constant(self, xp: Namespace) -> _Cells:
        """The same without gradients."""
        p, q, r, log_q = (xp.detach(x) for x in (self.p, self.q, self.r, self.log_q))
        return _Cells(p, q, r, log_q, self.live)

    def log_power(self, xp: Namespace, order: Array) -> Array:
        """a log p + (1 − a) log q."""
        return xp.where(self.live, self.log_q + order * self.r, -math.inf + xp.zeros_like(self.r))


def _largest(xp: Namespace, cells: _Cells) -> Array:
    return _exponent(xp, _best_order(xp, cells.constant(xp)), cells)


def _exponent(xp: Namespace, order: Array, cells: _Cells) -> Array:
    """−log Σ p^a q^(1−a), from what the affinity lacks of 1 where the two are close."""
    p, q, r, live = cells.p, cells.q, cells.r, cells.live
    near = xp.abs(r) < 1.0
    small = xp.where(near, r, 0.0)
    log_power = cells.log_power(xp, order)
    power = xp.exp(xp.where(live, log_power, 0.0))
    close = q * (exp_remainder(order * small) - order * exp_remainder(small))
    far = xp.where(live, power, 0.0) - order * p - (1.0 - order) * q
    lack = xp.sum(xp.where(near & live, close, far))
    some = xp.max(xp.where(live, 1.0, xp.zeros_like(r)), keepdims=True) > 0
    total = xp.logsumexp(xp.where(some, log_power, 0.0))[..., 0]
    apart = xp.where(some[..., 0], -total, math.inf)
    mild = lack > -0.5
    # a row without masses has NaN for them, which the masks would hide
    gone = 0.0 * (xp.sum(p) + xp.sum(q))
    return xp.where(mild, -xp.log1p(xp.where(mild, lack, 0.0)), apart) + 0.0 + gone


def _best_order(xp: Namespace, cells: _Cells) -> Array:
    """Where the derivative of the affinity vanishes, by Newton's method with bisection as the safeguard."""
    zero = xp.zeros_like(cells.r[..., :1])
    low, high, order = zero, zero + 1.0, zero + 0.5
    low = xp.where(_slopes(xp, high, cells)[0] <= 0, high, low)
    high = xp.where(_slopes(xp, zero, cells)[0] >= 0, zero, high)
    order = xp.where(low >= high, 0.5 * (low + high), order)
    before = zero + 1.0
    for _ in range(_STEPS):
        slope, curve = _slopes(xp, order, cells)
        low, high = xp.where(slope < 0, order, low), xp.where(slope > 0, order, high)
        flat = curve <= 0
        newton = order - slope / xp.where(flat, 1.0, curve)
        slow = flat | (newton <= low) | (newton >= high) | (2.0 * xp.abs(newton - order) > before)
        chosen = xp.where(slow, 0.5 * (low + high), newton)
        chosen = xp.where((slope == 0) | (low >= high), order, chosen)
        before, order = xp.abs(chosen - order), chosen
        if xp.concrete(order) and not bool(xp.any(before > _CLOSE)):
            break
    return order


def _slopes(xp: Namespace, order: Array, cells: _Cells) -> tuple[Array, Array]:
    """The first two derivatives of Σ p^a q^(1−a) in a: by terms of the size of r², or, far apart, up to a factor."""
    p, q, r = cells.p, cells.q, cells.r
    log_power = cells.log_power(xp, order)
    power = xp.exp(log_power)
    near = (xp.abs(r) < 1.0) & cells.live
    small = xp.where(near, r, 0.0)
    close = q * (small * xp.expm1(order * small) - exp_remainder(small))
    slope = xp.sum(xp.where(near, close, r * power - p + q), keepdims=True)
    top = xp.max(log_power, keepdims=True)
    weight = xp.exp(log_power - xp.where(xp.isfinite(top), top, 0.0))
    far = xp.sum(power, keepdims=True) < 0.5
    slope = xp.where(far, xp.sum(r * weight, keepdims=True), slope)
    return slope, xp.sum(r * r * xp.where(far, weight, power), keepdims=True)


chernoff = Chernoff()
