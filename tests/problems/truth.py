"""What every divergence should be, in as many digits as it takes: textbook formulas, written without the library.

A divergence that the catalogue lists and that has no truth here fails every law: a new file in `divergences/` brings
its textbook formula to `NAMED` or `FAMILIES` below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np

import kullback as kb
from kullback.divergences.combination import Combination
from kullback.divergences.jensen_shannon import SkewJensenShannon
from kullback.divergences.power import Alpha
from kullback.divergences.user import UserDivergence

Number = Any  # mpmath's
DIGITS = 60
DIGITS_OF_TAILS = 750  # where masses below 1e-50 appear


@dataclass(frozen=True)
class Truth:
    """A textbook generator, with its own f'(1), f(0) and lim f(t)/t, all three before centring."""

    textbook: Callable[[Number], Number]
    slope_at_one: Callable[[], Number]
    at_zero: Callable[[], Number]
    at_infinity: Callable[[], Number]

    def f(self, t: Number) -> Number:
        """The standard form: f(t) − f'(1)(t − 1), with its limit at 0."""
        if t == 0:
            return self.at_zero() + self.slope_at_one()
        return self.textbook(t) - self.slope_at_one() * (t - 1)

    def growth(self) -> Number:
        """lim f(t)/t of the standard form."""
        return self.at_infinity() - self.slope_at_one()

    @property
    def dual(self) -> Truth:
        """t f(1/t)."""
        return Truth(
            lambda t: t * self.f(1 / t),
            lambda: mp.mpf(0),
            self.growth,
            lambda: self.f(mp.mpf(0)),
        )

    def divergence(self, p: Sequence[Any], q: Sequence[Any]) -> Number:
        """Σ q f(p/q) of the masses exactly as they are stored, q f(0) where p is 0 and p lim f(t)/t where q is."""
        with mp.workdps(_digits(p, q)):
            return mp.fsum(self.term(_exact(x), _exact(y)) for x, y in zip(p, q, strict=True))

    def term(self, p: Number, q: Number) -> Number:
        if p == q:
            return mp.mpf(0)
        return p * self.growth() if q == 0 else q * self.f(p / q)

    def of_logits(self, a: Sequence[Any], b: Sequence[Any]) -> Number:
        """The same from unnormalised log-probabilities, −inf included."""
        with mp.workdps(_digits_of_logits(a, b)):
            return self.divergence(softmax(a), softmax(b))

    def slope(self, t: Number) -> Number:
        """f'(t) by differences along log t, whose steps never leave the half-line."""
        return mp.diff(lambda r: self.f(mp.exp(r)), mp.log(t)) / t

    def curvature(self, t: Number) -> Number:
        """t² f''(t), likewise."""
        first, second = (mp.diff(lambda r: self.f(mp.exp(r)), mp.log(t), k) for k in (1, 2))
        return second - first

    def conjugate(self, u: Number) -> Number:
        """sup over t ≥ 0 of u t − f(t): the slope is inverted by halving, in log t."""
        low, high = mp.mpf(-60), mp.mpf(60)
        if self.slope(mp.exp(low)) > u:
            return -self.f(mp.mpf(0))
        for _ in range(160):
            middle = (low + high) / 2
            low, high = (middle, high) if self.slope(mp.exp(middle)) < u else (low, middle)
        t = mp.exp(low)
        return u * t - self.f(t)


def softmax(z: Sequence[Any]) -> list[Number]:
    exact = [_exact(x) for x in z]
    top = max(exact)
    weights = [mp.exp(x - top) for x in exact]
    total = mp.fsum(weights)
    return [w / total for w in weights]


def _exact(x: Any) -> Number:
    return x if isinstance(x, mp.mpf) else mp.mpf(float(x))


def _digits(*vectors: Sequence[Any]) -> int:
    tails = any(0 < x < 1e-50 for v in vectors for x in v)
    return max(mp.mp.dps, DIGITS_OF_TAILS if tails else DIGITS)


def _digits_of_logits(*vectors: Sequence[Any]) -> int:
    finite = [float(x) for v in vectors for x in v if np.isfinite(float(x))]
    return DIGITS_OF_TAILS if max(finite) - min(finite) > 115 else DIGITS


def _zero() -> Number:
    return mp.mpf(0)


def _infinity() -> Number:
    return mp.inf


def _constant(x: Any) -> Callable[[], Number]:
    return lambda: mp.mpf(x)


def _half_log_two() -> Number:
    return mp.log(2) / 2


def _log_two() -> Number:
    return mp.log(2)


