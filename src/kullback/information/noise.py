"""Layers with normal noise, whose information has bounds from the divergences of all pairs of rows."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from kullback._ops import ops
from kullback.answer import Answer
from kullback.divergences import Noun, bhattacharyya, kl
from kullback.exact import between
from kullback.information.coding import (
    Coding,
    Floats,
    Ints,
    PlanePoint,
    activations,
    check_lengths,
    check_positive,
    labels_of,
)

_PAIRS = 2**22  # of rows that are compared at once


class Noise(Coding):
    """A coding that adds normal noise of one width to every unit; bounds of both informations, not estimates."""

    @abstractmethod
    def width(self, layer: Any) -> float:
        """The standard deviation of the noise, in the unit of the activations."""

    def point(self, layer: Any, y: Any, *, level: float = 0.95) -> PlanePoint:  # noqa: ARG002
        """Bounds from the divergences of all pairs of rows, which hold surely at any `level`."""
        t, labels = activations(layer), labels_of(y)
        check_lengths(t, labels)
        t = t / self.width(t)
        low, low_within = _from_pairs(bhattacharyya, t, labels)
        high, high_within = _from_pairs(kl, t, labels)
        most = float(kl.entropy(np.bincount(labels) / len(labels)))
        told = max(low - high_within, 0.0), min(high - low_within, most)
        return PlanePoint(_bounded(low, high, len(t)), _bounded(*told, len(t)))


@dataclass(frozen=True)
class GaussianNoise(Noise):
    r"""Normal noise of a fixed width s on every unit, $T' = T + N(0, s^2 I)$.

    $$-\frac1n \sum_i \log \frac1n \sum_j e^{-B_{ij}} \le I(X;T') \le -\frac1n \sum_i \log \frac1n \sum_j e^{-KL_{ij}}$$

    from Bhattacharyya's distance and the divergence of the noisy codes of two rows, and
    $I(T';Y) = I(X;T') - I(X;T'|Y)$ from the bounds of both, within 0 and H(Y). They hold for inputs of equal mass that
    are these n rows; n² pairs. `scale` is in the unit of the activations. Raises `InvalidInputError` unless it is
    positive. Source: [kolchinsky2017], [saxe2018].

    >>> point = GaussianNoise(1.0).point([0.0, 0.0, 1000.0, 1000.0], [0, 1, 0, 1])
    >>> round(point.complexity.low, 6), round(point.complexity.high, 6)  # which of two places
    (0.693147, 0.693147)
    """

    scale: float

    def __post_init__(self) -> None:
        check_positive("scale", self.scale)

    def width(self, layer: Any) -> float:  # noqa: ARG002
        """The scale, whatever the layer."""
        return self.scale


@dataclass(frozen=True)
class RelativeNoise(Noise):
    r"""Normal noise whose width is a `share` of the layer's largest activation, $s = \text{share} \cdot \max |T|$.

    The informations do not change with the unit of a layer. Bounds and errors are those of `GaussianNoise`.
    Source: [chelombiev2019].

    >>> RelativeNoise(0.25).width([[0.0, 1.0], [2.0, -8.0]])
    2.0
    """

    share: float

    def __post_init__(self) -> None:
        check_positive("share", self.share)

    def width(self, layer: Any) -> float:
        """The share of the largest activation."""
        # a layer of zeros has no unit, and noise of any width leaves it telling nothing
        return self.share * (float(np.abs(activations(layer)).max()) or 1.0)


def _from_pairs(d: Noun, t: Floats, labels: Ints) -> tuple[float, float]:
    """A bound of I(X;T) and one of I(X;T|Y) for noise of width 1.

    Noise that is the same in all directions makes a pair differ along the line through its means only.
    """
    xp, sizes, told, within = ops(t), np.bincount(labels), 0.0, 0.0
    step = max(1, _PAIRS // len(t))
    for start in range(0, len(t), step):
        rows = slice(start, start + step)
        apart = stats.norm(cdist(t[rows], t), 1.0)
        costs: Floats = np.asarray(between(d, stats.norm(0.0, 1.0), apart, kind="exact").value, dtype=float)
        same = np.where(labels[rows, None] == labels, -costs, -np.inf)
        told += float(np.sum(math.log(len(t)) - xp.logsumexp(-costs)))
        within += float(np.sum(np.log(sizes[labels[rows]]) - xp.logsumexp(same)[:, 0]))
    return told / len(t), within / len(t)


def _bounded(low: float, high: float, n: int) -> Answer:
    low, high = sorted((low, high))  # where both are sharp, rounding could let them cross
    method = "low: Bhattacharyya's distances of pairs; high: Kullback–Leibler divergences of pairs"
    note = "the value is the middle of certified bounds"
    return Answer(0.5 * (low + high), low, high, kind="bounds", method=method, n=n, notes=(note,))
