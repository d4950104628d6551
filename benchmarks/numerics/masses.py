"""Peers and kullback on probability vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from torch.distributions import Categorical, kl_divergence

import kullback as kb
from numerics import truth
from numerics.scoring import Case, Function, Scores, Section, scored

NEAR = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)


def near_equal(rng: np.random.Generator, n: int, noise: float, draws: int) -> Iterator[tuple[Any, Any]]:
    for _ in range(draws):
        p = rng.dirichlet(np.ones(n))
        q = p * (1 + noise * rng.standard_normal(n))
        yield p, q / q.sum()


def of_masses(function: Callable[[Any, Any], Any], p: np.ndarray, q: np.ndarray) -> Any:
    return function(truth.normalised(p), truth.normalised(q))


def peer_kl_torch(p: np.ndarray, q: np.ndarray) -> float:
    return F.kl_div(torch.from_numpy(q).log(), torch.from_numpy(p), reduction="sum").item()


def peer_categorical(p: np.ndarray, q: np.ndarray) -> float:
    return kl_divergence(
        Categorical(probs=torch.from_numpy(p)), Categorical(probs=torch.from_numpy(q))
    ).item()


NORMALISING: dict[str, Function] = {
    "scipy.stats.entropy": lambda p, q: float(scipy.stats.entropy(p, q)),
    "torch Categorical": peer_categorical,
    "kb.kl, normalize=True": lambda p, q: kb.kl(p, q, normalize=True),
}
AS_GIVEN: dict[str, Function] = {
    "scipy.stats.entropy": NORMALISING["scipy.stats.entropy"],
    "scipy rel_entr": lambda p, q: float(scipy.special.rel_entr(p, q).sum()),
    "scipy kl_div": lambda p, q: float(scipy.special.kl_div(p, q).sum()),
    "torch F.kl_div": peer_kl_torch,
    "torch Categorical": peer_categorical,
    "kb.kl, normalize=True": NORMALISING["kb.kl, normalize=True"],
    "kb.kl": kb.kl,
}


def kullback_leibler() -> Section:
    rng = np.random.default_rng(0)
    cases: list[Case] = []
    for n, draws in ((5, 100), (1000, 20)):
        cases += [(f"n={n}, δ={noise:.0e}", list(near_equal(rng, n, noise, draws))) for noise in NEAR]
    plain = [(rng.dirichlet(np.ones(20)), rng.dirichlet(np.ones(20))) for _ in range(40)]
    tails = [tuple(rng.dirichlet(np.full(20, 0.02)) + 1e-300 for _ in range(2)) for _ in range(40)]
    cases += [("unrelated, Dirichlet(1), n=20", plain), ("masses down to 1e-300, n=20", tails)]
    scores = scored(cases, AS_GIVEN, partial(of_masses, truth.kl))
    tiny = ((5e-324, 1e-320), (1e-310, 5e-324), (1e-300, 1e-308), (5e-324, 0.5), (0.5, 5e-324))
    rest = np.nextafter(1.0, 0.0)
    subnormal = [(np.array([rest, x]), np.array([rest if y < 0.1 else 0.5, y])) for x, y in tiny]
    with mp.workdps(truth.ALL_SUBNORMALS):
        scores |= scored([("subnormal masses", subnormal)], NORMALISING, partial(of_masses, truth.kl))
    weights = [(1e3 * p, 1e-3 * q) for p, q in near_equal(rng, 10, 1e-3, 40)]
    scores |= scored(
        [("masses summing to 1000 and 0.001, δ=1e-03", weights)], NORMALISING, partial(of_masses, truth.kl)
    )
    note = (
        "Relative error, largest / median over the draws. δ is the relative difference of p and q. `kb.kl` without "
        "normalize takes masses as given, whose sums rounding leaves 1e-16 away from 1; below δ=1e-8 that shows."
    )
    return Section("KL of masses, float64", note, scores, ("kb.kl, normalize=True", "kb.kl"), "n=5, δ=1e-08")


def jensen_shannon() -> Section:
    rng = np.random.default_rng(1)

    def exact(p: Any, q: Any) -> Any:
        return mp.sqrt(of_masses(truth.js, p, q))

    def ours(p: Any, q: Any) -> float:
        return math.sqrt(kb.js(p, q, normalize=True))

    functions: dict[str, Function] = {
        "scipy jensenshannon": lambda p, q: float(jensenshannon(p, q)),
        "sqrt(kb.js)": ours,
    }
    cases: list[Case] = []
    for n, draws in ((2, 100), (5, 100), (1000, 20)):
        cases += [
            (f"float64, n={n}, δ={noise:.0e}", list(near_equal(rng, n, noise, draws))) for noise in NEAR
        ]
    for noise in NEAR[:2]:
        single = [(p.astype(np.float32), q.astype(np.float32)) for p, q in near_equal(rng, 5, noise, 100)]
        cases.append((f"float32, n=5, δ={noise:.0e}", single))
    note = "The distance, which is the square root of the divergence. Relative error, largest / median."
    return Section(
        "Jensen–Shannon distance",
        note,
        scored(cases, functions, exact),
        ("sqrt(kb.js)",),
        "float64, n=5, δ=1e-08",
    )


def generators() -> Section:
    rng = np.random.default_rng(2)
    scores: Scores = {}
    for name, (printed, f) in truth.TEXTBOOK.items():
        d: Any = kb.catalogue().find(name)
        functions: dict[str, Function] = {
            "textbook Σ q f(p/q)": lambda p, q, f=f: float((q * f(p / q, np)).sum()),
            "kullback, normalize=True": lambda p, q, d=d: d(p, q, normalize=True),
        }
        cases: list[Case] = [
            (f"`{name}`, f = {printed}, δ={noise:.0e}", list(near_equal(rng, 20, noise, 15)))
            for noise in (1e-2, 1e-8)
        ]
        scores |= scored(cases, functions, partial(of_masses, partial(truth.f_divergence, name)))
    note = (
        "n=20, float64. The textbook column sums the printed formula; where that is a square it loses little."
    )
    headline = next(
        case for case in scores if case.startswith("`squared_hellinger`") and case.endswith("1e-08")
    )
    return Section("Every f-divergence near equality", note, scores, ("kullback, normalize=True",), headline)


def relatives() -> Section:
    rng = np.random.default_rng(3)
    scores: Scores = {}
    for name, (ours, textbook, exact) in RELATIVES.items():
        cases: list[Case] = [
            (f"{name}, δ={noise:.0e}", list(near_equal(rng, 20, noise, 20))) for noise in (1e-2, 1e-5, 1e-8)
        ]
        functions: dict[str, Function] = {"textbook form": textbook, "kullback, normalize=True": ours}
        scores |= scored(cases, functions, partial(of_masses, exact))
    note = "n=20, float64. The textbook form is the logarithm of the sum that defines it."
    headline = "Rényi, order 0.999, δ=1e-08"
    return Section("Relatives near equality", note, scores, ("kullback, normalize=True",), headline)


def _textbook_renyi(order: float, p: np.ndarray, q: np.ndarray) -> float:
    return float(np.log(np.sum(p**order * q ** (1 - order))) / (order - 1))


Triple = tuple[Function, Function, Callable[[Any, Any], Any]]

RELATIVES: dict[str, Triple] = {
    f"Rényi, order {order}": (
        lambda p, q, order=order: kb.renyi(order)(p, q, normalize=True),
        partial(_textbook_renyi, order),
        partial(truth.renyi, order),
    )
    for order in (0.5, 0.999, 1.0000001, 2.0, 5.0)
} | {
    "Bhattacharyya": (
        lambda p, q: kb.bhattacharyya(p, q, normalize=True),
        lambda p, q: float(-np.log(np.sqrt(p * q).sum())),
        truth.bhattacharyya,
    ),
    "Cauchy–Schwarz": (
        lambda p, q: kb.cauchy_schwarz(p, q, normalize=True),
        lambda p, q: float(-np.log((p @ q) ** 2 / (p @ p) / (q @ q))),
        truth.cauchy_schwarz,
    ),
}
