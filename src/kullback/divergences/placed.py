"""What a divergence that knows where its categories lie is to its caller."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from kullback._ops import Array, Namespace
from kullback.divergences import simplex
from kullback.divergences.masses import Masses, masses
from kullback.divergences.noun import Noun
from kullback.errors import DTypeError, InvalidInputError, ShapeError


class Placed(Noun):
    """A distance between distributions on points: it changes with the places of the categories, and has their unit."""

    unit = "units of x"

    @abstractmethod
    def _on_points(self, xp: Namespace, pair: Masses, x: Array) -> Array:
        """The distance over the last axis of the masses; `x` has shape (n,) on the line, (n, d) beyond it."""

    def __call__(
        self,
        p: Array,
        q: Array,
        *,
        positions: Array,
        axis: int = -1,
        keepdims: bool = False,
        normalize: bool = False,
        counts: bool = False,
        validate: bool = True,
    ) -> Array:
        r"""The distance of two probability vectors on the same points, $D(p, q; x)$, in the unit of the positions.

        `positions` has shape (n,) on the line, in any order, or (n, d) for points of d dimensions; it is shared by all
        rows of `p` and `q`, whose n categories lie along `axis`. Two sets of points become one by joining them and
        giving each law no mass on the other's. The remaining arguments are those of every divergence. Gradients of
        torch and JAX reach masses and positions.

        Raises `InvalidInputError`, `ShapeError` or `DTypeError`, naming argument, place and remedy.

        >>> import kullback as kb
        >>> kb.wasserstein(1)([1.0, 0.0], [0.0, 1.0], positions=[2.0, 5.0])
        3.0
        """
        pair = masses(p, q, axis=axis, normalize=normalize, counts=counts, validate=validate)
        x = _places(pair, positions, validate)
        with pair.xp.quiet():
            total = self._on_points(pair.xp, pair, x)
        return simplex.finish(pair.xp, total, axis if keepdims else None)


def _places(pair: Masses, positions: Any, validate: bool) -> Array:
    xp, n = pair.xp, pair.p.shape[-1]
    x = xp.asarray(positions, like=pair.p)
    if xp.kind(x) not in ("float", "integer"):
        raise DTypeError(f"`positions` has dtype {xp.dtype_name(x)}; places are real numbers")
    x = xp.to_float(x, xp.precision(pair.p))
    if x.ndim not in (1, 2) or x.shape[0] != n:
        raise ShapeError(
            f"`positions` has shape {tuple(x.shape)} and there are {n} categories; expected ({n},) on the line, or "
            f"({n}, d) for points of d dimensions"
        )
    if validate and xp.concrete(x) and bool(xp.any(~xp.isfinite(x))):
        raise InvalidInputError("`positions` holds a number that is not finite; every category needs a place")
    return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x


def gap(xp: Namespace, pair: Masses) -> Array:
    """p − q, with the digits that it has near equality."""
    return simplex.difference(xp, *pair.arrays())


def cumulated_gap(xp: Namespace, pair: Masses, x: Array) -> tuple[Array, Array, Array]:
    """The sorted positions, their order, and the difference of the distribution functions right of each."""
    order = xp.argsort(xp.detach(x))
    places = xp.take_along_axis(x, order, axis=0)
    rows = xp.broadcast_to(order, tuple(pair.p.shape))
    return places, rows, xp.cumulative_sum(xp.take_along_axis(gap(xp, pair), rows, axis=-1), axis=-1)
