"""The power family: alpha divergences, continuous through Kullback–Leibler at both its special values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from kullback._ops import Array, ops
from kullback._ops.remainders import by_size, exp_remainder, second_remainder, tilted_second_remainder
from kullback.divergences.generator import FDivergence
from kullback.divergences.kullback_leibler import exp_growth, kl, reverse_kl
from kullback.errors import InvalidInputError

_MIDDLE = 2.0  # the log-ratio at which both forms of a small power lose less than two bits


@dataclass(frozen=True, repr=False)
class Alpha(FDivergence):
    r"""The alpha divergence of Amari, Cressie and Read; `alpha(1)` is `kl`, `alpha(0)` is `reverse_kl`.

    $$f(t) = \frac{t^a - a t + a - 1}{a (a - 1)}, \qquad f(e^r) = \frac{\varphi(ar) - a\,\varphi(r)}{a (a - 1)},
    \qquad f^*(u) = \frac{[1 + (a - 1) u]_+^{a/(a-1)} - 1}{a}.$$

    f''(1) = 1 for every a, so that values compare along the family. Near a = 0 and 1, where the formula is 0/0, the
    same numbers come from forms without the division. Source: [cressie1984], [amari2016].

    >>> import kullback as kb
    >>> round(kb.alpha(2)([0.5, 0.5], [0.25, 0.75]), 12)
    0.166666666667
    """

    a: float
    # 1 − a, carried along so that the dual of the dual is this one to the last bit
    rest: float = field(compare=False)

    @property
    def name(self) -> str:
        return f"alpha({self.a:.12g})"

    @property
    def formula(self) -> str:
        return rf"\frac{{t^a - a t + a - 1}}{{a (a - 1)}},\quad a = {self.a:g}"

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        return self.a == 0.5

    @property
    def metric_root(self) -> float | None:
        return 0.5 if self.a == 0.5 else None

    @property
    def dual(self) -> FDivergence:
        return self if self.a == 0.5 else Alpha(self.rest, self.a)

    @property
    def at_zero(self) -> float:
        return 1.0 / self.a if self.a > 0 else math.inf

    @property
    def power_at_zero(self) -> float:
        return max(0.0, -self.a)

    @property
    def curvature_at_one(self) -> float:
        return 1.0

    @property
    def conjugate_closed(self) -> bool:  # type: ignore[override]
        return self.a < 0

    def _below(self, u: Array) -> Array:
        a, b = self.a, -self.rest
        if a < 0.5:
            return by_size(u, _MIDDLE, self._near_one, self._far_from_one) / self.rest
        return (exp_growth(u) + b * u * u * tilted_second_remainder(b * u, u)) / a

    def _near_one(self, u: Array) -> Array:
        return exp_remainder(u) - self.a * u * u * second_remainder(self.a * u)

    def _far_from_one(self, u: Array) -> Array:
        # the remainders both grow like |u|, and their difference does not
        xp = ops(u)
        return xp.expm1(u) - xp.expm1(self.a * u) / self.a

    def _slope(self, r: Array) -> Array:
        b = -self.rest
        return ops(r).expm1(b * r) / b

    def _curvature(self, r: Array) -> Array:
        return ops(r).exp(self.a * r)

    def _conjugate(self, u: Array) -> Array:
        xp, a, b = ops(u), self.a, -self.rest
        inside = b * u > -1.0
        power = xp.expm1((a / b) * xp.log1p(xp.where(inside, b * u, 0.0))) / a
        return xp.where(inside, power, -1.0 / a)


def alpha(a: float) -> FDivergence:
    """The alpha divergence with parameter `a`, any real number; raises `InvalidInputError` on anything else.

    $$f(t) = (t^a - a t + a - 1) / (a (a - 1))$$

    Source: [cressie1984].

    >>> alpha(1)
    kl
    """
    if isinstance(a, bool) or not isinstance(a, (int, float)) or not math.isfinite(a):
        raise InvalidInputError(f"alpha needs a finite number, got {a!r}; for a limit use renyi(math.inf)")
    return kl if a == 1 else reverse_kl if a == 0 else Alpha(float(a), 1.0 - float(a))


FAMILIES = {"alpha": (alpha, (-1.5, 0.3, 0.5, 1.0000001, 3.0))}
