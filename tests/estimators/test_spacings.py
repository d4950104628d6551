"""Entropies from spacings: the forms by hand and against SciPy's, intervals that cover, ties and atoms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma

import kullback as kb
from kullback.errors import InvalidInputError, TieWarning, UnsupportedPairError
from kullback.estimators import Correa, Ebrahimi, SpacingEntropy, VanEs, Vasicek

FORMS = [Vasicek(), Vasicek(corrected=False), VanEs(), Ebrahimi(), Correa()]
NORMAL = stats.norm.entropy()


@pytest.mark.parametrize("m", [1, 3, 10])
@pytest.mark.parametrize(
    ("form", "peer"), [(Vasicek(corrected=False), "vasicek"), (Ebrahimi(), "ebrahimi"), (Correa(), "correa")]
)
def test_forms_equal_the_peer(form, peer, m):
    x = np.sort(np.random.default_rng(0).standard_normal(200))
    theirs = stats.differential_entropy(x, window_length=m, method=peer)
    assert form.terms(x, m).mean() == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("m", [1, 4, 20])
def test_van_es_by_its_sum(m):
    x, n = np.sort(np.random.default_rng(1).standard_normal(100)), 100
    by_hand = np.mean(np.log((n + 1) / m * (x[m:] - x[:-m])))
    by_hand += sum(1 / k for k in range(m, n + 1)) + math.log(m / (n + 1))
    assert VanEs().terms(x, m).mean() == pytest.approx(by_hand, abs=1e-12)


def test_correction_is_that_of_the_paper():
    x, n, m = np.sort(np.random.default_rng(2).standard_normal(60)), 60, 7
    plain = Vasicek(corrected=False).terms(x, m).mean()
    psi = sum(digamma(i + m - 1) for i in range(1, m + 1))
    by_hand = plain - math.log(n) + math.log(2 * m) - (1 - 2 * m / n) * digamma(2 * m) + digamma(n + 1)
    assert Vasicek().terms(x, m).mean() == pytest.approx(by_hand - 2 / n * psi, abs=1e-12)


def test_corrected_form_has_no_bias_on_the_uniform_law():
    rng = np.random.default_rng(3)
    found = [Vasicek().terms(np.sort(rng.uniform(size=20)), 4).mean() for _ in range(4000)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 4000**0.5


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("scale", [-1.0, 1e-100, 1e100])
def test_scale_place_and_order(form, scale):
    rng = np.random.default_rng(4)
    x = rng.standard_normal(300)
    method = SpacingEntropy(form=form)
    one = kb.entropy(x, method=method)
    moved = kb.entropy(scale * rng.permutation(x + 2.0), method=method)
    assert moved.value == pytest.approx(one.value + math.log(abs(scale)), abs=1e-9)
    assert moved.standard_error == pytest.approx(one.standard_error, rel=1e-6)


def test_rounding_is_undone_and_told():
    x = np.random.default_rng(5).standard_normal(3000)
    with pytest.warns(TieWarning, match="tied"):
        found = kb.entropy(np.round(x, 1), method=SpacingEntropy())
    assert abs(found.value - NORMAL) < 0.06
    assert found.low <= NORMAL <= found.high
    whole = kb.entropy(x, method=SpacingEntropy()).value
    assert kb.entropy(np.round(x, 6), method=SpacingEntropy()).value == pytest.approx(whole, abs=1e-3)


def test_atoms_are_minus_infinity():
    rng = np.random.default_rng(6)
    found = kb.entropy(np.r_[np.zeros(300), rng.exponential(size=700)], method=SpacingEntropy())
    assert found.value == found.low == found.high == -math.inf
    assert "30% of the rows" in found.notes[0]
    assert kb.entropy(np.ones(20), method=SpacingEntropy()).value == -math.inf


def test_refusals_and_errors():
    x = np.arange(20.0)
    with pytest.raises(InvalidInputError, match="need > 7"):
        kb.entropy(x[:7], method=SpacingEntropy())
    with pytest.raises(InvalidInputError, match="rows"):
        kb.entropy(x, method=SpacingEntropy(10))
    with pytest.raises(UnsupportedPairError, match="one continuous column"):
        kb.entropy(np.column_stack([x, x**2]), method=SpacingEntropy())
    with pytest.raises(UnsupportedPairError, match="weight"):
        kb.entropy(x, weights=x + 1, method=SpacingEntropy())
    for bad in (0, 1.5, "a", True):
        with pytest.raises(InvalidInputError, match="order statistics"):
            SpacingEntropy(bad)
    with pytest.raises(InvalidInputError, match="form="):
        SpacingEntropy(Vasicek())
    with pytest.raises(InvalidInputError, match="Vasicek"):
        SpacingEntropy(form="vasicek")


def rate(law, n, form, repetitions):
    truth = law.entropy()
    answers = [
        kb.entropy(law.rvs(n, random_state=s), method=SpacingEntropy(form=form)) for s in range(repetitions)
    ]
    return np.mean([a.low <= truth <= a.high for a in answers])


@pytest.mark.parametrize("law", [stats.gamma(2), stats.logistic()], ids=["gamma", "logistic"])
def test_intervals_cover(law):
    assert rate(law, 400, Vasicek(), 100) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("law", [stats.gamma(2), stats.logistic(), stats.triang(0.5), stats.t(4)])
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("n", [200, 2000])
def test_every_form_covers(law, form, n):
    if form == Vasicek(corrected=False):
        assert kb.entropy(law.rvs(n, random_state=0), method=SpacingEntropy(form=form)).low == -math.inf
        return
    assert rate(law, n, form, 300) >= (0.86 if n == 200 else 0.92)
