"""Columns against classes: deletion held against deletion, known informations, small classes, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import digamma

import kullback as kb
from estimators.mixed_samples import Draw, coverage, ends, joint, shifted
from estimators.test_nearest_coverage import judge
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.ross import Ross, _terms

CLASSES = ("continuous", "discrete", None)


def _by_definition(x, codes, k):
    n = len(x)
    apart = np.abs(x[:, None] - x[None]).max(axis=2)
    total = 0.0
    for i in range(n):
        mine = (codes == codes[i]) & (np.arange(n) != i)
        order = min(k, mine.sum() - 1)
        reach = np.sort(apart[i, mine])[order - 1]
        total += digamma(order) - digamma(mine.sum() + 1) - digamma((apart[i] < reach).sum())
    return digamma(n) + total / n


def _information(shares, laws, low, high):
    """The information of a class about a value of the laws' mixture, by quadrature."""

    def integrand(t):
        p = [share * law.pdf(t) for share, law in zip(shares, laws, strict=True)]
        return sum(a * math.log(a / share / sum(p)) for a, share in zip(p, shares, strict=True) if a > 0)

    return quad(integrand, low, high, limit=400, points=np.linspace(low, high, 30)[1:-1])[0]


def _drawn(shares, laws, n) -> Draw:
    def draw(rng):
        c = rng.choice(len(shares), p=shares, size=n)
        u = rng.random(n)
        return joint(np.choose(c, [law.ppf(u) for law in laws]), c, kinds=CLASSES)

    return draw


# neither a weight nor a prior was set on these
JUDGED = {
    "exponential": ([0.5, 0.5], [stats.expon(), stats.expon(scale=0.3)], 1e-9, 40),
    "uniform, unequal": ([0.9, 0.1], [stats.uniform(0, 1), stats.uniform(0, 0.4)], 0, 1),
    "heavy tails": ([0.5, 0.3, 0.2], [stats.laplace(), stats.laplace(2), stats.t(3)], -60, 60),
}


@pytest.mark.parametrize("d", [1, 2])
def test_every_estimate_without_a_row_is_the_one_of_the_rows_that_are_left(d):
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [18, 15, 7])
    x = rng.normal(size=(40, d)) + codes[:, None]
    ks = (1, 2, 4)
    values, without, _ = _terms(x, codes, ks)
    for a, k in enumerate(ks):
        assert values[a] == pytest.approx(_by_definition(x, codes, k), abs=1e-13)
        literal = [_by_definition(np.delete(x, j, 0), np.delete(codes, j), k) for j in range(40)]
        assert without[:, a] == pytest.approx(literal, abs=1e-13)


@pytest.mark.parametrize("case", JUDGED)
def test_the_interval_holds_the_truth(case):
    shares, laws, low, high = JUDGED[case]
    truth = _information(shares, laws, low, high)
    assert coverage(Ross(), _drawn(shares, laws, 300), truth, draws=25, seed=2) >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
@pytest.mark.parametrize("case", JUDGED)
def test_the_interval_holds_the_truth_over_many_draws(case, n):
    shares, laws, low, high = JUDGED[case]
    truth = _information(shares, laws, low, high)
    # of 45 draws 1 in 120 intervals of 95 % cover less
    assert coverage(Ross(), _drawn(shares, laws, n), truth, draws=45_000 // n, seed=3) >= (
        0.92 if n == 300 else 0.86
    )


def _crossed(n: int) -> Draw:
    """Normal rows of correlation 0.8 in one class, of -0.8 in the other."""

    def draw(rng):
        c = rng.integers(0, 2, n)
        u, v = rng.normal(size=(2, n))
        return joint(np.column_stack([u, 0.8 * np.where(c, u, -u) + 0.6 * v]), c, kinds=CLASSES)

    return draw


def _widened(n: int) -> Draw:
    """Three logistic columns, twice as wide in one class."""

    def draw(rng):
        c = rng.integers(0, 2, n)
        return joint(rng.logistic(size=(n, 3)) * (1 + c)[:, None], c, kinds=CLASSES)

    return draw


def _on_a_grid(axis, log_p, log_q):
    """The information of two even classes with densities on a grid that holds all of them."""
    step = axis[1] - axis[0]
    p, q = (np.exp(log) for log in (log_p, log_q))
    half = (p * (log_p - np.log((p + q) / 2)) + q * (log_q - np.log((p + q) / 2))) / 2
    return float(half.sum()) * step**p.ndim


def _crossed_truth():
    axis = np.linspace(-8, 8, 801)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    laws = [stats.multivariate_normal(cov=[[1, r], [r, 1]]) for r in (0.8, -0.8)]  # pyright: ignore[reportArgumentType]
    return _on_a_grid(axis, *(law.logpdf(points) for law in laws))


def _widened_truth():
    axis = np.linspace(-36, 36, 181)
    logs = [stats.logistic.logpdf(axis, scale=s) for s in (1.0, 2.0)]
    return _on_a_grid(axis, *(p[:, None, None] + p[:, None] + p for p in logs))


SEVERAL = {"crossed": (_crossed, _crossed_truth), "widened": (_widened, _widened_truth)}


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("case", SEVERAL)
def test_intervals_of_several_columns_hold_the_truth_and_are_no_wider_than_they_must_be(case, n):
    draw, truth = SEVERAL[case]
    draws = 120 if n == 500 else 60
    answers = []
    for s in range(draws):
        problem = draw(n)(np.random.default_rng([s, n]))
        assert problem.y.codes is not None
        answers.append(kb.mutual_information(problem.x.values, problem.y.codes.astype(str), method=Ross()))
    judge(answers, truth())


