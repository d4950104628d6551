"""MMD and energy distance of laws: closed for normal laws and Gaussian kernels, else by atoms and on the line."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array, ops
from kullback.answer import Answer
from kullback.divergences import Noun, energy_distance
from kullback.divergences.kernels import DistanceKernel, GaussianKernel, distance
from kullback.divergences.mmd import MMD, EnergyDistance
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.closed import Closed
from kullback.exact.integral import integral
from kullback.exact.lattice import atoms
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.overlap import squared_gap
from kullback.exact.panels import panels
from kullback.exact.registry import shared

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
_EPSILON = float(np.finfo(float).eps)
_ASYMPTOTIC = 8.0  # beyond so many deviations the normal law's tail is below rounding
_FAR = 1e-9  # what the last half of an endless panel may hold of a sum that converges


def closed_mmd(d: MMD, p: Law, q: Law) -> Closed | None:
    """A Gaussian kernel is a normal density but for a factor: the squared L2 distance of smoothed densities."""
    if isinstance(d.kernel, DistanceKernel):
        found = closed_energy(energy_distance, p, q)
        return None if found is None else Closed(distance(found.value), found.method)
    if not isinstance(d.kernel, GaussianKernel) or normals(p) is None or normals(q) is None:
        return None
    size = p.size
    square = d.kernel.bandwidth**2
    gap = squared_gap(p, q, kernel=square * np.eye(size))
    value = (2.0 * math.pi * square) ** (0.5 * size) * gap
    return Closed(distance(value), f"{d.name} of normal laws and their mixtures")


def closed_energy(d: EnergyDistance, p: Law, q: Law) -> Closed | None:
    """Of normal laws on the line: the mean of |X − Y| by what it has beyond that of centred laws."""
    found = shared({"normal": _normal_energy}, p, q)
    if found is None:
        return None
    return Closed(found[0](found[1].parameters, found[2].parameters), f"{d.name} of normal laws")


def _normal_energy(p: dict[str, Array], q: dict[str, Array]) -> Array:
    xp = ops(p["loc"], q["loc"])
    root = xp.sqrt(p["scale"] ** 2 + q["scale"] ** 2)
    change = p["scale"] - q["scale"]
    spread = 2.0 * change * change / (2.0 * root + math.sqrt(2.0) * (p["scale"] + q["scale"]))
    z = xp.abs((p["loc"] - q["loc"]) / root)
    return math.sqrt(2.0 / math.pi) * (2.0 * root * _bend(z) + spread)


def _bend(z: Array) -> Array:
    r"""$\int_0^z (z - t)\, e^{-t^2/2}\, dt \ge 0$ for z ≥ 0."""
    xp = ops(z)
    far = z > _ASYMPTOTIC
    near = xp.where(far, 1.0, z)
    total = xp.zeros_like(near)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        total = total + weight * (1.0 - node) * xp.exp(-0.5 * node * node * near * near)
    return xp.where(far, math.sqrt(0.5 * math.pi) * z - 1.0, near * near * total)


def by_atoms(d: MMD | EnergyDistance, p: Law, q: Law) -> Answer:
    """Discrete laws on the line."""
    found = atoms(p, q, moment=2.0)
    if (
        len(found.x) > 20_000
        and not isinstance(d, EnergyDistance)
        and not isinstance(d.kernel, DistanceKernel)
    ):
        raise UnsupportedPairError(f"{d.name} of {len(found.x)} points needs the square of that many numbers")
    value = float(d(found.p, found.q, positions=found.x, validate=False))
    method = f"sum over {len(found.x)} points"
    # a kernel's form, or 2 ∫ (F − G)², of a change of the masses by what rounding does to them
    off = found.rounding
    reach = float(np.sum(off)) * (2.0 * float(found.x[-1] - found.x[0]) if _in_places(d) else 1.0)
    if isinstance(d, EnergyDistance):
        error = 2.0 * math.sqrt(value * reach * float(np.sum(off))) + reach * float(np.sum(off)) + found.left
    else:
        error = math.sqrt(reach * float(np.sum(off)) + found.left)
    return Answer(
        value, max(value - error, 0.0), value + error, kind="enumeration", method=method, unit=d.unit
    )


def _in_places(d: MMD | EnergyDistance) -> bool:
    return isinstance(d, EnergyDistance) or isinstance(d.kernel, DistanceKernel)


def by_quadrature(d: MMD | EnergyDistance, p: Law, q: Law) -> Answer:
    """The energy distance, or its root, by the distribution functions."""
    if not _in_places(d):
        raise UnsupportedPairError(
            f"{d.name} of laws with densities is known for a Gaussian kernel and normal laws or their mixtures, and "
            f"for the distance kernel on the line; {p.name}‖{q.name} is neither"
        )
    for law in (p, q):
        if law.size != 1 or law.quantiles is not None or not hasattr(law.frozen, "sf"):
            raise UnsupportedPairError(
                f"{d.name} needs a distribution function on the line; {law.name} has none"
            )

    def rows(x: np.ndarray) -> np.ndarray:
        below = [_mass(law, x, False) for law in (p, q)]
        above = [_mass(law, x, True) for law in (p, q)]
        low = below[0] < 0.5
        gap = np.where(low, below[0] - below[1], above[1] - above[0])
        off = 8.0 * _EPSILON * np.where(low, below[0] + below[1], above[0] + above[1])
        return np.stack([[2.0 * gap * gap], [4.0 * off * np.abs(gap) + 2.0 * off * off]])

    found = integral(rows, panels(p, q))
    value, error = float(found.totals[0]), float(found.errors[0])
    if found.endless[0] > _FAR * value > 0:
        raise ConvergenceError(f"{d.name} of {p.name}‖{q.name} does not converge towards infinity")
    ends = [max(value - error, 0.0), value, value + error]
    low, value, high = ends if isinstance(d, EnergyDistance) else map(math.sqrt, ends)
    method = f"adaptive, {found.points} points"
    return Answer(value, low, high, kind="quadrature", method=method, unit=d.unit)


def _mass(law: Law, x: np.ndarray, above: bool) -> np.ndarray:
    """The mass below points, or above them."""
    for t in reversed(law.transforms):
        with np.errstate(all="ignore"):
            x = t.inverse(x)
        above = above == t.increasing
    return np.asarray((law.frozen.sf if above else law.frozen.cdf)(x), dtype=float)


def _is_mmd(d: Noun) -> bool:
    return isinstance(d, MMD)


_WAYS = {"enumeration": by_atoms, "quadrature": by_quadrature}
answered(_is_mmd, Answers(closed_mmd, _WAYS))
answered(lambda d: isinstance(d, EnergyDistance), Answers(closed_energy, _WAYS))
