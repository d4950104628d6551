"""Problems that travel with their answer: a way to draw data of any size, and the number that the data stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.divergences import Noun
from kullback.estimators import entropy, estimate, mutual_information

Rows = NDArray[Any]
Generator = np.random.Generator
Flow = Callable[[Rows], Rows]


@dataclass(frozen=True, eq=False)
class JointProblem:
    """Pairs (x, y) of shape (n, dx) and (n, dy) whose information about each other is `truth`, in nats.

    `how` says where the truth is from; `error` bounds what that leaves open. `options` are the keywords of the verb,
    such as the kinds of the columns. `family` is the set that a problem belongs to: problems of "own" may be tuned on,
    those of the benchmarks only judge.
    """

    name: str
    draw: Callable[[int, Generator], tuple[Any, ...]]
    truth: float
    family: str
    dims: tuple[int, int] = (1, 1)
    tags: frozenset[str] = frozenset()
    how: str = "closed form"
    error: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def through(
        self, name: str, x: Flow | None = None, y: Flow | None = None, *, tags: str = ""
    ) -> JointProblem:
        """The same information seen through maps that can be undone, one of each variable."""
        inner = self.draw

        def draw(n: int, rng: Generator) -> tuple[Any, ...]:
            a, b = inner(n, rng)
            return (a if x is None else x(a)), (b if y is None else y(b))

        probe = draw(2, np.random.default_rng(0))
        dims = (probe[0].shape[1], probe[1].shape[1])
        words = frozenset(tags.split())
        kept = self.tags - {"smooth"} if "edge" in words else self.tags
        return replace(self, name=name, draw=draw, dims=dims, tags=kept | words)

    def ask(self, n: int, seed: int = 0, *, method: Any = "auto") -> Answer:
        """The answer to data drawn with this seed."""
        data = self.draw(n, np.random.default_rng([seed, n]))
        given = dict(zip(("x", "y", "given"), data, strict=False))
        return mutual_information(**given, method=method, seed=seed, **self.options)


@dataclass(frozen=True, eq=False)
class PairProblem:
    """Two samples whose laws are `truth` apart; `draw` gives x, y and, where rows have weights, theirs."""

    name: str
    noun: Noun
    draw: Callable[[int, Generator], tuple[Any, ...]]
    truth: float
    family: str = "own"
    dims: int = 1
    tags: frozenset[str] = frozenset()
    how: str = "closed form"
    error: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, n: int, seed: int = 0, *, method: Any = "auto") -> Answer:
        """The answer to data drawn with this seed."""
        x, y, *weights = self.draw(n, np.random.default_rng([seed, n]))
        weighted = dict(zip(("weights_x", "weights_y"), weights, strict=False))
        return estimate(self.noun, x, y, method=method, seed=seed, **weighted, **self.options)


@dataclass(frozen=True, eq=False)
class EntropyProblem:
    """A sample whose law has the entropy `truth`, in nats."""

    name: str
    draw: Callable[[int, Generator], Any]
    truth: float
    family: str = "own"
    dims: int = 1
    tags: frozenset[str] = frozenset()
    how: str = "closed form"
    error: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, n: int, seed: int = 0, *, method: Any = "auto") -> Answer:
        """The answer to data drawn with this seed."""
        x = self.draw(n, np.random.default_rng([seed, n]))
        return entropy(x, method=method, seed=seed, **self.options)


def tags(text: str) -> frozenset[str]:
    """Words as a set: smooth, edge (the density jumps), hard, heavy, atoms, discrete, mixed, null, high (dimension)."""
    return frozenset(text.split())


def within(answer: Answer, problem: JointProblem | PairProblem | EntropyProblem) -> bool:
    """Whether the interval holds the truth, up to what is open about the truth."""
    return answer.low - problem.error <= problem.truth <= answer.high + problem.error
