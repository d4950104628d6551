"""The table of what `method="auto"` takes, asked of it: a sample of every sort, the choice, and its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import kullback as kb
from estimator_pages import MIXED, WEIGHTS, both, joint, names, numbers, one, two
from kullback import estimators
from kullback.estimators import choose


@dataclass(frozen=True)
class Situation:
    """What someone has, and a small sample of the sort."""

    data: str
    problem: Callable[[], tuple[Any, ...]]


def pair(columns: int, d: kb.Noun) -> tuple[Any, ...]:
    """Two samples of some columns."""
    return two(numbers(columns), numbers(columns, seed=1), d)


SITUATIONS: dict[str, tuple[Callable[[Any], Any], tuple[Situation, ...]]] = {
    "`kb.estimate(d, x, y)`": (
        choose.for_divergence,
        (
            Situation("`kl` of up to five columns", lambda: pair(5, kb.kl)),
            Situation("`kl` of ten columns", lambda: pair(10, kb.kl)),
            Situation("`js`, or any f, of two columns", lambda: pair(2, kb.js)),
            Situation("`js`, or any f, of five columns", lambda: pair(5, kb.js)),
            Situation("`renyi(a)` of columns", lambda: pair(1, kb.renyi(0.5))),
            Situation("`energy_distance`, `mmd(k)` of columns", lambda: pair(3, kb.energy_distance)),
            Situation("`wasserstein(p)` of one column", lambda: pair(1, kb.wasserstein(1))),
            Situation("`sliced_wasserstein(p)` of columns", lambda: pair(3, kb.sliced_wasserstein(1))),
            Situation("`cauchy_schwarz`, `squared_l2` of columns", lambda: pair(3, kb.cauchy_schwarz)),
            Situation("any f of classes", lambda: two(names(), names(1), kb.js)),
            Situation("`kl` of columns of both kinds", lambda: two(both(), both(1), kb.kl, kind=MIXED)),
            Situation("any f of columns of both kinds", lambda: two(both(), both(1), kb.js, kind=MIXED)),
            Situation(
                "`kl`, rows with weights", lambda: two(numbers(), numbers(seed=1), kb.kl, weights=WEIGHTS)
            ),
        ),
    ),
    "`kb.mutual_information(x, y)`": (
        choose.for_information,
        (
            Situation("one column and one", lambda: joint(numbers(), numbers(seed=1))),
            Situation("several columns on a side", lambda: joint(numbers(3), numbers(3, seed=1))),
            Situation("columns and a class", lambda: joint(numbers(), names())),
            Situation("two classes", lambda: joint(names(), names(1))),
            Situation("columns of both kinds", lambda: joint(both(), numbers(seed=1), kind=MIXED)),
            Situation("`given` columns", lambda: joint(numbers(), numbers(seed=1), numbers(seed=2))),
            Situation("`given` a class, two columns", lambda: joint(numbers(), numbers(seed=1), names())),
            Situation("`divergence=kb.js`", lambda: joint(numbers(), numbers(seed=1), d=kb.js)),
            Situation("rows with weights", lambda: joint(numbers(), numbers(seed=1), weights=WEIGHTS)),
        ),
    ),
    "`kb.entropy(x)`": (
        choose.for_entropy,
        (
            Situation("columns", lambda: one(numbers())),
            Situation("columns of rounded numbers", lambda: one(np.round(numbers(), 1))),
            Situation("classes", lambda: one(names())),
            Situation("columns of both kinds", lambda: one(both(), kind=MIXED)),
            Situation("classes, rows with weights", lambda: one(names(), weights=WEIGHTS)),
        ),
    ),
}


def table() -> str:
    """Every situation with the method that auto takes and why, a table for each verb."""
    tables = []
    for verb, (choice_for, situations) in SITUATIONS.items():
        rows = [f"| {verb} | `auto` takes | because |", "|---|---|---|"]
        for s in situations:
            choice = choice_for(s.problem()[0])
            rows.append(f"| {s.data} | {_linked(choice.method)} | {choice.reason} |")
        tables.append("\n".join(rows))
    return "\n\n".join(tables)


def _linked(method: Any) -> str:
    name = type(method).__name__
    if name not in estimators.__all__:
        return method.name
    page = {"EntropyMethod": "entropy", "InformationMethod": "information", "DivergenceMethod": "divergence"}
    kind = next(page[c.__name__] for c in type(method).__mro__ if c.__name__ in page)
    return f"[`{name}`](estimators/{kind}.md#{name.lower()})"
