"""A divergence from a user's own convex function: everything else is derived from it, near equality included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kullback._ops import Array, ops
from kullback._ops.remainders import by_size
from kullback.divergences.generator import FDivergence
from kullback.divergences.probing import RADIUS, Function, Probe
from kullback.divergences.tails import Tail
from kullback.errors import DTypeError, KullbackError


@dataclass(frozen=True, repr=False)
class UserDivergence(FDivergence):
    r"""What `FDivergence.from_generator` returns: a convex f, centred to $f(t) - f(1) - f'(1)(t - 1)$.

    For |r| < 0.2 its members come from the Taylor polynomial of f' at 1, elsewhere from f itself in float64; beyond
    t = e^±690, or where f overflows before, from the growth that f has there. An f with a kink at 1 has no such
    polynomial: where p and q differ by δ its relative error is the rounding of t, about 1e-16/δ. A tilt that f at a
    large t, with a term c·t of its own, would round to fewer than nine digits goes on from its growth before.

    >>> import kullback as kb
    >>> round(kb.FDivergence.from_generator(lambda t: t * t - 1)([0.5, 0.5], [0.25, 0.75]), 12)
    0.333333333333
    """

    label: str
    probe: Probe
    flipped: bool = False
    unit: str = ""  # f does not tell  # type: ignore[assignment]

    formula = r"f(t) \text{ as given}"

    @property
    def name(self) -> str:
        return f"dual of {self.label}" if self.flipped else self.label

    @property
    def dual(self) -> FDivergence:
        return UserDivergence(self.label, self.probe, not self.flipped, self.unit)

    @property
    def at_zero(self) -> float:
        return self.probe.limits[1 if self.flipped else 0]

    @property
    def at_infinity(self) -> float:
        return self.probe.limits[0 if self.flipped else 1]

    @property
    def power_at_zero(self) -> float:
        return self.probe.powers[1 if self.flipped else 0]

    @property
    def conjugate_closed(self) -> bool:  # type: ignore[override]
        return self.probe.closed[0 if self.flipped else 1]

    @property
    def curvature_at_one(self) -> float | None:
        return self.probe.taylor[0] if self.probe.taylor else None

    def _below(self, u: Array) -> Array:
        return self._scaled(-u if self.flipped else u)

    def _slope(self, r: Array) -> Array:
        return ops(r).minimum(self._own_tilt(-r), self.at_infinity) if self.flipped else self._own_slope(r)

    def _curvature(self, r: Array) -> Array:
        return self._own_curvature(-r, 1) if self.flipped else self._own_curvature(r, 2)

    def _scaled(self, r: Array) -> Array:
        """The centred f(t) at t = eʳ, over max(t, 1)."""
        xp, probe = ops(r), self.probe

        def near(z: Array) -> Array:
            x = xp.expm1(z)
            weights = [c / (k + 2) for k, c in enumerate(probe.taylor or ())]
            return x * x * xp.polynomial(weights, x) * xp.exp(-xp.maximum(z, 0.0))

        def far(z: Array) -> Array:
            inside = xp.clip(z, *probe.ends)
            t = _wide(inside, xp.exp)
            shifted = self._call(probe.f, t) - probe.at_one - probe.slope_at_one * (t - 1.0)
            value = shifted / xp.maximum(t, 1.0)
            rates = xp.where(z < 0, xp.zeros_like(value) + probe.rates[0], probe.rates[1])
            return _back(value + rates * _wide(xp.abs(z - inside)), z)

        return by_size(r, RADIUS, near, far) if probe.taylor else far(r)

    def _own_slope(self, r: Array) -> Array:
        xp, probe = ops(r), self.probe

        def near(z: Array) -> Array:
            x = xp.expm1(z)
            return x * xp.polynomial(probe.taylor, x)

        def far(z: Array) -> Array:
            inside, beyond = _continued(z, probe.slopes)
            return _back(self._derivative(_wide(inside, xp.exp)) - probe.slope_at_one + beyond, z)

        return by_size(r, RADIUS, near, far) if probe.taylor else far(r)

    def _own_tilt(self, r: Array) -> Array:
        """f(t) − t f'(t), the slope of the dual at 1/t: of f as given, since what centres it cancels."""
        xp, probe = ops(r), self.probe

        def near(z: Array) -> Array:
            x = xp.expm1(z)
            weights = [c / (k + 2) for k, c in enumerate(probe.taylor or ())]
            # terms that differ in order, so that nothing cancels
            return x * (x * xp.polynomial(weights, x) - xp.exp(z) * xp.polynomial(probe.taylor, x))

        def far(z: Array) -> Array:
            inside, beyond = _continued(z, probe.tilts)
            t = _wide(inside, xp.exp)
            tilt = self._call(probe.f, t) - t * self._derivative(t)
            return _back(tilt - probe.at_one + probe.slope_at_one + beyond, z)

        return by_size(r, RADIUS, near, far) if probe.taylor else far(r)

    def _own_curvature(self, r: Array, power: int) -> Array:
        """t² f''(t) or, for the dual, t f''(t): beyond the ends from the tails of the slope and the tilt."""
        xp = ops(r)
        low, high = self.probe.slopes[0], self.probe.tilts[1]
        t = _wide(xp.clip(r, low.end, high.end), xp.exp)
        bend = self._bend(t) * t ** (power - 1)
        below, above = _wide(low.end - xp.minimum(r, low.end)), _wide(xp.maximum(r, high.end) - high.end)
        # f'' is −(f')' in a distance that grows downwards, and t f'' is −(f − t f')'
        falling = -low.change(below, 1.0 - power) * math.exp(low.end * (power - 1))
        rising = -high.change(above, power - 2.0) * math.exp(high.end * (power - 2))
        return _back(xp.where(r < low.end, falling, xp.where(r > high.end, rising, bend)), r)

    def _bend(self, t: Array) -> Array:
        """t f''(t)."""
        if self.probe.derivative is None:
            return t * ops(t).second_derivative(self.probe.f, t)
        if self.probe.smooth_derivative:
            return t * ops(t).derivative(self.probe.derivative, t)
        # a derivative with branches: differences of it, right to about nine digits away from its kinks
        step = 1e-5
        rise = self._derivative(t * (1.0 + step)) - self._derivative(t * (1.0 - step))
        return rise / (2.0 * step)

    def _derivative(self, t: Array) -> Array:
        if self.probe.derivative is not None:
            return self._call(self.probe.derivative, t)
        return ops(t).derivative(self.probe.f, t)

    def _call(self, f: Function, t: Array) -> Array:
        xp = ops(t)
        try:
            y = f(t)
            native = ops(y) is xp
        except KullbackError:
            native = False
        except Exception as error:
            raise DTypeError(
                f"the generator of {self.label} fails on arrays of {xp.NAME} ({type(error).__name__}); "
                f"write it with {xp.NAME} functions, or with operators alone, to use it there"
            ) from error
        if not native:
            raise DTypeError(
                f"the generator of {self.label} does not return an array of {xp.NAME} when given one; "
                f"write it with {xp.NAME} functions, or with operators alone, to use it there"
            )
        return y


