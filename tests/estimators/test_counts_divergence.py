"""Divergences of two samples of classes: exact values, priors, refusals, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kullback as kb
from kullback.divergences import Divergence
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import Frequencies, Smoothed
from kullback.estimators.counts import sparse
from kullback.estimators.problem import TwoSamples, read_two

SERVED = [
    kb.kl,
    kb.js,
    kb.squared_hellinger,
    kb.jeffreys,
    kb.pearson_chi2,
    kb.total_variation,
    kb.renyi(0.5),
    kb.renyi(1),
    kb.renyi(2),
    kb.bhattacharyya,
    kb.squared_l2,
    kb.FDivergence.from_generator(lambda t: (t - 1) ** 2 * (t + 2), name="mine"),
]
SMOOTHED = [*SERVED, kb.cauchy_schwarz, kb.chernoff]


def rows(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def problem(d: Divergence, a: tuple[int, ...], b: tuple[int, ...], *, seed: int = 0) -> TwoSamples:
    return read_two(
        d,
        rows(*a),
        rows(*b),
        kind="discrete",
        weights_x=None,
        weights_y=None,
        missing="raise",
        seed=seed,
    )


def drawn(
    d: Divergence, p: np.ndarray, q: np.ndarray, n: int, m: int, rng: np.random.Generator
) -> TwoSamples:
    return problem(d, tuple(rng.multinomial(n, p).tolist()), tuple(rng.multinomial(m, q).tolist()))


@pytest.mark.parametrize("d", SERVED, ids=lambda d: d.name)
def test_the_statistic_is_the_noun_on_the_counts(d: Divergence) -> None:
    found = Frequencies().statistic(problem(d, (30, 20, 50), (20, 40, 20)))
    assert found == pytest.approx(float(d([0.3, 0.2, 0.5], [0.25, 0.5, 0.25])), rel=1e-12)


@pytest.mark.parametrize("d", SMOOTHED, ids=lambda d: d.name)
@pytest.mark.parametrize("method", [Frequencies(), Smoothed(), Smoothed(prior=3)], ids=lambda m: m.name)
def test_equal_shares_are_not_apart(d: Divergence, method: Frequencies | Smoothed) -> None:
    equal = problem(d, (30, 20, 50), (60, 40, 100))
    if method.refusal(equal):
        assert d in (kb.cauchy_schwarz, kb.chernoff)
        return
    assert method.statistic(equal) == pytest.approx(0.0, abs=1e-30)
    found = method.estimate(equal)
    assert found.interval is not None
    assert found.interval(0.95)[0] <= 0.0 < found.interval(0.95)[1]


@pytest.mark.parametrize("d", SMOOTHED, ids=lambda d: d.name)
def test_a_larger_prior_brings_the_laws_nearer(d: Divergence) -> None:
    apart = problem(d, (30, 0, 50, 3), (300, 400, 0, 100))
    values = [Smoothed(prior=s).statistic(apart) for s in (0.01, 0.5, 1, 10, 1000)]
    assert all(map(math.isfinite, values))
    assert values == sorted(values, reverse=True)


def test_an_empty_class_is_infinite_and_finite_with_a_prior() -> None:
    exact = kb.estimate(kb.jeffreys, rows(50, 50), rows(100, 0), kind="discrete", method=Frequencies())
    assert exact.value == exact.high == math.inf
    assert 0.1 < exact.low < math.inf
    smooth = kb.estimate(kb.jeffreys, rows(50, 50), rows(100, 0), kind="discrete", method=Smoothed())
    p, q = np.array([50.5, 50.5]) / 101, np.array([100.5, 0.5]) / 101
    assert smooth.value == pytest.approx(float(kb.jeffreys(p, q)), rel=1e-12)
    assert smooth.low < smooth.value < smooth.high < math.inf
    assert "1 classes occur in x alone" in exact.notes[0]


def test_squared_l2_is_unbiased() -> None:
    p, q, n, m = 0.3, 0.6, 5, 4
    mean = 0.0
    for i in range(n + 1):
        for j in range(m + 1):
            chance = math.comb(n, i) * p**i * (1 - p) ** (n - i) * math.comb(m, j) * q**j * (1 - q) ** (m - j)
            both = problem(kb.squared_l2, (i, n - i), (j, m - j))
            mean += chance * Frequencies().estimate(both).value
    assert mean == pytest.approx(2 * (p - q) ** 2, rel=1e-12)


@pytest.mark.parametrize(
    "d", [kb.kl, kb.js, kb.renyi(2), kb.squared_l2, kb.total_variation], ids=lambda d: d.name
)
def test_order_and_names_change_no_bit(d: Divergence) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 120), rng.integers(0, 9, 150)
    names = np.array(list("qwertzuio"))[rng.permutation(9)]
    for method in (Frequencies(), Smoothed()):
        first = kb.estimate(d, x, y, kind="discrete", method=method)
        second = kb.estimate(d, names[rng.permutation(x)], names[rng.permutation(y)], method=method)
        assert (first.value, first.low) == (second.value, second.low)
        assert first.high == pytest.approx(second.high, rel=1e-12)


def test_whole_weights_are_repeated_rows() -> None:
    x, y, w = rows(3, 4), rows(5, 2), np.array([1, 2, 3, 1, 2, 3, 1])
    weighted = kb.estimate(kb.js, x, y, kind="discrete", weights_x=w, method=Frequencies())
    repeated = kb.estimate(kb.js, np.repeat(x, w), y, kind="discrete", method=Frequencies())
    assert (weighted.value, weighted.low, weighted.high) == (repeated.value, repeated.low, repeated.high)
    with pytest.raises(UnsupportedPairError, match="no counts; repeat rows"):
        kb.estimate(kb.js, x, y, kind="discrete", weights_x=w / 2, method=Frequencies())


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match="prior is 0"):
        Smoothed(prior=0)
    with pytest.raises(UnsupportedPairError, match="no interval is known"):
        kb.estimate(kb.renyi(math.inf), rows(2, 2), rows(2, 2), kind="discrete", method=Frequencies())
    with pytest.raises(UnsupportedPairError, match="masses alone"):
        kb.estimate(kb.wasserstein(1), rows(2, 2), rows(2, 2), kind="discrete", method=Smoothed())
    with pytest.raises(UnsupportedPairError, match="continuous"):
        kb.estimate(kb.js, [0.5], [1.5], method=Frequencies())
    same = kb.estimate(kb.kl, ["a"] * 5, ["a"] * 9, method=Frequencies())
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)


def test_small_cells_join_by_their_pooled_rows_alone() -> None:
    a, b = np.array([3, 0, 1, 90, 2]), np.array([0, 3, 2, 110, 5])
    swapped = sparse.pooled(b, a)
    assert [x.tolist() for x in sparse.pooled(a, b)] == [[4, 2, 90], [5, 5, 110]]
    assert [x.tolist() for x in swapped] == [[5, 5, 110], [4, 2, 90]]


def test_many_classes_are_quick_and_honest() -> None:
    p = 1.0 / np.arange(1, 100_001)
    p /= p.sum()
    rng = np.random.default_rng(4)
    found = Frequencies().estimate(drawn(kb.js, p, p, 5000, 5000, rng))
    assert found.interval is not None
    low, high = found.interval(0.95)
    assert low <= 0.0 <= high


def covered(
    d: Divergence, p: np.ndarray, q: np.ndarray, sizes: tuple[int, int], times: int, seed: int
) -> float:
    rng = np.random.default_rng(seed)
    truth, held = float(d(p, q, normalize=True)), 0
    n, m = sizes
    for _ in range(times):
        found = Frequencies().estimate(drawn(d, p, q, n, m, rng))
        assert found.interval is not None
        low, high = found.interval(0.95)
        held += low <= truth + 1e-13 and truth <= high
    return held / times


LAWS = {
    "equal": (np.full(6, 1 / 6), np.full(6, 1 / 6)),
    "near": (np.full(6, 1 / 6), np.linspace(0.9, 1.1, 6) / 6),
    "far": (np.array([6, 5, 4, 3, 2, 1]) / 21, np.array([1, 2, 3, 4, 5, 6]) / 21),
}


@pytest.mark.parametrize("d", [kb.kl, kb.renyi(2), kb.squared_l2], ids=lambda d: d.name)
@pytest.mark.parametrize("law", LAWS)
def test_intervals_cover(d: Divergence, law: str) -> None:
    assert covered(d, LAWS[law][0], LAWS[law][1], (300, 200), 60, 0) >= 0.87


@pytest.mark.slow
@pytest.mark.parametrize("d", SERVED, ids=lambda d: d.name)
@pytest.mark.parametrize("classes", [5, 300])
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_intervals_cover_on_other_laws(d: Divergence, classes: int, weight: float) -> None:
    rng = np.random.default_rng(11)
    p, q = rng.dirichlet(np.full(classes, 4.0), size=2)
    assert covered(d, p, (1 - weight) * p + weight * q, (600, 400), 150, 1) >= 0.88


@pytest.mark.parametrize("prior", [0.01, 1e-6, 1e-300])
@pytest.mark.parametrize("d", SMOOTHED, ids=lambda d: d.name)
def test_small_priors_give_numbers_or_a_reason(d: Divergence, prior: float) -> None:
    for a, b in (((30, 0), (0, 40)), ((5, 0, 9, 1), (2, 3, 0, 8))):
        apart = problem(d, a, b)
        if Smoothed(prior).refusal(apart):
            continue
        found = Smoothed(prior).estimate(apart)
        assert not math.isnan(found.standard_error) or found.distrust
        assert found.interval is not None
        low, high = found.interval(0.95)
        assert low <= found.value <= high or found.distrust


def test_the_posterior_of_a_small_prior_is_not_cut_off_where_float64_ends() -> None:
    # class 2 has the share 1/(1 + G) with log G = log U / s, nearly; KL from (1, 0) is its logarithm's size
    high = kb.estimate(kb.reverse_kl, rows(30, 0), rows(0, 40), kind="discrete", method=Smoothed(1e-6)).high
    assert high == pytest.approx(
        -math.log(0.025) / 1e-6, rel=0.2
    )  # the quantile of an exponential law over s


def test_samples_of_one_class_each_have_a_whole_interval() -> None:
    found = kb.estimate(kb.squared_l2, rows(30, 0), rows(0, 40), kind="discrete", method=Frequencies())
    assert 0.0 <= found.low <= found.value == 2.0 <= found.high
