"""Atoms, ties, classes and values mixed: known informations, exact counts, errors, coverage, refusals."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import digamma

import kullback as kb
from estimators.mixed_samples import coverage, ends, joint, normal
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.mixed_neighbours import MixedKSG, _atoms, _value

NORMAL = -math.log(0.64) / 2


def _pair(rng, n, rho=0.6):
    x, e = rng.normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * e


def _rounded(step, rho=0.6):
    def draw(rng, n):
        x, y = _pair(rng, n, rho)
        return joint(np.round(x / step), np.round(y / step), kinds=("continuous", "continuous", None))

    return draw


def _levels(rng, n):
    x = rng.integers(0, 5, n)
    return joint(x.astype(float), x + 2 * rng.random(n))


def _gate(rng, n):
    """Both are 0 together in 3 of 10 rows: the gate's entropy and 7/10 of the normal information."""
    x, y = _pair(rng, n)
    shut = rng.random(n) < 0.3
    return joint(np.where(shut, 0, x), np.where(shut, 0, y))


def _own_zeros(rng, n):
    """x alone is 0 in 3 of 10 rows, whatever y is."""
    x, y = _pair(rng, n)
    return joint(np.where(rng.random(n) < 0.3, 0, x), y)


def _class_and_number(rng, n):
    """x is a class and a number, which y follows in one class only."""
    c = rng.integers(0, 2, n)
    a, e = rng.normal(size=(2, n))
    x = pl.DataFrame({"class": np.array(["a", "b"])[c], "number": a})
    return joint(x, np.where(c == 0, a, 0) + e)


def _of_class_and_number():
    def density(v):
        return (stats.norm.pdf(v, 0, math.sqrt(2)) + stats.norm.pdf(v)) / 2

    return quad(lambda v: -density(v) * math.log(density(v)), -12, 12)[0] - math.log(2 * math.pi * math.e) / 2


KNOWN = {
    "normal": (lambda rng, n: normal(n, 0.6)(rng), NORMAL),
    "independent": (lambda rng, n: normal(n, 0.0)(rng), 0.0),
    "rounded to 0.1": (_rounded(0.1), 0.2236),
    "rounded to integers": (_rounded(1.0), 0.1832),
    "independent, rounded to 0.3": (_rounded(0.3, 0.0), 0.0),
    "five levels": (_levels, 0.2 * math.log(10) + 0.8 * math.log(5) - math.log(2)),
    "zeros together": (_gate, stats.bernoulli(0.3).entropy() + 0.7 * NORMAL),
    "class and number": (_class_and_number, _of_class_and_number()),
    "zeros of its own": (_own_zeros, 0.7 * NORMAL),
}


