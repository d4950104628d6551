"""Wasserstein distances: the price of the cheapest way to carry one distribution to the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kullback._ops import Array, Namespace
from kullback.divergences.masses import Masses
from kullback.divergences.placed import Placed, cumulated_gap
from kullback.errors import InvalidInputError, MissingDependencyError


@dataclass(frozen=True, repr=False)
class Wasserstein(Placed):
    r"""The Wasserstein distance of order p at least 1, in the unit of x.

    $$W_p = \Big(\min_\pi \int |x - y|^p\, d\pi(x, y)\Big)^{1/p}
    = \Big(\int_0^1 |F^{-1}(u) - G^{-1}(u)|^p\, du\Big)^{1/p} \text{ on the line}$$

    over the joint distributions π with the two given margins. It is the distance itself, not its power; a metric, and
    W_1 ≤ W_2. On the line it is exact, by merging the sorted atoms; beyond it the plan comes from POT, which is
    installed with `kullback[transport]`. Source: [villani2009], [peyre2019].

    >>> import kullback as kb
    >>> kb.wasserstein(2)([0.5, 0.5, 0.0], [0.0, 0.5, 0.5], positions=[0.0, 1.0, 2.0])
    1.0
    """

    order: float

    @property
    def name(self) -> str:
        return f"wasserstein({self.order:.12g})"

    @property
    def formula(self) -> str:
        return rf"\Big(\int_0^1 |F^{{-1}}(u) - G^{{-1}}(u)|^p\, du\Big)^{{1/p}},\quad p = {self.order:.12g}"

    def _on_points(self, xp: Namespace, pair: Masses, x: Array) -> Array:
        if x.ndim == 2:
            return _by_plan(xp, self.order, pair, x)
        places, rows, ahead = cumulated_gap(xp, pair, x)
        if self.order == 1:
            return xp.sum(xp.abs(ahead[..., :-1]) * (places[1:] - places[:-1]))
        p = xp.take_along_axis(pair.probabilities()[0], rows, axis=-1)
        return _merged(xp, self.order, xp.cumulative_sum(p, axis=-1), ahead, places)


def _merged(xp: Namespace, order: float, below: Array, ahead: Array, places: Array) -> Array:
    """Σ length · |x − y|^p over the stretches of u between the steps of F = `below` and of G = F − `ahead`."""
    n = places.shape[0]
    zero = xp.zeros_like(below)
    base, shift = xp.concat([below, below], axis=-1), xp.concat([zero, -ahead], axis=-1)
    turn = xp.argsort(xp.detach(base + shift), axis=-1)
    base, shift = (xp.take_along_axis(v, turn, axis=-1) for v in (base, shift))
    # a step of F next to the same step of G is as far from it as `ahead` says, to the last digit
    length = (base[..., 1:] - base[..., :-1]) + (shift[..., 1:] - shift[..., :-1])
    of_first = xp.where(turn < n, 1.0 + xp.zeros_like(base), 0.0)
    passed = xp.cumulative_sum(of_first, axis=-1)[..., :-1]
    steps = xp.cumulative_sum(xp.zeros_like(base) + 1.0, axis=-1)[..., :-1]
    where = (_at(xp, places, count, turn) for count in (passed, steps - passed))
    return power_mean(xp, order, length, xp.abs(next(where) - next(where)))


def _at(xp: Namespace, places: Array, count: Array, like: Array) -> Array:
    """The place of the atom after that many; beyond the last one only a rounding of the total mass is left."""
    n = places.shape[0]
    index = xp.to_index(xp.minimum(count, float(n - 1)), like)
    rows = xp.broadcast_to(places, (*index.shape[:-1], n))
    return xp.take_along_axis(rows, index, axis=-1)


def power_mean(xp: Namespace, order: float, mass: Array, distance: Array) -> Array:
    """(Σ mass · distance^p)^(1/p), scaled by the largest distance so that no power overflows."""
    top = xp.detach(xp.max(distance, keepdims=True))
    top = xp.where(top > 0, top, 1.0)
    total = xp.sum(mass * (distance / top) ** order)
    some = total > 0
    return xp.where(
        some, top[..., 0] * xp.where(some, total, 1.0) ** (1.0 / order), xp.zeros_like(total) * total
    )


def _by_plan(xp: Namespace, order: float, pair: Masses, x: Array) -> Array:
    try:
        import ot
    except ImportError:
        raise MissingDependencyError(
            "a transport plan in more than one dimension is computed by POT, which is not installed: "
            "pip install 'kullback[transport]'; on the line, pass `positions` of shape (n,)"
        ) from None
    if xp.NAME not in ("numpy", "torch", "jax"):
        raise InvalidInputError(f"POT knows NumPy, torch and JAX, not {xp.NAME}; convert the arrays")
    steps = x[:, None, :] - x[None, :, :]
    square = xp.sum(steps * steps)
    cost = xp.where(square > 0, xp.where(square > 0, square, 1.0) ** (0.5 * order), 0.0)
    p, q = pair.probabilities()
    shape = tuple(p.shape[:-1])
    rows: list[Any] = []
    for a, b in zip(p.reshape((-1, p.shape[-1])), q.reshape((-1, p.shape[-1])), strict=True):
        total = ot.emd2(a, b / xp.sum(b) * xp.sum(a), cost)
        rows.append(xp.to_float(xp.asarray(total, like=a), xp.precision(a)))
    found = xp.stack(rows).reshape(shape)
    some = found > 0
    return xp.where(some, xp.where(some, found, 1.0) ** (1.0 / order), 0.0)


def wasserstein(order: float) -> Wasserstein:
    r"""The Wasserstein distance of that order, a finite number p ≥ 1: $\big(\min_\pi E|x - y|^p\big)^{1/p}$.

    Raises `InvalidInputError` for another order. Source: [villani2009].

    >>> wasserstein(1)([0.5, 0.5], [0.25, 0.75], positions=[0.0, 4.0])
    1.0
    """
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not 1 <= order < math.inf:
        raise InvalidInputError(
            f"wasserstein needs a finite order of at least 1, got {order!r}; 1 and 2 are the usual ones"
        )
    return Wasserstein(float(order))


FAMILIES = {"wasserstein": (wasserstein, (1.0, 2.0))}
