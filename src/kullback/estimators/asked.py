"""What every verb is asked for beside the rows: a level, a seed, permutations; refused before any row is read."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from kullback.errors import InvalidInputError


def check(*, level: Any, seed: Any, permutations: Any = 0) -> None:
    """Raises `InvalidInputError` for what is not a level in (0, 1), a seed or a number of permutations.

    >>> check(level=0.95, seed=0, permutations=199)
    """
    check_level(level)
    check_whole("seed", seed)
    check_whole("permutations", permutations)


def check_level(level: Any) -> None:
    """Raises `InvalidInputError` unless it lies between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0.0 < float(level) < 1.0:
        raise InvalidInputError(
            f"level must lie between 0 and 1, got {level!r}; 0.95 gives the usual interval"
        )


def check_whole(name: str, value: Any, least: int = 0) -> None:
    """Raises `InvalidInputError` unless it is a whole number of at least `least`; True is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InvalidInputError(f"{name} must be a whole number of at least {least}, got {value!r}")
