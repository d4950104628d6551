"""What a model of the ratio sees: rows in an order of their own, in units of their spread, each in a fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.problem import TwoSamples, Weights
from kullback.estimators.samples import Sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_ATOMS = 0.5  # share of repeated rows above which they are atoms of the law rather than copies of records


@dataclass(frozen=True)
class Rows:
    """Continuous columns (n, d), codes of the discrete ones, and weights of mean 1, None where all are equal."""

    values: Floats
    codes: Ints | None = None
    classes: int = 0
    weights: Weights = None

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.values)

    @property
    def mass(self) -> Floats:
        """The weights, written out."""
        return np.ones(self.n) if self.weights is None else self.weights

    def take(self, rows: NDArray[Any]) -> Rows:
        """Some of the rows, by their numbers or by a mask."""
        codes = None if self.codes is None else self.codes[rows]
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, values=self.values[rows], codes=codes, weights=weights)

    @property
    def table(self) -> Floats:
        """All that tells one row from another, as numbers."""
        return (
            self.values
            if self.codes is None
            else np.column_stack([self.values, self.codes.astype(np.float64)])
        )


def pair_of(problem: TwoSamples) -> tuple[Rows, Rows]:
    """Both samples, sorted so that the order of the caller's rows changes nothing, in units of their common spread."""
    p, q = _read(problem.x, problem.weights_x), _read(problem.y, problem.weights_y)
    scaled = standardised(np.concatenate([p.values, q.values]))
    p, q = replace(p, values=scaled[: p.n]), replace(q, values=scaled[p.n :])
    return _sorted(p), _sorted(q)


def _read(s: Sample, weights: Weights) -> Rows:
    return Rows(s.values, s.codes, s.classes, None if weights is None else weights / weights.mean())


def _sorted(rows: Rows) -> Rows:
    return rows.take(in_order(np.column_stack([rows.mass, rows.table])))


def in_order(table: Floats) -> Ints:
    """The numbers of the rows, in an order that depends on what is in them alone."""
    return np.lexsort(table.T).astype(np.int64)


def standardised(values: Floats) -> Floats:
    """Columns about their medians in units of a normal's quartiles, or of all values where half of them are equal."""
    if not values.size:
        return values
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, values.std(axis=0))
    return (values - middle) / np.where(spread > 0, spread, 1.0)


def folds_of(p: Rows, q: Rows, folds: int, rng: np.random.Generator) -> tuple[Ints, Ints, tuple[str, ...]]:
    """The fold of every row of both samples, at random and of even sizes; copies of a row share theirs."""
    table = np.concatenate([p.table, q.table])
    distinct, group, count = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    group = np.asarray(group).ravel()
    repeated = float(np.mean(count[group] > 1))
    if not p.values.shape[1] or repeated > _ATOMS:
        told = f"{repeated:.0%} of the rows are repeated and taken for atoms: copies lie in several folds"
        return _even(p.n, folds, rng), _even(q.n, folds, rng), (told,) if p.values.shape[1] else ()
    of_p = np.zeros(len(distinct), dtype=bool)
    of_p[group[: p.n]] = True
    fold = np.empty(len(distinct), dtype=np.int64)
    fold[of_p] = _even(int(of_p.sum()), folds, rng)
    fold[~of_p] = _even(int((~of_p).sum()), folds, rng)
    notes = (
        (f"{repeated:.2%} of the rows are copies of another; each is in its copies' fold",)
        if repeated
        else ()
    )
    return fold[group[: p.n]], fold[group[p.n :]], notes


def _even(n: int, folds: int, rng: np.random.Generator) -> Ints:
    return rng.permutation(n) % folds
