"""How a member of a user's divergence goes on where its function can no longer be asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array, ops

Member = Callable[[np.ndarray], np.ndarray]

_STEP = 2.0  # of the log-ratio, over which growth is seen
_STILL, _DIGITS = 1e-9, 12  # a change by less, relative to the size, is none; the growth is known so far
_STILL_ROUNDED, _DIGITS_ROUNDED = 1e-7, 5  # the same where rounding is felt
_LARGEST = 1e300  # the rate of a power is a multiple of it
_EPS = float(np.finfo(float).eps)
_TRUSTED = 1e-9  # rounding relative to the member, up to which the function is asked
_NEAREST = 12.0  # in the log-ratio: nearer to 1, what vanishes far out has not vanished yet


@dataclass(frozen=True)
class Tail:
    r"""Beyond the log-ratio `end`, at a distance u, a member is $v + b\,(e^{ku} - 1)/k$; a straight line for k = 0.

    Exact for logarithms and for powers, of which the generators are made there.
    """

    end: float
    rate: float = 0.0
    growth: float = 0.0

    def beyond(self, u: Array) -> Array:
        """What the member changes by up to a distance u ≥ 0."""
        xp = ops(u)
        if self.rate == 0.0:
            return xp.zeros_like(u)
        return self.rate * (xp.expm1(self.growth * u) / self.growth if self.growth else u)

    def change(self, u: Array, power: float) -> Array:
        """Its derivative in u, times e^(power · u)."""
        xp = ops(u)
        growth = self.growth + power
        return self.rate * (xp.exp(growth * u) if self.rate and growth else xp.zeros_like(u) + 1.0)

    @classmethod
    def of(cls, member: Member, end: float, still: float = _STILL, digits: int = _DIGITS) -> Tail:
        """From three values at and before the end; no tail for a change below `still`."""
        sign = math.copysign(1.0, end)
        size = np.abs(member(sign * np.arange(1.0, abs(end) + 1.0)))
        end = sign * float(max(np.flatnonzero(size < _LARGEST), default=0) + 1)
        last, middle, first = (float(y) for y in member(end - sign * _STEP * np.arange(3.0)))
        near, far = last - middle, middle - first
        if not abs(near) > still * (1.0 + abs(last)) or not far / near > 0:
            return cls(end)
        growth = round(math.log(near / far) / _STEP, digits)
        return cls(end, near * (-growth / math.expm1(-growth * _STEP) if growth else 1.0 / _STEP), growth)


def tilt_tail(member: Member, parts: Member, end: float) -> Tail:
    """For large t, where f(t) − t f'(t) may be small beside the parts whose rounding it carries."""
    r = np.arange(1.0, end + 1.0)
    lost = _EPS * np.abs(parts(r)) > _TRUSTED * (1.0 + np.abs(member(r)))
    if not lost.any():
        return Tail.of(member, end)
    trusted = max(_NEAREST, float(r[np.argmax(lost)]) - 1.0)
    return Tail.of(member, min(end, trusted), _STILL_ROUNDED, _DIGITS_ROUNDED)
