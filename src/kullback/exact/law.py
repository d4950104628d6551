"""A known distribution, whichever library it came from: family, parameters, support, density, sampler."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.exact.transform import Transform


@dataclass(frozen=True)
class Domain:
    """The values that a parameter may take, in words and as a test of one array of NumPy."""

    words: str
    holds: Callable[[np.ndarray], np.ndarray]


REAL = Domain("a finite number", np.isfinite)
POSITIVE = Domain("a positive finite number", lambda x: (x > 0) & np.isfinite(x))
NON_NEGATIVE = Domain("a non-negative finite number", lambda x: (x >= 0) & np.isfinite(x))
PROBABILITY = Domain("a number in [0, 1]", lambda x: (x >= 0) & (x <= 1))
POSITIVE_PROBABILITY = Domain("a number in (0, 1]", lambda x: (x > 0) & (x <= 1))
LOGIT = Domain("a number, infinities included", lambda x: ~np.isnan(x))
WHOLE = Domain("a whole number, at least 0", lambda x: (x >= 0) & (x == np.floor(x)) & np.isfinite(x))


@dataclass(frozen=True)
class Support:
    """An interval of numbers, or of whole numbers; whether its ends belong to it changes no divergence."""

    low: float
    high: float
    discrete: bool = False

    def covers(self, other: Support) -> bool:
        """Whether every point of `other` lies inside, up to its ends."""
        return self.discrete == other.discrete and self.low <= other.low and other.high <= self.high


@dataclass(frozen=True)
class Family:
    """What the laws of one name share.

    `domains` lists the parameters in order; `rank` is the number of axes of one event and `ranks` those of a parameter
    within one law; `support` and `frozen` take plain numbers and give the support of one law of rank 0 and its
    counterpart in SciPy, the source of densities, quantiles and draws. `log_density` replaces SciPy's where that takes
    the logarithm of a density that has underflowed, and `underflows` says that it does so without a replacement.
    `wider` says how a member is read as a member of a larger family. `shape` gives the shape of an event from the
    parameters where it is no vector, and `joint` raises where parameters of NumPy do not fit each other; it is given
    what messages call the law first. `log_normaliser` is given where the parameters are the natural ones of an
    exponential family that nothing else is known of.
    """

    name: str
    domains: Mapping[str, Domain]
    support: Callable[[Mapping[str, Any]], Support] | None = None
    frozen: Callable[[Mapping[str, Any]], Any] | None = None
    log_density: Callable[[np.ndarray, Mapping[str, Any]], np.ndarray] | None = None
    underflows: bool = False
    rank: int = 0
    ranks: Mapping[str, int] = field(default_factory=dict)
    wider: Mapping[str, Callable[[Mapping[str, Array]], dict[str, Array]]] = field(default_factory=dict)
    shape: Callable[[Mapping[str, Array]], tuple[int, ...]] | None = None
    joint: Callable[[str, Mapping[str, np.ndarray]], None] | None = None
    log_normaliser: Callable[..., Array] | None = None


@dataclass(frozen=True)
class Law:
    """A distribution as a record: what `between` works on.

    `parameters` are arrays of the caller's library in double precision; their leading axes are the batch.
    `transforms` are applied to the variable of the base family, first one first. A law of no known family (`family` is
    None) has a `density` and a support instead, or is a product: independent draws of `inner`, whose last `axes` of the
    batch are those of one event, or of each of `parts`, one after the other. `label` is what messages call it.
    """

    family: Family | None
    parameters: Mapping[str, Array]
    transforms: tuple[Transform, ...] = ()
    label: str = ""
    density: Callable[[np.ndarray], np.ndarray] | None = None
    support_given: Support | None = None
    draw: Callable[[int, int], np.ndarray] | None = None
    inner: Law | None = None
    axes: int = 0
    parts: tuple[Law, ...] = ()
    event_given: tuple[int, ...] = ()
    quantiles: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def name(self) -> str:
        """The family's name, with the transforms around it."""
        base = self.family.name if self.family else self.label
        for transform in self.transforms:
            base = f"{transform.name} of {base}"
        return base

    @property
    def xp(self) -> Namespace:
        """The namespace of the parameters."""
        return ops(*self.parameters.values())

    @property
    def batch(self) -> tuple[int, ...]:
        """The shape of the batch of laws."""
        if self.inner is not None:
            return self.inner.batch[: len(self.inner.batch) - self.axes]
        if self.parts:
            return np.broadcast_shapes(*(part.batch for part in self.parts))
        if self.family is None:
            return ()
        return np.broadcast_shapes(*(self._batch_of(name) for name in self.parameters))

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one draw."""
        if self.inner is not None:
            return self.inner.batch[len(self.inner.batch) - self.axes :] + self.inner.event
        if self.parts:
            return (sum(part.size for part in self.parts),)
        if self.family is None:
            return self.event_given
        if self.family.shape is not None:
            return self.family.shape(self.parameters)
        if self.family.rank == 0:
            return ()
        lengths = [
            self.parameters[name].shape[-1]
            for name, rank in self.family.ranks.items()
            if rank and name in self.parameters
        ]
        return (int(max(lengths)),)

    @property
    def leaves(self) -> tuple[Law, ...]:
        """The laws that this one mixes, or itself."""
        return (self,)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Everything in it that may carry a gradient."""
        inside = self.parts if self.inner is None else (self.inner,)
        return (*self.parameters.values(), *(array for part in inside for array in part.arrays))

    def _batch_of(self, name: str) -> tuple[int, ...]:
        shape = tuple(self.parameters[name].shape)
        rank = self.family.ranks.get(name, 0) if self.family else 0
        return shape[: len(shape) - rank]

    @property
    def size(self) -> int:
        """How many numbers one draw is."""
        return math.prod(self.event)

    def pick(self, index: tuple[int, ...]) -> Law:
        """The laws at that place of the last axes of a batch, their parameters as they are."""
        if self.inner is not None:
            return self.unrolled().pick(index)
        if self.parts:
            return replace(self, parts=tuple(part.pick(index) for part in self.parts))
        chosen = {}
        for name, value in self.parameters.items():
            chosen[name] = value[placed(self._batch_of(name), index)]
        return replace(self, parameters=chosen, transforms=tuple(t.at(index) for t in self.transforms))

    def unrolled(self) -> Law:
        """Independent draws of one law as parts, a law each."""
        if self.inner is None:
            return self
        places = np.ndindex(*self.inner.batch[len(self.inner.batch) - self.axes :])
        parts = (self.inner.pick(place).unrolled() for place in places)
        return Law(
            None, {}, label=self.label, parts=tuple(x for part in parts for x in part.parts or (part,))
        )

    def at(self, index: tuple[int, ...]) -> Law:
        """The one law at that place of a batch, with parameters of NumPy; `index` counts from the last axes."""
        return self.pick(index)._on_host()

    def _on_host(self) -> Law:
        parameters = {name: to_numpy(value) for name, value in self.parameters.items()}
        return replace(self, parameters=parameters, parts=tuple(part._on_host() for part in self.parts))

    @property
    def frozen(self) -> Any:
        """The base law in SciPy; only for one law, not a batch."""
        if self.family is None or self.family.frozen is None:
            raise UnsupportedPairError(f"{self.name} has no density that can be evaluated here")
        return self.family.frozen({name: _plain(value) for name, value in self.parameters.items()})

    @property
    def support(self) -> Support | None:
        """Where the law has mass, transforms included; `None` for laws of more than one dimension."""
        if self.family is None:
            return self.support_given
        if self.family.support is None:
            return None
        found = self.family.support({name: _plain(value) for name, value in self.parameters.items()})
        for t in self.transforms:
            ends = sorted((t.forward_end(found.low), t.forward_end(found.high)))
            found = Support(ends[0], ends[1], found.discrete)
        return found

    def log_density(self) -> Callable[[np.ndarray], np.ndarray]:
        """The logarithm of the density, or of the mass function, on points of NumPy inside the support."""
        if self.density is not None:
            return self.density
        raw, transforms = self._base_log_density(), self.transforms
        discrete = bool(self.support and self.support.discrete)

        def log_density(x: np.ndarray) -> np.ndarray:
            log_volume = 0.0
            for t in reversed(transforms):
                x = t.inverse(x)
                if not discrete:
                    log_volume = log_volume - t.log_slope(x)
            return np.asarray(raw(x), dtype=float) + log_volume

        return log_density

    def everywhere(self, x: np.ndarray, *, ends: bool = True) -> np.ndarray:
        """The log-density at any points of shape (n, ...), −inf outside the support, whose ends count if `ends`."""
        if self.parts:
            columns = np.split(
                x.reshape(len(x), -1), np.cumsum([part.size for part in self.parts])[:-1], axis=1
            )
            shaped = (c.reshape(-1, *part.event) for c, part in zip(columns, self.parts, strict=True))
            return np.sum(
                [part.everywhere(c, ends=ends) for c, part in zip(shaped, self.parts, strict=True)], axis=0
            )
        support = self.support
        if support is None:
            with np.errstate(all="ignore"):
                return np.asarray(self.log_density()(x), dtype=float)
        inside = (x > support.low) & (x < support.high)
        if ends:
            inside |= (x == support.low) | (x == support.high)
        found = np.full(x.shape, -math.inf)
        with np.errstate(all="ignore"):
            found[inside] = self.log_density()(x[inside])
        return found

    def _base_log_density(self) -> Callable[[np.ndarray], np.ndarray]:
        own = self.family.log_density if self.family else None
        if own is not None:
            plain = {name: _plain(value) for name, value in self.parameters.items()}
            return lambda x: own(x, plain)
        base = self.frozen
        return base.logpdf if hasattr(base, "logpdf") else base.logpmf

    def quantile(self, u: np.ndarray) -> np.ndarray | None:
        """The quantiles of a law in one dimension, where its family knows them."""
        if self.quantiles is not None:
            return self.quantiles(u)
        if self.family is None or self.family.frozen is None or not hasattr(self.frozen, "ppf"):
            return None
        falling = sum(not t.increasing for t in self.transforms) % 2
        x = np.asarray(self.frozen.ppf(1.0 - u if falling else u), dtype=float)
        for t in self.transforms:
            x = t.forward(x)
        return x

    def sample(self, n: int, seed: int) -> np.ndarray:
        """`n` independent draws, the same for the same seed."""
        if self.draw is not None:
            return self.draw(n, seed)
        if self.parts:
            seeds = np.random.SeedSequence(seed).generate_state(len(self.parts))
            drawn = (part.sample(n, int(s)) for part, s in zip(self.parts, seeds, strict=True))
            return np.concatenate([x.reshape(n, -1) for x in drawn], axis=1)
        x = np.asarray(self.frozen.rvs(size=n, random_state=np.random.default_rng(seed)), dtype=float)
        for t in self.transforms:
            x = t.forward(x)
        return x


