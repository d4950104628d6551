"""Entropies from counts: against enumeration, mpmath and simulation."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import NSB, ChaoShen, ChaoWangJost, Grassberger, MillerMadow, PlugIn
from kullback.estimators.counts import shannon
from kullback.estimators.counts.entropy import CountedEntropy
from kullback.estimators.counts.nsb import Posterior
from kullback.estimators.counts.tally import Tally, tally
from kullback.estimators.interval import answer

METHODS = [PlugIn(), MillerMadow(), Grassberger(), ChaoShen(), ChaoWangJost()]
ALL = [*METHODS, NSB()]


def of(*counts: int) -> Tally:
    return tally(np.array(counts, dtype=float))


def entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(p)).sum())


def zipf(classes: int) -> np.ndarray:
    p = 1.0 / np.arange(1, classes + 1)
    return p / p.sum()


def mean_over_samples(value, p: list[float], n: int) -> float:
    """The exact expectation of an estimator, over all sequences of n rows."""
    total = 0.0
    for counts in itertools.product(range(n + 1), repeat=len(p)):
        if sum(counts) == n:
            ways = math.factorial(n) / math.prod(map(math.factorial, counts))
            total += ways * math.prod(x**c for x, c in zip(p, counts, strict=True)) * value(of(*counts))
    return total


def test_the_plug_in_bias_is_the_first_order_one() -> None:
    p, n = [0.5, 0.3, 0.2], 40
    bias = mean_over_samples(shannon.plug_in, p, n) - entropy(np.array(p))
    second = (1 - sum(1 / x for x in p)) / (12 * n**2)
    assert bias == pytest.approx(-2 / (2 * n) + second, abs=1e-4)


def test_grassberger_is_off_by_the_fixed_number_of_rows_alone() -> None:
    p = [0.5, 0.3, 0.2]
    truth = entropy(np.array(p))
    assert abs(mean_over_samples(shannon.grassberger, p, 20) - 1 / 40 - truth) < 0.001
    assert abs(mean_over_samples(shannon.plug_in, p, 20) - truth) > 0.04


def test_the_first_terms_are_unbiased_for_the_series() -> None:
    """Σ p Σ_{r<n} (1 − p)ʳ / r, exactly."""
    p, n = [0.6, 0.3, 0.1], 6
    series = sum(x * sum((1 - x) ** r / r for r in range(1, n)) for x in p)
    found = mean_over_samples(lambda t: shannon.chao_wang_jost(t) - shannon.unseen(t), p, n)
    assert found == pytest.approx(series, abs=1e-13)


@pytest.mark.parametrize("counts", [(1, 1, 2), (5, 1, 1, 1, 2, 2), (400, 1, 1, 3), (2, 1), (1, 1, 1)])
def test_the_unseen_part_is_the_published_sum(counts: tuple[int, ...]) -> None:
    n, singles, doubles = sum(counts), counts.count(1), counts.count(2)
    if doubles:
        rare = mp.mpf(2 * doubles) / ((n - 1) * singles + 2 * doubles)
    else:
        rare = mp.mpf(2) / ((n - 1) * (singles - 1) + 2)
    with mp.workdps(60):
        rest = -mp.log(rare) - mp.fsum((1 - rare) ** r / mp.mpf(r) for r in range(1, n))
        truth = float(mp.mpf(singles) / n * (1 - rare) ** (1 - n) * rest) if rare < 1 else 0.0
    assert shannon.unseen(of(*counts)) == pytest.approx(truth, rel=1e-12)


def test_the_unseen_part_of_many_rows() -> None:
    n = 1_000_000
    t = tally(np.array([n - 100.0] + [1.0] * 90 + [2.0] * 5))
    rare = mp.mpf(10) / ((n - 1) * 90 + 10)
    truth = mp.quad(lambda s: mp.e**-s / (1 - (1 - rare) * mp.e ** (-s / n)), [0, n * rare, 1, 10, 60])
    assert shannon.unseen(t) == pytest.approx(float(90 * truth * (1 - rare) / n / n), rel=1e-12)


def test_chao_shen_by_hand() -> None:
    coverage, n = 1 - 2 / 6, 6
    shares = [coverage * c / n for c in (3, 1, 1, 1)][:2]
    truth = sum(
        -k * x * math.log(x) / (1 - (1 - x) ** 5) for k, x in zip((1, 2), (0.6 * 3 / 5, 0.6 / 5), strict=True)
    )
    assert shannon.chao_shen(of(3, 1, 1)) == pytest.approx(truth, rel=1e-13)
    assert len(shares) == 2


def test_leaving_out_a_row() -> None:
    t = of(3, 3, 1)
    assert sorted(zip(*[x.tolist() for x in (t.less_one(0).sizes, t.less_one(0).times)], strict=True)) == [
        (3.0, 2.0)
    ]
    less = t.less_one(1)
    assert less.n == 6
    assert less.classes == 3


@pytest.mark.parametrize("method", ALL, ids=lambda m: m.name)
def test_order_names_and_repetition_change_no_bit(method: CountedEntropy | NSB) -> None:
    rng = np.random.default_rng(0)
    x = rng.choice(8, size=300, p=zipf(8))
    named = np.array(list("qwertzui"))[rng.permutation(8)][x]
    weights = rng.integers(1, 4, size=300)
    first = kb.entropy(x, kind="discrete", method=method)
    assert kb.entropy(rng.permutation(named), method=method) == first
    weighted = kb.entropy(x, kind="discrete", weights=weights, method=method)
    repeated = kb.entropy(np.repeat(x, weights), kind="discrete", method=method)
    assert (weighted.value, weighted.low, weighted.high) == (repeated.value, repeated.low, repeated.high)


@pytest.mark.parametrize("method", ALL, ids=lambda m: m.name)
def test_one_class_has_no_entropy(method: CountedEntropy | NSB) -> None:
    found = kb.entropy(["a"] * 50, method=method)
    assert found.value == 0.0
    assert found.low <= 0.0 <= found.high < 0.4


def test_other_weights_count_as_kish_says() -> None:
    w = np.array([0.5, 0.5, 1.5, 1.5])
    found = kb.entropy(["a", "b", "a", "b"], weights=w, method=MillerMadow())
    assert found.value == pytest.approx(math.log(2) + 1 / (2 * 16 / 5))
    with pytest.raises(UnsupportedPairError, match="whole numbers"):
        kb.entropy(["a", "b", "a", "b"], weights=w, method=ChaoWangJost())


def test_refusals_and_distrust() -> None:
    with pytest.raises(UnsupportedPairError, match="continuous"):
        kb.entropy([0.5, 1.5], method=PlugIn())
    with pytest.raises(InvalidInputError, match="classes is 0"):
        NSB(classes=0)
    with pytest.raises(UnsupportedPairError, match="3 classes occur"):
        kb.entropy(["a", "b", "c"], method=NSB(classes=2))
    every = kb.entropy([str(i) for i in range(50)], method=ChaoWangJost())
    assert every.low == -math.inf
    assert "never seen" in every.notes[0]


def spread(law: str, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Shares from the prior itself, of a heavy tail, and of a few large classes over many equal ones."""
    if law == "dirichlet":
        return rng.dirichlet(np.ones(classes))
    if law == "zipf":
        return zipf(classes)
    return np.concatenate([np.full(5, 0.1), np.full(classes - 5, 0.5 / (classes - 5))])


