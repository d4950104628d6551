"""The pairs of samples and the entropies with known answers: their draws against their truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import rel_entr

from problems.samples_entropies import entropies, own_entropies
from problems.samples_pairs import own_pairs, pairs
from problems.samples_problem import EntropyProblem, PairProblem

EVERY = (*pairs(), *own_pairs())
SAMPLES = (*entropies(), *own_entropies())


def named(name: str) -> PairProblem:
    return next(p for p in EVERY if p.name == name)


def test_names_are_unique_and_nothing_that_judges_is_own() -> None:
    for found, own in ((EVERY, own_pairs()), (SAMPLES, own_entropies())):
        assert len({p.name for p in found}) == len(found)
        assert {p.family for p in own} == {"own"}
        assert all(p.family != "own" for p in found if p not in own)


@pytest.mark.parametrize("p", [*EVERY, *SAMPLES], ids=lambda p: p.name)
def test_draws_have_their_shape_and_repeat(p: PairProblem | EntropyProblem) -> None:
    drawn = [p.draw(40, np.random.default_rng(3)) for _ in range(2)]
    once, twice = (d if isinstance(d, tuple) else (d,) for d in drawn)
    for a, b in zip(once, twice, strict=True):
        assert len(a) == 40
        assert np.isfinite(a).all()
        assert np.array_equal(a, b)
    assert (once[0].shape[1] if once[0].ndim == 2 else 1) == p.dims


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("shift-1-10-kl", 0.5),
        ("shift-1-3-wasserstein(2)", 1.0),
        ("shift-1-1-squared_hellinger", 2 * (1 - math.exp(-1 / 8))),
        ("spread-1.5-1-kl", math.log(1.5) + 1 / 4.5 - 0.5),
        ("spread-1.5-10-kl", 5 * (math.log(1.5) + 1 / 4.5 - 0.5)),
        ("exponential-kl", math.log(2) - 0.5),
        ("laplace-kl", math.exp(-1)),
        ("cauchy-kl", math.log((3**2 + 1) / 8)),
        ("inside-kl", math.log(2)),
        ("around-kl", math.inf),
    ],
)
def test_closed_forms(name: str, truth: float) -> None:
    found = named(name).truth
    assert found == truth or found == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("name", ["poisson-kl", "zipf-10-kl", "rounded-0.5-kl"])
def test_counts_against_their_draws(name: str) -> None:
    p = named(name)
    x, y = (np.round(2 * np.ravel(part)).astype(int) for part in p.draw(400_000, np.random.default_rng(4)))
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    a, b = (np.bincount(part - low, minlength=high - low + 1) + 0.5 for part in (x, y))
    assert rel_entr(a / a.sum(), b / b.sum()).sum() == pytest.approx(p.truth, abs=5e-3)


def test_weights_tilt() -> None:
    p = named("tilted-3-kl")
    x, _, weights, _ = p.draw(400_000, np.random.default_rng(5))
    centre = weights @ x / weights.sum()
    assert p.truth == pytest.approx(0.5 * float(centre @ centre), abs=0.01)


@pytest.mark.parametrize("p", [p for p in entropies() if "discrete" in p.tags], ids=lambda p: p.name)
def test_entropies_of_classes_against_their_draws(p: EntropyProblem) -> None:
    shares = np.bincount(p.draw(400_000, np.random.default_rng(6))) / 400_000
    shares = shares[shares > 0]
    assert -np.sum(shares * np.log(shares)) == pytest.approx(p.truth, abs=6e-3)