@pytest.mark.parametrize("d", [1, 3])
def test_independent_classes(d):
    found = Ross().estimate(shifted(500, d, 0.0, classes=3)(np.random.default_rng(4)))
    low, high = ends(found)
    assert low < 0 < high < 0.2


def test_both_orders_scales_and_orders_of_rows_agree():
    rng = np.random.default_rng(5)
    c = np.array(["a", "b", "c"])[rng.integers(0, 3, 200)]
    x = rng.normal(size=(200, 2)) + (c == "a")[:, None]
    base = kb.mutual_information(x, c, method=Ross())
    order = rng.permutation(200)
    for other in [
        kb.mutual_information(c, x, method=Ross()),
        kb.mutual_information(1e80 * x, c, method=Ross()),
        kb.mutual_information(x[order], c[order], method=Ross()),
    ]:
        assert (other.value, other.high) == pytest.approx((base.value, base.high), abs=1e-12)


def test_classes_of_few_members_are_told_and_leave_no_bias():
    rng = np.random.default_rng(6)
    codes = np.concatenate([np.zeros(300), np.ones(300), np.full(6, 2), [3, 4, 4]]).astype(int)
    values = []
    for _ in range(20):
        x = rng.normal(size=len(codes))
        found = Ross(k=10).estimate(joint(x, codes, kinds=CLASSES))
        values.append(found.value)
    assert any("3 rows of 2 classes" in note for note in found.notes)
    assert any("k reduced in 1 of 3 classes" in note for note in found.notes)
    assert found.bias_error > 0
    assert abs(np.mean(values)) < 3.5 * np.std(values) / math.sqrt(20)


def test_classes_of_one_size_take_as_many_neighbours_as_they_carry():
    codes = np.repeat(np.arange(20), 12)
    found = Ross().estimate(joint(np.random.default_rng(9).normal(size=240), codes, kinds=CLASSES))
    assert not any("k reduced" in note for note in found.notes)
    assert found.value == pytest.approx(0.0, abs=3 * found.standard_error)


def test_rows_of_which_nothing_is_left_are_no_constant():
    found = kb.mutual_information([0.1, 0.2, 0.3, 0.4, 0.5], ["a", "a", "a", "b", "b"], method=Ross())
    assert found.notes[0] == "2 rows of 1 class with 1 or 2 rows left out"
    assert "no two classes" in found.notes[1]
    alike = kb.mutual_information([0.5] * 6, ["a", "a", "a", "b", "b", "b"], method=Ross())
    assert "a constant carries no information" in alike.notes[0]


def test_the_entropy_of_the_classes_is_the_ceiling_that_a_note_tells():
    x = np.concatenate([np.arange(50.0), 1000 + np.arange(50.0)])
    answer = kb.mutual_information(x, ["a"] * 50 + ["b"] * 50, method=Ross(k=3))
    assert answer.value == pytest.approx(math.log(2), abs=0.02)
    assert answer.value <= math.log(2) or any("entropy of the classes" in note for note in answer.notes)


def test_strata_are_averaged():
    rng = np.random.default_rng(7)
    z, c = rng.integers(0, 2, (2, 2000))
    x = rng.normal(size=2000) + 3.0 * z + 2.0 * c * z
    normal = [stats.norm(0), stats.norm(2)]
    truth = _information([0.5, 0.5], normal, -9, 11) / 2
    found = Ross().estimate(joint(x, c, z, ("continuous", "discrete", "discrete")))
    low, high = ends(found)
    assert low < truth < high
    assert high - low < 0.1


def test_constants_and_refusals():
    x, c = np.arange(20.0), ["a", "b"] * 10
    assert kb.mutual_information(np.ones(20), c, method=Ross()).value == 0.0
    assert kb.mutual_information(x, ["a"] * 20, method=Ross()).value == 0.0
    with pytest.raises(UnsupportedPairError, match="one continuous variable and one discrete"):
        kb.mutual_information(x, x, method=Ross())
    with pytest.raises(UnsupportedPairError, match="need > k samples"):
        kb.mutual_information([1.0, 2.0], ["a", "b"], method=Ross())
    with pytest.raises(UnsupportedPairError, match="cut a continuous one"):
        kb.mutual_information(x, c, given=x, method=Ross())
    with pytest.raises(InvalidInputError, match="whole number"):
        Ross(k=0)
    rounded = kb.mutual_information(np.round(np.linspace(0, 3, 90)), ["a", "b"] * 45, method=Ross())
    assert rounded.low == -math.inf
    assert "MixedKSG" in rounded.notes[0]


@pytest.mark.parametrize("method", [Ross(), Ross(k=3)], ids=lambda m: m.name)
def test_the_statistic_is_the_value(method):
    rng = np.random.default_rng(12)
    codes = np.concatenate([np.zeros(60), np.ones(40), np.full(5, 2), [3, 4, 4]]).astype(int)
    x = rng.normal(size=(len(codes), 2)) + codes[:, None]
    for given in (None, np.arange(len(codes)) % 2):
        problem = joint(x, codes, given, kinds=("continuous", "discrete", "discrete"))
        assert method.statistic(problem) == pytest.approx(method.estimate(problem).value, abs=1e-12)