NAMED: dict[Any, Truth] = {
    kb.kl: Truth(lambda t: t * mp.log(t), _constant(1), _zero, _infinity),
    kb.reverse_kl: Truth(lambda t: -mp.log(t), _constant(-1), _infinity, _zero),
    kb.jeffreys: Truth(lambda t: (t - 1) * mp.log(t), _zero, _infinity, _infinity),
    kb.js: Truth(
        lambda t: (t * mp.log(t) - (t + 1) * mp.log((t + 1) / 2)) / 2, _zero, _half_log_two, _half_log_two
    ),
    # as the adversarial game has it, with log(t + 1) and so with f(1) = −2 log 2 taken off and f'(1) = −log 2 left in
    kb.gan: Truth(
        lambda t: t * mp.log(t) - (t + 1) * mp.log(t + 1) + 2 * mp.log(2),
        lambda: -mp.log(2),
        lambda: 2 * mp.log(2),
        _zero,
    ),
    kb.squared_hellinger: Truth(lambda t: 2 - 2 * mp.sqrt(t), _constant(-1), _constant(2), _zero),
    kb.total_variation: Truth(lambda t: abs(t - 1) / 2, _zero, _constant("0.5"), _constant("0.5")),
    kb.pearson_chi2: Truth(lambda t: t * t - 1, _constant(2), _constant(-1), _infinity),
    kb.neyman_chi2: Truth(lambda t: 1 / t - 1, _constant(-1), _infinity, _zero),
    kb.le_cam: Truth(lambda t: (1 - t) / (1 + t), _constant("-0.5"), _constant(1), _zero),
}


def _alpha(d: Alpha) -> Truth:
    a = mp.mpf(d.a)
    return Truth(
        lambda t: (t**a - 1) / (a * (a - 1)),
        lambda: 1 / (a - 1),
        lambda: -1 / (a * (a - 1)) if a > 0 else mp.inf,
        lambda: mp.inf if a > 1 else mp.mpf(0),
    )


def _skew_js(d: SkewJensenShannon) -> Truth:
    b = mp.mpf(d.beta)
    return Truth(
        lambda t: b * t * mp.log(t) - (b * t + 1 - b) * mp.log(b * t + 1 - b),
        _zero,
        lambda: -(1 - b) * mp.log(1 - b),
        lambda: -b * mp.log(b),
    )


def _combination(d: Combination) -> Truth:
    parts = [(mp.mpf(w), truth_of(part)) for w, part in d.parts]

    def total(pick: Callable[[Truth], Number]) -> Number:
        return mp.fsum(w * pick(part) for w, part in parts)

    return Truth(
        lambda t: total(lambda part: part.f(t)),
        _zero,
        lambda: total(lambda part: part.f(mp.mpf(0))),
        lambda: total(lambda part: part.growth()),
    )


# Truths of the divergences that problems/listed.py makes from a function, by the name it gives them.
USERS: dict[str, Truth] = {
    "steep": Truth(lambda t: t**3 - 1, _constant(3), _constant(-1), _infinity),
    "halved_le_cam": Truth(lambda t: (t - 1) ** 2 / (4 * t + 4), _zero, _constant("0.25"), _constant("0.25")),
    "inverse": Truth(lambda t: 1 / t - 1 + 5 * (t - 1), _constant(4), _infinity, _constant(5)),
    "numpy_kl": NAMED[kb.kl],
    "kink": Truth(
        lambda t: mp.mpf(3) / 4 * abs(t - 1) + (t - 1) / 4, _constant("0.25"), _constant("0.5"), _constant(1)
    ),
}


def _user(d: UserDivergence) -> Truth:
    return USERS[d.label].dual if d.flipped else USERS[d.label]


FAMILIES: dict[type, Callable[[Any], Truth]] = {
    Alpha: _alpha,
    SkewJensenShannon: _skew_js,
    Combination: _combination,
    UserDivergence: _user,
}


@cache
def truth_of(d: Any) -> Truth:
    """The textbook formula of a divergence; raises `LookupError` where nobody has written one."""
    if d in NAMED:
        return NAMED[d]
    if type(d) in FAMILIES:
        return FAMILIES[type(d)](d)
    raise LookupError(f"{d!r} is listed without a truth: add its textbook generator to problems/truth.py")


def relative_error(got: Any, true: Number) -> float:
    """|got − true| / |true|; 0 where both are 0 or both the same infinity, inf for NaN."""
    got = mp.mpf(float(got))
    if got == true:
        return 0.0
    if mp.isnan(got) or mp.isinf(got) or mp.isinf(true) or true == 0:
        return float("inf")
    return float(abs(got - true) / abs(true))
