"""Independent products: divergences of the whole from those of its parts, whichever way these were found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback.answer import Answer
from kullback.divergences import (
    Noun,
    bhattacharyya,
    jeffreys,
    kl,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
)
from kullback.divergences.combination import Combination
from kullback.divergences.power import Alpha
from kullback.divergences.renyi import Renyi
from kullback.errors import InvalidInputError
from kullback.exact.law import Composite, Law

WEAKEST = ("exact", "enumeration", "quadrature", "bounds", "monte-carlo")
_ADDITIVE = (kl, reverse_kl, jeffreys, bhattacharyya)


@dataclass(frozen=True, init=False)
class Product(Composite):
    r"""The joint law of independent draws, one of each of `laws`, in this order.

    $$p(x_1, \ldots, x_k) = \prod_i p_i(x_i)$$

    `laws` are whatever `between` takes. A draw of vectors fills as many coordinates as it has numbers; batches
    broadcast. Raises `InvalidInputError` without any law, `UnsupportedPairError` for what is not one.

    >>> from scipy import stats
    >>> import kullback as kb
    >>> from kullback.exact import Product
    >>> kb.between(kb.kl, Product(stats.norm(1), stats.expon()), Product(stats.norm(0), stats.expon())).value
    0.5
    """

    laws: tuple[Any, ...]

    def __init__(self, *laws: Any) -> None:
        if not laws:
            raise InvalidInputError("Product needs at least one law, got none; write Product(first, second)")
        object.__setattr__(self, "laws", laws)

    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record of it, with laws read by `read`; parts that are products themselves are laid side by side."""
        read_laws = [read(law, f"laws[{i}]").unrolled() for i, law in enumerate(self.laws)]
        parts = tuple(x for law in read_laws for x in (law.parts or (law,)))
        return Law(None, {}, label=f"product of {', '.join(part.name for part in parts)}", parts=parts)


def by_parts(d: Noun, p: Law, q: Law, one: Callable[[Noun, Law, Law], Answer]) -> Answer | None:
    """The divergence of two products from those of their parts, each found by `one`; None where it does not follow.

    KL and Rényi divergences add. Functions of the integral of a power multiply, unless a part was sampled: then the
    whole is better sampled at once.
    """
    if not p.parts or [x.event for x in p.parts] != [x.event for x in q.parts]:
        return None
    if isinstance(d, Combination) and d != jeffreys:
        return combined(
            [one(part, p, q) for _, part in d.parts], [w for w, _ in d.parts], "sum of divergences"
        )
    growth = growth_of(d)
    if growth is None and d not in _ADDITIVE and not isinstance(d, Renyi):
        return None
    answers = [one(d, x, y) for x, y in zip(p.parts, q.parts, strict=True)]
    if growth is None:
        return combined(answers, [1.0] * len(answers), "sum over independent parts")
    if any(a.kind == "monte-carlo" for a in answers):
        return None
    return _multiplied(answers, growth)


def growth_of(d: Noun) -> float | None:
    r"""c where $1 + c D = \int p^a q^{1-a}$ for some a, which multiplies over independent parts; None elsewhere."""
    if isinstance(d, Alpha):
        return -d.a * d.rest
    return {squared_hellinger: -0.5, pearson_chi2: 1.0, neyman_chi2: 1.0}.get(d)


def combined(answers: list[Answer], weights: list[float], how: str) -> Answer:
    """The weighted sum, with the sum of the intervals, which holds however the errors hang together."""
    ends: Any = {
        name: math.fsum(w * getattr(a, name) for w, a in zip(weights, answers, strict=True) if w)
        for name in ("value", "low", "high")
    }
    return replace(_weakest(answers, how), **ends)


def _multiplied(answers: list[Answer], growth: float) -> Answer:
    """1 + c D of the whole is the product of those of the parts, formed so that nothing cancels near equality."""
    ends: Any = {}
    with np.errstate(all="ignore"):
        for name in ("value", "low", "high"):
            # the end of an interval may pass the largest value that the divergence has
            logs = [np.log1p(max(growth * getattr(a, name), -1.0)) for a in answers]
            ends[name] = float(np.expm1(np.sum(logs)) / growth)
    return replace(_weakest(answers, "product over independent parts"), **ends)


def _weakest(answers: list[Answer], how: str) -> Answer:
    worst = max(answers, key=lambda a: WEAKEST.index(a.kind))
    methods = dict.fromkeys(a.method for a in answers if a.kind == worst.kind)
    return replace(
        worst,
        level=min(a.level for a in answers),
        method=f"{how}; {'; '.join(methods)}",
        notes=tuple(dict.fromkeys(note for a in answers for note in a.notes)),
    )
