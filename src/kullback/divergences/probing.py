"""What a user's function tells when it is asked: its expansion at 1, its limits, and whether it is convex at all."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._ops import Namespace, ops
from kullback.divergences.tails import Tail, tilt_tail
from kullback.errors import InvalidInputError

Function = Callable[[Any], Any]

RADIUS = 0.2  # of the log-ratio: inside, the expansion carries the digits that f itself loses
FARTHEST = 690.0  # log-ratios beyond leave the range of float64
_SMOOTH = 300.0  # beyond, f'' may overflow or vanish though f does not
_FIT_RADIUS = 0.3  # of t − 1, where the expansion is fitted
_NODES = 18
_CIRCLE = 0.5  # radius in t of the circle from which the coefficients are read off
_POINTS = 64
_TERMS = 26
_SAMPLES = np.array([0.11, 0.53, 1.9, 7.3])
_GRID = np.exp(np.linspace(-12.0, 12.0, 193))


@dataclass(frozen=True)
class Probe:
    """A generator with everything about it that does not depend on the data.

    `taylor` holds the coefficients of (f'(1 + x) − f'(1))/x, None where f has a kink at 1; `limits` are f(0) and
    lim f(t)/t of the centred f, `rates` their change per unit of log-ratio where they are infinite, `powers` the
    exponents where they grow like a power; between the log-ratios `ends` f and its slope are finite numbers; `slopes`
    and `tilts` go on where f'' may not be. `closed` says whether the slope of f stays finite at 0, and that of the
    dual at its own 0.
    """

    f: Function
    derivative: Function | None
    at_one: float
    slope_at_one: float
    taylor: tuple[float, ...] | None
    limits: tuple[float, float]
    rates: tuple[float, float]
    powers: tuple[float, float]
    ends: tuple[float, float]
    slopes: tuple[Tail, Tail]
    tilts: tuple[Tail, Tail]
    closed: tuple[bool, bool]
    smooth_derivative: bool  # whether `derivative` may itself be differentiated by a complex step

    @classmethod
    def of(
        cls,
        f: Function,
        derivative: Function | None,
        label: str,
        at_zero: float | None,
        at_infinity: float | None,
    ) -> Probe:
        """Ask `f`; raises `InvalidInputError` where it is not convex, f(1) is not 0 or it cannot be differentiated."""
        xp = _library(f, label)

        def value(t: np.ndarray) -> np.ndarray:
            return _numbers(xp, f(_array(xp, t)))

        def slope(t: np.ndarray) -> np.ndarray:
            x = _array(xp, t)
            return _numbers(xp, derivative(x) if derivative is not None else xp.derivative(f, x))

        with np.errstate(all="ignore"):
            at_one = float(value(np.ones(1))[0])
            _check_one(label, at_one, value)
            _check_slope(label, value, slope, derivative is not None)
            _check_convex(label, value, slope)
            taylor, slope_at_one = _expansion(xp, f, slope)
            ends = _end(value, slope, -1.0), _end(value, slope, 1.0)
            sides = _sides(value, (at_zero, at_infinity), ends, (at_one, slope_at_one))
            limits, rates, powers = ((low, high) for low, high in zip(*sides, strict=True))
            tails = _tails(value, slope, ends)
            closed = _settles(slope), _settles(lambda t: value(1.0 / t) - slope(1.0 / t) / t)
            smooth = derivative is None or _agree(xp, derivative)
        return cls(
            f, derivative, at_one, slope_at_one, taylor, limits, rates, powers, ends, *tails, closed, smooth
        )


def _library(f: Function, label: str) -> Namespace:
    """The first of NumPy, torch and JAX that f understands; only those that are already loaded are tried."""
    failures = []
    for name in ("numpy", "torch", "jax"):
        if name not in sys.modules:
            continue
        xp = ops(np.ones(1)) if name == "numpy" else ops(_first_array(name))
        try:
            if ops(f(xp.asarray([0.5, 2.0]))) is xp:
                return xp
        except Exception as error:  # noqa: BLE001  (a user's function may raise anything; what it said is shown)
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:60]}")
    raise InvalidInputError(
        f"the generator of {label} takes no array of NumPy, torch or JAX "
        f"({'; '.join(failures) or 'wrong result type'}); it must map positive numbers to numbers, elementwise"
    )


def _first_array(name: str) -> Any:
    return sys.modules["torch"].ones(1) if name == "torch" else sys.modules["jax"].numpy.ones(1)


def _array(xp: Namespace, t: np.ndarray) -> Any:
    return xp.to_float(xp.asarray(t), 64)


def _numbers(xp: Namespace, y: Any) -> np.ndarray:
    return np.asarray(xp.to_numpy(y), dtype=float)


def _check_one(label: str, at_one: float, value: Callable[[np.ndarray], np.ndarray]) -> None:
    scale = float(np.max(np.abs(value(np.array([0.5, 2.0])))))
    if not math.isfinite(at_one) or abs(at_one) > 1e-6 * max(scale, 1e-300):
        raise InvalidInputError(
            f"the generator of {label} has f(1) = {at_one:.6g}, and a divergence needs f(1) = 0; "
            "pass lambda t: f(t) - f(1)"
        )


def _check_slope(label: str, value: Any, slope: Any, given: bool) -> None:
    t = _SAMPLES
    step = 1e-5 * t
    numeric = (value(t + step) - value(t - step)) / (2.0 * step)
    if not np.allclose(slope(t), numeric, rtol=1e-3, atol=1e-4 * float(np.max(np.abs(numeric)))):
        raise InvalidInputError(
            f"the derivative given for {label} is not that of f: at t = 1.9 it is {slope(t)[2]:.6g}, "
            f"f has {numeric[2]:.6g}"
            if given
            else f"the generator of {label} cannot be differentiated by a complex step (abs, maximum and the like "
            "are not analytic); pass derivative=, or write it with torch or JAX"
        )


def _agree(xp: Namespace, derivative: Function) -> bool:
    """Whether the complex step (or the tape) differentiates `derivative` as finite differences do."""
    t = _SAMPLES
    step = 1e-5 * t
    numeric = _numbers(xp, derivative(_array(xp, t + step)) - derivative(_array(xp, t - step))) / (2.0 * step)
    try:
        exact = _numbers(xp, xp.derivative(derivative, _array(xp, t)))
    except Exception:  # noqa: BLE001  (takes no complex numbers: differences serve then)
        return False
    return bool(np.allclose(exact, numeric, rtol=1e-3, atol=1e-4 * float(np.max(np.abs(numeric)) + 1e-12)))


def _check_convex(label: str, value: Any, slope: Any) -> None:
    slopes, values = slope(_GRID), value(_GRID)
    usable = np.isfinite(slopes) & np.isfinite(values)
    t, slopes, values = _GRID[usable], slopes[usable], values[usable]
    if len(t) < len(_GRID) // 2:
        raise InvalidInputError(
            f"the generator of {label} is not finite on (0, inf): f(0.5) = {value(np.array([0.5]))[0]}"
        )
    fall = np.diff(slopes) + 1e-5 * (np.abs(slopes[1:]) + 1e-9 * np.max(np.abs(slopes)))
    chord = (
        np.diff(values) - slopes[:-1] * np.diff(t) + 1e-6 * (np.abs(values[1:]) + np.abs(slopes[:-1]) * t[1:])
    )
    bad = np.flatnonzero((fall < 0) | (chord < 0))
    if bad.size:
        i = int(bad[0])
        raise InvalidInputError(
            f"the generator of {label} is not convex: its slope falls from {slopes[i]:.6g} at t = {t[i]:.4g} "
            f"to {slopes[i + 1]:.6g} at t = {t[i + 1]:.4g}"
        )


def _expansion(xp: Namespace, f: Function, slope: Any) -> tuple[tuple[float, ...] | None, float]:
    """The Taylor coefficients of (f'(1 + x) − f'(1))/x and f'(1), from a circle around 1 or else from a fit."""
    where = np.array([1.0 - 0.2, 1.0 + 0.2])
    try:
        turn = np.exp(2j * np.pi * np.arange(_POINTS) / _POINTS)
        around = np.asarray(xp.to_numpy(f(xp.asarray(1.0 + _CIRCLE * turn))))
        c = np.real(np.fft.fft(around))[: _TERMS + 2] / _POINTS / _CIRCLE ** np.arange(_TERMS + 2)
    except Exception:  # noqa: BLE001  (takes no complex numbers, which is no defect: the fit needs real ones)
        return _fit(slope)
    taylor = c[2:] * np.arange(2, _TERMS + 2)
    x = where - 1.0
    if np.allclose(
        c[1] + x * np.polyval(taylor[::-1], x), slope(where), rtol=1e-9, atol=1e-9 * abs(taylor[0])
    ):
        return tuple(map(float, taylor)), float(c[1])
    return _fit(slope)


