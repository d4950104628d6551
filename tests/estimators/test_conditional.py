"""Information given a third variable: deletion held against deletion, known values, coverage, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma

import kullback as kb
from estimators.mixed_samples import Draw, coverage, ends, joint
from estimators.test_nearest_coverage import judge
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.conditional import ConditionalKSG
from kullback.estimators.gaussian_copula import GaussianCopula
from kullback.estimators.problem import JointSample
from kullback.estimators.strips import Strips, local_terms
from kullback.estimators.trees import Tree, expect, tree


def _apart(*columns):
    """Largest distance over the columns between all pairs of rows."""
    return np.max([np.abs(c[:, None] - c) for c in columns], axis=0)


def _answer(problem: JointSample) -> kb.Answer:
    x, y, given = (s.values for s in problem.variables)
    return kb.mutual_information(x, y, given=given, method=ConditionalKSG())


def _by_definition(x, y, z, k):
    whole = _apart(x, y, z)
    np.fill_diagonal(whole, np.inf)
    reach = np.sort(whole, axis=1)[:, k - 1][:, None]

    def inside(*columns):
        return digamma((_apart(*columns) < reach).sum(axis=1))

    return digamma(k) - np.mean(inside(x, z) + inside(y, z) - inside(z))


def _square(n: int) -> Draw:
    """x and y both follow z², and y what is left of x: log(1 + 9/16)/2."""

    def draw(rng):
        z, u, e = rng.normal(size=(3, n))
        return joint(z**2 + u, z**2 + 0.75 * u + e, z)

    return draw


def _uniform(n: int) -> Draw:
    """What is left of x is uniform, and of y the same plus another: 1/2."""

    def draw(rng):
        u, e = rng.random((2, n))
        z = rng.normal(size=n)
        return joint(0.5 * z + u, z + u + e, z)

    return draw


def _triangle(n: int) -> Draw:
    """What is left of x and y is uniform on a triangle: 1 - log 2."""

    def draw(rng):
        z, a, b = rng.normal(size=n), *rng.random((2, n))
        folded = a + b > 1
        a, b = np.where(folded, 1 - a, a), np.where(folded, 1 - b, b)
        return joint(a + z, b - 0.5 * z, z)

    return draw


def _parabola(n: int) -> Draw:
    """As `_uniform`, and x falls with the square of z, which its scores do not know: 1/2."""

    def draw(rng):
        u, e = rng.random((2, n))
        z = rng.normal(size=n)
        return joint(u - z**2, u + e + z, z)

    return draw


def _uniform_given_two(n: int) -> Draw:
    """As with one condition, but one of its own for x and for y: 1/2."""

    def draw(rng):
        u, e = rng.random((2, n))
        a, b = rng.normal(size=(2, n))
        return joint(0.5 * a + u, b + u + e, np.column_stack([a, b]))

    return draw


def _common_cause(n: int) -> Draw:
    """Both are divided by one gamma variable, which nobody sees: log 3 - 2/3."""

    def draw(rng):
        z = rng.normal(size=n)
        c, e, f = rng.gamma(0.5, size=n), *rng.exponential(size=(2, n))
        return joint(np.exp(z) * e / c, np.exp(-z) * f / c, z)

    return draw


def _two_conditions(n: int) -> Draw:
    """Normal variables of correlation 0.7 beyond products and squares of two conditions: -log(0.51)/2."""

    def draw(rng):
        a, b, u, e = rng.normal(size=(4, n))
        return joint(a * b + u, a**2 + 0.7 * u + math.sqrt(0.51) * e, np.column_stack([a, b]))

    return draw


def _apart_given(n: int) -> Draw:
    """Dependent only through z: 0."""

    def draw(rng):
        z, u, e = rng.normal(size=(3, n))
        return joint(np.sin(2 * z) + u, z + e, z)

    return draw


JUDGED = {
    "square": (_square, math.log(1 + 9 / 16) / 2),
    "independent": (_apart_given, 0.0),
    "common cause": (_common_cause, math.log(3) - 2 / 3),
    "two conditions": (_two_conditions, -math.log(0.51) / 2),
}


@pytest.mark.parametrize("lattice", [False, True])
def test_every_estimate_without_a_row_is_the_one_of_the_rows_that_are_left(lattice):
    rng = np.random.default_rng(1)
    x, y, z = rng.normal(size=(3, 50))
    x, y = x + z, x + y + z
    y[:9] = y[9:18]  # equal distances in a margin
    if lattice:  # and everywhere
        x, y, z = (np.rint(5 * column) for column in (x, y, z))
    ks = (1, 2, 4)
    distances, rows = Tree(np.column_stack([x, y, z])).neighbours(5)
    margins = [
        Strips(np.column_stack([x, z]), -1),
        Strips(np.column_stack([y, z]), -1),
        Strips(z[:, None], 1),
    ]
    found = local_terms(margins, distances, rows, ks)
    for a, k in enumerate(ks):
        assert digamma(k) + found.own[:, a].mean() == pytest.approx(_by_definition(x, y, z, k), abs=1e-13)
        literal = [_by_definition(*(np.delete(c, j) for c in (x, y, z)), k) for j in range(50)]
        assert digamma(k) + found.without[:, a] / 49 == pytest.approx(literal, abs=1e-13)


@pytest.mark.parametrize("case", JUDGED)
def test_the_interval_holds_the_truth(case):
    draw, truth = JUDGED[case]
    # of 12 intervals of 95 % 4 or more miss in 1 of 450 runs
    assert coverage(ConditionalKSG(), draw(300), truth, draws=12, seed=2) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("case", JUDGED)
def test_intervals_hold_the_truth_and_are_no_wider_than_they_must_be(case, n):
    draw, truth = JUDGED[case]
    draws = 120 if n == 500 else 240  # of a value that rarely, but then far, leaves its mean
    expect(draws, 3 * n)
    judge([_answer(draw(n)(np.random.default_rng([s, n]))) for s in range(draws)], truth)


EDGED = {
    "uniform": (_uniform, 0.5),
    "parabola": (_parabola, 0.5),
    "triangle": (_triangle, 1 - math.log(2)),
    "two conditions": (_uniform_given_two, 0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("case", EDGED)
def test_intervals_hold_the_truth_at_edges(case, n):
    """Neighbours reach across the edges of uniform noise, and no curve over k tells quite how far."""
    draw, truth = EDGED[case]
    draws = 150 if n == 500 else 60
    expect(draws, 3 * n)
    # 0.90 less two errors of the share
    assert coverage(ConditionalKSG(), draw(n), truth, draws=draws, seed=3) >= 0.90 - 0.6 / math.sqrt(draws)


def test_which_engine_searches_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores lie on a lattice, where neighbours at one distance come in another order from each engine."""
    z, u, e = np.random.default_rng(5).normal(size=(3, 100))
    expect(1, 100_000)
    fast = kb.mutual_information(z + u, z + u + e, given=z, method=ConditionalKSG())
    with monkeypatch.context() as plain:
        plain.setattr(tree, "compiled", lambda _: False)
        slow = kb.mutual_information(z + u, z + u + e, given=z, method=ConditionalKSG())
    assert fast.value == pytest.approx(slow.value, abs=1e-12)
    assert fast.standard_error == pytest.approx(slow.standard_error, rel=1e-9)


