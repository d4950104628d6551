"""Rényi, Tsallis and Bhattacharyya: monotone maps of the alpha divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, Namespace, ops
from kullback.divergences import logits, simplex
from kullback.divergences.generator import FDivergence
from kullback.divergences.kullback_leibler import kl
from kullback.divergences.noun import Divergence
from kullback.divergences.power import alpha
from kullback.errors import InvalidInputError


@dataclass(frozen=True, repr=False)
class Renyi(Divergence):
    r"""The Rényi divergence of order a, $\frac{1}{a - 1} \log \sum_i p_i^a q_i^{1-a}$, in nats.

    $$R_a = \frac{\log(1 + a (a - 1) D_a)}{a - 1}$$

    with the alpha divergence D_a, which keeps its digits near equality; −log q(supp p) at a = 0, kl at 1,
    log max p/q at ∞. Non-decreasing in a, additive over independent products, not an f-divergence.
    Source: [renyi1961], [vanerven2014].

    >>> import kullback as kb
    >>> round(kb.renyi(2)([0.5, 0.5], [0.25, 0.75]), 6)
    0.287682
    """

    order: float

    unit = "nats"

    @property
    def name(self) -> str:
        return f"renyi({self.order:.12g})"

    @property
    def formula(self) -> str:
        return rf"\frac{{1}}{{a - 1}} \log \sum_i p_i^a q_i^{{1-a}},\quad a = {self.order:.12g}"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        p, q, *totals = arrays
        live = (p != 0) & (q != 0)
        r = simplex.log_ratio(xp, xp.where(live, p, 1.0), xp.where(live, q, 1.0), tuple(totals))[1]
        if totals:
            q = q / totals[2]
        near = None if self.order in (0.0, math.inf) else alpha(self.order)._on_masses(xp, *arrays)
        lost = xp.max(xp.where((p != 0) & ~live, 1.0, xp.zeros_like(r)))
        log_q = xp.log(xp.where(live, q, 1.0))
        return self._combine(xp, near, live, xp.where(live, r, 0.0), log_q, q, lost)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        xp = ops(a, b) if xp is None else xp
        pair = logits.compare(xp, a, b)
        live = xp.isfinite(a) & xp.isfinite(b)
        log_q = xp.where(live, b - xp.logsumexp(b), 0.0)
        near = None if self.order in (0.0, math.inf) else logits.divergence(alpha(self.order), a, b, xp)
        lost = xp.max(xp.where(xp.isfinite(a) & ~live, 1.0, xp.zeros_like(pair.r)))
        value = self._combine(xp, near, live, pair.r, log_q, pair.q, lost)
        # a row without classes has NaN for masses, which the masks have hidden
        return value + 0.0 * (pair.p[..., 0] + pair.q[..., 0])

    def _combine(
        self,
        xp: Namespace,
        near: Array | None,
        live: Array,
        r: Array,
        log_q: Array,
        q: Array,
        lost: Array,
    ) -> Array:
        """The order's formula; `lost` is 1 in rows where p has mass that q lacks."""
        if near is not None and self.order == 1:
            return near
        if self.order == 0:
            kept = xp.sum(xp.where(live, q, 0.0))
            # −log1p of what is lost keeps its digits where nearly nothing is
            gone = xp.sum(xp.where(live, 0.0, q))
            return xp.where(gone < 0.5, -xp.log1p(-xp.where(gone < 0.5, gone, 0.0)), -xp.log(kept))
        if near is None:
            # not below 0, which is what the whole space gives among all events
            top = xp.maximum(xp.max(xp.where(live, r, -math.inf)), 0.0)
            return xp.where(lost > 0, math.inf, top)
        order, rest = self.order, self.order - 1.0
        growth = order * rest * near
        # far from equality the sum of powers over- or underflows: its logarithm does not
        close = xp.abs(growth) < 0.5
        weights = xp.where(live, log_q + order * r, -math.inf)
        some = xp.max(xp.where(live, 1.0, xp.zeros_like(r)), keepdims=True) > 0
        far = xp.logsumexp(xp.where(some, weights, 0.0))[..., 0] / rest
        far = xp.where(some[..., 0], far, math.inf)
        value = xp.where(close, xp.log1p(xp.where(close, growth, 0.0)) / rest, far)
        return xp.where(lost > 0, math.inf, value) if order > 1 else value


@dataclass(frozen=True, repr=False)
class Bhattacharyya(Divergence):
    r"""The Bhattacharyya distance, $-\log \sum_i \sqrt{p_i q_i}$, in nats: half the Rényi divergence of order ½.

    Symmetric, infinite on disjoint supports; it bounds the error of the best test between p and q.
    Source: [bhattacharyya1943].

    >>> import kullback as kb
    >>> round(kb.bhattacharyya([0.5, 0.5], [0.25, 0.75]), 6)
    0.034668
    """

    name = "bhattacharyya"
    unit = "nats"
    formula = r"-\log \sum_i \sqrt{p_i q_i}"

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        return 0.5 * Renyi(0.5)._on_masses(xp, *arrays)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        return 0.5 * Renyi(0.5)._on_logits(a, b, xp)


def renyi(order: float) -> Renyi:
    r"""The Rényi divergence of that order, a number in [0, ∞]: $\frac{1}{a - 1} \log \sum_i p_i^a q_i^{1-a}$.

    Raises `InvalidInputError` for a negative order, whose divergence is that of 1 − a with p and q exchanged, scaled.
    Source: [renyi1961].

    >>> renyi(1)([0.5, 0.5], [0.25, 0.75]) == kl([0.5, 0.5], [0.25, 0.75])
    True
    """
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not order >= 0:
        raise InvalidInputError(
            f"renyi needs an order in [0, inf], got {order!r}; for a negative one exchange p and q: "
            "R_a(p, q) = a/(a - 1) R_(1-a)(q, p)"
        )
    return Renyi(float(order))


def tsallis(order: float) -> FDivergence:
    r"""The Tsallis divergence, $\frac{1}{a - 1}\left(\sum_i p_i^a q_i^{1-a} - 1\right) = a D_a$, kl at a = 1.

    An f-divergence: the alpha divergence times its order, which must be positive (`InvalidInputError` otherwise).
    Source: [tsallis1998].

    >>> import kullback as kb
    >>> round(kb.tsallis(2)([0.5, 0.5], [0.25, 0.75]), 6)
    0.333333
    """
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not 0 < order < math.inf:
        raise InvalidInputError(f"tsallis needs a positive finite order, got {order!r}")
    return kl if order == 1 else order * alpha(order)


bhattacharyya = Bhattacharyya()

FAMILIES = {"renyi": (renyi, (0.0, 0.5, 1.0, 2.0, math.inf)), "tsallis": (tsallis, ())}