def _fit(slope: Any) -> tuple[tuple[float, ...] | None, float]:
    """The same from a Chebyshev fit of the slope; what the fit leaves over shows a kink at 1."""
    series = np.polynomial.Chebyshev.interpolate(lambda x: slope(1.0 + _FIT_RADIUS * x), _NODES - 1)
    size = float(np.max(np.abs(series.coef)))
    if not math.isfinite(size) or float(np.max(np.abs(series.coef[-4:]))) > 1e-7 * size:
        left, right = slope(np.array([1.0 - 1e-9, 1.0 + 1e-9]))
        return None, 0.5 * float(left + right)
    power = np.asarray(np.polynomial.chebyshev.cheb2poly(series.coef), dtype=float)
    scaled = power / _FIT_RADIUS ** np.arange(len(power))
    return tuple(float(c) for c in scaled[1:]), float(scaled[0])


def _end(value: Any, slope: Any, sign: float) -> float:
    """The farthest log-ratio on that side up to which f and its slope do not overflow."""
    r = np.arange(1.0, FARTHEST + 1.0)
    finite = np.isfinite(value(np.exp(sign * r))) & np.isfinite(slope(np.exp(sign * r)))
    return sign * float(r[-1] if finite.all() else max(r[np.argmin(finite)] - 1.0, 1.0))


