"""Samples whose law has a known entropy: the usual families on the line, normal and Student laws in space, counts."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike
from scipy.special import entr

from problems import samples_joint_laws as laws
from problems import samples_truths as truths
from problems.samples_problem import EntropyProblem, Generator, Rows, tags

stats: Any = scipy.stats


@cache
def entropies() -> tuple[EntropyProblem, ...]:
    """The samples that judge."""
    s = stats
    line = [
        ("normal", s.norm(2, 3), "smooth"),
        ("exponential", s.expon(scale=2), "edge"),
        ("gamma", s.gamma(3), "smooth"),
        ("beta", s.beta(2, 5), "smooth"),
        ("laplace", s.laplace(), "smooth"),
        ("uniform", s.uniform(0, 4), "edge"),
        ("cauchy", s.cauchy(), "heavy"),
        ("lognormal", s.lognorm(1.5), "heavy"),
    ]
    return (*(_of(*parts, "entropies") for parts in line), *_space("entropies", 0.5), *_discrete(), _ridge())


@cache
def own_entropies() -> tuple[EntropyProblem, ...]:
    """Samples of other laws, to tune on."""
    s = stats
    line = [
        ("logistic", s.logistic(), "smooth"),
        ("weibull", s.weibull_min(1.7), "smooth"),
        ("triangle", s.triang(0.3), "edge"),
        ("student-3", s.t(3), "heavy"),
        ("arcsine", s.beta(0.5, 0.5), "edge hard"),
    ]
    return (*(_of(*parts, "own") for parts in line), *_space("own", 0.3))


def _of(name: str, law: Any, words: str, family: str) -> EntropyProblem:
    def draw(n: int, rng: Generator) -> Rows:
        return law.rvs(size=(n, 1), random_state=rng)

    return EntropyProblem(name, draw, float(law.entropy()), family, 1, tags(words))


def _space(family: str, rho: float) -> list[EntropyProblem]:
    """Normal laws of one correlation between all columns."""
    found = []
    for d in (3, 10, 30):
        c = laws.dense(d - 1, 1, rho)
        root = np.linalg.cholesky(c)
        truth = float(d * (truths.HALF_LOG_2PI + 0.5) + 0.5 * np.linalg.slogdet(c)[1])

        def draw(n: int, rng: Generator, root: Rows = root) -> Rows:
            return rng.standard_normal((n, len(root))) @ root.T

        words = "smooth high" if d >= 10 else "smooth"
        found.append(EntropyProblem(f"normal-{rho:g}-{d}", draw, truth, family, d, tags(words)))
    return found


def _ridge() -> EntropyProblem:
    """Two columns on scales that differ by 10⁶."""

    def draw(n: int, rng: Generator) -> Rows:
        return rng.standard_normal((n, 2)) * np.array([1.0, 1e6])

    truth = float(2 * (truths.HALF_LOG_2PI + 0.5) + 6 * math.log(10))
    return EntropyProblem("uneven-scales", draw, truth, "entropies", 2, tags("smooth hard"))


def _discrete() -> list[EntropyProblem]:
    rank = np.arange(1, 1001)
    counts = stats.poisson(4).pmf(np.arange(200))
    return [
        masses("uniform-6", np.full(6, 1 / 6)),
        masses("zipf-1000", 1 / rank / np.sum(1 / rank)),
        masses("poisson-4", counts / counts.sum()),
    ]


def masses(name: str, p: ArrayLike) -> EntropyProblem:
    """Classes with these masses."""
    w = np.asarray(p, dtype=float)

    def draw(n: int, rng: Generator) -> Rows:
        return rng.choice(len(w), size=n, p=w)

    options = {"kind": "discrete"}
    truth = float(entr(w).sum())
    return EntropyProblem(name, draw, truth, "entropies", 1, tags("discrete"), options=options)
