"""Radii of empirical laws: never violated over 1e5 random laws, attained, and inverted by sample sizes."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from mpmath import binomial, mp, mpf
from scipy.special import gammaln, xlogy
from scipy.stats import binom

import kullback as kb
from kullback.bounds.concentration import exact_radius, log_complexity, radius, sample_size

N = 33_400  # for each of three shapes
OWN = (kb.kl, kb.total_variation, kb.pearson_chi2)
BOUNDED = (*OWN, kb.js, 2.0 * kb.squared_hellinger)


def counts_of(n: int, k: int) -> np.ndarray:
    return np.array([c for c in product(range(n + 1), repeat=k) if sum(c) == n])


def random_laws(k: int, seed: int) -> np.ndarray:
    """From even ones to ones with categories that are hardly ever drawn."""
    rng = np.random.default_rng(seed)
    parts = [rng.dirichlet(np.full(k, spread), N // 4) for spread in (0.1, 0.5, 1.0, 20.0)]
    laws = np.concatenate(parts) + 1e-12
    return laws / laws.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("n", "k"), [(1, 3), (5, 2), (3, 3)])
def test_no_law_strays_farther_more_often(n: int, k: int) -> None:
    counts, laws = counts_of(n, k), random_laws(k, n)
    several = gammaln(n + 1) - gammaln(counts + 1).sum(axis=-1)
    levels = (0.5, 0.95)
    radii = {d: [radius(d, n=n, categories=k, level=level).high for level in levels] for d in BOUNDED}
    beyond = {d: np.zeros((len(levels), N)) for d in BOUNDED}
    for count, ways in zip(counts, several, strict=True):
        chance = np.exp(ways + xlogy(count, laws).sum(axis=-1))
        for d in BOUNDED:
            apart = d(np.broadcast_to(count / n, laws.shape), laws, normalize=True)
            beyond[d] += chance * (apart[None] >= np.array(radii[d])[:, None] * (1 + 1e-12))
    for d in BOUNDED:
        assert np.all(beyond[d] <= (1 - np.array(levels))[:, None] * (1 + 1e-9)), d


def test_attained_by_a_fair_coin() -> None:
    """All heads or all tails are log 2 away in KL, which happens with probability 2 · 2⁻ⁿ."""
    for n in (2, 5, 20):
        level = 1 - 2.0 ** (1 - n)
        high = radius(kb.kl, n=n, categories=2, level=level).high
        assert high == pytest.approx(math.log(2), rel=1e-14)
        assert exact_radius(kb.kl, [0.5, 0.5], n=n, level=level + 2.0**-n).high == pytest.approx(
            high, rel=1e-14
        )


def test_attained_by_one_draw_in_the_limit() -> None:
    """One draw that hits a category of mass π: chi-square is 1/π − 1, TV 1 − π."""
    rare = 1e-4
    level = 1 - rare
    for d, apart in ((kb.pearson_chi2, 1 / rare - 1), (kb.total_variation, 1 - rare)):
        assert apart == pytest.approx(d([1.0, 0.0], [rare, 1 - rare]), rel=1e-9)
        assert radius(d, n=1, categories=2, level=level).high == pytest.approx(apart, rel=3 * rare)
    # Shtarkov's sum: one draw from k even categories is always log k away, and P(KL ≥ log k) ≤ k e^(−log k)
    for k in (3, 10):
        assert log_complexity(1, k) == pytest.approx(math.log(k), rel=1e-14)


def test_complexity_against_its_definition() -> None:
    with mp.workdps(40):
        for n in (1, 2, 7, 30, 99, 100, 1000):
            terms = (binomial(n, h) * mpf(h) ** h * mpf(n - h) ** (n - h) / mpf(n) ** n for h in range(n + 1))
            truth = mp.log(sum(terms))
            got = log_complexity(n, 2)
            assert got == pytest.approx(float(truth), rel=1e-13 if n < 100 else 1e-8)
            assert got >= float(truth) * (1 - 1e-14)  # on the safe side
    for n, k in ((6, 3), (5, 4)):
        counts = counts_of(n, k)
        logs = gammaln(n + 1) - gammaln(counts + 1).sum(-1) + xlogy(counts, counts / n).sum(-1)
        assert log_complexity(n, k) == pytest.approx(math.log(np.exp(logs).sum()), rel=1e-13)
    assert log_complexity(3, 1) == 0
    assert math.isfinite(log_complexity(10**6, 5000))


def test_known_law_against_the_binomial_one() -> None:
    for p, n in ((0.3, 40), (0.02, 200)):
        for level in (0.5, 0.95):
            got = exact_radius(kb.total_variation, [p, 1 - p], n=n, level=level)
            heads = np.arange(n + 1)
            apart = np.abs(heads / n - p)
            covered = [binom.pmf(heads[apart <= r + 1e-12], n, p).sum() for r in np.sort(apart)]
            assert got.high == pytest.approx(np.sort(apart)[np.argmax(np.array(covered) >= level)], rel=1e-12)
            assert got.kind == "enumeration"
            assert got.high <= radius(kb.total_variation, n=n, categories=2, level=level).high
    assert exact_radius(kb.reverse_kl, [0.5, 0.5], n=3, level=0.95).high == math.inf
    assert exact_radius(kb.renyi(2), [0.5, 0.5], n=10).high > 0


@pytest.mark.parametrize("d", BOUNDED, ids=repr)
def test_sample_size_inverts_the_radius(d: kb.FDivergence) -> None:
    k, target = 7, 0.01
    n = int(sample_size(d, target, categories=k, level=0.9).high)
    assert radius(d, n=n, categories=k, level=0.9).high <= target * (1 + 1e-6)
    assert radius(d, n=n - 1, categories=k, level=0.9).high >= target * (1 - 1e-6)


def test_radius_falls_with_draws_and_grows_with_level() -> None:
    for d in OWN:
        falling = [radius(d, n=n, categories=20).high for n in (99, 100)]
        assert sorted(falling, reverse=True) == falling
        growing = [radius(d, n=50, categories=20, level=level).high for level in (0.1, 0.999999)]
        assert sorted(growing) == growing


def test_refusals() -> None:
    for call in (
        lambda: radius(kb.kl, n=0, categories=2),
        lambda: radius(kb.kl, n=1.5, categories=2),  # type: ignore[arg-type]
        lambda: radius(kb.kl, n=10, categories=1),
        lambda: radius(kb.kl, n=10, categories=2, level=1.0),
        lambda: radius(kb.reverse_kl, n=10, categories=2),
        lambda: radius(kb.renyi(2), n=10, categories=2),
        lambda: sample_size(kb.kl, 0.0, categories=2),
        lambda: sample_size(kb.neyman_chi2, 0.1, categories=2),
        lambda: exact_radius(kb.kl, [0.5, 0.6], n=2),
        lambda: exact_radius(kb.kl, [0.25] * 4, n=1000),
        lambda: log_complexity(0, 2),
    ):
        with pytest.raises(kb.InvalidInputError):
            call()
    with pytest.raises(kb.ShapeError):
        exact_radius(kb.kl, [[0.5, 0.5]], n=2)
