"""The small runs behind the figures on estimates from samples: fixed seeds, one core, under two minutes.

`python docs/estimator_runs.py` writes them to which_estimator.csv, from which the pages are drawn.
"""

from __future__ import annotations

import csv
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import lambertw

import kullback as kb
from kullback import estimators as methods

RUNS = Path(__file__).with_name("which_estimator.csv")
DIMENSIONS, DIMENSION_ROWS, DIMENSION_DRAWS = (1, 2, 3, 5, 8), 1000, 4
TRUTHS, SATURATION_ROWS, SATURATION_DRAWS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), 500, 20
TRAINED = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)  # once each: a critic takes seconds
COVERAGE_ROWS, COVERAGE_DRAWS = 400, 100

Rows = np.ndarray
Generator = np.random.Generator
Ask = Callable[[Generator], kb.Answer]
Draw = Callable[[Generator], Any]


@dataclass(frozen=True)
class Run:
    """Some draws of one method on one law: means over the draws, of the ends over those that have them."""

    figure: str
    law: str
    method: str
    at: float  # what the figure goes along: dimension, truth, or nothing
    truth: float
    value: float
    error: float  # mean absolute error
    low: float
    high: float
    given: float  # share of the draws with a finite interval
    covered: float  # share of these intervals that hold the truth
    n: int
    draws: int
    seconds: float  # CPU time of one estimate


def measured(
    figure: str, law: str, method: str, ask: Ask, truth: float, *, n: int, draws: int, at: float = 0.0
) -> Run:
    """What `draws` samples of a law, each with a seed of its own, are answered."""
    start = time.process_time()
    answers = [ask(np.random.default_rng([seed, n])) for seed in range(draws)]
    seconds = (time.process_time() - start) / draws
    value = np.array([float(a.value) for a in answers])
    ends = np.array([(a.low, a.high) for a in answers if math.isfinite(a.high - a.low)])
    low, high = ends.mean(axis=0) if len(ends) else (math.nan, math.nan)
    holds = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean() if len(ends) else math.nan
    error = float(np.abs(value - truth).mean())
    return Run(
        figure,
        law,
        method,
        at,
        truth,
        float(value.mean()),
        error,
        low,
        high,
        len(ends) / draws,
        holds,
        n,
        draws,
        seconds,
    )


# Laws of (x, y) with a known information


def spread_normal(rng: Generator, n: int, d: int, nats: float = 1.0) -> tuple[Rows, Rows]:
    """d pairs of normal columns that share the information evenly."""
    rho = math.sqrt(-math.expm1(-2 * nats / d))
    x, noise = rng.standard_normal((2, n, d))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def bent(rng: Generator, n: int, d: int = 1) -> tuple[Rows, Rows]:
    """y = |x| + uniform noise of width 1/2 in the first columns, uniform noise in the others."""
    x, y = rng.uniform(-1, 1, (2, n, d))
    y[:, 0] = np.abs(x[:, 0]) + rng.uniform(0, 0.5, n)
    return x, y


BENT = 0.25 - math.log(0.5)  # h(|x| + noise) − log ½


def noisy(rng: Generator, n: int, nats: float) -> tuple[Rows, Rows]:
    """x uniform, y = x + uniform noise of the width w that makes w/2 − log w the information."""
    width = -2 * float(np.real(lambertw(-math.exp(-nats) / 2)))
    x = rng.random(n)
    return x, x + width * rng.random(n)


# The error against the dimension


def dimension() -> Iterator[Run]:
    """Errors of methods that take several columns, by the number of columns on each side."""
    kinds: dict[str, Any] = {
        "KSG(k=3, scores=False)": methods.KSG(k=3, scores=False),
        "KSG()": methods.KSG(),
        "GaussianCopula()": methods.GaussianCopula(),
        "RatioInformation()": methods.RatioInformation(),
        "auto": "auto",
    }
    laws = {"normal": (spread_normal, 1.0), "bent": (bent, BENT)}
    for law, (draw, truth) in laws.items():
        for d in DIMENSIONS:
            for name, method in kinds.items():
                ask = partial(_information, method=method, draw=partial(draw, n=DIMENSION_ROWS, d=d))
                yield measured(
                    "dimension", law, name, ask, truth, n=DIMENSION_ROWS, draws=DIMENSION_DRAWS, at=d
                )


# The value against the truth


