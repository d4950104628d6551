"""What happens to data on the way to an estimator, and what an answer may then still depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from problems.samples_problem import Rows


@dataclass(frozen=True)
class Spoiler:
    """A change of one sample. Where `harmless`, no answer about information or an f-divergence may move."""

    name: str
    change: Callable[[Rows], Rows]
    harmless: bool = False


def _rounded(x: Rows) -> Rows:
    return np.round(x, 1)


def _tied(x: Rows) -> Rows:
    """Every row twice."""
    return np.concatenate([x[: len(x) // 2]] * 2)


def _heavy(x: Rows) -> Rows:
    return np.sinh(3 * x)


def _atomic(x: Rows) -> Rows:
    return np.maximum(x, 0.0)


def _far(x: Rows) -> Rows:
    """A shift so large that float64 keeps three digits of the values."""
    return x + 1e12


def _constant_column(x: Rows) -> Rows:
    return np.column_stack([x, np.full(len(x), 3.0)])


def _repeated_column(x: Rows) -> Rows:
    return np.column_stack([x, x[:, 0]])


def _missing(x: Rows) -> Rows:
    gone = x.copy()
    gone[::7] = np.nan
    return gone


# Steps that float64 represents exactly: what is left of a shift is nothing.
HARMLESS = (
    Spoiler("moved", lambda x: x + 1e6, True),
    Spoiler("tiny", lambda x: x * 1e-100, True),
    Spoiler("huge", lambda x: x * 1e100, True),
    Spoiler("mirrored", lambda x: -x, True),
    Spoiler("constant column", _constant_column, True),
)
HARMFUL = (
    Spoiler("rounded", _rounded),
    Spoiler("tied", _tied),
    Spoiler("heavy", _heavy),
    Spoiler("atomic", _atomic),
    Spoiler("far", _far),
    Spoiler("constant", np.ones_like),
    Spoiler("repeated column", _repeated_column),
)
MISSING = Spoiler("missing", _missing)
SPOILERS = (*HARMLESS, *HARMFUL)
