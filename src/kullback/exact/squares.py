"""Integrals, or sums, of products of two densities, from which L2 and Cauchy–Schwarz are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.integral import integral
from kullback.exact.lattice import atoms
from kullback.exact.law import Law
from kullback.exact.panels import panels

_EPSILON = float(np.finfo(float).eps)
_FAR = 1e-9  # what the last half of an endless panel may hold of a sum that converges


@dataclass(frozen=True)
class Squares:
    """∫(p − q)², ∫(p − q)q, ∫p², ∫q² and ∫pq, what they may be off by, and how they were made."""

    totals: np.ndarray
    errors: np.ndarray
    method: str


def summed(p: Law, q: Law) -> Squares:
    """Over the points of discrete laws."""
    found = atoms(p, q)
    rows = _rows(found.log_p, found.log_q).sum(axis=-1)
    return Squares(rows[0], rows[1] + found.left**2, f"sum over {len(found.x)} points")


def integrated(p: Law, q: Law) -> Squares:
    """Over the line; raises `ConvergenceError` where a density is not square integrable."""
    if p.size != 1 or q.size != 1:
        raise UnsupportedPairError(f"quadrature works on the line; {p.name} has {p.size} dimensions")
    pieces = panels(p, q)
    found = integral(lambda x: _rows(p.everywhere(x, ends=False), q.everywhere(x, ends=False)), pieces)
    for i, law in ((2, p), (3, q)):
        if found.endless[i] > _FAR * found.totals[i]:
            raise ConvergenceError(f"the square of the density of {law.name} has no finite integral")
    return Squares(found.totals, found.errors, f"adaptive, {found.points} points")


def _rows(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Integrands and their rounding, (2, 5, points); p − q from the log-ratio where the two are close."""
    with np.errstate(all="ignore"):
        p, q = np.exp(log_p), np.exp(log_q)
        live = np.isfinite(log_p) & np.isfinite(log_q)
        r = np.where(live, log_p - log_q, 1.0)
        gap = np.where(np.abs(r) < 0.5, q * np.expm1(np.where(np.abs(r) < 0.5, r, 0.0)), p - q)
        sizes = [np.where(np.isfinite(z), np.abs(z), 0.0) for z in (log_p, log_q)]
        off = 4.0 * _EPSILON * ((1.0 + sizes[0]) * p + (1.0 + sizes[1]) * q)
        values = np.stack([gap * gap, gap * q, p * p, q * q, p * q])
        rounding = np.stack([2.0 * np.abs(gap) * off, off * q, 2.0 * off * p, 2.0 * off * q, off * (p + q)])
    return np.stack([values, rounding])
