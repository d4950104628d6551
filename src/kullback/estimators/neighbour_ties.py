"""Equal rows among neighbours: distances of zero, which have no logarithm, and what may still be said."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kullback.errors import TieWarning
from kullback.estimators.samples import Sample

Floats = NDArray[np.float64]
_RARE = 0.01  # the share of tied rows from which on the interval is not vouched for
_SPIKE = 0.05  # and the share of one value in a column


def atomic(distances: Floats) -> bool:
    """Whether some row equals all its neighbours in (n, k): the law has an atom there, and no density."""
    return bool((distances[:, -1] == 0).any())


def log_distances(distances: Floats, dimension: int) -> Floats:
    r"""The logarithms of ascending distances (n, k), where a zero is given what the first positive one says of it.

    The masses of balls about a point, up to the l-th neighbour, are uniform order statistics of the l-th mass, hence
    $E \log(e_k / e_l) = (\psi(k) - \psi(l)) / d$: a distance that rounding ate is a censored one.

    >>> log_distances(np.array([[0.0, 1.0]]), 1).tolist()
    [[-1.0, 0.0]]
    """
    tied = np.flatnonzero(distances[:, 0] == 0)
    if not tied.size:
        return np.log(distances)
    some = distances[tied]
    first = (some == 0).sum(axis=1)[:, None]
    order = digamma(np.arange(1.0, distances.shape[1] + 1))
    safe = distances.copy()
    safe[tied] = np.maximum(some, np.take_along_axis(some, first, axis=1))
    logs = np.log(safe)
    logs[tied] += np.where(some == 0, order - order[first], 0.0) / dimension
    return logs


def spike(s: Sample) -> str:
    """Why there is no interval where one value fills a column: the rows pile up on a plane, with no density there."""
    run = max(2, int(_SPIKE * s.n))
    ordered = np.sort(s.values, axis=0)
    piled = np.flatnonzero((ordered[run:] == ordered[:-run]).any(axis=0))
    if not piled.size:
        return ""
    return (
        f"column {int(piled[0])} of `{s.name}` takes one value in over {run / s.n:.0%} of the rows, where a density "
        "does so nowhere; declare it kind='discrete', or split the rows by it"
    )


def verdict(share: float) -> tuple[str, tuple[str, ...]]:
    """Why there is no interval, if so, and what the notes say, given the share of rows that equal another."""
    if share == 0:
        return "", ()
    told = f"{share:.2%} of the rows equal another row"
    if share <= _RARE:
        return "", (f"{told}; their zero distances are taken as rounding",)
    warnings.warn(
        f"{told}: neighbour estimates assume none; declare columns with repeated values kind='discrete', "
        "or compare the values before they were rounded",
        TieWarning,
        stacklevel=2,
    )
    return f"{told}, where a density has none", ()
