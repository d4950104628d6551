"""How likely chance tells as much of two columns of numbers: one null for all pairs, as long as a wide table needs."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from kullback.estimators import permutation
from kullback.estimators.ksg_null import null_values

ALPHA = 0.05  # the q-value that a pair alone among independent ones is to reach
_WORK = 10_000_000  # draws times rows at most, some ten seconds
_ENOUGH = 10  # draws as large, which place a p-value well enough
_GROWTH = 10


def enough_draws(pairs: int) -> int:
    r"""How many draws let a pair alone among so many reach $q = 0.05$ by Benjamini and Hochberg.

    >>> enough_draws(1000)
    20000
    """
    return math.ceil(pairs / ALPHA)


def most_draws(n: int, least: int, pairs: int) -> int:
    """The draws for pairs of n rows: what so many pairs need where that is affordable, and never fewer than asked for.

    >>> most_draws(200, 199, 5), most_draws(200, 199, 1000), most_draws(200, 199, 100_000)
    (199, 20000, 50000)
    """
    return max(least, min(enough_draws(pairs), _WORK // n))


def p_value(statistic: float, n: int, k: int, *, least: int, most: int, seed: int) -> float:
    r"""The p-value of independence of a KSG estimate: of `least` draws, or of more where fewer than ten are as large.

    The draws grow tenfold up to `most`. Stopping at ten is no cheating: a test at level α rejects a true null with
    probability at most α, because whoever stops early at N draws has $p \ge 11 / (1 + N)$, and who does not has the
    p-value of all draws. Source: [besag1991], [phipson2010].

    >>> p_value(5.0, 30, 3, least=9, most=999, seed=0), p_value(-5.0, 30, 3, least=9, most=999, seed=0)
    (0.001, 1.0)
    """
    exceeding = done = part = 0
    while done < most and exceeding < _ENOUGH:
        total = min(most, _GROWTH * done) if done else least
        null = _part(n, k, total - done, seed, part)
        exceeding += len(null) - int(np.searchsorted(null, permutation.threshold(statistic)))
        done, part = total, part + 1
    return (1 + exceeding) / (1 + done)


@lru_cache(maxsize=512)
def _part(n: int, k: int, draws: int, seed: int, part: int) -> np.ndarray:
    """A part of the null, ascending; the first is that of `null_values`, the others have draws of their own."""
    own = int(np.random.SeedSequence([seed, part]).generate_state(1)[0]) if part else seed
    return null_values(n, k, draws=draws, seed=own)