def saturation() -> Iterator[Run]:
    """How far estimates follow a growing information."""
    training = methods.Training(steps=300)
    kinds: dict[str, tuple[Any, tuple[float, ...], int]] = {
        "KSG()": (methods.KSG(), TRUTHS, SATURATION_DRAWS),
        "KSG(k=3, scores=False)": (methods.KSG(k=3, scores=False), TRUTHS, SATURATION_DRAWS),
        "EqualFrequencyBins()": (methods.EqualFrequencyBins(), TRUTHS, SATURATION_DRAWS),
        "InfoNCE()": (methods.InfoNCE(training=training), TRAINED, 1),
    }
    for name, (method, truths, draws) in kinds.items():
        for nats in truths:
            ask = partial(_information, method=method, draw=partial(noisy, n=SATURATION_ROWS, nats=nats))
            yield measured("saturation", "noisy", name, ask, nats, n=SATURATION_ROWS, draws=draws, at=nats)


def _information(rng: Generator, method: Any, *, draw: Draw) -> kb.Answer:
    x, y, *given = draw(rng)
    return kb.mutual_information(x, y, given=given[0] if given else None, method=method)


# How often intervals hold the truth


@dataclass(frozen=True)
class Case:
    """A law, what is asked of it, and the methods that answer."""

    question: str
    law: str
    ask: Callable[[Generator, Any], kb.Answer]
    truth: float
    methods: tuple[Any, ...]
    draws: int = COVERAGE_DRAWS


def coverage() -> Iterator[Run]:
    """Every method on every case that it is meant for, and one on a case that it is not."""
    for case in cases():
        for method in case.methods:
            name = type(method).__name__
            yield measured(
                f"coverage {case.question}",
                case.law,
                name,
                lambda rng, m=method, c=case: c.ask(rng, m),
                case.truth,
                n=COVERAGE_ROWS,
                draws=case.draws,
            )


def cases() -> list[Case]:
    """All of them; the laws are others than those on which the methods were tuned, where that is known."""
    return [*entropies(), *divergences(), *informations()]


def entropies() -> list[Case]:
    """Densities with a tail on one side, heavy tails, two columns, and classes of which most are rare."""
    n = COVERAGE_ROWS
    shares = 0.8 ** np.arange(30)
    shares /= shares.sum()
    spread = -float((shares * np.log(shares)).sum())
    near, gaps, kernels = methods.KozachenkoLeonenko(), methods.SpacingEntropy(), methods.KDEEntropy()
    counted = methods.PlugIn(), methods.MillerMadow(), methods.ChaoWangJost()

    def case(law: str, draw: Draw, truth: Any, *used: Any) -> Case:
        return Case("entropy", law, lambda rng, m: kb.entropy(draw(rng), method=m), float(truth), used)

    return [
        case("gamma(2)", gamma, stats.gamma(2).entropy(), near, gaps, kernels),
        case("Student, 3 d.f.", lambda r: r.standard_t(3, n), stats.t(3).entropy(), near, gaps, kernels),
        case("2 logistic columns", lambda r: r.logistic(size=(n, 2)), 4.0, near, kernels),
        case("30 classes", lambda r: r.choice(30, n, p=shares).astype(str), spread, *counted),
    ]


def gamma(rng: Generator, scale: float = 1.0) -> Rows:
    """Waiting times for the second of events."""
    return scale * rng.gamma(2, size=COVERAGE_ROWS)


def logistic(rng: Generator, shift: float) -> Rows:
    """Three columns."""
    return rng.logistic(shift, size=(COVERAGE_ROWS, 3))


def letters(rng: Generator, shares: Sequence[float]) -> Rows:
    """Classes."""
    return rng.choice(list("abcde")[: len(shares)], COVERAGE_ROWS, p=shares)