def _wide(x: Array, function: Any = None) -> Array:
    """In float64, so that f is evaluated over the range of double precision whatever came."""
    xp = ops(x)
    x = xp.to_float(x, 64)
    return x if function is None else function(x)


def _continued(z: Array, tails: tuple[Tail, Tail]) -> tuple[Array, Array]:
    """z inside the ends, and in float64 what the member changes by beyond them."""
    xp = ops(z)
    low, high = tails
    # distances whose gradient is 0 to the bit inside: rates may be as large as floats go
    below = _wide(xp.where(z < low.end, low.end - z, 0.0))
    above = _wide(xp.where(z > high.end, z - high.end, 0.0))
    return xp.clip(z, low.end, high.end), low.beyond(below) + high.beyond(above)


def _back(x: Array, like: Array) -> Array:
    xp = ops(x)
    return xp.to_float(x, xp.precision(like))


def from_generator(
    f: Function,
    derivative: Function | None = None,
    *,
    name: str | None = None,
    at_zero: float | None = None,
    at_infinity: float | None = None,
    unit: str = "",
) -> FDivergence:
    """See `FDivergence.from_generator`."""
    label = name or getattr(f, "__name__", "user").replace("<lambda>", "user")
    return UserDivergence(label, Probe.of(f, derivative, label, at_zero, at_infinity), unit=unit)