@pytest.mark.parametrize("law", ["dirichlet", "zipf", "half"])
@pytest.mark.parametrize(("classes", "n"), [(200, 100), (1000, 30), (1000, 400)])
def test_nsb_holds_where_a_tail_may_hide(law: str, classes: int, n: int) -> None:
    """Fewer rows than classes cannot tell Zipf's law from a Dirichlet law of another entropy."""
    rng, held, widened, own = np.random.default_rng(n), 0, 0, 0
    for _ in range(25):
        p = spread(law, classes, rng)
        t = tally(rng.multinomial(n, p).astype(float))
        found = answer(NSB(classes).of_tally(t), method="", n=n, level=0.95)
        assert math.isfinite(found.low)
        assert found.high <= math.log(classes) * (1 + 1e-12)
        held += found.low <= entropy(p) <= found.high
        low, high = Posterior(t, classes).interval(0.95)
        own += low <= entropy(p) <= high
        widened += "the interval allows" in " ".join(found.notes)
    assert held >= 23
    assert widened > 0
    assert law == "dirichlet" or own <= held


def test_nsb_covers_equal_classes_of_which_few_are_seen() -> None:
    assert covered(NSB(1000), np.full(1000, 1 / 1000), 50, 60) >= 0.9
    assert "unequal classes" not in " ".join(NSB(1000).of_tally(of(*[1] * 48, 2)).notes)
    told = NSB(1000).of_tally(of(*[1] * 20, 30))
    assert "unequal classes" in told.notes[-1]
    assert not told.distrust
    uneven = NSB(1000).of_tally(tally(np.array([0.9] * 20 + [30.0])))
    assert "Dirichlet" in uneven.distrust or "unequal" in uneven.distrust


