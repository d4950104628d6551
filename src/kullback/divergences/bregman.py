"""Bregman divergences of a separable convex function of the masses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.divergences import logits, simplex
from kullback.divergences.noun import Divergence
from kullback.errors import InvalidInputError

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS


@dataclass(frozen=True, repr=False)
class Bregman(Divergence):
    r"""The Bregman divergence of $\Phi(p) = \sum_i \phi(p_i)$: what Φ has above its tangent at q.

    $$B_\phi(p, q) = \sum_i \phi(p_i) - \phi(q_i) - \phi'(q_i)(p_i - q_i)
    = \sum_i (p_i - q_i)^2 \int_0^1 (1 - u)\, \phi''(q_i + u (p_i - q_i))\, du.$$

    The second form, by Gauss–Legendre quadrature, is used where p is within a third of q, the first elsewhere. It
    depends on the scale of the masses and on the order of its arguments. Source: [bregman1967], [banerjee2005].

    >>> import kullback as kb
    >>> round(kb.bregman(lambda x: x * x)([0.5, 0.5], [0.25, 0.75]), 6)
    0.125
    """

    phi: Callable[[Any], Any]
    label: str
    unit: str = ""  # φ does not tell  # type: ignore[assignment]

    @property
    def name(self) -> str:
        return f"bregman({self.label})"

    @property
    def formula(self) -> str:
        return r"\sum_i \phi(p_i) - \phi(q_i) - \phi'(q_i)(p_i - q_i)"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        p, q = arrays[:2]
        gap = simplex.difference(xp, *arrays)
        if len(arrays) > 2:
            p, q = p / arrays[2], q / arrays[4]
        return xp.by_rows(lambda *block: xp.sum(self._remainder(*block)), p, q, gap)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        pair = logits.compare(xp, a, b)
        return xp.sum(self._remainder(pair.p, pair.q, logits.difference(xp, pair)))

    def _remainder(self, p: Array, q: Array, gap: Array) -> Array:
        """φ(p) − φ(q) − φ'(q)(p − q) with p − q as `gap`; 0 where both masses are 0."""
        xp = ops(p, q)
        near = (xp.abs(gap) < 0.33 * q) & (q > 0)
        base, step = xp.where(near, q, 1.0), xp.where(near, gap, 0.0)
        curved = xp.zeros_like(base)
        for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
            curved = curved + weight * (1.0 - node) * xp.second_derivative(self.phi, base + node * step)
        # a zero mass is asked for by its limit: φ at the smallest number of the format
        some_p, some_q = (xp.where(near, 1.0, xp.maximum(x, _SMALLEST[xp.precision(x)])) for x in (p, q))
        tangent = xp.derivative(self.phi, some_q) * (some_p - some_q)
        far = self.phi(some_p) - self.phi(some_q) - tangent
        return xp.where(near, step * step * curved, xp.where(gap == 0, 0.0, far))


_SMALLEST = {64: 1e-300, 32: 1e-36}


def bregman(phi: Callable[[Any], Any], *, name: str | None = None, unit: str = "") -> Bregman:
    r"""The Bregman divergence of your own convex `phi` of one mass, $B_\phi(p, q)$, summed over the categories.

    `phi` maps arrays elementwise, as in `FDivergence.from_generator`, and is differentiated the same way; `unit`
    is as there. Raises `InvalidInputError` where it is not convex on (0, 1). Source: [bregman1967].

    >>> import numpy as np
    >>> import kullback as kb
    >>> round(kb.bregman(lambda x: x * np.log(x))([0.5, 0.5], [0.25, 0.75]), 6)
    0.143841
    """
    from kullback.divergences.probing import check_convex_on_masses

    label = name or getattr(phi, "__name__", "phi").replace("<lambda>", "phi")
    if not callable(phi):
        raise InvalidInputError(f"bregman needs a function of one mass, got {type(phi).__name__}")
    check_convex_on_masses(phi, label)
    return Bregman(phi, label, unit)
