"""The Rényi divergence of order infinity, log ess sup p/q: closed where a family tells it, else over atoms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.answer import Answer
from kullback.divergences import Noun
from kullback.divergences.renyi import Renyi
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import Closed
from kullback.exact.lattice import atoms
from kullback.exact.law import Law
from kullback.exact.registry import shared
from kullback.exact.remainders import log_ratio
from kullback.exact.triangular import diagonal, factor, solve, transpose


def _normal(p: Any, q: Any) -> Array:
    """log(σ_q/σ_p) + ½ (μ_p − μ_q)²/(σ_q² − σ_p²) where σ_p < σ_q; infinite elsewhere but at equality."""
    xp = ops(p["loc"], q["loc"], p["scale"], q["scale"])
    shift, change = p["loc"] - q["loc"], q["scale"] - p["scale"]
    narrow, equal = change > 0, (change == 0) & (shift == 0)
    room = xp.where(narrow, change, 1.0) * (q["scale"] + p["scale"])
    value = log_ratio(q["scale"], p["scale"], change) + 0.5 * shift * shift / room
    return xp.where(narrow, value, xp.where(equal, 0.0 * value, math.inf))


def _half_normal(p: Any, q: Any) -> Array:
    return _falling(p["scale"], q["scale"])


def _falling(small: Array, large: Array) -> Array:
    """log(large/small), infinite where it is the other way round."""
    xp = ops(small, large)
    fits = small <= large
    value = log_ratio(xp.where(fits, large, small), small + 0.0 * large, xp.where(fits, large - small, 0.0))
    return xp.where(fits, value, math.inf)


def _multivariate_normal(p: Any, q: Any) -> Array:
    """½ log |S_q|/|S_p| + ½ (μ_p − μ_q)ᵀ (S_q − S_p)⁻¹ (μ_p − μ_q) where S_q − S_p is positive definite."""
    xp = ops(p["loc"], q["loc"])
    one, two, shift = p["scale_tril"], q["scale_tril"], p["loc"] - q["loc"]
    step = two - one
    lower, wide = factor(two @ transpose(step) + step @ transpose(one))
    z = solve(lower, shift[..., None])[..., 0]
    volume = log_ratio(diagonal(two), diagonal(one), diagonal(two) - diagonal(one))
    value = xp.sum(volume + 0.5 * z * z)
    equal = ~(xp.max(xp.max(xp.abs(step))) > 0) & ~(xp.max(xp.abs(shift)) > 0)
    if bool(xp.any(~wide & ~equal & ~_sticks_out(step, one, two))):
        raise UnsupportedPairError("S_q - S_p is singular: whether the ratio is bounded depends on rounding")
    return xp.where(wide, value, xp.where(equal, 0.0 * xp.where(wide, value, 0.0), math.inf))


def _sticks_out(step: Array, one: Array, two: Array) -> Array:
    """Whether S_q − S_p has an eigenvalue below 0 by more than rounding, in the coordinates in which S_q is 1."""
    from kullback.exact.law import to_numpy

    step, one, two = (to_numpy(x) for x in (step, one, two))
    inverse = np.linalg.inv(two)
    change = inverse @ (two @ np.swapaxes(step, -1, -2) + step @ np.swapaxes(one, -1, -2))
    lowest = np.linalg.eigvalsh(change @ np.swapaxes(inverse, -1, -2))[..., 0]
    return ops(lowest).asarray(lowest < -1e-13)


def _exponential(p: Any, q: Any) -> Array:
    return _falling(q["rate"], p["rate"])


def _laplace(p: Any, q: Any) -> Array:
    xp = ops(p["loc"], q["loc"])
    return _falling(p["scale"], q["scale"]) + xp.abs(p["loc"] - q["loc"]) / q["scale"]


def _pareto(p: Any, q: Any) -> Array:
    """log(α_p/α_q) + α_q log(m_p/m_q) where m_p ≥ m_q and α_p ≥ α_q."""
    xp = ops(p["scale"], q["scale"])
    tail = _falling(q["alpha"], p["alpha"])
    inside = p["scale"] >= q["scale"]
    m = xp.where(inside, p["scale"], q["scale"])
    return xp.where(inside, tail + q["alpha"] * log_ratio(m, q["scale"], m - q["scale"]), math.inf)


def _uniform(p: Any, q: Any) -> Array:
    xp = ops(p["low"], q["low"], p["high"], q["high"])
    inside = (p["low"] >= q["low"]) & (p["high"] <= q["high"])
    width, gap = p["high"] - p["low"], (p["low"] - q["low"]) + (q["high"] - p["high"])
    return xp.where(inside, xp.log1p(xp.where(inside, gap / width, 0.0)), math.inf)


_FORMS: dict[str, Callable[[Any, Any], Array]] = {
    "normal": _normal,
    "half_normal": _half_normal,
    "multivariate_normal": _multivariate_normal,
    "exponential": _exponential,
    "laplace": _laplace,
    "pareto": _pareto,
    "uniform": _uniform,
}


def closed(d: Renyi, p: Law, q: Law) -> Closed | None:
    """The families whose ratio of densities is largest at a known place."""
    found = shared(_FORMS, p, q)
    if found is None:
        return None
    value = found[0](found[1].parameters, found[2].parameters)
    return Closed(value, f"{d.name} of {found[1].name} laws, largest ratio of densities")


def by_atoms(d: Renyi, p: Law, q: Law) -> Answer:
    """The largest log-ratio over the points; of endless supports only where it falls at the end of what is summed."""
    found = atoms(p, q)
    live = np.isfinite(found.log_p)
    r = np.where(live, found.log_p - np.where(live, found.log_q, 0.0), -math.inf)
    value = max(float(r.max()), 0.0)
    method = f"{d.name}, largest of {len(found.x)} points"
    if value == math.inf or not (p.support and q.support) or p.support.high <= found.x[-1]:
        return Answer(value, value, value, kind="enumeration", method=method)
    far = found.x[-1] * np.array([1.0, 2.0, 4.0, 8.0])
    tail = p.everywhere(np.floor(far)) - q.everywhere(np.floor(far))
    steps = np.diff(tail)
    if np.all(steps > 0) and steps[-1] >= steps[0]:
        note = ("infinite: the ratio of the masses grows without end",)
        return Answer(math.inf, math.inf, math.inf, kind="enumeration", method=method, notes=note)
    if np.all(steps < 0) and tail[0] < value:
        note = (f"the ratio falls from {found.x[-1]:g} on, as far as it was looked at",)
        return Answer(value, value, value, kind="enumeration", method=method, notes=note)
    raise ConvergenceError(
        f"the ratio of the masses of {p.name} and {q.name} neither falls nor grows at the end"
    )


def by_search(d: Renyi, p: Law, q: Law) -> Answer:
    """Refuses: points cannot certify a supremum of densities that no form describes."""
    raise UnsupportedPairError(
        f"{d.name} is a supremum, which no finite number of points certifies; it is known for pairs of the families "
        f"{', '.join(_FORMS)} and for discrete laws; kb.renyi of a large order is a lower bound ({p.name}‖{q.name})"
    )


def _is_max(d: Noun) -> bool:
    return isinstance(d, Renyi) and d.order == math.inf


answered(_is_max, Answers(closed, {"enumeration": by_atoms, "quadrature": by_search}))