@pytest.mark.parametrize(
    ("counts", "classes"), [((5, 1, 1, 1, 1, 1), 1000), ((7, 1, 1, 1, 1, 2), 100), ((15, *[1] * 14), 40)]
)
def test_the_wide_ends_of_nsb_by_hand(counts: tuple[int, ...], classes: int) -> None:
    t, z = of(*counts), 1.959964
    found = NSB(classes).of_tally(t)
    assert found.interval is not None
    assert "the interval allows" in found.notes[-1]
    seen, left = (
        min(math.log(t.classes), shannon.plug_in(t) + (t.classes - 1) / (2 * t.n)),
        classes - t.classes,
    )
    most = (counts.count(1) + z * math.sqrt(counts.count(1) + 2 * counts.count(2))) / t.n
    masses = np.linspace(1e-9, min(most, 1 - 1e-9), 200_000)  # the worst of them
    spread_out = -masses * np.log(masses / left) - (1 - masses) * np.log1p(-masses) + (1 - masses) * seen
    low, high = Posterior(t, classes).interval(0.95)
    assert found.interval(0.95)[1] == pytest.approx(max(spread_out.max(), high), rel=1e-6)
    least = ChaoWangJost().of_tally(t)
    lowest = least.value - z * math.hypot(least.standard_error, least.bias_error)
    assert lowest < low
    assert found.interval(0.95)[0] == pytest.approx(lowest, rel=1e-6)


def nsb_by_quadrature(counts: list[int]) -> tuple[float, float]:
    """Mean and standard deviation by mpmath, the moments in the published form that sums over pairs."""
    k, n = len(counts), sum(counts)

    def moments(u):
        beta = mp.e**u / k
        total = n + k * beta
        weight = (k * mp.psi(1, k * beta + 1) - mp.psi(1, beta + 1)) * mp.e**u
        weight *= mp.gamma(k * beta) / mp.gamma(total)
        for c in counts:
            weight *= mp.gamma(c + beta) / mp.gamma(beta)
        a = [c + beta for c in counts]
        mean = mp.psi(0, total + 1) - sum(x / total * mp.psi(0, x + 1) for x in a)
        gap = [mp.psi(0, x + 1) - mp.psi(0, total + 2) for x in a]
        scale, both = total * (total + 1), mp.psi(1, total + 2)
        square = sum(
            a[i] * a[j] / scale * (gap[i] * gap[j] - both) for i in range(k) for j in range(k) if i != j
        )
        square += sum(
            x * (x + 1) / scale * ((mp.psi(0, x + 2) - mp.psi(0, total + 2)) ** 2 + mp.psi(1, x + 2) - both)
            for x in a
        )
        return weight, weight * mean, weight * square

    with mp.workdps(20):
        ends = [-30, -12, -5, 0, 5, 12, 30]
        mass, first, second = (mp.quad(lambda u, i=i: moments(u)[i], ends, maxdegree=5) for i in range(3))
        mean = first / mass
        return float(mean), float(mp.sqrt(second / mass - mean**2))


