"""The information plane: what each layer of a network tells of the input, and what of the label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.information.coding import Coding, PlanePoint, labels_of


def information_plane(
    layers: Iterable[Any], y: Any, *, coding: Coding, level: float = 0.95
) -> tuple[PlanePoint, ...]:
    r"""What each layer T tells of the input X and of the label Y, in nats: one point a layer.

    $$\left(I(X;T),\ I(T;Y)\right), \qquad I(X;T) = H(T) \text{ in bins}, \qquad 0 \le I(T;Y) \le \min(H(Y), I(X;T))$$

    `layers` are activations (n, d) or (n,), of NumPy or torch, row i that of input i; `y` (n,) are class labels. The
    `coding` makes the informations finite. In `DistinctBins` or `EqualWidthBins` a layer is a function of the input,
    both numbers are plug-in estimates, and a note says when nearly all rows have codes of their own: I(X;T) is log n
    then and tells nothing of the layer; the interval of I(T;Y) is that of `kullback.estimators.Contingency`, stretched
    to the plug-in value. With `GaussianNoise` or `RelativeNoise` they are certified bounds of what the noisy layer
    tells, and the value is their middle.

    What one layer's codes tell may exceed what those of the layer before it do: data processing holds for layers that
    are computed from the codes of the one before. Neither bins nor noise are part of the network, and where they are
    put decides whether a network compresses [saxe2018].

    Raises `ShapeError`, `DTypeError` or `InvalidInputError` for layers and labels of other shapes, and activations that
    are not finite. Source: [shwartz2017], [chelombiev2019].

    >>> from kullback.information import DistinctBins
    >>> (point,) = information_plane([[[-1.0], [-1.0], [1.0], [2.0]]], [0, 0, 1, 1], coding=DistinctBins(3))
    >>> round(point.complexity.bits.value, 6), round(point.relevance.bits.value, 6)
    (1.5, 1.0)
    """
    labels, points = labels_of(y), []
    for i, layer in enumerate(layers):
        try:
            points.append(coding.point(layer, labels, level=level))
        except (ShapeError, DTypeError, InvalidInputError) as error:
            raise type(error)(f"layer {i}: {error}") from error
    return tuple(points)
