"""How the nouns that are no f-divergence are answered; a file of `nouns/` registers its own."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kullback.answer import Answer
from kullback.divergences import Noun
from kullback.exact.law import Law

if TYPE_CHECKING:
    from kullback.exact.closed import Closed


@dataclass(frozen=True)
class Answers:
    """The closed forms of a noun, and its other ways by the kind of answer that they give.

    `closed` serves batches and carries gradients, and gives `None` where there is no form; a way serves one pair of
    laws with parameters of NumPy, and raises `UnsupportedPairError` or `ConvergenceError`.
    """

    closed: Callable[[Any, Law, Law], Closed | None]
    ways: Mapping[str, Callable[[Any, Law, Law], Answer]] = field(default_factory=dict)


_answers: list[tuple[Callable[[Noun], bool], Answers]] = []


def answered(serves: Callable[[Noun], bool], answers: Answers) -> Answers:
    """Registers how the nouns for which `serves` is true are answered."""
    _answers.append((serves, answers))
    return answers


@cache
def _load() -> None:
    package = import_module("kullback.exact.nouns")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        import_module(f"kullback.exact.nouns.{info.name}")


def answers_of(d: Noun) -> Answers | None:
    """How the noun is answered; `None` where it goes the way of f-divergences."""
    _load()
    return next((answers for serves, answers in _answers if serves(d)), None)
