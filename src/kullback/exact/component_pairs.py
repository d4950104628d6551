"""Tables over the pairs of components of two mixtures."""

from __future__ import annotations

from kullback._ops import Array, ops
from kullback.divergences import Divergence, bhattacharyya
from kullback.errors import UnsupportedPairError
from kullback.exact.closed import closed
from kullback.exact.law import Law
from kullback.exact.mixture import MixtureLaw
from kullback.exact.normals import Normals, normals

_LARGEST = 10_000_000  # numbers in one table of matrices


def weights(p: Law) -> Array:
    """The weights of a mixture, (..., k); one for any other law."""
    if isinstance(p, MixtureLaw):
        return p.parameters["weights"]
    first = p.arrays[0]
    return 0.0 * ops(first).detach(first).reshape(-1)[:1] + 1.0


def table(d: Divergence, p: Law, q: Law) -> Array:
    """The divergence of every component of p from every one of q in closed form, (..., k, l).

    Raises `UnsupportedPairError` where a pair has none.
    """
    left, right = normals(p), normals(q)
    if left is not None and right is not None:
        return _of_normals(d, left, right)
    rows = [[_closed(d, x, y) for y in _components(q)] for x in _components(p)]
    xp = ops(*(value for row in rows for value in row))
    return xp.stack([xp.stack([xp.asarray(v) for v in row], axis=-1) for row in rows], axis=-2)


def costs(f: Divergence, p: Law, q: Law) -> Array:
    r"""What every pair of components has between it at most, (..., k, l): the divergence itself, or a bound of it.

    Where there is no closed form, $D_f \le (f(0) + f'(\infty)) \sqrt{1 - B^2}$ with B the Bhattacharyya coefficient,
    the root being at least the total variation. Raises `UnsupportedPairError` where that is infinite too.
    """
    try:
        return table(f, p, q)
    except UnsupportedPairError:
        most: float = getattr(f, "upper_bound", float("inf"))
        if most == float("inf"):
            raise
    distance = table(bhattacharyya, p, q)
    xp = ops(distance)
    return most * xp.sqrt(-xp.expm1(-2.0 * distance))


def _of_normals(d: Divergence, p: Normals, q: Normals) -> Array:
    if p.size * q.size * p.dimension**2 > _LARGEST and p.size > 1:
        return ops(p.loc, q.loc).concat([_of_normals(d, p.one(i), q) for i in range(p.size)], axis=-2)
    return _closed(d, p.down().law(), q.across().law())


def _components(p: Law) -> tuple[Law, ...]:
    return p.components if isinstance(p, MixtureLaw) else (p,)


def _closed(d: Divergence, p: Law, q: Law) -> Array:
    found = closed(d, p, q)
    if found is None:
        raise UnsupportedPairError(f"no closed form of {d.name} for the components {p.name}‖{q.name}")
    return found.value
