"""Any f-divergence of two laws on the line, by adaptive quadrature of its contributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence
from kullback.errors import ConvergenceError
from kullback.exact.integrand import contributions, reduced
from kullback.exact.law import Law
from kullback.exact.panels import Panel, panels

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_LEVELS = 60  # halvings of a panel
_MOST = 20_000  # panels of one level
_TARGET = 1e-14  # of the whole, per panel
_FAR = 1e-9  # what the last half of an endless panel may hold of a sum that converges
_MISSING = 1e-9  # mass outside all panels that is worth a word


@dataclass(frozen=True)
class _Sums:
    totals: np.ndarray  # divergence, mass of p, mass of q, rounding
    error: float
    far: str
    evaluations: int


def by_quadrature(d: Divergence, p: Law, q: Law) -> Answer:
    """The divergence with the error of the quadrature as its interval, which includes rounding and mass left out.

    Raises `ConvergenceError` where a density does not integrate to 1 or the integrand is not resolved.
    """
    f, mapped = reduced(d)
    whole = panels(p, q)
    sums = _adaptive(f, _inside(p), _inside(q), whole)
    value, mass_p, mass_q, rounding = map(float, sums.totals)
    notes: tuple[str, ...] = ()
    if sums.far or value == math.inf:
        _believed(p, q)
        notes = (sums.far or "the integrand is infinite on a set of positive mass",)
        return Answer(math.inf, math.inf, math.inf, kind="quadrature", method="adaptive", notes=notes)
    missing_p, missing_q = _missing(p, mass_p), _missing(q, mass_q)
    # points that double precision cannot tell from an end of a support carry what is missing of both masses
    rounding += (1.0 + value) * (abs(1.0 - mass_p) + abs(1.0 - mass_q)) * (mass_p < 1.0 or mass_q < 1.0)
    high = value + sums.error + rounding
    if max(missing_p, missing_q) > _MISSING:
        price = _priced(missing_p, f.at_infinity) + _priced(missing_q, f.at_zero)
        if price == math.inf:
            raise ConvergenceError(
                f"{missing_p:.3g} of {p.name} and {missing_q:.3g} of {q.name} lie too close to an end of the support "
                f'for double precision, and {f.name} is unbounded; pass kind="monte-carlo"'
            )
        high += price
        notes = (f"mass left out: {missing_p:.3g} of p, {missing_q:.3g} of q",)
    low = max(value - sums.error - rounding, 0.0)
    return Answer(
        mapped(value),
        mapped(float(low)),
        mapped(float(high)),
        kind="quadrature",
        method=f"adaptive, {sums.evaluations} points",
        notes=notes,
    )


def _believed(p: Law, q: Law) -> None:
    for law in (p, q):
        if law.family is not None and law.family.underflows:
            raise ConvergenceError(
                f"the density of {law.name} underflows to 0 inside its support, so that an infinite value cannot be "
                "told from a finite one"
            )


def _priced(mass: float, price: float) -> float:
    return 0.0 if mass == 0 else mass * price


def _missing(p: Law, mass: float) -> float:
    if not mass < 1.0 + 1e-6:
        raise ConvergenceError(
            f"the density of {p.name} integrates to {mass:.6g}, not 1; check its log-density, or pass "
            'kind="monte-carlo"'
        )
    return max(0.0, 1.0 - mass) if abs(1.0 - mass) > _MISSING else 0.0


def _inside(p: Law) -> Callable[[np.ndarray], np.ndarray]:
    """The log-density, −inf outside the support and at its ends, where it may be infinite."""
    return lambda x: p.everywhere(x, ends=False)


def _adaptive(
    f: FDivergence, log_p: Callable[..., np.ndarray], log_q: Callable[..., np.ndarray], whole: list[Panel]
) -> _Sums:
    """Panels are halved until the halves agree with the whole, all panels of one level at a time."""
    points = 0

    def integrate(chosen: list[Panel]) -> np.ndarray:
        nonlocal points
        x, volume = (np.stack(z) for z in zip(*(panel.at(_NODES) for panel in chosen), strict=True))
        points += x.size
        rows = contributions(f, log_p(x.ravel()), log_q(x.ravel())).reshape(4, *x.shape)
        with np.errstate(all="ignore"):
            return np.sum(np.where(rows == 0, 0.0, rows * volume) * _WEIGHTS, axis=-1).T

    active, values = whole, integrate(whole)
    totals, error, far = np.zeros(4), 0.0, {panel.name: 0.0 for panel in whole if panel.endless}
    for _ in range(_LEVELS):
        halves = [half for panel in active for half in panel.halves()]
        fine = integrate(halves)
        if np.isinf(fine[:, 0]).any():
            return _Sums(np.array([math.inf, 1.0, 1.0, 0.0]), 0.0, "", points)
        pairs = fine.reshape(len(active), 2, 4)
        gaps = np.abs(pairs.sum(axis=1) - values)
        scale = np.maximum(totals + pairs.sum(axis=(0, 1)), 0.0)
        done = (gaps[:, 0] <= _TARGET * scale[0] + pairs[:, :, 3].sum(axis=1)) & (gaps[:, 1:3] <= 1e-13).all(
            axis=1
        )
        for panel, pair, gap, good in zip(active, pairs, gaps, done, strict=True):
            if good:
                totals, error = totals + pair.sum(axis=0), error + gap[0]
                if panel.endless:
                    far[panel.name] += pair[:, 0].sum()
        if done.all():
            return _Sums(totals, error, _divergent(far, totals[0]), points)
        if len(active) > _MOST:
            raise ConvergenceError(f'{points} points did not resolve the integrand; pass kind="monte-carlo"')
        active = [half for half, good in zip(halves, np.repeat(done, 2), strict=True) if not good]
        values = fine[~np.repeat(done, 2)]
    rest = values[:, 0].sum()
    return _Sums(totals + values.sum(axis=0), error + rest, "", points)


def _divergent(far: dict[str, float], total: float) -> str:
    for name, share in far.items():
        if share > _FAR * total and total > 0:
            return f"infinite: the integral does not converge towards {name}"
    return ""
