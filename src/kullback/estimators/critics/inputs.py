"""What a critic is fed: standardised columns and classes as unit vectors, in folds of rows it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.errors import InvalidInputError
from kullback.estimators.samples import Sample

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
CLASSES = 64  # unit vectors beyond this many classes are mostly columns that one row has
_FEWEST = 10  # rows of a fold, of the rows watched and of those trained on


@dataclass(frozen=True)
class Split:
    """Rows to train on, rows that say when to stop, and rows that are judged by what came of it."""

    train: Rows
    watch: Rows
    test: Rows


def refusal(*samples: Sample) -> str:
    """Why the columns cannot be fed to a network; empty where they can."""
    for s in samples:
        if s.classes > CLASSES:
            return (
                f"`{s.name}` has {s.classes} classes, a critic takes {CLASSES} at most; count classes instead"
            )
    return ""


def splits(order: Rows, folds: int, watched: float, rng: np.random.Generator) -> list[Split]:
    """One split a fold; the draw is of places in `order`, so that the rows of a table may come in any order."""
    parts = np.array_split(order[rng.permutation(len(order))], folds)
    found = []
    for k, test in enumerate(parts):
        others = np.concatenate([part for j, part in enumerate(parts) if j != k])
        held = max(_FEWEST, round(watched * len(others)))
        found.append(Split(others[held:], others[:held], test))
    least = min(min(len(s.train), len(s.test)) for s in found)
    if least < _FEWEST:
        need = max(_FEWEST * folds, -(-2 * _FEWEST * folds // (folds - 1)))
        raise InvalidInputError(
            f"need > {need} rows to train, stop and judge critics in {folds} folds, got {len(order)}"
        )
    return found


def sorted_rows(*samples: Sample) -> Rows:
    """The rows in an order that is the data's own, whatever order they came in."""
    keys = [s.codes for s in samples if s.codes is not None]
    columns = [*keys, *(column for s in samples for column in s.values.T)]
    return np.lexsort(columns).astype(np.int64)


def repeated(*samples: Sample) -> int:
    """How many rows of continuous columns are the copy of another row; classes alone repeat without meaning it."""
    if not any(s.dimension for s in samples):
        return 0
    order = sorted_rows(*samples)
    same = np.ones(len(order) - 1, dtype=bool)
    for s in samples:
        same &= np.all(s.values[order[1:]] == s.values[order[:-1]], axis=1)
        if s.codes is not None:
            same &= s.codes[order[1:]] == s.codes[order[:-1]]
    return int(same.sum())


def constant(s: Sample) -> bool:
    """Whether every row is the same."""
    still = not s.dimension or not np.ptp(s.values, axis=0).any()
    return still and (s.codes is None or not np.ptp(s.codes))


def features(s: Sample, train: Rows, *, normal_scores: bool, others: Sample | None = None) -> Floats:
    """The columns as a critic takes them, (n, k): a map that only the rows `train` decide, for all rows.

    `others` are rows of a second sample over the same columns that decide too, all of them given.
    """
    known = s.values[train] if others is None else np.concatenate([s.values[train], others.values])
    moving = np.ptp(known, axis=0) > 0
    columns = [_one(s.values[:, j], known[:, j], normal_scores) for j in np.flatnonzero(moving)]
    if s.codes is not None:
        columns.append(np.eye(s.classes)[s.codes])
    return np.column_stack(columns) if columns else np.zeros((s.n, 1))


def _one(column: Floats, known: Floats, normal_scores: bool) -> Floats:
    if not normal_scores:
        return (column - known.mean()) / known.std()
    levels, counts = np.unique(known, return_counts=True)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(known)
    return np.interp(column, levels, ndtri(middle))


def partners(n: int, count: int, rng: np.random.Generator) -> Rows:
    """For each of n rows `count` other rows, (n, count): derangements, and each row is as often a partner."""
    count = min(count, n - 1)
    steps = 1 + rng.choice(n - 1, size=count, replace=False)
    places = rng.permutation(n)
    found = np.empty((n, count), dtype=np.int64)
    found[places] = places[(np.arange(n)[:, None] + steps) % n]
    return found
