"""Layers in bins: equally many distinct values in each, or equal widths."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback.answer import Answer
from kullback.errors import InvalidInputError
from kullback.estimators import Contingency, PlugIn, entropy, interval
from kullback.estimators.problem import read_joint
from kullback.information.coding import (
    Coding,
    Floats,
    Ints,
    PlanePoint,
    activations,
    check_count,
    check_lengths,
    labels_of,
)

_ALONE = 0.9  # the share of rows with a code of their own from which on the codes count the rows


class Bins(Coding):
    """A coding that gives each unit of each row the number of a bin; a row's code is the row of these numbers."""

    @abstractmethod
    def codes(self, layer: Any) -> Ints:
        """The bins (n, d) of activations (n, d), the same bins for all units."""

    def point(self, layer: Any, y: Any, *, level: float = 0.95) -> PlanePoint:
        """Plug-in estimates from counts of the codes."""
        t, labels = activations(layer), labels_of(y)
        check_lengths(t, labels)
        _, code, counts = np.unique(self.codes(t), axis=0, return_inverse=True, return_counts=True)
        code = code.ravel()
        told = entropy(code, kind="discrete", method=PlugIn(), level=level)
        alone, n = int(np.sum(counts == 1)), len(t)
        if alone >= _ALONE * n:
            note = (
                f"saturated: {alone} of {n} rows have a code of their own, so I(X;T) is near log n = {math.log(n):.6g} "
                "whatever the layer does; use coarser bins or noise"
            )
            told = replace(told, notes=(note, *told.notes))
        return PlanePoint(told, _relevance(code, labels, level))


@dataclass(frozen=True)
class DistinctBins(Bins):
    r"""Bins that hold equally many of the layer's distinct values, drawn anew for each layer.

    $$\text{bin}(t) = \max \{k : u_{\lfloor kM/B \rfloor} \le t\}$$

    with the distinct values $u_0 < \dots < u_{M-1}$ of all units of the layer, and B = `count`. Strictly increasing
    maps of the activations change nothing, so units may have any scale and need no largest value. With an `atom`, such
    as the 0 of rectifiers, that value has a bin of its own beside the others. Raises `InvalidInputError` unless `count`
    is a whole number of at least 1. Source: [chelombiev2019].

    >>> DistinctBins(2).codes([[0.0, 1.0], [10.0, 1000.0]]).tolist()
    [[0, 0], [1, 1]]
    >>> DistinctBins(2, atom=0.0).codes([[0.0, 1.0], [10.0, 100.0], [1000.0, 0.0]]).tolist()
    [[0, 1], [1, 2], [2, 0]]
    """

    count: int = 30
    atom: float | None = None

    def __post_init__(self) -> None:
        check_count(self.count)

    def codes(self, layer: Any) -> Ints:
        """The bins (n, d) of activations (n, d), from 0; that of the atom comes first."""
        t = activations(layer)
        if self.atom is None:
            return self._cut(t)
        found, rest = np.zeros(t.shape, dtype=np.int64), t != self.atom
        found[rest] = 1 + self._cut(t[rest])
        return found

    def _cut(self, t: Floats) -> Ints:
        distinct, rank = np.unique(t, return_inverse=True)
        return ((rank.reshape(t.shape) + 1) * self.count - 1) // max(len(distinct), 1)


@dataclass(frozen=True)
class EqualWidthBins(Bins):
    r"""Bins of equal width between two limits, or over the range that the layer is seen to have.

    $$\text{bin}(t) = \min\left(\lfloor B\, (t - a) / (b - a) \rfloor,\ B - 1\right)$$

    with B = `count` and (a, b) = `limits`, such as (−1, 1) for tanh. Without limits one large activation decides how
    the others are told apart. Raises `InvalidInputError` for limits that do not rise, a count that is not whole or
    below 1, and activations outside the limits. Source: [shwartz2017].

    >>> EqualWidthBins(2).codes([[0.0, 1.0], [10.0, 1000.0]]).tolist()
    [[0, 0], [0, 1]]
    """

    count: int = 30
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_count(self.count)
        if self.limits is not None and not -math.inf < self.limits[0] < self.limits[1] < math.inf:
            raise InvalidInputError(f"`limits` are {self.limits!r}; expected two finite numbers that rise")

    def codes(self, layer: Any) -> Ints:
        """The bins (n, d) of activations (n, d), from 0."""
        t = activations(layer)
        low, high = self.limits or (t.min(), t.max())
        if t.min() < low or t.max() > high:
            raise InvalidInputError(
                f"activations from {t.min():g} to {t.max():g} leave the limits {low:g} to {high:g}; give those of the "
                "units, or none for the range that is seen"
            )
        return np.digitize(t, np.linspace(low, high, self.count + 1)[1:-1]).astype(np.int64)


def _relevance(code: Ints, labels: Ints, level: float) -> Answer:
    """The plug-in information, which is too large on average, with the interval of the corrected one."""
    kinds = ("discrete", "discrete", None)
    joint = read_joint(
        code, labels, None, kinds=kinds, divergence=None, weights=None, missing="raise", seed=0
    )
    value = Contingency().statistic(joint)
    found = interval.answer(Contingency().estimate(joint), method=PlugIn().name, n=len(code), level=level)
    note = f"less Miller and Madow's correction: {found.value:.6g}"
    low, high = min(found.low, value), max(found.high, value)
    return replace(found, value=value, low=low, high=high, notes=(note, *found.notes))
