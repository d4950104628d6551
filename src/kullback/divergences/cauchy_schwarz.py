"""The Cauchy–Schwarz divergence: the angle between two vectors of masses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, Namespace, ops
from kullback.divergences import logits, simplex
from kullback.divergences.noun import Divergence


@dataclass(frozen=True, repr=False)
class CauchySchwarz(Divergence):
    r"""The Cauchy–Schwarz divergence, minus the logarithm of a squared cosine.

    $$-\log \frac{\langle p, q \rangle^2}{\|p\|^2 \|q\|^2} = -\log\left(1 - \frac{\|\rho\|^2}{\|p\|^2}\right),
    \qquad \rho = (p - q) - \frac{\langle p - q, q \rangle}{\|q\|^2}\, q.$$

    Symmetric, blind to the scale of either argument, infinite on disjoint supports, not an f-divergence: it does not
    shrink under every coarsening. Near equality it is formed from ρ and keeps its digits. Source: [principe2010].

    >>> import kullback as kb
    >>> round(kb.cauchy_schwarz([0.5, 0.5], [0.25, 0.75]), 6)
    0.223144
    """

    name = "cauchy_schwarz"
    unit = "nats"
    formula = r"-\log \frac{\langle p, q \rangle^2}{\|p\|^2 \|q\|^2}"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        p, q = arrays[:2]
        gap = simplex.difference(xp, *arrays)
        if len(arrays) > 2:
            p, q = p / arrays[2], q / arrays[4]
        return _angle(xp, p, q, gap, xp.log(xp.sum(p * q) / xp.sqrt(xp.sum(p * p) * xp.sum(q * q))))

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        pair = logits.compare(xp, a, b)
        return _angle(xp, pair.p, pair.q, logits.difference(xp, pair), _log_cosine(xp, a, b))


def _angle(xp: Namespace, p: Array, q: Array, gap: Array, log_cosine: Array) -> Array:
    """From the sine where the angle is small, from the logarithm of the cosine where it is not."""
    shared = xp.sum(gap * q, keepdims=True) / xp.sum(q * q, keepdims=True)
    across = gap - shared * q
    sine = xp.sum(across * across) / xp.sum(p * p)
    close = sine < 0.5
    far = -2.0 * xp.where(close, 0.0, log_cosine)
    return xp.where(close, -xp.log1p(-xp.where(close, sine, 0.0)), far)


def _log_cosine(xp: Namespace, a: Array, b: Array) -> Array:
    """From logits, which know of classes that are too small for a mass; no class in common makes it −inf."""
    live = xp.isfinite(a) & xp.isfinite(b)
    a, b = _topped(xp, a), _topped(xp, b)
    some = xp.max(xp.where(live, 1.0, xp.zeros_like(a)), keepdims=True) > 0
    both = xp.where(live, xp.where(live, a, 0.0) + xp.where(live, b, 0.0), -math.inf + xp.zeros_like(a))
    shared = xp.where(some, xp.logsumexp(xp.where(some, both, 0.0)), -math.inf)
    return (shared - 0.5 * (xp.logsumexp(2.0 * a) + xp.logsumexp(2.0 * b)))[..., 0]


def _topped(xp: Namespace, x: Array) -> Array:
    """With 0 as the largest, which the angle does not see: sums of large logits have few digits."""
    top = xp.detach(xp.max(x, keepdims=True))
    return x - xp.where(xp.isfinite(top), top, 0.0)


cauchy_schwarz = CauchySchwarz()
