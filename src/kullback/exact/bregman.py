"""The KL divergence of an exponential family from its log-normaliser alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kullback._ops import Array, ops

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_NEAR = 1e-5  # of the size of the terms: below it their difference has lost a third of the digits


def bregman(log_normaliser: Callable[..., Array], p: Mapping[str, Array], q: Mapping[str, Array]) -> Array:
    """F(θ_q) − F(θ_p) − ⟨∇F(θ_p), θ_q − θ_p⟩; near equality ∫ (1 − t) g''(t) dt with g(t) = F(θ_p + t(θ_q − θ_p))."""
    xp = ops(*p.values(), *q.values())
    batch = np.ndim(log_normaliser(*p.values()))

    def along(t: Array) -> Array:
        return log_normaliser(
            *(p[name] + t[(..., *(None,) * (p[name].ndim - batch))] * (q[name] - p[name]) for name in p)
        )

    zero = 0.0 * (log_normaliser(*p.values()) + log_normaliser(*q.values()))
    start, end, slope = along(zero), along(zero + 1.0), xp.derivative(along, zero)
    integral = zero
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        t = 0.5 * (float(node) + 1.0)
        integral = integral + 0.5 * float(weight) * (1.0 - t) * xp.second_derivative(along, zero + t)
    direct = end - start - slope
    return xp.where(direct > _NEAR * (xp.abs(start) + xp.abs(end) + xp.abs(slope)), direct, integral)
