"""Mixtures: weights and components as one law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback._ops import Array, ops
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.exact.law import Composite, Law, Support, placed, to_numpy

_TOLERANCE = 1e-6  # of the sum of the weights, which single precision keeps
_ROUNDING = 1e-12  # of the same sum in double precision


@dataclass(frozen=True, eq=False)
class Mixture(Composite):
    r"""A mixture of known distributions, $p = \sum_i w_i\, p_i$, for `between`.

    `components` is a sequence of k distributions that `between` reads, mixtures among them, or one batched distribution
    whose last batch axis, of length k, counts them. `weights`, of shape (..., k), are non-negative and sum to 1; what
    is left of rounding, up to 1e-6, is divided out. A `torch` mixture, a NumPyro one or a fitted `GaussianMixture` of
    scikit-learn may be given to `between` as it is.

    Raises `InvalidInputError` for weights that are negative, not finite, or do not sum to 1, `ShapeError` where their
    number is not that of the components.

    >>> from scipy import stats
    >>> import kullback as kb
    >>> p = kb.Mixture([0.5, 0.5], [stats.norm(-1, 1), stats.norm(1, 1)])
    >>> q = kb.Mixture([0.5, 0.5], [stats.norm(99, 1), stats.norm(101, 1)])
    >>> round(kb.between(kb.js, p, q).value, 6)  # nothing in common: log 2
    0.693147
    """

    weights: Any
    components: Any

    def __post_init__(self) -> None:
        weights = to_numpy(_vector(self.weights))
        _check(weights)
        if isinstance(self.components, (list, tuple)) and len(self.components) != weights.shape[-1]:
            raise ShapeError(
                f"{weights.shape[-1]} weights for {len(self.components)} components; give one weight each"
            )

    def __repr__(self) -> str:
        return f"Mixture({self.weights!r}, {self.components!r})"

    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record of it, with components read by `read`."""
        if isinstance(self.components, (list, tuple)):
            parts = tuple(read(c, f"components[{i}]") for i, c in enumerate(self.components))
        else:
            parts = split(read(self.components, "components"))
        return mixed(self.weights, parts)