@pytest.mark.parametrize("counts", [[5, 2, 1, 0], [4, 4, 4]])
def test_nsb_against_quadrature(counts: list[int]) -> None:
    posterior = Posterior(of(*counts), len(counts))
    mean, deviation = nsb_by_quadrature(counts)
    assert posterior.mean == pytest.approx(mean, rel=1e-6)
    assert posterior.deviation == pytest.approx(deviation, rel=1e-6)


def test_nsb_quantiles_are_those_of_draws() -> None:
    posterior = Posterior(of(9, 5, 2, 1), 6)
    rng = np.random.default_rng(0)
    beta = rng.choice(posterior.nodes[0], p=posterior.nodes[1], size=20_000)
    a = np.array([9, 5, 2, 1, 0, 0]) + beta[:, None]
    p = np.maximum(rng.standard_gamma(a), 1e-300)
    p /= p.sum(axis=1, keepdims=True)
    h = -(p * np.log(p)).sum(axis=1)
    for level in (0.025, 0.5, 0.975):
        assert posterior.quantile(level) == pytest.approx(np.quantile(h, level), abs=0.02)


def test_nsb_keeps_its_digits_with_many_rows() -> None:
    posterior = Posterior(of(10**8, 10**8), 2)
    assert math.log(2) - posterior.mean < 1e-8
    assert 0 < posterior.deviation < 1e-8
    assert posterior.interval(0.95)[1] == math.log(2)


def covered(method: CountedEntropy | NSB, p: np.ndarray, n: int, times: int, seed: int = 0) -> float:
    rng = np.random.default_rng(seed)
    truth, held = entropy(p), 0
    for _ in range(times):
        found = answer(
            method.of_tally(tally(rng.multinomial(n, p).astype(float))), method="", n=n, level=0.95
        )
        held += found.low <= truth <= found.high
    return held / times


@pytest.mark.parametrize("p", [[0.5, 0.5], [0.6, 0.3, 0.1], [0.5, 0.3, 0.15, 0.05], [0.997, 0.003]])
@pytest.mark.parametrize("method", [MillerMadow(), ChaoWangJost()], ids=lambda m: m.name)
def test_intervals_of_few_rows_hold_exactly(method: CountedEntropy, p: list[float]) -> None:
    """Over all samples of 14 rows, with classes that many of them lack."""
    truth = entropy(np.array(p))

    def holds(t: Tally) -> float:
        found = answer(method.of_tally(t), method="", n=14, level=0.95)
        return float(found.low <= truth <= found.high)

    assert mean_over_samples(holds, p, 14) >= 0.93


def test_a_rare_class_is_allowed_for() -> None:
    found = kb.entropy(["a"] * 150 + ["b"] * 150, method=MillerMadow())
    share = 1 - 0.025 ** (1 / 300)
    assert found.high == pytest.approx(
        entropy(np.array([share, 1 - share])) + (1 - share) * found.value, rel=1e-12
    )


def test_fewer_than_ten_rows_leave_no_interval() -> None:
    for rows in (["a"], ["a", "a", "b", "b", "c", "c"], ["a"] * 9):
        found = kb.entropy(rows)
        assert (found.low, found.high) == (-math.inf, math.inf)
        assert "not seen may outweigh" in found.notes[0]
    assert kb.entropy(["a"] * 9, method=NSB(classes=1)).high == 0.0


@pytest.mark.parametrize("method", [MillerMadow(), ChaoWangJost(), NSB(classes=20)], ids=lambda m: m.name)
@pytest.mark.parametrize("law", ["uniform", "geometric"])
def test_intervals_cover(method: CountedEntropy | NSB, law: str) -> None:
    p = np.full(20, 1 / 20) if law == "uniform" else 0.85 ** np.arange(20) / sum(0.85 ** np.arange(20))
    assert covered(method, p, 300, 100) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize(("classes", "n"), [(7, 100), (7, 5000), (60, 1000)])
@pytest.mark.parametrize(
    "shape", [zipf, lambda k: np.full(k, 1 / k), lambda k: np.linspace(1, 3, k) / (2 * k)]
)
def test_intervals_cover_on_other_laws(method: CountedEntropy, classes: int, n: int, shape) -> None:
    assert covered(method, shape(classes), n, 400, seed=3) >= 0.9
