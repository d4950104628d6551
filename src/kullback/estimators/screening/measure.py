"""One pair of columns: how much they tell of each other, and how likely chance tells as much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.errors import KullbackError
from kullback.estimators import interval, permutation
from kullback.estimators.columns import Column
from kullback.estimators.counts.information import Contingency
from kullback.estimators.ksg import KSG
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample
from kullback.estimators.ross import Ross
from kullback.estimators.samples import Sample
from kullback.estimators.screening import shared_null
from kullback.estimators.screening.ranking import Finding

_LEAST_ROWS = 20
_UNASKED = "none was asked for"


@dataclass(frozen=True)
class Settings:
    """What holds for every pair, and how many of them there are."""

    permutations: int
    level: float | None
    seed: int
    neighbours: int
    pairs: int


def measure(a: Column, b: Column, settings: Settings) -> Finding:
    """What the rows with both values say of this pair; a pair that cannot be measured says why."""
    rows = ~(a.missing | b.missing)
    n = int(rows.sum())
    kinds = (a.kind, b.kind)
    if a.trouble or b.trouble:
        return _nothing(a, b, n, a.trouble or b.trouble)
    if n < _LEAST_ROWS:
        return _nothing(a, b, n, f"{n} rows with both values; {_LEAST_ROWS} are needed")
    x, y = _sample(a, rows, n), _sample(b, rows, n)
    problem = JointSample(x, y, seed=settings.seed)
    constant = [c.name for c, s in ((a, x), (b, y)) if _constant(s)]
    if constant:
        told = f"{constant[0]} is constant on these rows and tells nothing"
        return Finding(
            a.name, b.name, kinds, Answer(0.0, 0.0, 0.0, method="constant", n=n, notes=(told,), p_value=1.0)
        )
    single = [c.name for c, s in ((a, x), (b, y)) if s.classes == n]
    if single:
        return _nothing(
            a, b, n, f"no value of {single[0]} occurs twice: names of single rows tell of no other row"
        )
    method = _method(kinds, settings.neighbours)
    reason = method.refusal(problem)
    if reason:
        return _nothing(a, b, n, reason)
    try:
        found = _found(method, problem, settings)
        p = _p_value(method, problem, found.value, settings) if settings.permutations else None
    except KullbackError as error:  # one column's trouble is that column's line
        return _nothing(a, b, n, str(error))
    answer = interval.answer(found, method=method.name, n=n, level=settings.level or 0.95, p_value=p)
    least = None if p is None else 1.0 / (1 + _draws(method, n, settings))
    return Finding(a.name, b.name, kinds, answer, least_p=least, trusted=found.distrust in ("", _UNASKED))


def _found(method: InformationMethod, problem: JointSample, settings: Settings) -> Estimate:
    if settings.level is not None:
        return method.estimate(problem)
    # of two columns of numbers the interval is most of the work
    if isinstance(method, KSG):
        return Estimate(method.statistic(problem), math.nan, distrust=_UNASKED)
    found = method.estimate(problem)
    return Estimate(found.value, math.nan, distrust=found.distrust or _UNASKED)


def _method(kinds: tuple[str, str], k: int) -> InformationMethod:
    if kinds == ("discrete", "discrete"):
        return Contingency()
    return KSG(k=k) if kinds == ("continuous", "continuous") else Ross(k=k)


def _sample(column: Column, rows: NDArray[np.bool_], n: int) -> Sample:
    values = column.values if n == len(rows) else column.values[rows]
    if column.kind == "discrete":
        codes = values if n == len(rows) else np.unique(values, return_inverse=True)[1]
        return Sample(column.name, np.empty((n, 0)), codes, int(codes.max()) + 1)
    return Sample(column.name, np.ascontiguousarray(values)[:, None])


def _constant(s: Sample) -> bool:
    return s.classes == 1 if s.codes is not None else bool((s.values == s.values[0]).all())


def _nothing(a: Column, b: Column, n: int, reason: str) -> Finding:
    answer = Answer(math.nan, -math.inf, math.inf, kind="estimate", method="none", n=n, notes=(reason,))
    return Finding(a.name, b.name, (a.kind, b.kind), answer)


def _draws(method: InformationMethod, n: int, settings: Settings) -> int:
    """How many draws the p-value may be made of."""
    if isinstance(method, KSG):
        return shared_null.most_draws(_rounded_down(n), settings.permutations, settings.pairs)
    return settings.permutations


def _p_value(method: InformationMethod, problem: JointSample, value: float, settings: Settings) -> float:
    """By permutation; under independence two columns of numbers are two rankings, so all such pairs share one law."""
    if not isinstance(method, KSG):
        return permutation.independence(method, problem, settings.permutations, enough=10)
    return shared_null.p_value(
        value,
        _rounded_down(problem.n),
        settings.neighbours,
        least=settings.permutations,
        most=_draws(method, problem.n, settings),
        seed=settings.seed,
    )


def _rounded_down(n: int) -> int:
    """n to two digits: the law of ranks is a little wider for fewer rows, so that the p-value errs upwards."""
    return n if n < 100 else n // (unit := 10 ** (len(str(n)) - 2)) * unit
