"""A method with the reason for it: the first of some candidates that serves the problem."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kullback.errors import UnsupportedPairError
from kullback.estimators.method import Method

M = TypeVar("M", bound=Method)


@dataclass(frozen=True)
class Choice(Generic[M]):
    """A method, the reason for it, and what the data should be known for."""

    method: M
    reason: str
    notes: tuple[str, ...] = ()


def first(what: str, candidates: Iterable[Choice[M]], problem: Any) -> Choice[M]:
    """The first candidate that does not refuse; `UnsupportedPairError` with all the refusals where none is left."""
    refused = []
    for candidate in candidates:
        method: Any = candidate.method
        reason = method.refusal(problem)
        if not reason:
            return candidate
        refused.append(f"{method.name}: {reason}")
    raise UnsupportedPairError(f"no method for {what}; " + "; ".join(refused))
