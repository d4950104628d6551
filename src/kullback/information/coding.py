"""What an information plane reads, and what makes the information of a layer finite."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback._ops import ops
from kullback.answer import Answer
from kullback.errors import DTypeError, InvalidInputError, ShapeError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PlanePoint(NamedTuple):
    r"""A layer's place in the information plane: what it tells of the input, and what of the label, in nats.

    $$\text{complexity} = I(X;T), \qquad \text{relevance} = I(T;Y)$$

    Source: [tishby1999].

    >>> from kullback.information import DistinctBins, information_plane
    >>> (point,) = information_plane([[0.0, 0.0, 1.0, 1.0]], [0, 0, 0, 0], coding=DistinctBins(2))
    >>> round(point.complexity.bits.value, 6), point.relevance.value
    (1.0, 0.0)
    """

    complexity: Answer
    relevance: Answer


class Coding(ABC):
    """What makes the information of a layer finite: bins, or noise."""

    @abstractmethod
    def point(self, layer: Any, y: Any, *, level: float = 0.95) -> PlanePoint:
        """The layer's place in the plane; `information_plane` says what is read and raised."""


def activations(layer: Any) -> Floats:
    """Finite numbers (n, d), in double precision and without gradients."""
    xp = ops(layer)
    array = xp.asarray(layer)
    if xp.kind(array) not in ("float", "integer", "bool"):
        raise DTypeError(f"activations have dtype {xp.dtype_name(array)}; expected real numbers")
    t = np.asarray(xp.to_numpy(array), dtype=float)
    t = t[:, None] if t.ndim == 1 else t
    if t.ndim != 2 or 0 in t.shape:
        raise ShapeError(
            f"activations have shape {t.shape}; expected (n, d), a row for each input; flatten what has more axes"
        )
    if not np.isfinite(t).all():
        raise InvalidInputError(
            f"{int(np.sum(~np.isfinite(t)))} activations are not finite; look for the layer where that begins"
        )
    return t


def labels_of(y: Any) -> Ints:
    """Numbers 0, 1, ... of the classes."""
    xp = ops(y)
    labels = np.asarray(xp.to_numpy(xp.asarray(y)))
    if labels.ndim != 1 or len(labels) == 0:
        raise ShapeError(f"`y` has shape {labels.shape}; expected (n,), one class label for each input")
    if labels.dtype.kind not in "iubU":
        raise DTypeError(
            f"`y` has dtype {labels.dtype}; expected class labels, whole numbers or text; cut a continuous target "
            "into classes first"
        )
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def check_lengths(t: Floats, labels: Ints) -> None:
    """Refuses rows and labels of different number."""
    if len(t) != len(labels):
        raise ShapeError(f"{len(t)} rows of activations and {len(labels)} labels; expected one label each")


def check_count(count: int) -> None:
    """Refuses what does not count bins."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidInputError(f"`count` is {count!r}; expected a whole number of bins, at least 1")


def check_positive(name: str, x: float) -> None:
    """Refuses what is no finite number above 0."""
    if not 0 < x < math.inf:
        raise InvalidInputError(f"`{name}` is {x!r}; expected a finite number above 0")
