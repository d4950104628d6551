"""The table of what `method="auto"` takes, asked of it: a sample of every sort, the choice, and its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kullback as kb
from estimator_pages import MIXED, WEIGHTS, both, joint, names, numbers, one, two
from kullback import estimators
from kullback.estimators import choose


@dataclass(frozen=True)
class Situation:
    """What someone has, how to ask, and a small sample of the sort."""

    data: str
    call: str
    problem: Callable[[], tuple[Any, ...]]


ENTROPY = "`kb.entropy(x)`"
INFORMATION = "`kb.mutual_information(x, y)`"
GIVEN = "`kb.mutual_information(x, y, given=z)`"
SITUATIONS: tuple[tuple[Callable[[Any], Any], tuple[Situation, ...]], ...] = (
    (
        choose.for_divergence,
        (
            Situation("two samples of columns", "`kb.estimate(kb.kl, x, y)`", lambda: _columns(kb.kl)),
            Situation("one or two columns", "`kb.estimate(kb.js, x, y)`, any f", lambda: _columns(kb.js)),
            Situation(
                "five columns",
                "`kb.estimate(kb.js, x, y)`, any f",
                lambda: two(numbers(5), numbers(5, seed=1), kb.js),
            ),
            Situation(
                "ten columns",
                "`kb.estimate(kb.kl, x, y)`",
                lambda: two(numbers(10), numbers(10, seed=1), kb.kl),
            ),
            Situation("columns", "`kb.estimate(kb.renyi(a), x, y)`", lambda: _columns(kb.renyi(0.5))),
            Situation(
                "columns",
                "`kb.estimate(kb.energy_distance, x, y)`, `kb.mmd(k)`",
                lambda: _columns(kb.energy_distance),
            ),
            Situation(
                "one column", "`kb.estimate(kb.wasserstein(p), x, y)`", lambda: _columns(kb.wasserstein(1))
            ),
            Situation("classes", "`kb.estimate(kb.js, x, y)`, any f", lambda: two(names(), names(1), kb.js)),
            Situation(
                "both kinds", "`kb.estimate(kb.kl, x, y)`", lambda: two(both(), both(1), kb.kl, kind=MIXED)
            ),
            Situation(
                "both kinds",
                "`kb.estimate(kb.js, x, y)`, any f",
                lambda: two(both(), both(1), kb.js, kind=MIXED),
            ),
            Situation(
                "weighted rows",
                "`kb.estimate(kb.kl, x, y, weights_x=w)`",
                lambda: two(numbers(), numbers(seed=1), kb.kl, weights=WEIGHTS),
            ),
        ),
    ),
    (
        choose.for_information,
        (
            Situation("pairs of numbers", INFORMATION, lambda: joint(numbers(), numbers(seed=1))),
            Situation("several columns a side", INFORMATION, lambda: joint(numbers(3), numbers(3, seed=1))),
            Situation("ten columns a side", INFORMATION, lambda: joint(numbers(10), numbers(10, seed=1))),
            Situation("columns and a class", INFORMATION, lambda: joint(numbers(), names())),
            Situation("two classes", INFORMATION, lambda: joint(names(), names(1))),
            Situation(
                "numbers and classes in x", INFORMATION, lambda: joint(both(), numbers(seed=1), kind=MIXED)
            ),
            Situation(
                "a third column of numbers", GIVEN, lambda: joint(numbers(), numbers(seed=1), numbers(seed=2))
            ),
            Situation(
                "another divergence",
                "`kb.mutual_information(x, y, divergence=kb.js)`",
                lambda: joint(numbers(), numbers(seed=1), d=kb.js),
            ),
            Situation(
                "weighted rows",
                "`kb.mutual_information(x, y, weights=w)`",
                lambda: joint(numbers(), numbers(seed=1), weights=WEIGHTS),
            ),
        ),
    ),
    (
        choose.for_entropy,
        (
            Situation("one sample of columns", ENTROPY, lambda: one(numbers())),
            Situation("one sample of classes", ENTROPY, lambda: one(names())),
        ),
    ),
)


def _columns(d: Any) -> tuple[Any, ...]:
    return two(numbers(), numbers(seed=1), d)


def table() -> str:
    """Every situation with the method that auto takes and why."""
    rows = ["| you have | you ask | `auto` takes | because |", "|---|---|---|---|"]
    for choice_for, situations in SITUATIONS:
        for s in situations:
            choice = choice_for(s.problem()[0])
            rows.append(f"| {s.data} | {s.call} | {_linked(choice.method)} | {choice.reason} |")
    return "\n".join(rows)


def _linked(method: Any) -> str:
    name = type(method).__name__
    if name not in estimators.__all__:
        return method.name
    page = {"EntropyMethod": "entropy", "InformationMethod": "information", "DivergenceMethod": "divergence"}
    kind = next(page[c.__name__] for c in type(method).__mro__ if c.__name__ in page)
    return f"[`{name}`](estimators/{kind}.md#{name.lower()})"
