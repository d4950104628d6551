"""The law of the KSG estimate of two columns that are independent: one table a size and k, whatever the data."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError
from kullback.estimators import ksg_pass, permutation
from kullback.estimators.ksg_joint import scored_pair

Floats = NDArray[np.float64]


@lru_cache(maxsize=64)
def null_values(n: int, k: int, *, draws: int = 999, seed: int = 0) -> Floats:
    r"""Estimates at k of `draws` samples of n independent rows, ascending: those of `KSG(k)` with normal scores.

    Ranks of independent columns are paired by a uniform permutation $\pi$, so that the law of
    $\hat I_k\big((s_i, s_{\pi(i)})_i\big)$, with the normal scores $s$, needs no data. Costs one estimate a draw, once:
    it is kept in memory. Raises `InvalidInputError` where n ≤ k.

    >>> null_values(2, 1, draws=3).tolist()  # two rows: ψ(1) + ψ(2) − 2 ψ(1) = 1
    [1.0, 1.0, 1.0]
    """
    if n <= k or k < 1 or draws < 1:
        raise InvalidInputError(f"needs 1 <= k < n and draws >= 1, got k={k!r}, n={n!r}, draws={draws!r}")
    rng = np.random.default_rng([seed, n, k])
    found = np.sort([ksg_pass.value(scored_pair(rng.permutation(n)), k) for _ in range(draws)])
    found.setflags(write=False)  # the cache hands out this very array
    return found


def p_from_null(statistic: float, n: int, k: int, *, draws: int = 999, seed: int = 0) -> float:
    """The p-value of independence of an estimate of two columns: (1 + draws at least as large) / (1 + draws), never 0.

    `statistic` is `KSG(k=k).statistic`, with `k_to_test(n)` for the k of most use. Source: [phipson2010].

    >>> p_from_null(5.0, 2, 1, draws=3)
    0.25
    """
    null = iter(null_values(n, k, draws=draws, seed=seed).tolist())
    return permutation.p_value(statistic, null.__next__, draws)