def divergences() -> list[Case]:
    """Two samples of unlike, of shifted and of equal laws."""
    p, q = stats.gamma(2), stats.gamma(2, scale=1.4)
    three = 3 * float(kb.between(kb.kl, stats.logistic(0), stats.logistic(1)).value)
    one, other = (0.4, 0.3, 0.2, 0.1), (0.3, 0.3, 0.2, 0.2)
    js, wide = kb.js, partial(gamma, scale=1.4)
    same, unlike = partial(letters, shares=one), partial(letters, shares=other)
    kl, grid, shares = methods.NearestKL(), methods.GridDivergence(), methods.Frequencies()

    def case(
        law: str, d: kb.Noun, x: Draw, y: Draw, truth: Any, *used: Any, draws: int = COVERAGE_DRAWS
    ) -> Case:
        return Case(
            "divergence",
            law,
            lambda rng, m: kb.estimate(d, x(rng), y(rng), method=m),
            float(truth),
            used,
            draws,
        )

    return [
        case("KL, gamma, scale 1.4", kb.kl, gamma, wide, kb.between(kb.kl, p, q), kl, grid),
        case("KL, equal gammas", kb.kl, gamma, gamma, 0.0, kl, grid),
        case(
            "KL, 3 logistic columns", kb.kl, partial(logistic, shift=0), partial(logistic, shift=1), three, kl
        ),
        case("JS, gamma, scale 1.4", js, gamma, wide, kb.between(js, p, q), grid),
        case(
            "JS, gamma, scale 1.4", js, gamma, wide, kb.between(js, p, q), methods.ClassifierRatio(), draws=40
        ),
        case("JS, 4 classes", js, same, unlike, js(one, other), shares),
        case("JS, equal classes", js, same, same, 0.0, shares),
        case("W1, gamma, scale 1.4", kb.wasserstein(1), gamma, wide, 0.8, methods.LineTransport()),
        case("energy, equal gammas", kb.energy_distance, gamma, gamma, 0.0, methods.KernelMeans()),
    ]


def unrelated(rng: Generator) -> tuple[Rows, Rows]:
    """Classes that tell nothing of each other."""
    return letters(rng, [0.25] * 4), letters(rng, [0.2] * 5)


def atom(rng: Generator) -> tuple[Rows, Rows]:
    """Half of the rows at the origin, the others a normal law of one nat."""
    x, y = spread_normal(rng, COVERAGE_ROWS, 1)
    zero = rng.random((COVERAGE_ROWS, 1)) < 0.5
    return np.where(zero, 0.0, x), np.where(zero, 0.0, y)


def classed(rng: Generator) -> tuple[Rows, Rows]:
    """Two uniform laws that overlap by half, and which of them it was."""
    left = rng.random(COVERAGE_ROWS) < 0.5
    return np.where(left, 0.0, 0.5) + rng.random(COVERAGE_ROWS), np.where(left, "left", "right")


def explained(rng: Generator) -> tuple[Rows, Rows, Rows]:
    """A uniform variable and its sum with another, each beside what a third column says."""
    u, e = rng.random((2, COVERAGE_ROWS))
    z = rng.standard_normal(COVERAGE_ROWS)
    return u - z**2, u + e + z, z


def informations() -> list[Case]:
    """Columns, classes, both, an atom, and what is left beyond a third column."""
    n = COVERAGE_ROWS
    student: Any = stats.multivariate_t(shape=np.array([[1, 0.6], [0.6, 1]]), df=4)  # type: ignore[arg-type]
    heavy = 2 * float(stats.t(4).entropy()) - float(student.entropy())

    def tailed(rng: Generator) -> tuple[Rows, Rows]:
        rows = student.rvs(n, random_state=rng)
        return rows[:, 0], rows[:, 1]

    def case(law: str, draw: Draw, truth: float, *used: Any) -> Case:
        return Case("information", law, partial(_information, draw=draw), truth, used)

    ksg, copula, grid = methods.KSG(), methods.GaussianCopula(), methods.GridInformation()
    return [
        case("|x| + noise", partial(bent, n=n), BENT, ksg, grid, copula),
        case("Student, 4 d.f.", tailed, heavy, ksg, grid),
        case("normal, 3 + 3 columns", partial(spread_normal, n=n, d=3), 1.0, ksg, copula),
        case("class of overlapping uniforms", classed, 0.5 * math.log(2), methods.Ross()),
        case("unrelated classes", unrelated, 0.0, methods.Contingency()),
        case("atom at 0 in half the rows", atom, math.log(2) + 0.5, methods.MixedKSG()),
        case("uniform sum, given a column", explained, 0.5, methods.ConditionalKSG()),
    ]


def main() -> None:
    """Measure everything and write it."""
    warnings.simplefilter("ignore")
    start = time.process_time()
    names = [field.name for field in fields(Run)]
    lines: list[list[object]] = [[*names]]
    for part in (dimension, saturation, coverage):
        for run in part():
            values = [getattr(run, name) for name in names]
            lines.append([f"{v:.4g}" if isinstance(v, float) else v for v in values])
        print(f"{part.__name__}: {time.process_time() - start:.0f} s of CPU time so far")  # noqa: T201
    with RUNS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main()