class Composite(ABC):
    """A law made of others, which `between` takes as it takes theirs."""

    @abstractmethod
    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record that `between` works on, of the laws that `read` makes of those inside."""


def law(
    family: Family,
    parameters: Mapping[str, Array],
    *,
    transforms: tuple[Transform, ...] = (),
    label: str = "",
) -> Law:
    """A law whose parameters have been looked at; `InvalidInputError` names the parameter, its place and its value."""
    # plain numbers and arrays of NumPy next to another library's are taken into that one
    foreign = [x for x in parameters.values() if not isinstance(x, (np.ndarray, np.generic, float, int))]
    xp = ops(*(foreign or parameters.values()))
    arrays = {}
    for name, value in parameters.items():
        array = xp.asarray(value)
        if xp.kind(array) != "float" and xp.concrete(array):
            array = xp.asarray(to_numpy(array).astype(float))
        arrays[name] = xp.to_float(array, 64)
        check(f"{label or family.name}'s {name}", arrays[name], family.domains[name])
    if family.joint is not None and all(map(xp.concrete, arrays.values())):
        family.joint(label or family.name, {name: to_numpy(value) for name, value in arrays.items()})
    return Law(family, arrays, transforms, label or family.name)


def check(what: str, value: Array, domain: Domain) -> None:
    """Raises `InvalidInputError` where an element of `value` lies outside `domain`; not inside a trace."""
    if not ops(value).concrete(value):
        return
    array = to_numpy(value)
    bad = ~domain.holds(array)
    if not bad.any():
        return
    place: tuple[int, ...] = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f" at index {', '.join(map(str, place))}" if place else ""
    raise InvalidInputError(f"{what} is {float(array[place]):g}{where}; expected {domain.words}")


def placed(shape: tuple[int, ...], index: tuple[int, ...]) -> tuple[int | slice, ...]:
    """Where `index`, which counts from the last axes, is found in an array that broadcasts to the batch."""
    place = index[max(len(index) - len(shape), 0) :]
    kept = (slice(None),) * (len(shape) - len(place))
    return (*kept, *(0 if n == 1 else i for i, n in zip(place, shape[len(kept) :], strict=True)))


def to_numpy(x: Array) -> np.ndarray:
    """The values as an array of NumPy, without derivatives."""
    xp = ops(x)
    plain = xp.detach(xp.asarray(x))
    if not xp.concrete(plain):
        raise UnsupportedPairError(
            "parameters inside jit or vmap have no values, which this pair of laws needs; call between outside"
        )
    return np.asarray(xp.to_numpy(plain))


def _plain(value: Array) -> Any:
    array = to_numpy(value)
    return float(array) if array.ndim == 0 else array


LINE = Support(-math.inf, math.inf)
HALF_LINE = Support(0.0, math.inf)
UNIT = Support(0.0, 1.0)
