"""The Cauchy–Schwarz divergence: the angle between two vectors of masses."""

from __future__ import annotations

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
    formula = r"-\log \frac{\langle p, q \rangle^2}{\|p\|^2 \|q\|^2}"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        p, q = arrays[:2]
        gap = simplex.difference(xp, *arrays)
        if len(arrays) > 2:
            p, q = p / arrays[2], q / arrays[4]
        return _angle(xp, p, q, gap)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        pair = logits.compare(xp, a, b)
        return _angle(xp, pair.p, pair.q, logits.difference(xp, pair))


def _angle(xp: Namespace, p: Array, q: Array, gap: Array) -> Array:
    p_size, q_size = xp.sum(p * p), xp.sum(q * q)
    shared = xp.sum(gap * q, keepdims=True) / xp.sum(q * q, keepdims=True)
    across = gap - shared * q
    sine = xp.sum(across * across) / p_size
    close = sine < 0.5
    cosine = xp.sum(p * q) / xp.sqrt(p_size * q_size)
    far = -2.0 * xp.log(xp.where(close, 1.0, cosine))
    return xp.where(close, -xp.log1p(-xp.where(close, sine, 0.0)), far)


cauchy_schwarz = CauchySchwarz()