def _tails(value: Any, slope: Any, ends: tuple[float, float]) -> tuple[tuple[Tail, Tail], tuple[Tail, Tail]]:
    """Those of f' and of f − t f' towards t = 0 and t = ∞, up to constants."""

    def along(r: np.ndarray) -> np.ndarray:
        return slope(np.exp(r))

    def tilt(r: np.ndarray) -> np.ndarray:
        t = np.exp(r)
        return value(t) - t * slope(t)

    low, high = max(ends[0], -_SMOOTH), min(ends[1], _SMOOTH)
    far = tilt_tail(tilt, lambda r: np.exp(r) * along(r), high)
    return (Tail.of(along, low), Tail.of(along, high)), (Tail.of(tilt, low), far)


def _settles(slope: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether the slope has a finite limit at 0, seen where the rounding of 1/t is still small."""
    farther, near = slope(np.exp(np.array([-14.0, -12.0])))
    return bool(abs(near - farther) < 1e-3 * (1.0 + abs(near)))


def _sides(
    value: Any, given: tuple[float | None, ...], ends: tuple[float, float], one: tuple[float, float]
) -> list[tuple[float, float, float]]:
    """Limit, rate and power of the centred f over max(t, 1) towards t = 0 and t = ∞, those given as they are."""
    at_one, slope_at_one = one

    def scaled(r: float) -> float:
        t = math.exp(r)
        return float(value(np.array([t]))[0] - at_one - slope_at_one * (t - 1.0)) / max(t, 1.0)

    return [
        _limit(scaled, end) if g is None else (_centre(g, end, at_one, slope_at_one), 0.0, 0.0)
        for end, g in zip(ends, given, strict=True)
    ]


def _limit(scaled: Callable[[float], float], end: float) -> tuple[float, float, float]:
    """The limit of the scaled f at r → ±inf, its rate where it grows like a logarithm, its power where faster."""
    far, farther, farthest = (scaled(share * end) for share in (0.6, 0.8, 1.0))
    size = max(abs(farthest), abs(far), 1e-300)
    if abs(farthest - farther) <= 1e-9 * size:
        return farthest, 0.0, 0.0
    power = math.log(farthest / farther) / (0.2 * abs(end)) if min(farthest, farther) > 0 else 0.0
    rate = (farthest - farther) / (0.2 * abs(end))
    return (math.inf, 0.0, power) if power > 0.02 else (math.inf, rate, 0.0)


def _centre(given: float, end: float, at_one: float, slope_at_one: float) -> float:
    """A limit that the user gave for his own f, moved to the centred one."""
    return given - at_one + slope_at_one if end < 0 else given - slope_at_one


def check_convex_on_masses(phi: Function, label: str) -> None:
    """Raises `InvalidInputError` where `phi` has chords below its values on (0, 1]."""
    xp = _library(phi, label)
    t = np.linspace(1e-3, 1.0, 257)
    values = _numbers(xp, phi(_array(xp, t)))
    bend = values[:-2] - 2.0 * values[1:-1] + values[2:]
    bad = np.flatnonzero(~(bend >= -1e-9 * (1.0 + np.max(np.abs(values)))))
    if bad.size:
        raise InvalidInputError(
            f"{label} is not convex near {t[bad[0] + 1]:.4g}; a Bregman divergence needs it to be"
        )
