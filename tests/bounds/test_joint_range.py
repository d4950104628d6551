"""Joint ranges of pairs of f-divergences: never violated, attained, and equal to what is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.optimize import brentq

import kullback as kb
from kullback.bounds import joint_range

PAIRS = [
    (kb.kl, kb.js, 0.3),
    (kb.kl, kb.total_variation, 0.3),
    (kb.total_variation, kb.kl, 0.5),
    (kb.total_variation, kb.squared_hellinger, 0.5),
    (kb.squared_hellinger, kb.total_variation, 0.4),
    (kb.kl, kb.pearson_chi2, 0.7),
    (kb.js, kb.le_cam, 0.2),
    (kb.jeffreys, kb.squared_hellinger, 0.3),
    (kb.alpha(0.3), kb.skew_js(0.1), 0.05),
    (kb.reverse_kl, kb.gan, 0.2),
]
CATALOGUE = tuple(kb.catalogue())


def random_pairs(n: int = 100_000) -> tuple[np.ndarray, np.ndarray]:
    """Near, far, and with next to no common mass."""
    rng = np.random.default_rng(11)
    parts = []
    for k, spread in ((2, 1.0), (3, 0.3), (4, 0.1), (3, 3.0)):
        p, q = rng.dirichlet(np.full(k, spread), (2, n // 4))
        mix = rng.uniform(size=(n // 4, 1)) ** 3
        parts.append([np.pad(x, ((0, 0), (0, 4 - k))) for x in (p, mix * p + (1 - mix) * q)])
    return tuple(np.concatenate(side) for side in zip(*parts, strict=True))  # type: ignore[return-value]


def assert_holds(f: kb.FDivergence, g: kb.FDivergence, x: float, pair: tuple[np.ndarray, np.ndarray]) -> None:
    low, high = joint_range(f, g, at=x)
    mine, other = f(*pair, normalize=True), g(*pair, normalize=True)
    finite = np.isfinite(other)
    mine, other = mine[finite], other[finite]
    assert np.all(mine >= low.slope * other + low.intercept - 1e-13 * (1 + np.abs(low.slope) * other))
    if high.value < math.inf:
        line = high.slope * other + high.intercept
        assert np.all(mine <= line + 1e-13 * (1 + np.abs(high.slope) * other))


@pytest.mark.parametrize(("f", "g", "x"), PAIRS, ids=repr)
def test_never_violated_and_attained(f: kb.FDivergence, g: kb.FDivergence, x: float) -> None:
    assert_holds(f, g, x, random_pairs())
    for edge in joint_range(f, g, at=x):
        if 0 < edge.value < math.inf:
            assert g(edge.p, edge.q) == pytest.approx(x, rel=1e-9)
            assert f(edge.p, edge.q) == pytest.approx(edge.value, rel=1e-8)


@pytest.mark.parametrize("g", CATALOGUE, ids=repr)
def test_front_door_holds_for_random_pairs(g: kb.FDivergence) -> None:
    """Each divergence at the value of some pair bounds all the others of that same pair."""
    rng = np.random.default_rng(13)
    p, q = rng.dirichlet(np.full(4, 0.7), (2, len(CATALOGUE)))
    for f, one, other in zip(CATALOGUE, p, q, strict=True):
        truth, answer = f(one, other), kb.bound(f, given=g, at=g(one, other))
        assert answer.low <= answer.value <= answer.high
        assert answer.low * (1 - 1e-12) <= truth <= answer.high * (1 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("g", CATALOGUE, ids=repr)
def test_every_pair_of_the_catalogue(g: kb.FDivergence) -> None:
    pair = random_pairs()
    for f in CATALOGUE:
        for x in (0.01, 0.3):
            assert_holds(f, g, x * min(1.0, 0.9 * g.upper_bound), pair)


def vajda(t: float) -> tuple[float, float]:
    """A point of the least KL at given TV: both by their parameter t > 0."""
    tanh = mp.tanh(mpf(t))
    l1 = t * (1 - (1 / tanh - 1 / mpf(t)) ** 2)
    return float(mp.log(t / mp.sinh(t)) + t / tanh - (t / mp.sinh(t)) ** 2), float(l1 / 2)


def test_least_relative_entropy_at_a_total_variation() -> None:
    """Vajda's curve, in the parametrisation of Fedotov, Harremoës and Topsøe."""
    with mp.workdps(40):
        for t in (1e-3, 0.05, 0.4, 1.0, 3.0, 10.0, 50.0):
            divergence, tv = vajda(t)
            assert kb.bound(kb.kl, given=kb.total_variation, at=tv).low == pytest.approx(divergence, rel=1e-8)
            if divergence > 1e-9:
                high = kb.bound(kb.total_variation, given=kb.kl, at=divergence).high
                assert high == pytest.approx(tv, rel=1e-8)


