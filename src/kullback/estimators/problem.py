"""The three questions that samples are asked, read and checked once, in the form in which every method gets them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence, Noun
from kullback.errors import InvalidInputError
from kullback.estimators.samples import Kinds, Missing, Sample, kept_rows, raw, sample_of, samples_of
from kullback.estimators.weighting import read_weights
from kullback.wording import several

Weights = NDArray[np.float64] | None


@dataclass(frozen=True)
class OneSample:
    """Rows of x, whose entropy is asked."""

    x: Sample
    weights: Weights = None
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.x.n

    @cached_property
    def rng(self) -> np.random.Generator:
        """Draws for this problem alone."""
        return np.random.default_rng(self.seed)

    def take(self, rows: NDArray[Any]) -> OneSample:
        """The same question about some of the rows."""
        return replace(self, x=self.x.take(rows), weights=_rows(self.weights, rows))


@dataclass(frozen=True)
class JointSample:
    """Rows of (x, y), and of z where `given` is one: how much x tells of y, measured by a divergence.

    The number is D(joint ‖ product of the margins), for KL the mutual information; with `given` it is the average of
    the same within z.
    """

    x: Sample
    y: Sample
    given: Sample | None = None
    divergence: FDivergence | None = None  # None stands for KL
    weights: Weights = None
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.x.n

    @cached_property
    def rng(self) -> np.random.Generator:
        """Draws for this problem alone."""
        return np.random.default_rng(self.seed)

    @property
    def continuous(self) -> bool:
        """Whether no variable has a discrete column."""
        return all(s.continuous for s in self.variables)

    @property
    def discrete(self) -> bool:
        """Whether every variable is discrete throughout."""
        return all(s.discrete for s in self.variables)

    @property
    def variables(self) -> tuple[Sample, ...]:
        """x, y and, where there is one, the condition."""
        return (self.x, self.y) if self.given is None else (self.x, self.y, self.given)

    def take(self, rows: NDArray[Any]) -> JointSample:
        """The same question about some of the rows."""
        given = None if self.given is None else self.given.take(rows)
        x, y = self.x.take(rows), self.y.take(rows)
        return replace(self, x=x, y=y, given=given, weights=_rows(self.weights, rows))


@dataclass(frozen=True)
class TwoSamples:
    """Rows of p and rows of q over the same columns: how far apart are their laws?"""

    noun: Noun
    x: Sample
    y: Sample
    weights_x: Weights = None
    weights_y: Weights = None
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of rows of both samples."""
        return self.x.n + self.y.n

    @cached_property
    def rng(self) -> np.random.Generator:
        """Draws for this problem alone."""
        return np.random.default_rng(self.seed)

    @property
    def weighted(self) -> bool:
        """Whether the rows of either sample differ in weight."""
        return self.weights_x is not None or self.weights_y is not None

    def take(self, rows_x: NDArray[Any], rows_y: NDArray[Any]) -> TwoSamples:
        """The same question about some of the rows of each."""
        return replace(
            self,
            x=self.x.take(rows_x),
            y=self.y.take(rows_y),
            weights_x=_rows(self.weights_x, rows_x),
            weights_y=_rows(self.weights_y, rows_y),
        )


Problem = OneSample | JointSample | TwoSamples


def read_one(x: Any, *, kind: Kinds, weights: Any, missing: Missing, seed: int) -> OneSample:
    """One sample as a caller gives it."""
    r = raw("x", x, kind)
    keep, notes = kept_rows([r], missing)
    keep, w, notes = _weighted("weights", weights, keep, notes)
    sample = sample_of(r, keep)
    return OneSample(sample, w, seed, (*notes, *_too_far(sample)))


def read_joint(
    x: Any,
    y: Any,
    given: Any,
    *,
    kinds: tuple[Kinds, Kinds, Kinds],
    divergence: FDivergence | None,
    weights: Any,
    missing: Missing,
    seed: int,
) -> JointSample:
    """One sample of pairs or triples as a caller gives it."""
    named = [("x", x), ("y", y)] if given is None else [("x", x), ("y", y), ("given", given)]
    raws = [raw(name, data, kind) for (name, data), kind in zip(named, kinds, strict=False)]
    keep, notes = kept_rows(raws, missing)
    keep, w, notes = _weighted("weights", weights, keep, notes)
    read = [sample_of(r, keep) for r in raws]
    notes = (*notes, *(note for s in read for note in _too_far(s)))
    z = read[2] if len(read) == 3 else None
    return JointSample(read[0], read[1], z, divergence, w, seed, notes)


def read_two(
    noun: Noun,
    x: Any,
    y: Any,
    *,
    kind: Kinds,
    weights_x: Any,
    weights_y: Any,
    missing: Missing,
    seed: int,
) -> TwoSamples:
    """Two samples as a caller gives them."""
    raws = [raw("x", x, kind), raw("y", y, kind)]
    keep_x, notes_x = kept_rows(raws[:1], missing)
    keep_y, notes_y = kept_rows(raws[1:], missing)
    keep_x, w_x, notes_x = _weighted("weights_x", weights_x, keep_x, notes_x)
    keep_y, w_y, notes_y = _weighted("weights_y", weights_y, keep_y, notes_y)
    p, q = samples_of(raws, [keep_x, keep_y])
    return TwoSamples(noun, p, q, w_x, w_y, seed, (*notes_x, *notes_y, *_too_far(p), *_too_far(q)))


def _rows(weights: Weights, rows: NDArray[Any]) -> Weights:
    return None if weights is None else weights[rows]


def _weighted(
    name: str, data: Any, keep: NDArray[np.bool_], notes: tuple[str, ...]
) -> tuple[NDArray[np.bool_], Weights, tuple[str, ...]]:
    """Rows of weight 0 are dropped; what is left is read again, because it may be equal now."""
    weights = read_weights(name, data, len(keep))
    if weights is None:
        return keep, None, notes
    empty = keep & (weights == 0)
    keep = keep & (weights > 0)
    if not keep.any():
        raise InvalidInputError(f"`{name}` is 0 in every row without missing values: no row is left")
    if empty.any():
        notes = (*notes, f"{several(int(empty.sum()), 'row')} of weight 0 left out")
    return keep, read_weights(name, weights[keep], int(keep.sum())), notes


def _too_far(s: Sample) -> tuple[str, ...]:
    """A note where the values are so far from 0 that float64 rounds them to steps one can see."""
    if not s.dimension or s.shift is None:
        return ()
    step = np.spacing(np.abs(s.shift)) / s.scale
    spread = np.ptp(s.values, axis=0)
    coarse = np.flatnonzero((spread > 0) & (step > 1e-3 * spread))
    if not coarse.size:
        return ()
    where = f"column {int(coarse[0])} of `{s.name}`"
    return (
        f"{where} is so far from 0 that float64 rounds it by over 1/1000 of its spread: store it less a constant",
    )
