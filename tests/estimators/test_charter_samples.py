"""The promises on awkward samples, one test a row: S1 to S15."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback import estimators as est
from kullback.errors import CoverageWarning, SmallSampleWarning, TieWarning
from kullback.estimators.critics.held_out import HeldOut
from kullback.estimators.ksg import KSG

RNG = np.random.default_rng(21)
X = RNG.standard_normal((200, 1))
Y = 0.6 * X + 0.8 * RNG.standard_normal((200, 1))
Z = RNG.standard_normal((180, 1)) + 0.5
QUIET = [
    pytest.mark.filterwarnings(f"ignore::{w.__module__}.{w.__qualname__}")
    for w in (TieWarning, SmallSampleWarning, CoverageWarning)
]
pytestmark = QUIET
NEIGHBOURS: list[Any] = [KSG(k=5), est.MixedKSG(k=5)]


def information(x: Any, y: Any, method: Any, **options: Any) -> kb.Answer:
    return kb.mutual_information(x, y, method=method, **options)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_S1_too_few_rows(n: int) -> None:
    wanted = r"need.* (> |at least )\d+|no rows"
    with pytest.raises(kb.InvalidInputError, match=wanted):
        information(X[:n], Y[:n], KSG(k=5))
    with pytest.raises(kb.InvalidInputError, match=wanted):
        kb.entropy(X[:n], method=est.KozachenkoLeonenko(k=5))
    with pytest.raises(kb.InvalidInputError, match=wanted):
        kb.estimate(kb.kl, X[:n], Z, method=est.NearestKL(k=5))


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("method", NEIGHBOURS, ids=lambda m: type(m).__name__)
def test_S2_ties_give_one_finite_number(method: Any, step: float) -> None:
    x, y = (step * np.round(v / step) for v in (X, Y))
    found = information(x, y, method)
    assert math.isfinite(found.value)
    order = np.random.default_rng(1).permutation(len(x))
    assert information(x[order], y[order], method).value == pytest.approx(found.value, abs=1e-12)
    assert information(x, y, method, seed=99).value == found.value


def test_S2_ties_are_told() -> None:
    x, y = np.round(X), np.round(Y)
    assert any("share a value with another" in note for note in information(x, y, KSG()).notes)
    with pytest.warns(TieWarning, match="of the rows"):
        information(x, y, KSG(scores=False))


def test_S3_a_constant_column() -> None:
    assert information(np.ones_like(X), Y, KSG(k=5)).value == pytest.approx(0, abs=0.05)
    assert information(np.ones_like(X), Y, est.MixedKSG(k=5)).value == pytest.approx(0, abs=0.05)
    assert kb.entropy(np.ones_like(X), method=est.KozachenkoLeonenko()).value == -math.inf
    assert kb.entropy(["a"] * 50, method=est.PlugIn()).value == 0
    assert information(["a"] * 50, ["a", "b"] * 25, est.Contingency()).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "change",
    [lambda v: v * 1e100, lambda v: v * 1e-100, lambda v: -v, lambda v: v[::-1], lambda v: v + 2**20],
    ids=["huge", "tiny", "mirrored", "reversed", "moved"],
)
def test_S4_units_and_order(change: Any) -> None:
    x, y, z = (np.round(v * 2**20) / 2**20 for v in (X, Y, Z))
    before = information(x, y, KSG(k=5)).value
    assert information(change(x), change(y), KSG(k=5)).value == pytest.approx(before, abs=1e-6)
    before = kb.estimate(kb.kl, x, z, method=est.NearestKL(k=5)).value
    assert kb.estimate(kb.kl, change(x), change(z), method=est.NearestKL(k=5)).value == pytest.approx(
        before, abs=1e-6
    )


def test_S4_a_shift_that_rounds_is_told() -> None:
    found = information(X + 1e14, Y, KSG(k=5))
    assert any("so far from 0 that float64 rounds it" in note for note in found.notes)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_S5_rows_without_a_value(bad: float) -> None:
    x = X.copy()
    x[3], x[7] = bad, bad
    with pytest.raises(kb.InvalidInputError, match=r"2 of 200 rows.*missing='drop'"):
        information(x, Y, KSG(k=5))
    found = information(x, Y, KSG(k=5), missing="drop")
    keep = np.isfinite(x[:, 0])
    assert found.value == information(x[keep], Y[keep], KSG(k=5)).value
    assert found.n == 198
    assert any("2 of 200 rows left out" in note for note in found.notes)


def test_S6_nothing_to_find_stays_signed() -> None:
    rng = np.random.default_rng(2)
    found = [information(*rng.standard_normal((2, 200, 1)), KSG()) for _ in range(20)]
    assert any(a.value < 0 for a in found)
    assert sum(a.low <= 0 <= a.high for a in found) >= 17
    low = min(found, key=lambda a: a.value)
    assert low.clipped.value == 0
    assert low.value < 0


@pytest.mark.slow
def test_S7_a_bound_that_cannot_say_more_says_so() -> None:
    x = np.linspace(-2, 2, 400)[:, None]
    quick = est.Training(steps=300, patience=300, batch=32)
    found = information(x, x, est.InfoNCE(training=quick))
    assert any("max = log(200)" in note for note in found.notes)
    # a critic that knows every partner, which short training does not reach
    told = est.InfoNCE().notes([HeldOut(np.full(50, 40.0), np.zeros((50, 49)), 0.0)])
    assert any("saturated" in note for note in told)
    half = est.InfoNCE().notes([HeldOut(np.full(50, 1.0), np.zeros((50, 49)), 0.0)])
    assert not any("saturated" in note for note in half)


@pytest.mark.slow
def test_S8_a_variational_bound_is_a_bound_on_held_out_rows() -> None:
    quick = est.Training(steps=50, patience=50)
    found = information(X, Y, est.DonskerVaradhan(training=quick))
    assert found.kind == "bounds"
    assert found.high == math.inf
    assert math.isfinite(found.value)


def test_S9_copies_share_a_fold_and_are_told() -> None:
    twice = np.concatenate([X, X[:20]])
    found = kb.estimate(kb.kl, twice, Z, method=est.ClassifierRatio())
    assert any("copies of another" in note for note in found.notes)


def test_S10_integers_need_a_declaration() -> None:
    labels = np.arange(200) % 3
    for method in (KSG(), est.Ross(), "auto"):
        with pytest.raises(kb.errors.DTypeError, match="kind='discrete' or kind='continuous'"):
            information(X, labels, method)
    assert information(X, labels, est.Ross(), kind_y="discrete").n == 200
    with pytest.raises(kb.errors.DTypeError, match="holds names"):
        kb.entropy(["a", "b"], kind="continuous")


def test_S11_an_empty_class_is_finite_with_a_prior_and_infinite_without() -> None:
    x, y = ["a"] * 50 + ["b"] * 50, ["a"] * 100
    priors = (0.1, 0.3, 0.5, 1.0)
    found = [kb.estimate(kb.kl, x, y, method=est.Smoothed(prior=s)).value for s in priors]
    assert all(math.isfinite(v) for v in found)
    assert found == sorted(found, reverse=True)
    assert kb.kl([0.5, 0.5], [1.0, 0.0]) == math.inf


def test_S12_a_plan_is_exact_or_an_error() -> None:
    found = kb.estimate(kb.wasserstein(1), X, Z, method=est.LineTransport())
    same = kb.estimate(kb.wasserstein(1), X, X, method=est.LineTransport())
    assert found.value > 0
    assert same.value == pytest.approx(0, abs=0.1)


def test_S13_a_p_value_is_never_zero_and_leaves_the_generator_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    found = information(X, X, KSG(k=5), permutations=19)
    assert found.p_value == pytest.approx(1 / 20)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert information(X, Y, KSG(k=5), permutations=19, seed=4) == information(
        X, Y, KSG(k=5), permutations=19, seed=4
    )


def test_S14_weights() -> None:
    labels = np.array(["a", "b", "c"] * 60)
    times = 1 + np.arange(180) % 4
    plug = est.PlugIn()

    def value(x: Any, weights: Any = None) -> float:
        return kb.entropy(x, weights=weights, method=plug).value

    assert value(labels, times) == pytest.approx(value(np.repeat(labels, times)), rel=1e-12)
    assert value(labels, np.full(180, 0.1)) == value(labels)
    assert value(labels, labels != "c") == value(labels[labels != "c"])
    with pytest.raises(kb.InvalidInputError, match="negative"):
        value(labels, -times)
    with pytest.raises(kb.InvalidInputError, match="every value of `weights` is 0"):
        value(labels, 0 * times)


def test_S15_wasserstein_far_from_zero_and_of_bad_values() -> None:
    method = est.LineTransport()
    far = np.arange(6.0) + 1e15
    assert kb.estimate(kb.wasserstein(1), far, far + 1, method=method).value == 1.0
    for bad in (math.inf, -math.inf, math.nan):
        with pytest.raises(kb.InvalidInputError, match="missing, NaN or infinite"):
            kb.estimate(kb.wasserstein(1), [0.0, bad], [1.0, 2.0], method=method)