@pytest.mark.parametrize("x", [1e-6, 1e-4, 0.01, 0.3, 0.9, 0.999])
def test_symmetric_divergences_at_a_total_variation(x: float) -> None:
    """Least for two coins that are exchanged; largest for what is not shared being disjoint."""
    coins = [0.5 + 0.5 * x, 0.5 - 0.5 * x], [0.5 - 0.5 * x, 0.5 + 0.5 * x]
    for f in (kb.js, kb.squared_hellinger, kb.le_cam, kb.jeffreys):
        answer = kb.bound(f, given=kb.total_variation, at=x)
        assert answer.low == pytest.approx(f(*coins), rel=1e-8)
        assert answer.high == pytest.approx(x * f.upper_bound, rel=1e-12)


def test_relative_entropy_from_jensen_shannon() -> None:
    """The best lower bound is attained by Bernoulli(1) against Bernoulli(t), KL = −log t."""

    def js(t: float) -> float:
        return math.log(2) + 0.5 * (t * math.log(t) - (1 + t) * math.log1p(t))

    for x, known in {
        0.02: 0.0581821,
        0.1: 0.301553,
        0.3: 1.020981,
        0.5: 2.101954,
        0.6: 3.095821,
        0.69: 7.168424,
    }.items():
        t = float(brentq(lambda t, x=x: js(t) - x, 1e-9, 1 - 1e-9, xtol=1e-15))  # type: ignore[arg-type]
        answer = kb.bound(kb.kl, given=kb.js, at=x)
        assert answer.low == pytest.approx(-math.log(t), rel=1e-9)
        assert answer.low == pytest.approx(known, rel=1e-6)
        assert answer.high == math.inf
        assert answer.kind == "bounds"


def test_known_joint_ranges() -> None:
    for x in (0.01, 0.3, 0.9):
        # Le Cam: H²/2 ≤ TV ≤ √(H²/2 (2 − H²/2)), for H² = Σ(√p − √q)²
        tv = kb.bound(kb.total_variation, given=kb.squared_hellinger, at=x)
        assert tv.low == pytest.approx(0.5 * x, rel=1e-8)
        assert tv.high == pytest.approx(math.sqrt(0.5 * x * (2 - 0.5 * x)), rel=1e-8)
        # KL ≤ log(1 + χ²), and nothing better from below
        kl = kb.bound(kb.kl, given=kb.pearson_chi2, at=x)
        assert kl.high == pytest.approx(math.log1p(x), rel=1e-8)
        assert kl.low == 0
        # sharper than Pinsker and than Bretagnolle–Huber
        assert kb.bound(kb.kl, given=kb.total_variation, at=x).low >= 2 * x**2 * (1 - 1e-9)
        assert kb.bound(kb.total_variation, given=kb.kl, at=x).high <= math.sqrt(
            min(x / 2, -math.expm1(-x))
        ) * (1 + 1e-9)
        assert kb.bound(kb.js, given=kb.total_variation, at=x).high == pytest.approx(
            x * math.log(2), rel=1e-8
        )


def test_ends_of_the_range() -> None:
    assert kb.bound(kb.kl, given=kb.js, at=0).high == 0
    disjoint = kb.bound(kb.js, given=kb.total_variation, at=1.0)
    assert disjoint.low == disjoint.high == kb.js.upper_bound
    assert kb.bound(kb.total_variation, given=kb.kl, at=2.0).low == 0  # a little mass at a huge ratio
    assert kb.bound(kb.alpha(1.0000001), given=kb.kl, at=0.1).high == math.inf
    same = kb.bound(kb.alpha(0.5), given=kb.squared_hellinger, at=0.4)
    assert same.low == pytest.approx(0.8, rel=1e-9)
    assert same.high == pytest.approx(0.8, rel=1e-9)


def test_refusals() -> None:
    with pytest.raises(kb.InvalidInputError, match="no pair"):
        kb.bound(kb.kl, given=kb.js, at=0.7)
    with pytest.raises(kb.InvalidInputError, match="no pair"):
        kb.bound(kb.kl, given=kb.js, at=math.nan)
    with pytest.raises(kb.InvalidInputError, match="f-divergences"):
        kb.bound(kb.renyi(2), given=kb.js, at=0.1)
    with pytest.raises(kb.ConvergenceError, match="gap"):
        kb.bound(kb.kl, given=kb.total_variation, at=1e-30)
