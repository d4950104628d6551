"""Any f-divergence of two laws on the plane, by adaptive quadrature over boxes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.integrand import contributions, reduced
from kullback.exact.labelled import LabelledLaw
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.panels import panels
from kullback.exact.registry import families

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_WEIGHT = np.multiply.outer(_WEIGHTS, _WEIGHTS)
_KINDS = ("plain", "out", "in")
_TARGET = 1e-14  # of the whole, per box
_MASS = 1e-13  # gap of a mass, per box
_POINTS = 6_000_000
_AT_ONCE = 1 << 17  # points
_ACCEPTED = 1e-6  # error of an answer, of its value
_MISSING = 1e-9  # mass outside all boxes
_FAR = 1e-9  # what endless boxes may hold of an integral that converges
_EMPTY = 1e-30  # a contribution, in a box and in both masses, that halving cannot make count


@dataclass(frozen=True)
class _Boxes:
    """Rectangles: both panels' stretch of t and the map from t to x, arrays of shape (n, 2)."""

    low: np.ndarray
    high: np.ndarray
    kind: np.ndarray
    base: np.ndarray
    width: np.ndarray
    endless: np.ndarray

    def where(self, keep: np.ndarray) -> _Boxes:
        return _Boxes(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    def quarters(self) -> _Boxes:
        """Four of each, next to each other."""
        four = _Boxes(*(np.repeat(getattr(self, name), 4, axis=0) for name in self.__dataclass_fields__))
        upper = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=bool), (len(self.low), 1))
        middle = 0.5 * (four.low + four.high)
        return replace(four, low=np.where(upper, middle, four.low), high=np.where(upper, four.high, middle))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the nodes, (n, nodes, nodes, 2), and what each is worth."""
        half = 0.5 * (self.high - self.low)[..., None]
        t = self.low[..., None] + half * (_NODES + 1.0)
        kind, base, width = (z[..., None] for z in (self.kind, self.base, self.width))
        with np.errstate(over="ignore"):
            slope = np.where(kind == 0, 1.0, np.abs(width) * np.exp(np.where(kind == 1, t, -t)))
            away = np.where(kind == 1, width * np.expm1(t), width * np.exp(-t))
        x, worth = np.where(kind == 0, t, base + away), half * slope
        grid = np.stack(np.broadcast_arrays(x[:, 0, :, None], x[:, 1, None, :]), axis=-1)
        return grid, worth[:, 0, :, None] * worth[:, 1, None, :] * _WEIGHT


def by_plane(d: Divergence, p: Law, q: Law) -> Answer:
    """The divergence of two laws on the plane, with the error of the quadrature and its rounding as interval.

    Raises `ConvergenceError` where a density does not integrate to 1 or the integrand is not resolved.
    """
    f, mapped = reduced(d)
    totals, error, points = _adaptive(f, p, q, _boxes(p, q))
    value, mass_p, mass_q, rounding = map(float, totals)
    for law, mass in ((p, mass_p), (q, mass_q)):
        if abs(1.0 - mass) > _MISSING:
            raise ConvergenceError(
                f'the density of {law.name} integrates to {mass:.9g} on the plane, not 1; pass kind="monte-carlo"'
            )
    error += rounding + (1.0 + value) * (abs(1.0 - mass_p) + abs(1.0 - mass_q))
    numbers = (value, max(value - error, 0.0), value + error)
    return Answer(*map(mapped, numbers), kind="quadrature", method=f"adaptive on the plane, {points} points")


def _adaptive(f: FDivergence, p: Law, q: Law, boxes: _Boxes) -> tuple[np.ndarray, float, int]:
    """Boxes are quartered until the quarters agree with the whole, all boxes of one level at a time."""
    values, points = _integrals(f, p, q, boxes), len(boxes.low) * _WEIGHT.size
    totals, error, far = np.zeros(4), 0.0, 0.0
    while True:
        full = values[:, :3].max(axis=1) > _EMPTY
        totals = totals + values[~full].sum(axis=0)
        boxes, values = boxes.where(full), values[full]
        quarters = boxes.quarters()
        points += len(quarters.low) * _WEIGHT.size
        fine = _integrals(f, p, q, quarters)
        sums = fine.reshape(-1, 4, 4).sum(axis=1)
        gaps = np.abs(sums - values)
        scale = float(totals[0] + sums[:, 0].sum())
        done = (gaps[:, 0] <= _TARGET * scale + sums[:, 3]) & (gaps[:, 1:3] <= _MASS).all(axis=1)
        spent = points + 4 * int((~done).sum()) * 4 * _WEIGHT.size > _POINTS
        done = np.ones_like(done) if spent else done
        totals, error = totals + sums[done].sum(axis=0), error + float(gaps[done, 0].sum())
        far += float(sums[done & boxes.endless.any(axis=1), 0].sum())
        if done.all():
            break
        boxes, values = quarters.where(np.repeat(~done, 4)), fine[np.repeat(~done, 4)]
    if error > _ACCEPTED * totals[0] + totals[3]:
        raise ConvergenceError(
            f"{points} points on the plane left an error of {error:.3g} in {totals[0]:.6g}; "
            'pass kind="monte-carlo"'
        )
    if far > _FAR * totals[0]:
        raise ConvergenceError("the integral does not seem to converge towards infinity")
    return totals, error, points


def _integrals(f: FDivergence, p: Law, q: Law, boxes: _Boxes) -> np.ndarray:
    """Over every box: contribution, both masses, rounding."""
    found, step = [], max(_AT_ONCE // _WEIGHT.size, 1)
    for start in range(0, len(boxes.low), step):
        x, worth = boxes.where(np.arange(start, min(start + step, len(boxes.low)))).points()
        flat = x.reshape(-1, 2)
        rows = contributions(f, p.everywhere(flat, ends=False), q.everywhere(flat, ends=False))
        rows = rows.reshape(4, *worth.shape)
        with np.errstate(all="ignore"):
            found.append(np.where(rows == 0, 0.0, rows * worth).sum(axis=(2, 3)).T)
    sums = np.concatenate(found) if found else np.zeros((0, 4))
    if not np.isfinite(sums).all():
        raise ConvergenceError('the integrand is infinite on a part of the plane; pass kind="monte-carlo"')
    return sums


def _boxes(p: Law, q: Law) -> _Boxes:
    """All pairs of panels, those of the first coordinate with those of the second."""
    sides = [_marginals(law) for law in (p, q)]
    axes = [panels(*(side[i] for side in sides)) for i in range(2)]
    pairs = list(itertools.product(*axes))

    def table(of: str) -> np.ndarray:
        return np.array([[getattr(panel, of) for panel in pair] for pair in pairs])

    kinds = np.array([[_KINDS.index(panel.kind) for panel in pair] for pair in pairs])
    return _Boxes(table("low"), table("high"), kinds, table("base"), table("width"), table("endless"))


def _marginals(law: Law) -> tuple[Law, Law]:
    """The laws of both coordinates; where nothing is known of them, one as wide as can be in their place."""
    if law.event != (2,) or isinstance(law, LabelledLaw):
        raise UnsupportedPairError(
            f"quadrature needs laws with densities on the line or the plane; {law.name} has draws of shape {law.event}"
        )
    known = families()
    if law.parts:
        first, second = law.parts
        return first, second
    normal = normals(law)
    if normal is not None:
        mean, covariance = normal.moments()
        ends = [{"loc": m, "scale": np.sqrt(v)} for m, v in zip(mean, np.diagonal(covariance), strict=True)]
        return Law(known["normal"], ends[0]), Law(known["normal"], ends[1])
    if law.family is not None:
        raise UnsupportedPairError(f"{law.name} has no density on the plane")
    wide = Law(known["cauchy"], {"loc": np.zeros(()), "scale": np.ones(())})
    return wide, wide
