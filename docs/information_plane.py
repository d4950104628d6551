"""The figure of the how-to page on information planes: what three codings say of a unit whose weight grows.

`python docs/information_plane.py` prints the numbers behind it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

import chart
from kullback.information import DistinctBins, EqualWidthBins, GaussianNoise, PlanePoint, information_plane

WEIGHTS = range(-3, 7)  # powers of two
CODINGS = {
    "30 bins of equal width": EqualWidthBins(30, (-1.0, 1.0)),
    "30 bins of distinct values": DistinctBins(30),
    "noise of width 0.05": GaussianNoise(0.05),
}


@cache
def points() -> dict[str, tuple[PlanePoint, ...]]:
    """Of tanh(w x) for normal x, by coding."""
    x = np.random.default_rng(0).normal(size=1000)
    layers = [np.tanh(2.0**power * x) for power in WEIGHTS]
    return {name: information_plane(layers, x > 0, coding=coding) for name, coding in CODINGS.items()}


def growing() -> str:
    """I(X;T) against the weight; a band between the bounds of noise."""
    series = [
        chart.Series(
            name, tuple(_place(w, p) for w, p in zip(WEIGHTS, found, strict=True)), band="noise" in name
        )
        for name, found in points().items()
    ]
    return chart.lines(
        series,
        at=[w - WEIGHTS[0] for w in WEIGHTS],
        levels=range(7),
        caption="how often the weight was doubled",
        label="I(X;T) in bits",
    )


def _place(power: int, point: PlanePoint) -> chart.Point:
    told = point.complexity.bits
    return chart.Point(power - WEIGHTS[0], told.value, told.low, told.high)


FIGURES = {"information of a unit that grows": growing}

if __name__ == "__main__":
    for name, found in points().items():
        print(name, [round(p.complexity.bits.value, 2) for p in found])  # noqa: T201
