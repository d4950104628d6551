"""Several integrals over the line at once, by panels that are halved until the halves agree with the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kullback.errors import ConvergenceError
from kullback.exact.panels import Panel

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_LEVELS = 60  # halvings of a panel
_MOST = 20_000  # panels of one level
_TARGET = 1e-14  # of the whole, per panel


@dataclass(frozen=True)
class Integral:
    """The values, what they may be off by, rounding included, and what lies on the panels without an end."""

    totals: np.ndarray
    errors: np.ndarray
    endless: np.ndarray
    points: int


def integral(rows: Callable[[np.ndarray], np.ndarray], pieces: list[Panel]) -> Integral:
    """Integrates every row: `rows` takes points and gives an array (2, k, points), integrands and their rounding.

    Raises `ConvergenceError` where too many panels are needed or an integrand is not finite.
    """
    points = 0

    def integrate(chosen: list[Panel]) -> np.ndarray:
        nonlocal points
        x, volume = (np.stack(z) for z in zip(*(panel.at(_NODES) for panel in chosen), strict=True))
        points += x.size
        with np.errstate(all="ignore"):
            found = rows(x.ravel())
            found = found.reshape(*found.shape[:2], *x.shape)
            return np.moveaxis(np.sum(np.where(found == 0, 0.0, found * volume) * _WEIGHTS, axis=-1), -1, 0)

    active, values = pieces, integrate(pieces)
    totals = errors = endless = np.zeros(values.shape[-1])
    for _ in range(_LEVELS):
        halves = [half for panel in active for half in panel.halves()]
        fine = integrate(halves)
        if not np.isfinite(fine).all():
            raise ConvergenceError("the integrand is not finite throughout")
        pairs = fine.reshape(len(active), 2, *fine.shape[1:]).sum(axis=1)
        gaps, noise = np.abs(pairs[:, 0] - values[:, 0]), pairs[:, 1]
        scale = np.abs(totals) + np.abs(pairs[:, 0]).sum(axis=0)
        done = (gaps <= _TARGET * scale + noise).all(axis=1)
        far = np.array([panel.endless for panel in active])
        totals = totals + pairs[done, 0].sum(axis=0)
        errors = errors + (gaps + noise)[done].sum(axis=0)
        endless = endless + np.abs(pairs[done & far, 0]).sum(axis=0)
        if done.all():
            return Integral(totals, errors, endless, points)
        if len(active) > _MOST:
            raise ConvergenceError(f"{points} points did not resolve the integrand")
        active = [half for half, good in zip(halves, np.repeat(done, 2), strict=True) if not good]
        values = fine[~np.repeat(done, 2)]
    # what is left after so many halvings lies at a jump, on panels of no width
    return Integral(
        totals + values[:, 0].sum(axis=0), errors + np.abs(values[:, 0]).sum(axis=0), endless, points
    )
