"""The squared L2 distance: the plainest one, and the only one here that needs no logarithm."""

from __future__ import annotations

from dataclasses import dataclass

from kullback._ops import Array, Namespace, ops
from kullback.divergences import logits, simplex
from kullback.divergences.noun import Divergence


@dataclass(frozen=True, repr=False)
class SquaredL2(Divergence):
    r"""The squared L2 distance, the square of $\|p - q\|_2$.

    $$\sum_i (p_i - q_i)^2 \quad\text{or}\quad \int (p(x) - q(x))^2\, dx$$

    Symmetric, finite for bounded densities, its square root is a metric. Of densities it has the unit of 1/x: it is a
    distance, not information, and changes with the scale of x. Source: [principe2010].

    >>> import kullback as kb
    >>> kb.squared_l2([0.5, 0.5], [0.25, 0.75])
    0.125
    """

    name = "squared_l2"
    unit = "units of density"
    formula = r"\sum_i (p_i - q_i)^2"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        gap = simplex.difference(xp, *arrays)
        return xp.sum(gap * gap)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        gap = logits.difference(xp, logits.compare(xp, a, b))
        return xp.sum(gap * gap)


squared_l2 = SquaredL2()
