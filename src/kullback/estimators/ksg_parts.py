"""What parts of two variables say of each other, which is never more than what the variables do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kullback.estimators import ksg_pass
from kullback.estimators.ksg_joint import scored_pair
from kullback.estimators.normal_scores import scores

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_K = 5  # bias and noise of a pair of columns are small there


def most(places: Places, width: int) -> tuple[float, str]:
    r"""The largest information about each other that a column of x and one of y, or both radii, are seen to have.

    $$I(x; y) \ge I(f(x); g(y))$$

    `places` (n, d) are ranks, the first `width` columns those of x; a radius is the length of a row of normal scores.
    Neighbours of many columns are far away, those of two near: where this is larger than an estimate from all columns,
    that one is too small. Source: [cover2006].
    """
    columns = list(places.T)
    named = [
        (f"column {i} of x and column {j} of y", columns[i], columns[width + j])
        for i in range(width)
        for j in range(len(columns) - width)
    ]
    row = scores(len(places))[places]
    radii = [np.argsort(np.argsort((side**2).sum(axis=1))) for side in (row[:, :width], row[:, width:])]
    named.append(("the distances of x and of y from their centres", radii[0], radii[1]))
    found = [(_value(x, y), name) for name, x, y in named]
    return max(found)


def _value(x: Places, y: Places) -> float:
    """The estimate from the places of two columns."""
    by_x = np.empty_like(x)
    by_x[x] = y
    return ksg_pass.value(scored_pair(by_x), min(_K, len(x) - 1))
