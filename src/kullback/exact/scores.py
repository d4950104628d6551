"""Scores of laws on the line: derivatives of their log-densities, with what these may be off by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kullback.exact.law import Law
from kullback.exact.transform import Transform

_EPSILON = float(np.finfo(float).eps)
Score = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _place(x: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
    return (x - p["loc"]) / p["scale"]


_KNOWN: dict[str, Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]] = {
    "normal": lambda x, p: -_place(x, p) / p["scale"],
    "half_normal": lambda x, p: -x / p["scale"] ** 2,
    "laplace": lambda x, p: -np.sign(_place(x, p)) / p["scale"],
    "logistic": lambda x, p: -np.tanh(0.5 * _place(x, p)) / p["scale"],
    "gumbel": lambda x, p: np.expm1(-_place(x, p)) / p["scale"],
    "student_t": lambda x, p: -(p["df"] + 1) * _place(x, p) / (p["df"] + _place(x, p) ** 2) / p["scale"],
    "cauchy": lambda x, p: -2.0 * _place(x, p) / (1.0 + _place(x, p) ** 2) / p["scale"],
    "exponential": lambda x, p: 0.0 * x - p["rate"],
    "gamma": lambda x, p: (p["concentration"] - 1.0) / x - p["rate"],
    "beta": lambda x, p: (p["concentration1"] - 1.0) / x - (p["concentration0"] - 1.0) / (1.0 - x),
    "weibull": lambda x, p: (
        (p["concentration"] - 1.0 - p["concentration"] * (x / p["scale"]) ** p["concentration"]) / x
    ),
    "pareto": lambda x, p: -(p["alpha"] + 1.0) / x,
    "inverse_gaussian": lambda x, p: -1.5 / x + 0.5 * p["shape"] * (1.0 / x**2 - 1.0 / p["mean"] ** 2),
}


def score(law: Law) -> Score:
    """The score at points inside the support: known of the family, else by differences of the log-density."""
    own = _KNOWN.get(law.family.name) if law.family else None
    if own is None or any(t.name not in ("affine", "exp") for t in law.transforms):
        return _numerical(law)
    parameters = {name: float(value) for name, value in law.parameters.items()}

    def known(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            points = [y]
            for t in reversed(law.transforms):
                points.append(t.inverse(points[-1]))
            found = own(points[-1], parameters)
            size = np.abs(found)
            for t, image in zip(law.transforms, reversed(points[:-1]), strict=True):
                found, size = _carried(t, image, found), np.abs(_carried(t, image, size))
        return found, 16.0 * _EPSILON * (size + np.abs(found))

    return known


def _carried(t: Transform, y: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The score of the image: (s − (log |t'|)')/t'."""
    return (found - 1.0) / y if t.name == "exp" else found / t.scale


def _numerical(law: Law) -> Score:
    """Central differences of fourth order; those of twice the step tell the error."""
    spread = _spread(law)
    log_density, support = law.log_density(), law.support

    def differences(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        room = np.full(x.shape, spread)
        if support is not None:
            room = np.minimum(room, np.minimum(x - support.low, support.high - x))
        step = 1e-3 * room
        with np.errstate(all="ignore"):
            at = {k: np.asarray(log_density(x + k * step), dtype=float) for k in (-4, -2, -1, 1, 2, 4)}
        slope = {k: (at[k] - at[-k]) / (2 * k * step) for k in (1, 2, 4)}
        fine, coarse = (4.0 * slope[1] - slope[2]) / 3.0, (4.0 * slope[2] - slope[4]) / 3.0
        return fine, np.abs(fine - coarse) + 2.0 * _EPSILON * (1.0 + np.abs(at[1])) / step

    return differences


def _spread(law: Law) -> float:
    """The width of the middle half, or 1 where the quantiles are not known."""
    found = law.quantile(np.array([0.25, 0.75]))
    return 1.0 if found is None else float(found[1] - found[0])