@pytest.mark.parametrize("case", KNOWN)
def test_known_informations(case):
    draw, truth = KNOWN[case]
    rng = np.random.default_rng(1)
    values = [MixedKSG().statistic(draw(rng, 2000)) for _ in range(4)]
    chance = 3 * np.std(values, ddof=1) / 2
    assert abs(np.mean(values) - truth) < max(0.08 * truth, 0.02) + min(chance, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("case", KNOWN)
def test_the_interval_holds_the_truth(case):
    draw, truth = KNOWN[case]
    # 1 in 170 intervals of 95 % cover less in 24 draws
    assert coverage(MixedKSG(), lambda rng: draw(rng, 800), truth, draws=24, seed=2) >= 0.83


def _three_variables(rng, n):
    """y follows x where z says so: (log 2)/2 of the normal information in half of the rows, given z and c."""
    c = rng.integers(0, 2, n)
    z, u, e = rng.normal(size=(3, n))
    return joint(z + u, z + np.where(c == 0, u, 0) + e, pl.DataFrame({"z": z, "c": c.astype(str)}))


@pytest.mark.slow
def test_the_interval_holds_the_truth_given_columns_of_both_kinds():
    def draw(rng):
        return _three_variables(rng, 800)

    assert coverage(MixedKSG(), draw, math.log(2) / 4, draws=24, seed=3) >= 0.83


def test_discrete_variables_are_counted():
    rng = np.random.default_rng(4)
    x = rng.integers(0, 3, 200)
    y = np.where(rng.random(200) < 0.5, x, rng.integers(0, 3, 200))
    counts = [Counter(x), Counter(y), Counter(zip(x, y, strict=True))]
    expected = digamma(200) + np.mean(
        [
            digamma(counts[2][a, b]) - digamma(counts[0][a]) - digamma(counts[1][b])
            for a, b in zip(x, y, strict=True)
        ]
    )
    for kind in ("discrete", "continuous"):
        value, alone, _ = _value(joint(x, y, kinds=(kind, kind, None)), 3)
        assert value == pytest.approx(expected, abs=1e-12)
        assert alone == 0


def test_continuous_values_are_counted_as_by_kraskov():
    x, y = np.random.default_rng(5).normal(size=(2, 80))
    problem = joint(x, y)
    ranks = [np.argsort(np.argsort(v)) for v in (x, y)]
    score = stats.norm.ppf((np.arange(40) + 1) / 81)
    score = np.append(score, -score[::-1])  # some distances are equal by symmetry, in this sum too
    a, b = (np.abs(score[r][:, None] - score[r]) for r in ranks)
    whole = np.maximum(a, b) + np.diag(np.full(80, np.inf))
    reach = np.sort(whole, axis=1)[:, 3][:, None]
    inside = digamma((a < reach).sum(axis=1)) + digamma((b < reach).sum(axis=1))
    assert _value(problem, 4)[0] == pytest.approx(digamma(4) + digamma(80) - inside.mean(), abs=1e-12)


def test_symmetry_of_the_scores_is_no_tie():
    x, y = np.random.default_rng(5).normal(size=(2, 81))  # one of them the median, as far from either side
    assert not MixedKSG().estimate(joint(x, y)).notes


def test_atoms_are_values_that_stand_out_from_those_beside_them():
    zeros = np.concatenate([np.zeros(60), np.linspace(0.1, 3, 50), -np.linspace(0.1, 3, 50)])
    assert (_atoms(zeros, 10) > 0).sum() == 60
    counts = np.repeat(np.arange(6.0), [20, 40, 60, 50, 30, 10])  # the levels of a scale
    assert not _atoms(counts, 5).any()
    assert not _atoms(np.linspace(0, 1, 30), 1).any()


def test_strata_and_a_continuous_condition():
    rng = np.random.default_rng(6)
    c = rng.integers(0, 2, 1000)
    x, e = rng.normal(size=(2, 1000))
    y = np.where(c == 0, x, 0) + e
    low, high = ends(MixedKSG().estimate(joint(x + 9 * c, y + 9 * c, c, (None, None, "discrete"))))
    assert low < math.log(2) / 4 < high
    low, high = ends(MixedKSG().estimate(_three_variables(rng, 1000)))
    assert low < math.log(2) / 4 < high


def test_scales_sides_and_the_order_of_rows_change_nothing():
    problem = _gate(np.random.default_rng(7), 150)
    x, y = problem.x.values[:, 0], problem.y.values[:, 0]
    base = kb.mutual_information(x, y, method=MixedKSG())
    order = np.random.default_rng(8).permutation(150)
    for a, b in [(1e90 * x, np.arctan(y)), (x[order], y[order])]:
        other = kb.mutual_information(a, b, method=MixedKSG())
        assert (other.value, other.high) == pytest.approx((base.value, base.high), abs=1e-12)
    assert kb.mutual_information(y, x, method=MixedKSG()).value == pytest.approx(base.value, abs=1e-12)


def test_constants_lonely_rows_and_refusals():
    x, y = np.random.default_rng(9).normal(size=(2, 60))
    assert kb.mutual_information(np.zeros(60), y, method=MixedKSG()).value == 0.0
    alone = kb.mutual_information(x, [str(i) for i in range(60)], method=MixedKSG())
    assert alone.low == -math.inf
    assert "alone" in alone.notes[0]
    with pytest.raises(UnsupportedPairError, match="need > k samples"):
        kb.mutual_information(x[:30], y[:30], method=MixedKSG())
    with pytest.raises(UnsupportedPairError, match="mutual information only"):
        kb.mutual_information(x, y, divergence=kb.js, method=MixedKSG())
    with pytest.raises(InvalidInputError, match="whole number"):
        MixedKSG(k=0)
