"""Mixtures whose component is observed: the joint law of a label and a point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback._ops import Array
from kullback.answer import Answer
from kullback.divergences import (
    FDivergence,
    Noun,
    jeffreys,
    kl,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
)
from kullback.divergences.combination import Combination
from kullback.divergences.power import Alpha
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact.integrand import reduced
from kullback.exact.law import Composite, Law
from kullback.exact.product import combined

_TOLERANCE = 1e-9  # of the sum of the weights
_HOW = "sum over labels"


@dataclass(frozen=True, eq=False)
class Labelled(Composite):
    r"""The joint law of a label i, drawn with chance $w_i$, and a point, drawn from the i-th of `components`.

    $$KL(w, p \| v, q) = KL(w \| v) + \sum_i w_i\, KL(p_i \| q_i),$$

    and likewise $\int p^a q^{1-a} = \sum_i w_i^a v_i^{1-a} \int p_i^a q_i^{1-a}$: with the label known, what is
    intractable for a mixture follows from its components, which are whatever `between` takes. By the data processing
    inequality the answer is an upper bound for the mixtures themselves. `weights` are k chances that sum to 1.

    Raises `InvalidInputError` for weights that are none, `ShapeError` where their number is not that of the components.

    >>> from scipy import stats
    >>> import kullback as kb
    >>> from kullback.exact import Labelled
    >>> p = Labelled([0.5, 0.5], [stats.norm(0), stats.norm(9)])
    >>> kb.between(kb.kl, p, Labelled([0.5, 0.5], [stats.norm(1), stats.norm(9)])).value
    0.25
    """

    weights: Sequence[float] | np.ndarray
    components: Sequence[Any]

    def __post_init__(self) -> None:
        shares = np.asarray(self.weights, dtype=float)
        if shares.shape != (len(self.components),) or not len(shares):
            raise ShapeError(
                f"{len(self.components)} components and weights of shape {shares.shape}; give one weight each"
            )
        if not (np.all(shares >= 0) and abs(float(shares.sum()) - 1.0) <= _TOLERANCE):
            raise InvalidInputError(
                f"weights are {shares.tolist()}; expected chances >= 0 that sum to 1, which these miss by "
                f"{float(shares.sum()) - 1.0:.3g}"
            )

    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record of it, with components read by `read`."""
        parts = tuple(read(c, f"components[{i}]").unrolled() for i, c in enumerate(self.components))
        if len({part.event for part in parts}) > 1:
            raise ShapeError(
                f"draws of the components have shapes {[part.event for part in parts]}; they must agree"
            )
        return LabelledLaw(
            None, {}, label="labelled", shares=np.array(self.weights, dtype=float), components=parts
        )


@dataclass(frozen=True, eq=False)
class LabelledLaw(Law):
    """The law of rows (label, point ...)."""

    shares: np.ndarray | None = None
    components: tuple[Law, ...] = ()

    @property
    def batch(self) -> tuple[int, ...]:
        """That of the components."""
        return np.broadcast_shapes(*(part.batch for part in self.components))

    @property
    def event(self) -> tuple[int, ...]:
        """A label and the numbers of a point."""
        return (1 + self.components[0].size,)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Those of the components."""
        return tuple(array for part in self.components for array in part.arrays)

    def pick(self, index: tuple[int, ...]) -> Law:
        """The law at that place of a batch."""
        return replace(self, components=tuple(part.pick(index) for part in self.components))

    def at(self, index: tuple[int, ...]) -> Law:
        """The law at that place of a batch, with parameters of NumPy."""
        return replace(self, components=tuple(part.at(index) for part in self.components))

    def everywhere(self, x: np.ndarray, *, ends: bool = True) -> np.ndarray:
        """log w_i + log p_i at rows (i, point ...)."""
        found = np.full(len(x), -np.inf)
        for i, (share, part) in enumerate(zip(self._shares, self.components, strict=True)):
            rows = x[:, 0] == i
            if share and rows.any():
                points = x[rows, 1:].reshape(-1, *part.event)
                found[rows] = np.log(share) + part.everywhere(points, ends=ends)
        return found

    def sample(self, n: int, seed: int) -> np.ndarray:
        """`n` rows, sorted by their labels."""
        counts = np.random.default_rng(seed).multinomial(n, self._shares)
        seeds = np.random.SeedSequence(seed).generate_state(len(counts))
        rows = []
        for i, (count, part) in enumerate(zip(counts, self.components, strict=True)):
            if count:
                points = part.sample(int(count), int(seeds[i])).reshape(count, -1)
                rows.append(np.column_stack([np.full(count, float(i)), points]))
        return np.concatenate(rows)

    @property
    def _shares(self) -> np.ndarray:
        return np.empty(0) if self.shares is None else self.shares


def by_labels(d: Noun, p: Law, q: Law, one: Callable[[Noun, Law, Law], Answer]) -> Answer | None:
    """The divergence of two labelled laws from those of their components; None where it does not follow."""
    if not isinstance(p, LabelledLaw) or not isinstance(q, LabelledLaw):
        return None
    if len(p.components) != len(q.components):
        raise ShapeError(f"`P` has {len(p.components)} labels and `Q` {len(q.components)}; they must agree")
    w, v = p._shares, q._shares
    if isinstance(d, Combination) and d != jeffreys:
        return combined([_labelled(part, p, q, one) for _, part in d.parts], [x for x, _ in d.parts], _HOW)
    if not isinstance(d, FDivergence):
        f, mapped = reduced(d)
        inner = by_labels(f, p, q, one)
        if inner is None or inner.kind == "monte-carlo":
            return None
        ends: Any = {name: mapped(getattr(inner, name)) for name in ("value", "low", "high")}
        return replace(inner, **ends)
    if d == jeffreys:
        return combined([_labelled(kl, p, q, one), _labelled(reverse_kl, p, q, one)], [1.0, 1.0], _HOW)
    known = _powers(d, w, v)
    if known is None:
        return None
    live = [i for i, x in enumerate(known) if x > 0]
    answers = [one(d, p.components[i], q.components[i]) for i in live]
    of_weights = Answer.exact(float(d(w, v)), "the weights")
    return combined([of_weights, *answers], [1.0, *(float(known[i]) for i in live)], _HOW)


def _labelled(d: Noun, p: Law, q: Law, one: Callable[[Noun, Law, Law], Answer]) -> Answer:
    return by_labels(d, p, q, one) or one(d, p, q)


def _powers(d: FDivergence, w: np.ndarray, v: np.ndarray) -> np.ndarray | None:
    """What a divergence of two components counts: w^a v^(1−a), or w itself for any f where the weights are equal."""
    if np.array_equal(w, v):
        return w
    order = {kl: 1.0, reverse_kl: 0.0, squared_hellinger: 0.5, pearson_chi2: 2.0, neyman_chi2: -1.0}.get(d)
    order = d.a if isinstance(d, Alpha) else order
    if order is None:
        return None
    with np.errstate(all="ignore"):
        both = w**order * v ** (1.0 - order)
    # a label that one side never draws is in the divergence of the weights
    return np.where((w > 0) & (v > 0), both, 0.0)
