"""What a variable can tell of another of given law through a code of bounded entropy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError, ShapeError
from kullback.information.coupling import Coupling, entropy_of, greedy_coupling, masses_of, meet

Floats = NDArray[np.float64]

_MOST_ITEMS = 10  # of an exact compression: 115 975 partitions


@dataclass(frozen=True)
class Compression:
    r"""A map of items to fewer codes whose entropy stays within a rate: $H(g(X)) \le R$, in nats.

    `codes` (n,) is the code of each item, `masses` those of the codes, `entropy` theirs: all that a deterministic code
    tells of the item, so $R - H(g(X))$ is what the map leaves unused. Source: [ebrahimi2024].

    >>> entropy_bounded_compression([0.5, 0.25, 0.25], rate=0.7).codes.tolist()
    [0, 1, 1]
    """

    codes: NDArray[np.int64]
    masses: Floats

    @cached_property
    def entropy(self) -> float:
        """The entropy of the codes."""
        return entropy_of(self.masses)


def greedy_compression(p: Any, *, rate: float) -> Compression:
    r"""A code of entropy at most `rate` in nats, made by merging items until it fits.

    $$R - H(g(X)) \le h_b(p_{(2)})$$

    with the second largest mass p₍₂₎ and the binary entropy h_b. As long as the entropy is above the rate, the two
    smallest masses are merged where that is enough, and the two largest otherwise. `p` (n,) holds masses. Raises
    `InvalidInputError` for what are no masses or a negative rate. Source: [ebrahimi2024].

    >>> greedy_compression([0.5, 0.25, 0.25], rate=0.7).codes.tolist()
    [0, 1, 1]
    """
    masses, rate = masses_of("p", p), _rate(rate)
    groups = [[i] for i in range(len(masses))]
    while len(masses) > 1 and entropy_of(masses) > rate + 1e-12:
        order = np.argsort(masses, kind="stable")
        merged = _merged(masses, order[:2])
        pair = order[:2] if entropy_of(merged) <= rate + 1e-12 else order[-2:]
        kept = [k for k in range(len(masses)) if k not in pair]
        groups = [*(groups[k] for k in kept), groups[pair[0]] + groups[pair[1]]]
        masses = _merged(masses, pair)
    codes = np.empty(sum(map(len, groups)), dtype=np.int64)
    for code, group in enumerate(groups):
        codes[group] = code
    return _named(codes, masses_of("p", p))


def entropy_bounded_compression(p: Any, *, rate: float) -> Compression:
    r"""The deterministic code that tells the most of an item within a rate: the largest entropy up to `rate`, in nats.

    $$\max_g H(g(X)) \quad\text{subject to}\quad H(g(X)) \le R$$

    Over all partitions of the items; at most 10 of them (`InvalidInputError`), beyond which `greedy_compression` is
    left. Raises as that one does. Source: [ebrahimi2024].

    >>> round(entropy_bounded_compression([0.4, 0.3, 0.2, 0.1], rate=0.7).entropy, 6)  # {.4, .1} and {.3, .2}: log 2
    0.693147
    """
    masses, rate = masses_of("p", p), _rate(rate)
    if len(masses) > _MOST_ITEMS:
        raise InvalidInputError(
            f"an exact code of {len(masses)} items has too many partitions to try, {_MOST_ITEMS} items at most; use "
            "greedy_compression"
        )
    best, codes = -1.0, np.zeros(len(masses), dtype=np.int64)
    for labels in _partitions(len(masses)):
        found = entropy_of(np.bincount(labels, weights=masses).astype(float))
        if best < found <= rate + 1e-12:
            best, codes = found, np.array(labels)
    return _named(codes, masses)


def through_bottleneck(compression: Compression, p: Any, q: Any) -> Coupling:
    r"""The joint law of an item and an output of given law q that see each other through a code only.

    $$p(x, y) = p(x)\, \gamma(y \mid g(x)), \qquad I(X; Y) = H(g(X)) + H(q) - H(\gamma)$$

    with γ the greedy coupling of the code's masses and q, so that the output has exactly the law q, and the code's rate
    limits what it tells: X − g(X) − Y. `p` (n,) are the masses that were compressed. Raises as `greedy_coupling`, and
    `ShapeError` for another number of items. Source: [ebrahimi2024].

    >>> import math
    >>> code = entropy_bounded_compression([0.25] * 4, rate=math.log(2))
    >>> round(through_bottleneck(code, [0.25] * 4, [0.5, 0.5]).information / math.log(2), 6)  # one bit
    1.0
    """
    items = masses_of("p", p)
    if items.shape != compression.codes.shape:
        raise ShapeError(f"`p` has {len(items)} masses, and {len(compression.codes)} items were compressed")
    inner = greedy_coupling(compression.masses, q).joint
    share = items / compression.masses[compression.codes]
    joint = share[:, None] * inner[compression.codes]
    return Coupling(joint, entropy_of(meet(items, masses_of("q", q))))


def _named(codes: NDArray[np.int64], masses: Floats) -> Compression:
    """Codes in the order of their first items."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    named = rank[inverse].astype(np.int64)
    return Compression(named, np.bincount(named, weights=masses).astype(float))


def _merged(masses: Floats, pair: Any) -> Floats:
    return np.append(np.delete(masses, pair), masses[pair].sum())


def _partitions(n: int) -> Iterator[list[int]]:
    """Every partition of n items once: an item joins a group that is there, or opens the next one."""
    if n == 0:
        yield []
        return
    for labels in _partitions(n - 1):
        for code in range(max(labels, default=-1) + 2):
            yield [*labels, code]


def _rate(rate: float) -> float:
    if not rate >= 0:
        raise InvalidInputError(f"`rate` is {rate!r}; expected nats, at least 0")
    return float(rate)