@dataclass(frozen=True)
class MixtureLaw(Law):
    """The law of a mixture: its one parameter is `weights`, with the components along the last axis."""

    components: tuple[Law, ...] = ()

    @property
    def name(self) -> str:
        """The families that are mixed."""
        return f"mixture of {' and '.join(dict.fromkeys(c.name for c in self.components))}"

    @property
    def batch(self) -> tuple[int, ...]:
        """The shape of the batch of mixtures."""
        weights = self.parameters["weights"]
        return np.broadcast_shapes(tuple(weights.shape[:-1]), *(c.batch for c in self.components))

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one draw."""
        return self.components[0].event

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Weights and parameters of the components."""
        return (self.parameters["weights"], *(x for c in self.components for x in c.arrays))

    @property
    def weights(self) -> np.ndarray:
        """The weights of one mixture that are not 0, in the order of `leaves`."""
        weights = to_numpy(self.parameters["weights"])
        return weights[weights > 0]

    @property
    def leaves(self) -> tuple[Law, ...]:
        """The components of one mixture that have weight."""
        live = to_numpy(self.parameters["weights"]) > 0
        return tuple(c for c, good in zip(self.components, live, strict=True) if good)

    def pick(self, index: tuple[int, ...]) -> Law:
        """The mixtures at that place of the last axes of a batch."""
        weights = self.parameters["weights"]
        chosen = weights[placed(tuple(weights.shape[:-1]), index)]
        return replace(
            self, parameters={"weights": chosen}, components=tuple(c.pick(index) for c in self.components)
        )

    def at(self, index: tuple[int, ...]) -> Law:
        """The one mixture at that place of a batch, with parameters of NumPy."""
        found = self.pick(index)
        return mixed(to_numpy(found.parameters["weights"]), tuple(c.at(index) for c in self.components))

    @property
    def support(self) -> Support | None:
        """The smallest interval that holds every component's mass; there may be gaps in it."""
        found = [c.support for c in self.leaves]
        supports = [s for s in found if s is not None]
        if len(supports) < len(found):
            return None
        if len({s.discrete for s in supports}) > 1:
            raise UnsupportedPairError(f"{self.name} has both atoms and a density; pass mixtures of one kind")
        return Support(min(s.low for s in supports), max(s.high for s in supports), supports[0].discrete)

    def log_density(self) -> Callable[[np.ndarray], np.ndarray]:
        """log Σ w_i p_i, without overflow; a component is asked only where it has mass."""
        parts = list(zip(np.log(self.weights), self.leaves, strict=True))

        def log_density(x: np.ndarray) -> np.ndarray:
            return np.logaddexp.reduce([w + c.everywhere(x) for w, c in parts], axis=0)

        return log_density

    def quantile(self, u: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """Not known in closed form."""
        return None

    def sample(self, n: int, seed: int) -> np.ndarray:
        """`n` draws, from each component its share, with one random shift that decides how the shares are rounded."""
        rng = np.random.default_rng(seed)
        ends = np.floor(n * np.cumsum(self.weights) / np.sum(self.weights) + rng.uniform())
        ends[-1] = n
        counts = np.diff(np.minimum(ends, n), prepend=0.0).astype(int)
        seeds = rng.integers(2**31, size=len(counts))
        parts = [
            leaf.sample(int(count), int(own)).reshape(int(count), *self.event)
            for leaf, count, own in zip(self.leaves, counts, seeds, strict=True)
            if count
        ]
        return np.concatenate(parts)


def mixed(weights: Any, components: Sequence[Law]) -> Law:
    """The mixture as a law: nested ones are spread out, components of weight 0 dropped, and one alone is itself."""
    vector = _vector(weights)
    arrays = [x for c in components for x in c.arrays]
    xp = ops(*arrays, *([] if _plain(weights) else [vector]))
    vector = xp.to_float(xp.asarray(vector, like=arrays[0] if _plain(weights) and arrays else None), 64)
    if vector.shape[-1] != len(components):
        raise ShapeError(f"{vector.shape[-1]} weights for {len(components)} components; give one weight each")
    _check(to_numpy(vector))
    total = xp.sum(vector, keepdims=True)
    # weights that sum to 1 in double precision stay as they are: near-equal ones would lose digits of their difference
    vector = vector / xp.where(xp.abs(total - 1.0) > _ROUNDING, total, 1.0)
    vector, components = _dropped(*_spread(vector, tuple(components)))
    _same_events(components)
    alone = components[0]
    if len(components) == 1 and tuple(vector.shape[:-1]) in ((), alone.batch):
        return alone
    return MixtureLaw(None, {"weights": vector}, label="mixture", components=components)


def split(law: Law) -> tuple[Law, ...]:
    """The laws along the last axis of a batch."""
    if not law.batch:
        raise ShapeError(
            f"the components are one {law.name} without a batch; pass a list of distributions, or one distribution "
            "whose last batch axis counts the components"
        )
    return tuple(_taken(law, i, 0) for i in range(law.batch[-1]))


def _taken(law: Law, i: int, skip: int) -> Law:
    """The law at `i` of the batch axis that has `skip` axes of the batch to its right."""
    if law.parts:
        return replace(law, parts=tuple(_taken(part, i, skip) for part in law.parts))
    if law.inner is not None:
        return replace(law, inner=_taken(law.inner, i, skip + law.axes))
    ranks = law.family.ranks if law.family else {"weights": 1}
    chosen = {name: _along(x, i, skip + ranks.get(name, 0)) for name, x in law.parameters.items()}
    maps = tuple(
        replace(t, loc=_along(t.loc, i, skip), scale=_along(t.scale, i, skip)) for t in law.transforms
    )
    if isinstance(law, MixtureLaw):
        return replace(law, parameters=chosen, components=tuple(_taken(c, i, skip) for c in law.components))
    return replace(law, parameters=chosen, transforms=maps)


def _along(x: Any, i: int, skip: int) -> Any:
    axis = len(getattr(x, "shape", ())) - 1 - skip
    if axis < 0:
        return x
    return x[(slice(None),) * axis + (0 if x.shape[axis] == 1 else i,)]


def _vector(weights: Any) -> Array:
    """Weights as one array; a list of tensors keeps their gradients."""
    if not _plain(weights) or not any(hasattr(w, "shape") for w in weights):
        xp = ops(weights)
        return xp.asarray(weights)
    xp = ops(*weights)
    return xp.stack([xp.asarray(w) for w in weights], axis=-1)


def _plain(weights: Any) -> bool:
    return isinstance(weights, (list, tuple))


def _check(weights: np.ndarray) -> None:
    if weights.ndim == 0 or weights.shape[-1] == 0:
        raise ShapeError(
            f"weights have shape {weights.shape}; expected (..., k), one for each of k components"
        )
    bad = ~((weights >= 0) & np.isfinite(weights))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInputError(
            f"the weight at index {', '.join(map(str, place))} is {float(weights[place]):g}; expected finite "
            "numbers >= 0 that sum to 1"
        )
    total = weights.sum(axis=-1)
    worst = float(np.ravel(total)[np.argmax(np.abs(total - 1.0))])
    if abs(worst - 1.0) > _TOLERANCE:
        raise InvalidInputError(
            f"the weights sum to {worst:g}, not 1; divide them by their sum if that is meant"
        )


def _spread(weights: Array, components: tuple[Law, ...]) -> tuple[Array, tuple[Law, ...]]:
    """Mixtures among the components replaced by theirs."""
    if not any(isinstance(c, MixtureLaw) for c in components):
        return weights, components
    xp, pieces, found = ops(weights), [], []
    for i, c in enumerate(components):
        own = weights[..., i : i + 1]
        pieces.append(own * c.parameters["weights"] if isinstance(c, MixtureLaw) else own)
        found += c.components if isinstance(c, MixtureLaw) else (c,)
    batch = np.broadcast_shapes(*(tuple(x.shape[:-1]) for x in pieces))
    return xp.concat([xp.broadcast_to(x, (*batch, x.shape[-1])) for x in pieces], axis=-1), tuple(found)


def _dropped(weights: Array, components: tuple[Law, ...]) -> tuple[Array, tuple[Law, ...]]:
    """Without components of weight 0, unless a gradient towards their weight may be wanted."""
    xp = ops(weights)
    if len(weights.shape) > 1 or getattr(weights, "requires_grad", False) or not xp.concrete(weights):
        return weights, components
    live = [i for i, w in enumerate(to_numpy(weights)) if w > 0]
    if len(live) == len(components):
        return weights, components
    return xp.stack([weights[i] for i in live], axis=-1), tuple(components[i] for i in live)


def _same_events(components: tuple[Law, ...]) -> None:
    events = list(dict.fromkeys(c.event for c in components))
    if len(events) > 1:
        raise ShapeError(f"components with draws of different shapes: {', '.join(map(str, events))}")
    many = list(dict.fromkeys(c.family.name for c in components if c.family and c.family.rank))
    if len(many) > 1:
        raise UnsupportedPairError(
            f"components in many dimensions must be of one family, so that their densities count the same volume; "
            f"got {', '.join(many)}"
        )
