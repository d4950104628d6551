"""Every method of estimation with small questions that it serves: what the laws are asked of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback.answer import Answer
from kullback.divergences import Noun
from kullback.estimators.catalogue import methods
from kullback.estimators.method import DivergenceMethod, EntropyMethod, InformationMethod, Method
from kullback.estimators.problem import Problem, read_joint, read_one, read_two

ROWS = 90
NOUNS: tuple[Noun, ...] = (
    kb.kl,
    kb.js,
    kb.alpha(0.5),
    kb.wasserstein(1),
    kb.wasserstein(2),
    kb.sliced_wasserstein(1),
    kb.energy_distance,
    kb.cauchy_schwarz,
)
SLOW = ("critics", "neural")  # folders whose methods train a network


@dataclass(frozen=True, eq=False)
class Question:
    """Data and options of one verb; the method comes on top."""

    name: str
    kind: type[Method]
    data: Mapping[str, Any]
    noun: Noun | None = None
    kinds: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, method: Any) -> Answer:
        verb: Callable[..., Answer]
        if self.kind is DivergenceMethod:
            return kb.estimate(self.noun, method=method, **self.data, **self.kinds, **self.options)
        verb = kb.entropy if self.kind is EntropyMethod else kb.mutual_information
        return verb(method=method, **self.data, **self.kinds, **self.options)

    def having(self, change: Callable[[Any], Any], *names: str) -> Question:
        """The same question with some of the data changed, all of it without names."""
        changed = {k: change(v) if k in (names or self.data) else v for k, v in self.data.items()}
        return replace(self, data=changed)

    def saying(self, **options: Any) -> Question:
        """The same question with further options."""
        return replace(self, options={**self.options, **options})

    @property
    def continuous(self) -> bool:
        return not self.kinds

    @property
    def problem(self) -> Problem:
        """What a method is shown."""
        rest: dict[str, Any] = {"missing": "raise", "seed": 0}
        x, y, kinds = self.data["x"], self.data.get("y"), self.kinds
        if self.kind is EntropyMethod:
            return read_one(x, kind=kinds.get("kind"), weights=self.options.get("weights"), **rest)
        if self.kind is DivergenceMethod:
            assert self.noun is not None
            w_x, w_y = self.options.get("weights_x"), self.options.get("weights_y")
            kind = kinds.get("kind")
            return read_two(self.noun, x, y, kind=kind, weights_x=w_x, weights_y=w_y, **rest)
        three = (kinds.get("kind_x"), kinds.get("kind_y"), None)
        given, weights = self.data.get("given"), self.options.get("weights")
        return read_joint(x, y, given, kinds=three, divergence=None, weights=weights, **rest)


@dataclass(frozen=True, eq=False)
class Case:
    """A method and a question that it serves."""

    method: Any
    question: Question

    @property
    def name(self) -> str:
        return f"{type(self.method).__name__}-{self.question.name}"

    def ask(self) -> Answer:
        return self.question.ask(self.method)

    def having(self, change: Callable[[Any], Any], *names: str) -> Case:
        return replace(self, question=self.question.having(change, *names))

    def saying(self, **options: Any) -> Case:
        return replace(self, question=self.question.saying(**options))


@cache
def questions() -> tuple[Question, ...]:
    """Lines, planes, classes and both, for every kind of method and, for divergences, several nouns."""
    rng = np.random.default_rng(12)
    x = rng.standard_normal((ROWS, 2))
    y = 0.6 * x + 0.8 * rng.standard_normal((ROWS, 2))
    moved = rng.standard_normal((ROWS + 10, 2)) + 0.7
    few, other = rng.integers(3, size=ROWS), rng.integers(3, size=ROWS + 10)
    noisy = np.where(rng.uniform(size=ROWS) < 0.6, few, rng.integers(3, size=ROWS))
    frozen = [x, y, moved, few, other, noisy]
    for array in frozen:
        array.flags.writeable = False
    found = [
        Question("line", EntropyMethod, {"x": x[:, :1]}),
        Question("plane", EntropyMethod, {"x": x}),
        Question("classes", EntropyMethod, {"x": few}, kinds={"kind": "discrete"}),
        Question("line", InformationMethod, {"x": x[:, :1], "y": y[:, :1]}),
        Question("plane", InformationMethod, {"x": x, "y": y[:, :1]}),
        Question("given", InformationMethod, {"x": x[:, :1], "y": y[:, :1], "given": y[:, 1:]}),
        Question("label", InformationMethod, {"x": x + few[:, None], "y": few}, kinds={"kind_y": "discrete"}),
        Question(
            "classes",
            InformationMethod,
            {"x": few, "y": noisy},
            kinds={"kind_x": "discrete", "kind_y": "discrete"},
        ),
    ]
    for noun in NOUNS:
        line, plane = {"x": x[:, :1], "y": moved[:, :1]}, {"x": x, "y": moved}
        found += [
            Question(f"line-{noun.name}", DivergenceMethod, line, noun),
            Question(f"plane-{noun.name}", DivergenceMethod, plane, noun),
        ]
        data = {"x": few, "y": other}
        found.append(Question(f"classes-{noun.name}", DivergenceMethod, data, noun, {"kind": "discrete"}))
    mixed = np.column_stack([x[:, :1], few])
    found.append(Question("both", EntropyMethod, {"x": mixed}, kinds={"kind": ("continuous", "discrete")}))
    both = {"x": np.column_stack([x[:, :1], few]), "y": np.column_stack([moved[:, :1], other])}
    found.append(Question("both-kl", DivergenceMethod, both, kb.kl, {"kind": ("continuous", "discrete")}))
    return tuple(found)


@cache
def defaults() -> tuple[Method, ...]:
    """Every method that needs no parameter."""
    kinds: tuple[type[Any], ...] = (EntropyMethod, InformationMethod, DivergenceMethod)
    found: dict[type, Method] = {}
    for kind in kinds:
        for method in methods(kind):
            if method not in found:
                try:
                    found[method] = _brief(method())
                except TypeError:  # a parameter without a default
                    continue
    return tuple(found.values())


def _brief(method: Any) -> Any:
    """With a network that is hardly trained: the laws do not ask for accuracy."""
    if not hasattr(method, "training"):
        return method
    return replace(method, training=replace(method.training, steps=10, patience=10))


@cache
def cases() -> tuple[Case, ...]:
    """For every method each question that it serves, of the divergences one noun a kind of data; networks get one."""
    found: dict[tuple[type, type, str], Case] = {}
    for method in defaults():
        for q in questions():
            if isinstance(method, q.kind) and not method.refusal(q.problem):
                kind = "" if trains(method) else q.name.split("-")[0]
                found.setdefault((type(method), q.kind, kind), Case(method, q))
    return tuple(found.values())


def params(found: tuple[Case, ...] | list[Case]) -> list[Any]:
    """For parametrize, named: the first question of every quick method runs by default, the others are slow."""
    firsts = {type(case.method): case for case in reversed(cases())}
    return [
        pytest.param(case, id=case.name, marks=[] if _quick(case, firsts) else [pytest.mark.slow])
        for case in found
    ]


def _quick(case: Case, firsts: dict[type, Case]) -> bool:
    first = firsts[type(case.method)]
    return first.name == case.name and not trains(case.method) and type(case.method).__name__ != "KLIEP"


def trains(method: Any) -> bool:
    """Whether the method's file lies with those that train a network."""
    return any(f".{folder}." in type(method).__module__ for folder in SLOW)
