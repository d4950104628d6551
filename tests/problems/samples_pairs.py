"""Two samples whose laws are a known distance apart: families on the line, normal laws in up to 30 columns, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy.stats
from scipy.special import ndtr, rel_entr

import kullback as kb
from problems.samples_problem import Generator, PairProblem, Rows, tags

stats: Any = scipy.stats
DISCRETE = {"kind": "discrete"}
DIMS = (1, 3, 10, 30)


@cache
def pairs() -> tuple[PairProblem, ...]:
    """The pairs that judge."""
    return (
        *_normals("pairs", 1.0, 1.5),
        *_line(),
        *_heavy(),
        *_edges(),
        *_counts(),
        *_spoilt(),
        *_weighted(),
    )


@cache
def own_pairs() -> tuple[PairProblem, ...]:
    """Pairs of other laws and other parameters, to tune on."""
    s = stats
    line = [
        ("logistic", kb.kl, s.logistic(0), s.logistic(1, 1.3), "smooth"),
        ("gumbel", kb.js, s.gumbel_r(0), s.gumbel_r(0.7), "smooth"),
        ("skew", kb.squared_hellinger, s.skewnorm(3), s.norm(0.5), "smooth"),
        ("weibull", kb.kl, s.weibull_min(1.5), s.weibull_min(2.5), "edge"),
        ("student", kb.kl, s.t(5), s.t(3, 0.5), "heavy"),
        ("far-normal", kb.kl, s.norm(3), s.norm(0), "smooth hard"),
        ("near-normal", kb.kl, s.norm(0.1), s.norm(0), "smooth"),
    ]
    alike = [equal(f"equal-{d}", kb.kl, d, "own") for d in DIMS]
    return (*_normals("own", 0.7, 0.8), *(pair(*parts, "own") for parts in line), *alike)


def pair(name: str, noun: Any, p: Any, q: Any, words: str, family: str = "pairs") -> PairProblem:
    """Two frozen laws of SciPy; the truth is what `between` says of them, with its error."""
    answer = kb.between(noun, p, q)
    error = 0.0 if answer.high == answer.low else float(answer.high - answer.low)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return _rows(p.rvs(size=n, random_state=rng)), _rows(q.rvs(size=n, random_state=rng))

    dims = draw(2, np.random.default_rng(0))[0].shape[1]
    full = f"{name}-{noun.name}"
    return PairProblem(full, noun, draw, float(answer.value), family, dims, tags(words), answer.kind, error)


def equal(name: str, noun: Any, dims: int, family: str) -> PairProblem:
    """Both samples from one normal law."""

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return rng.standard_normal((n, dims)), rng.standard_normal((n, dims))

    return PairProblem(f"{name}-{noun.name}", noun, draw, 0.0, family, dims, tags("smooth null"))


def _rows(drawn: Rows) -> Rows:
    return drawn if drawn.ndim == 2 else drawn[:, None]


def _normals(family: str, shift: float, ratio: float) -> list[PairProblem]:
    """A shift of one length in every dimension, and deviations that differ in every other column."""
    found = []
    for d in DIMS:
        words = "smooth high" if d >= 10 else "smooth"
        law = stats.norm if d == 1 else stats.multivariate_normal
        base = law(0, 1) if d == 1 else law(np.zeros(d), np.eye(d))
        moved = law(shift, 1) if d == 1 else law(np.full(d, shift / math.sqrt(d)), np.eye(d))
        wide = law(0, ratio) if d == 1 else law(np.zeros(d), np.diag(np.where(np.arange(d) % 2, 1, ratio**2)))
        tag = f"{shift:g}-{d}"
        nouns = (kb.kl, kb.js, kb.squared_hellinger)
        found += [pair(f"shift-{tag}", noun, moved, base, words, family) for noun in nouns]
        found += [pair(f"spread-{ratio:g}-{d}", kb.kl, base, wide, words, family)]
        found += [pair(f"shift-{tag}", kb.wasserstein(2), moved, base, words, family)] if d <= 3 else []
    return found


def _line() -> list[PairProblem]:
    s = stats
    two = kb.Mixture([0.5, 0.5], [s.norm(-2), s.norm(2)])
    other = kb.Mixture([0.3, 0.7], [s.norm(-2), s.norm(1, 2)])
    return [
        pair("exponential", kb.kl, s.expon(), s.expon(scale=2), "edge"),
        pair("exponential", kb.js, s.expon(), s.expon(scale=2), "edge"),
        pair("gamma", kb.kl, s.gamma(2), s.gamma(3), "smooth"),
        pair("beta", kb.kl, s.beta(2, 3), s.beta(3, 2), "smooth"),
        pair("laplace", kb.kl, s.laplace(0), s.laplace(1), "smooth"),
        pair("dirichlet", kb.kl, s.dirichlet([2, 3, 4]), s.dirichlet([3, 3, 3]), "smooth low-rank"),
        _mixtures("mixtures", kb.kl, two, other),
        _mixtures("mixtures", kb.total_variation, two, other),
    ]


def _mixtures(name: str, noun: Any, p: kb.Mixture, q: kb.Mixture) -> PairProblem:
    answer = kb.between(noun, p, q)

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return _mixed(p, n, rng), _mixed(q, n, rng)

    error = float(answer.high - answer.low)
    full = f"{name}-{noun.name}"
    return PairProblem(full, noun, draw, float(answer.value), "pairs", 1, tags("smooth"), answer.kind, error)


def _mixed(law: kb.Mixture, n: int, rng: Generator) -> Rows:
    k = rng.choice(len(law.components), size=n, p=np.asarray(law.weights))
    every = np.column_stack([part.rvs(size=n, random_state=rng) for part in law.components])
    return every[np.arange(n), k][:, None]


def _heavy() -> list[PairProblem]:
    s = stats
    return [
        pair("cauchy", kb.kl, s.cauchy(0, 1), s.cauchy(1, 2), "heavy"),
        pair("cauchy", kb.js, s.cauchy(0, 1), s.cauchy(1, 2), "heavy"),
        pair("lognormal", kb.kl, s.lognorm(1.5), s.lognorm(2), "heavy"),
    ]


def _edges() -> list[PairProblem]:
    """A law inside another: KL is finite one way, total variation both ways."""
    inner, outer = stats.uniform(0, 1), stats.uniform(0, 2)
    return [
        pair("inside", kb.kl, inner, outer, "edge"),
        pair("inside", kb.total_variation, inner, outer, "edge"),
        pair("around", kb.kl, outer, inner, "edge infinite"),
        pair("around", kb.js, outer, inner, "edge"),
    ]


def _counts() -> list[PairProblem]:
    def poisson(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return rng.poisson(3, n), rng.poisson(4, n)

    closed = 3 * math.log(3 / 4) + 1
    counted = PairProblem(
        "poisson-kl", kb.kl, poisson, closed, "pairs", 1, tags("discrete"), options=DISCRETE
    )
    return [counted, *(zipf(k) for k in (10, 1_000, 100_000))]


def zipf(categories: int) -> PairProblem:
    """Masses that fall as 1/k and as 1/k^1.2."""
    rank = np.arange(1, categories + 1)
    p, q = (rank**-a / np.sum(rank**-a) for a in (1.0, 1.2))

    def draw(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return rng.choice(categories, size=n, p=p), rng.choice(categories, size=n, p=q)

    truth = float(rel_entr(p, q).sum())
    return PairProblem(
        f"zipf-{categories}-kl", kb.kl, draw, truth, "pairs", 1, tags("discrete"), options=DISCRETE
    )


def _spoilt() -> list[PairProblem]:
    """Normal laws rounded to multiples of 0.5, and with an atom at 0 in a third of the rows."""
    edges = 0.5 * (np.arange(-40, 42) - 0.5)
    cells = float(rel_entr(_cells(edges - 1), _cells(edges)).sum())

    def rounded(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x, y = rng.standard_normal((2, n, 1))
        return 0.5 * np.round(2 * (x + 1)), 0.5 * np.round(2 * y)

    def atoms(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x, y = rng.standard_normal((2, n, 1))
        out_x, out_y = rng.uniform(size=(2, n, 1)) < 1 / 3
        return np.where(out_x, 0.0, x + 1), np.where(out_y, 0.0, y)

    words = tags("atoms")
    return [
        PairProblem("rounded-0.5-kl", kb.kl, rounded, cells, "pairs", 1, words),
        PairProblem("zeros-0.33-kl", kb.kl, atoms, (2 / 3) * 0.5, "pairs", 1, words),
    ]


def _cells(edges: Rows) -> Rows:
    """Standard normal masses between neighbouring edges, from the tail on their side."""
    low, high = edges[:-1], edges[1:]
    return np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))


def _weighted() -> list[PairProblem]:
    """Rows of a standard normal law, weighted as those of a shifted one."""

    def made(d: int, shift: Sequence[float]) -> PairProblem:
        a = np.asarray(shift)

        def draw(n: int, rng: Generator) -> tuple[Rows, ...]:
            x, y = rng.standard_normal((2, n, d))
            return x, y, np.exp(x @ a), np.ones(n)

        truth = float(a @ a / 2)
        return PairProblem(f"tilted-{d}-kl", kb.kl, draw, truth, "pairs", d, tags("smooth weighted"))

    return [made(1, [0.8]), made(3, [0.5, 0.5, -0.5])]
