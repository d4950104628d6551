"""The noun: what an f-divergence is, and everything that follows from its generator."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from kullback._ops import Array, Namespace, ops
from kullback.divergences import inversion, logits, simplex
from kullback.divergences.growth import reach
from kullback.divergences.masses import masses
from kullback.divergences.noun import Divergence
from kullback.errors import InvalidInputError


@dataclass(frozen=True)
class Interval:
    """A real interval; `closed` says which of its ends belong to it."""

    low: float
    high: float
    closed: tuple[bool, bool] = (False, False)

    def __contains__(self, u: float) -> bool:
        above = u > self.low or (self.closed[0] and u == self.low)
        return above and (u < self.high or (self.closed[1] and u == self.high))

    def __str__(self) -> str:
        opening, closing = "[" if self.closed[0] else "(", "]" if self.closed[1] else ")"
        return f"{opening}{self.low:g}, {self.high:g}{closing}"


class FDivergence(Divergence):
    r"""A convex generator f in standard form, f(1) = 0 and f'(1) = 0, and the divergence that it defines.

    $$D_f(p \| q) = \sum_i q_i\, f(p_i / q_i), \qquad 0 \cdot f(0/0) = 0,$$

    with $q\,f(0)$ where $p = 0$ and $p \lim_{t\to\infty} f(t)/t$ where $q = 0$. The members are functions of the
    log-ratio r = log p − log q, with t = eʳ, elementwise over any shape. A family writes f on one half-line, t ≤ 1,
    where nothing overflows (`_below`); the other half is its dual's, since f(t) = t f°(1/t).

    Source: [csiszar1967], [liese2006].

    >>> import kullback as kb
    >>> round(kb.kl([0.5, 0.5], [0.25, 0.75]), 6)
    0.143841
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    symmetric: ClassVar[bool] = False
    balanced: ClassVar[bool] = False  # whether q (f(t) − t f'(t)) is q − p, whose sum needs no mean taken off
    conjugate_closed: ClassVar[bool] = False  # whether f* is finite at the upper end of its domain

    # What a family says -----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def dual(self) -> FDivergence:
        """f°(t) = t f(1/t), so that D_f(p‖q) = D_f°(q‖p)."""

    @property
    @abstractmethod
    def at_zero(self) -> float:
        """f(0), the price of a unit of q where p has none."""

    @property
    @abstractmethod
    def curvature_at_one(self) -> float | None:
        """f''(1), the scale of the divergence near equality; `None` where f has a kink there."""

    @property
    def jump_at_one(self) -> float:
        """How much f' rises at 1: the scale of the divergence near equality where f has a kink there, else 0."""
        if self.curvature_at_one is not None:
            return 0.0
        return float(self.slope(1e-9) - self.slope(-1e-9))

    @property
    def metric_root(self) -> float | None:
        """The largest known power of the divergence that is a metric, `None` where none is known."""
        return None

    @property
    def power_at_zero(self) -> float:
        """The k ≥ 0 with f(t) ~ t⁻ᵏ as t → 0; 0 where f is bounded there or grows like a logarithm."""
        return 0.0

    @abstractmethod
    def _below(self, u: Array) -> Array:
        """f(eᵘ) for u ≤ 0, accurate to the last bits near 0."""

    def _term(self, p: Array, q: Array, r: Array) -> Array:
        """q f(p/q) at the log-ratio r: each half-line by the generator that does not overflow there."""
        xp = ops(r)
        if self.symmetric:
            less = r < 0
            return xp.ordered(less, p, q)[1] * self._below(xp.folded(less, r))
        below, above = xp.sides(r)
        # each side vanishes on the other's half-line, because f(1) = 0
        return q * self._below(below) + p * self.dual._below(above)

    def _pull(self, p: Array, q: Array, r: Array, gap: Array | None) -> Array:  # noqa: ARG002  (for kl, which needs no r)
        """q (f(t) − t f'(t)), what the gradient towards the logits of q is made of; `gap` is p − q if known."""
        xp = ops(r)
        if xp.at_hand(r) and xp.extremes(r)[1] < reach(xp, r, self.steepness):
            return q * self.dual._slope(-r)
        below, above = xp.sides(r)
        return q * self.dual._slope(-below) + p * (self.dual._below(above) - self._slope(-above))

    def _both(self, p: Array, q: Array, r: Array) -> tuple[Array, Array]:
        """p f'(t) and q (f(t) − t f'(t)), whose sum over the categories is the divergence; r within reach."""
        return p * self._slope(r), q * self.dual._slope(-r)

    @abstractmethod
    def _slope(self, r: Array) -> Array:
        """f'(eʳ)."""

    def _link(self, r: Array) -> Array:
        """f'(eʳ) up to a constant, which differences of slopes lose: where that is quicker, or keeps more digits."""
        return self._slope(r)

    @abstractmethod
    def _curvature(self, r: Array) -> Array:
        """t² f''(t)."""

    def _conjugate(self, u: Array) -> Array:
        """f*(u) inside its domain; families with a closed form replace the numerical inversion."""
        return inversion.conjugate(self, u)

    @staticmethod
    def from_generator(
        f: Callable[[Any], Any],
        derivative: Callable[[Any], Any] | None = None,
        *,
        name: str | None = None,
        at_zero: float | None = None,
        at_infinity: float | None = None,
        unit: str = "",
    ) -> FDivergence:
        r"""A divergence from your own convex function $f$ on (0, ∞) with $f(1) = 0$.

        `f` maps an array of positive numbers elementwise, written for NumPy, torch or JAX (or with operators alone, for
        all of them). Its slope is taken by automatic differentiation in torch and JAX and by a complex step in
        NumPy, unless `derivative` is given; near 1, values come from an expansion and keep their digits. The limits
        f(0) and lim f(t)/t are found numerically unless given. f is centred to f(t) − f'(1)(t − 1), which changes no
        divergence. Its values are pure numbers unless `unit="nats"` says that f is made of logarithms, so that they
        convert to bits: f cannot tell. Raises `InvalidInputError` where f is not convex, f(1) is not 0, or f cannot be
        differentiated.

        Source: [csiszar1967].

        >>> import kullback as kb
        >>> mine = kb.FDivergence.from_generator(lambda t: (t - 1) ** 2, name="mine")
        >>> round(mine([0.5, 0.5], [0.25, 0.75]), 6)
        0.333333
        """
        from kullback.divergences.user import from_generator

        return from_generator(f, derivative, name=name, at_zero=at_zero, at_infinity=at_infinity, unit=unit)

    # What follows -----------------------------------------------------------------------------------------------

    @property
    def at_infinity(self) -> float:
        """lim f(t)/t = f°(0), the price of a unit of p where q has none."""
        return self.dual.at_zero

    @property
    def upper_bound(self) -> float:
        """The value on disjoint supports, f(0) + f°(0): no divergence is larger; may be infinite."""
        return self.at_zero + self.at_infinity

    @property
    def steepness(self) -> float:
        """The larger of the powers with which f grows at 0 and f° does: how fast products may overflow."""
        return max(self.power_at_zero, self.dual.power_at_zero)

    @property
    def bounded(self) -> bool:
        """Whether the divergence has a finite upper limit."""
        return math.isfinite(self.upper_bound)

    @property
    def conjugate_domain(self) -> Interval:
        """Where f* is finite: up to the slope of f at infinity."""
        return Interval(-math.inf, self.at_infinity, (False, self.conjugate_closed))

    def value(self, r: Array) -> Array:
        r"""The generator at a log-ratio, $f(e^r)$; any shape.

        >>> import kullback as kb
        >>> float(kb.pearson_chi2.value(0.0))
        0.0
        """
        return _elementwise(self._value, r)

    def _value(self, r: Array) -> Array:
        xp = ops(r)
        u = xp.where(r < 0, r, -r)
        lowest = xp.isinf(r)
        u = xp.where(lowest, -1.0, u)
        inside = xp.where(r < 0, self._below(u), xp.exp(-u) * self.dual._below(u))
        return xp.where(lowest, xp.where(r < 0, self.at_zero + xp.zeros_like(u), math.inf), inside)

    def slope(self, r: Array) -> Array:
        r"""The derivative of the generator, $f'(e^r)$: the best critic of the variational bound; any shape.

        >>> import kullback as kb
        >>> float(kb.kl.slope(2.0))
        2.0
        """
        return _elementwise(self._slope, r)

    def tilt(self, r: Array) -> Array:
        r"""$f(t) - t f'(t) = -f^*(f'(t))$ at $t = e^r$; the gradient towards the logits of q is q (tilt − E_q tilt).

        >>> import kullback as kb
        >>> float(kb.reverse_kl.tilt(2.0))
        -2.0
        """
        return _elementwise(lambda x: self.dual._slope(-x), r)

    def curvature(self, r: Array) -> Array:
        r"""$t^2 f''(t)$ at $t = e^r$; at r = 0 it is f''(1); any shape.

        >>> import kullback as kb
        >>> float(kb.kl.curvature(0.0))
        1.0
        """
        return _elementwise(self._curvature, r)

    def conjugate(self, u: Array) -> Array:
        r"""The convex conjugate over the half-line, $f^*(u) = \sup_{t \ge 0}\,(ut - f(t))$; +inf outside its domain.

        >>> import kullback as kb
        >>> float(kb.kl.conjugate(0.0))
        0.0
        """
        return _elementwise(self._conjugate_extended, u)

    def _conjugate_extended(self, u: Array) -> Array:
        xp, domain = ops(u), self.conjugate_domain
        if domain.high == math.inf:
            return self._conjugate(u)
        inside = (u <= domain.high) if domain.closed[1] else (u < domain.high)
        return xp.where(inside, self._conjugate(xp.where(inside, u, domain.high - 1.0)), math.inf)

    def entropy(self, p: Array, *, axis: int = -1, normalize: bool = False, counts: bool = False) -> Array:
        r"""The f-entropy: what X tells of itself, D_f of the joint law of (X, X) from the product of its margins.

        $$H_f(p) = \sum_i p_i^2 f(1/p_i) + f(0)\left(1 - \sum_i p_i^2\right)$$

        Shannon's entropy in nats from `kl`, the Gini index from `total_variation`; `p` as in `__call__`.

        >>> import kullback as kb
        >>> round(kb.kl.entropy([0.5, 0.5]), 6)
        0.693147
        """
        vector = masses(p, p, axis=axis, normalize=normalize, counts=counts)
        xp = vector.xp
        with xp.quiet():
            return simplex.plain(
                xp, xp.by_rows(lambda x: simplex.entropy(self, x), vector.probabilities()[0])
            )

    def terms(
        self,
        p: Array,
        q: Array,
        *,
        axis: int = -1,
        normalize: bool = False,
        counts: bool = False,
        validate: bool = True,
    ) -> Array:
        r"""Every category's contribution $q_i f(p_i/q_i) \ge 0$, in the shape of the broadcast inputs.

        With `validate=False` the masses need not sum to 1: f in standard form prices a difference of totals too.

        >>> import kullback as kb
        >>> kb.total_variation.terms([0.5, 0.5], [0.25, 0.75]).tolist()
        [0.125, 0.125]
        """
        pair = masses(p, q, axis=axis, normalize=normalize, counts=counts, validate=validate)
        with pair.xp.quiet():
            return pair.xp.moveaxis(simplex.terms(self, *pair.arrays()), -1, axis)

    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        return simplex.divergence(self, xp, *arrays)

    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        return logits.divergence(self, a, b, xp)

    def normalised(self) -> FDivergence:
        """The same divergence scaled to f''(1) = 1, so that one weight means the same under every divergence.

        >>> import kullback as kb
        >>> kb.pearson_chi2.normalised().curvature_at_one
        1.0
        """
        scale = self.curvature_at_one
        if scale is None:
            raise InvalidInputError(
                f"{self.name} has a kink at 1: there is no f''(1) to scale by; weight it by hand"
            )
        return self if scale == 1 else (1 / scale) * self

    def __mul__(self, weight: float) -> FDivergence:
        from kullback.divergences.combination import weighted

        return weighted(((float(weight), self),))

    __rmul__ = __mul__

    def __add__(self, other: FDivergence) -> FDivergence:
        from kullback.divergences.combination import weighted

        return weighted(((1.0, self), (1.0, other))) if isinstance(other, FDivergence) else NotImplemented


def _elementwise(member: Callable[[Array], Array], x: Array) -> Array:
    xp = ops(x)
    x = xp.asarray(x)
    x = xp.to_float(x, 32 if xp.kind(x) == "float" and xp.precision(x) < 64 else 64)
    with xp.quiet():
        return simplex.plain(xp, member(x))
