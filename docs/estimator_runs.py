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
                ask = partial(_information, draw=partial(draw, n=DIMENSION_ROWS, d=d), method=method)
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
            ask = partial(_information, draw=partial(noisy, n=SATURATION_ROWS, nats=nats), method=method)
            yield measured("saturation", "noisy", name, ask, nats, n=SATURATION_ROWS, draws=draws, at=nats)


def _information(rng: Generator, *, draw: Callable[[Generator], tuple[Rows, Rows]], method: Any) -> kb.Answer:
    x, y = draw(rng)
    return kb.mutual_information(x, y, method=method)


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
    line = (methods.KozachenkoLeonenko(), methods.SpacingEntropy(), methods.KDEEntropy())

    def ask(draw: Callable[[Generator], Any]) -> Callable[[Generator, Any], kb.Answer]:
        return lambda rng, m: kb.entropy(draw(rng), method=m)

    return [
        Case("entropy", "gamma(2)", ask(lambda r: r.gamma(2, size=n)), float(stats.gamma(2).entropy()), line),
        Case(
            "entropy", "Student, 3 d.f.", ask(lambda r: r.standard_t(3, n)), float(stats.t(3).entropy()), line
        ),
        Case(
            "entropy", "2 logistic columns", ask(lambda r: r.logistic(size=(n, 2))), 4.0, (line[0], line[2])
        ),
        Case(
            "entropy",
            "30 classes",
            ask(lambda r: r.choice(30, n, p=shares).astype(str)),
            float(-(shares * np.log(shares)).sum()),
            (methods.PlugIn(), methods.MillerMadow(), methods.ChaoWangJost()),
        ),
    ]


def divergences() -> list[Case]:
    """Two samples of unlike, of shifted and of equal laws."""
    n = COVERAGE_ROWS
    p, q = stats.gamma(2), stats.gamma(2, scale=1.4)
    shift = stats.logistic(0), stats.logistic(1)
    ratio = methods.ClassifierRatio()

    def two(d: kb.Noun, x: Callable[[Generator], Any], y: Callable[[Generator], Any]) -> Any:
        return lambda rng, m: kb.estimate(d, x(rng), y(rng), method=m)

    def gamma(rng: Generator) -> Rows:
        return rng.gamma(2, size=n)

    def wide(rng: Generator) -> Rows:
        return 1.4 * rng.gamma(2, size=n)

    def columns(by: float) -> Callable[[Generator], Rows]:
        return lambda rng: rng.logistic(by, size=(n, 3))

    def letters(shares: Sequence[float]) -> Callable[[Generator], Rows]:
        return lambda rng: rng.choice(list("abcd"), n, p=shares)

    kl, grid, js = methods.NearestKL(), methods.GridDivergence(), kb.js
    three = 3 * float(kb.between(kb.kl, *shift).value)
    one, other = (0.4, 0.3, 0.2, 0.1), (0.3, 0.3, 0.2, 0.2)
    return [
        Case(
            "divergence",
            "KL, gamma, scale 1.4",
            two(kb.kl, gamma, wide),
            float(kb.between(kb.kl, p, q)),
            (kl, grid),
        ),
        Case("divergence", "KL, equal gammas", two(kb.kl, gamma, gamma), 0.0, (kl, grid)),
        Case("divergence", "KL, 3 logistic columns", two(kb.kl, columns(0), columns(1)), three, (kl,)),
        Case(
            "divergence", "JS, gamma, scale 1.4", two(js, gamma, wide), float(kb.between(js, p, q)), (grid,)
        ),
        Case(
            "divergence",
            "JS, gamma, scale 1.4",
            two(js, gamma, wide),
            float(kb.between(js, p, q)),
            (ratio,),
            40,
        ),
        Case(
            "divergence",
            "JS, 4 classes",
            two(js, letters(one), letters(other)),
            js(one, other),
            (methods.Frequencies(),),
        ),
        Case(
            "divergence",
            "JS, equal classes",
            two(js, letters(one), letters(one)),
            0.0,
            (methods.Frequencies(),),
        ),
        Case(
            "divergence",
            "W1, gamma, scale 1.4",
            two(kb.wasserstein(1), gamma, wide),
            0.8,
            (methods.LineTransport(),),
        ),
        Case(
            "divergence",
            "energy, equal gammas",
            two(kb.energy_distance, gamma, gamma),
            0.0,
            (methods.KernelMeans(),),
        ),
    ]


def informations() -> list[Case]:
    """Columns, classes, both, and an atom."""
    n = COVERAGE_ROWS
    student: Any = stats.multivariate_t(shape=np.array([[1, 0.6], [0.6, 1]]), df=4)  # type: ignore[arg-type]
    heavy = 2 * float(stats.t(4).entropy()) - float(student.entropy())

    def ask(draw: Callable[[Generator], tuple[Any, Any]]) -> Callable[[Generator, Any], kb.Answer]:
        return lambda rng, m: kb.mutual_information(*draw(rng), method=m)

    def tailed(rng: Generator) -> tuple[Rows, Rows]:
        rows = student.rvs(n, random_state=rng)
        return rows[:, 0], rows[:, 1]

    def unrelated(rng: Generator) -> tuple[Rows, Rows]:
        return rng.choice(list("abcd"), n), rng.choice(list("uvwxy"), n)

    def atom(rng: Generator) -> tuple[Rows, Rows]:
        x, y = spread_normal(rng, n, 1)
        zero = rng.random((n, 1)) < 0.5
        return np.where(zero, 0.0, x), np.where(zero, 0.0, y)

    def classed(rng: Generator) -> tuple[Rows, Rows]:
        left = rng.random(n) < 0.5
        return np.where(left, 0.0, 0.5) + rng.random(n), np.where(left, "left", "right")

    ksg, copula, grid = methods.KSG(), methods.GaussianCopula(), methods.GridInformation()
    return [
        Case("information", "|x| + noise", ask(partial(bent, n=n)), BENT, (ksg, grid, copula)),
        Case("information", "Student, 4 d.f.", ask(tailed), heavy, (ksg, grid)),
        Case(
            "information", "normal, 3 + 3 columns", ask(partial(spread_normal, n=n, d=3)), 1.0, (ksg, copula)
        ),
        Case(
            "information", "class of overlapping uniforms", ask(classed), 0.5 * math.log(2), (methods.Ross(),)
        ),
        Case("information", "unrelated classes", ask(unrelated), 0.0, (methods.Contingency(),)),
        Case(
            "information", "atom at 0 in half the rows", ask(atom), math.log(2) + 0.5, (methods.MixedKSG(),)
        ),
    ]


def main() -> None:
    """Measure everything and write it."""
    warnings.simplefilter("ignore")
    start = time.process_time()
    names = [field.name for field in fields(Run)]
    with RUNS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for part in (dimension, saturation, coverage):
            for run in part():
                values = [getattr(run, name) for name in names]
                writer.writerow([f"{v:.4g}" if isinstance(v, float) else v for v in values])
            print(f"{part.__name__}: {time.process_time() - start:.0f} s of CPU time so far")  # noqa: T201


if __name__ == "__main__":
    main()