def test_normal_variables_as_the_copula_has_them():
    rng = np.random.default_rng(4)
    z, u, e = rng.normal(size=(3, 1500))
    problem = joint(z + u, z + u + e, z)
    low, high = ends(ConditionalKSG().estimate(problem))
    assert low < GaussianCopula().estimate(problem).value < high


@pytest.mark.parametrize("method", [ConditionalKSG(), ConditionalKSG(k=3)], ids=lambda m: m.name)
def test_units_signs_and_the_order_of_rows_change_nothing(method):
    rng = np.random.default_rng(5)
    z, u, e = rng.normal(size=(3, 200))
    x, y = z + u, z + u + e
    base = kb.mutual_information(x, y, given=z, method=method)
    order = rng.permutation(200)
    others = [
        kb.mutual_information(1e-90 * x, 1e3 * y + 7, given=1e90 * z, method=method),
        kb.mutual_information(-x, y, given=-z, method=method),
        kb.mutual_information(x[order], y[order], given=z[order], method=method),
        kb.mutual_information(y, x, given=z, method=method),
    ]
    if method.k is not None:
        others.append(kb.mutual_information(np.exp(x), y**3, given=np.exp(z), method=method))
    for other in others:
        assert (other.value, other.high) == pytest.approx((base.value, base.high), abs=1e-12)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
def test_rounded_values_tell_no_more_than_what_they_round(step):
    rng = np.random.default_rng(13)
    z, u, e = rng.normal(size=(3, 800))
    truth = -math.log(1 - 0.36) / 2
    x, y = z + u, z + 0.6 * u + 0.8 * e
    for columns in [(np.rint(x / step), np.rint(y / step), z), (x, y, np.rint(z / step / 2))]:
        found = kb.mutual_information(*columns[:2], given=columns[2], method=ConditionalKSG())
        assert found.low < truth < found.high
        assert found.value == pytest.approx(truth, abs=0.13)


def test_what_the_condition_explains_does_not_hide_the_rest():
    """Nine tenths of x and y follow z, and in what is left they share half a nat: as much as without z."""
    rng = np.random.default_rng(8)
    z, u, e = rng.normal(size=(3, 1000))
    truth = -math.log(1 - 0.64) / 2
    x, y = 3 * np.sin(z) + 0.3 * u, 3 * z + 0.3 * (0.8 * u + 0.6 * e)
    found = kb.mutual_information(x, y, given=z, method=ConditionalKSG())
    assert found.low < truth < found.high
    assert found.value == pytest.approx(truth, abs=0.1)
    published = kb.mutual_information(x, y, given=z, method=ConditionalKSG(k=5))
    assert published.value < truth - 0.1  # what the residuals are for


def test_a_discrete_condition_makes_strata_and_a_mixed_one_both():
    rng = np.random.default_rng(6)
    c = rng.integers(0, 2, 1200)
    z, u, e = rng.normal(size=(3, 1200))
    x, y = u + 5 * c, np.where(c == 0, u, 0) + e - 5 * c
    truth = math.log(2) / 4
    strata = ConditionalKSG().estimate(joint(x, y, c, (None, None, "discrete")))
    low, high = ends(strata)
    assert low < truth < high
    both = ConditionalKSG().estimate(
        joint(x + z, y + z, np.column_stack([c, z]), (None, None, ["discrete", "continuous"]))
    )
    low, high = ends(both)
    assert low < truth < high


def test_constants_and_refusals():
    x, y, z = np.random.default_rng(7).normal(size=(3, 60))
    assert kb.mutual_information(np.zeros(60), y, given=z, method=ConditionalKSG()).value == 0.0
    assert kb.mutual_information(-np.exp(z), y, given=z, method=ConditionalKSG()).value == 0.0
    with pytest.raises(UnsupportedPairError, match="KSG"):
        kb.mutual_information(x, y, method=ConditionalKSG())
    with pytest.raises(UnsupportedPairError, match="need > k samples"):
        kb.mutual_information(x[:9], y[:9], given=z[:9], method=ConditionalKSG(k=8))
    with pytest.raises(UnsupportedPairError, match="no local formula"):
        kb.mutual_information(x, y, given=z, divergence=kb.js, method=ConditionalKSG())
    with pytest.raises(InvalidInputError, match="whole number"):
        ConditionalKSG(k=0)
    twice = kb.mutual_information(np.tile(x, 2), np.tile(y, 2), given=np.tile(z, 2), method=ConditionalKSG())
    assert twice.low == -math.inf


@pytest.mark.parametrize("method", [ConditionalKSG(), ConditionalKSG(k=3)], ids=lambda m: m.name)
def test_the_statistic_is_the_value(method):
    rng = np.random.default_rng(12)
    z, e, f = rng.normal(size=(3, 120))
    for given, kind in ((z, "continuous"), (np.arange(120) % 2, "discrete")):
        problem = joint(z + e, z + f, given, kinds=("continuous", "continuous", kind))
        assert method.statistic(problem) == pytest.approx(method.estimate(problem).value, abs=1e-12)
