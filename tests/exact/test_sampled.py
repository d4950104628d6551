"""Divergences from sampled log-densities: unbiased, covered, calmer than k1, finite or frank."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import stdtrit

import kullback as kb
from kullback.exact import Estimator, effective_size, fixed, k1, k2, k3, regressed, sampled
from kullback.exact.control_variates import Draws, regress, without_growth
from problems.backends import BACKENDS, JAX, NUMPY, TORCH, Backend
from problems.listed import BUILT_IN, USERS

P = np.array([0.1, 0.2, 0.3, 0.4])
Q = np.array([0.3, 0.3, 0.25, 0.15])
SIDES = {"p": P, "q": Q}
MEASURED = (*BUILT_IN, *USERS, kb.renyi(0.5), kb.renyi(1), kb.renyi(3), kb.bhattacharyya)


def categorical(rng: np.random.Generator, n: int, side: str) -> tuple[np.ndarray, np.ndarray]:
    x = rng.choice(len(P), size=n, p=SIDES[side])
    return np.log(P)[x], np.log(Q)[x]


def normal(rng: np.random.Generator, n: int, side: str, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1) from N(shift, 1)."""
    x = rng.normal(size=n) + (0.0 if side == "p" else shift)
    return -0.5 * x * x, -0.5 * (x - shift) ** 2


@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("d", MEASURED, ids=lambda d: d.name)
def test_every_divergence_is_found(d: kb.Divergence, side: str) -> None:
    log_p, log_q = categorical(np.random.default_rng(3), 40_000, side)
    truth = float(d(P, Q))
    for estimator in (regressed, k3, fixed(0.4)):
        answer = sampled(d, log_p, log_q, drawn_from=side, estimator=estimator, level=1 - 1e-6)
        assert answer.low < truth < answer.high
        assert 0 < answer.high - answer.low < 0.5 * truth + 0.1


@pytest.mark.parametrize(
    ("d", "side"), [(kb.kl, "p"), (kb.kl, "q"), (kb.reverse_kl, "p"), (kb.reverse_kl, "q")]
)
def test_k1_is_the_mean_log_ratio(d: kb.FDivergence, side: str) -> None:
    log_p, log_q = categorical(np.random.default_rng(4), 1000, side)
    r = log_p - log_q
    by_hand = {
        ("kl", "p"): r, ("kl", "q"): np.exp(r) * r, ("reverse_kl", "p"): -r * np.exp(-r), ("reverse_kl", "q"): -r,
    }[d.name, side].mean()  # fmt: skip
    assert sampled(d, log_p, log_q, drawn_from=side, estimator=k1).value == pytest.approx(by_hand, abs=1e-14)


def test_names_are_choices_of_one_coefficient() -> None:
    log_p, log_q = categorical(np.random.default_rng(5), 1000, "p")
    values = {
        e: sampled(kb.kl, log_p, log_q, drawn_from="p", estimator=e).value
        for e in (k1, fixed(1), k3, fixed(0), regressed)
    }
    assert values[k1] == pytest.approx(values[fixed(1)], abs=1e-14)
    assert values[k3] == pytest.approx(values[fixed(0)], abs=1e-14)
    t = np.exp(log_q - log_p)
    line = np.polyfit(t - 1.0, log_p - log_q, 1)
    assert values[regressed] == pytest.approx(line[1], rel=2e-3)  # less the bias of order 1/n


def test_regression_is_the_jackknife_of_least_squares() -> None:
    log_p, log_q = normal(np.random.default_rng(6), 200, "p", 0.4)

    def line(keep: np.ndarray) -> float:
        return float(np.polyfit(np.expm1(log_q - log_p)[keep], (log_p - log_q)[keep], 1)[1])

    everything = np.arange(200)
    without = np.array([line(everything != i) for i in everything])
    answer = sampled(kb.kl, log_p, log_q, drawn_from="p")
    assert answer.value == pytest.approx(200 * line(everything >= 0) - 199 * without.mean(), abs=1e-11)
    error = math.sqrt(199 / 200 * float(np.sum((without - without.mean()) ** 2)))
    squares = (without - without.mean()) ** 2
    # the degrees of freedom of a variance whose own variance is that of the mean of the squares
    freedom = min(198.0, 400.0 / float(np.mean((squares / squares.mean() - 1.0) ** 2)))
    assert freedom < 198.0
    assert (answer.high - answer.low) / 2 == pytest.approx(error * float(stdtrit(freedom, 0.975)), rel=1e-6)


def repeated(estimator: Estimator, side: str, shift: float, n: int = 300, times: int = 800) -> np.ndarray:
    rng = np.random.default_rng(17)
    out = []
    for _ in range(times):
        answer = sampled(kb.kl, *normal(rng, n, side, shift), drawn_from=side, estimator=estimator)
        out.append((answer.value, answer.low, answer.high))
    return np.array(out)


@pytest.mark.parametrize(
    ("estimator", "side", "shift", "n"),
    [
        (regressed, "p", 0.5, 300),
        (k1, "p", 0.5, 300),
        pytest.param(k3, "p", 0.5, 300, marks=pytest.mark.slow),
        pytest.param(regressed, "q", 0.3, 300, marks=pytest.mark.slow),
        pytest.param(regressed, "p", 1.0, 1000, marks=pytest.mark.slow),
    ],
)
def test_unbiased_and_covered(estimator: Estimator, side: str, shift: float, n: int) -> None:
    value, low, high = repeated(estimator, side, shift, n).T
    truth = 0.5 * shift * shift
    # where few draws carry the line the regression keeps its bias, of order 1/n
    assert abs(value.mean() - truth) < 4 * value.std() / math.sqrt(len(value)) + 0.1 * value.std() * (
        shift == 1.0
    )
    given = np.isfinite(high)
    assert given.mean() > 0.97
    covered = ((low <= truth) & (truth <= high))[given].mean()
    assert 0.925 <= covered <= 0.975


@pytest.mark.parametrize(
    ("shift", "over_k1", "over_k3"),
    [
        (0.5, 4, 0.95),
        pytest.param(0.1, 100, 0.95, marks=pytest.mark.slow),
        pytest.param(1.0, 1.8, 1.2, marks=pytest.mark.slow),
        pytest.param(2.0, 0.8, 3, marks=pytest.mark.slow),
    ],
)
def test_variance_of_the_regression(shift: float, over_k1: float, over_k3: float) -> None:
    """Below both where the ratio's tail is light; at a distance of 2, where it is not, near the better one."""
    spread = {e: repeated(e, "p", shift, times=400)[:, 0].var() for e in (regressed, k1, k3)}
    assert spread[k1] / spread[regressed] > over_k1
    assert spread[k3] / spread[regressed] > over_k3


def test_k2_says_what_it_is() -> None:
    answer = sampled(kb.kl, *normal(np.random.default_rng(0), 50_000, "p", 1.0), drawn_from="p", estimator=k2)
    assert answer.value == pytest.approx(0.625, abs=0.02)  # E[r²]/2 = (1 + 1/4)/2, not 1/2
    assert "approximation" in answer.notes[0]


def test_near_equality_keeps_its_digits() -> None:
    """r of size 1e-9: the divergence is 5e-19, and a difference of log-densities knows it to a few digits only."""
    q = np.full(4, 0.25)
    delta = np.array([1.0, -1.0, 1.0, -1.0]) * 2.0**-30
    r = np.log1p(delta)
    answer = sampled(kb.kl, r, np.zeros(4), drawn_from="q", log_weights=np.log(q), estimator=k3)
    assert answer.value == pytest.approx(2.0**-61, rel=1e-8)
    assert sampled(kb.js, r * 0, r * 0, drawn_from="p").value == 0.0


@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("d", [*BUILT_IN, kb.renyi(2)], ids=lambda d: d.name)
def test_huge_log_ratios(d: kb.Divergence, side: str) -> None:
    r = np.random.default_rng(2).normal(size=200)
    r[:4] = 1e4, -1e4, 9e3, -9e3
    for estimator in (regressed, k1, k2, k3, fixed(0.3)):
        try:
            answer = sampled(d, r, np.zeros(200), drawn_from=side, estimator=estimator)
        except kb.InvalidInputError as error:
            assert "k1" in str(error) or "kink" in str(error) or "both signs" in str(error)  # noqa: PT017
            continue
        assert not math.isnan(answer.value)
        assert (answer.low, answer.high) == (-math.inf, math.inf)
        assert "Pareto k" in answer.notes[-1] or "Pareto k" in answer.notes[-2]


def test_huge_log_ratios_of_kl_stay_finite() -> None:
    """A policy of long sequences: log-ratios of thousands, all of them finite terms."""
    r = 1e4 + np.random.default_rng(2).normal(size=2000)
    for estimator in (regressed, k1, k3):
        answer = sampled(kb.kl, r, np.zeros(2000), drawn_from="p", estimator=estimator)
        # q has none of its mass where p was drawn: λ(t − 1) is −λ, the same for all draws
        assert answer.value == pytest.approx(1e4 - (estimator is k3), abs=1.1)
    away = sampled(kb.kl, -r, np.zeros(2000), drawn_from="p")
    assert math.isfinite(away.value)
    assert away.high == math.inf


def test_heavy_tails_get_no_interval() -> None:
    """The Rényi divergence of order 1.5 of N(0, 1) from N(3, 1): Monte Carlo has an error bar, and it is wrong."""
    log_p, log_q = normal(np.random.default_rng(1), 5000, "q", 3.0)
    answer = sampled(kb.alpha(1.5), log_p, log_q, drawn_from="q")
    assert math.isfinite(answer.value)
    assert (answer.low, answer.high) == (-math.inf, math.inf)
    assert "no interval: the" in answer.notes[-1]
    assert "above 0.7" in answer.notes[-1]
    kinder = sampled(kb.kl, *normal(np.random.default_rng(1), 5000, "p", 3.0), drawn_from="p", estimator=k1)
    assert kinder.low < 4.5 < kinder.high  # k1 averages log-ratios, whose tail is light


def test_densities_must_be_normalised() -> None:
    log_p, log_q = normal(np.random.default_rng(1), 2000, "p", 0.5)
    answer = sampled(kb.kl, log_p + 0.3, log_q, drawn_from="p")
    assert math.isinf(answer.high)
    assert "not normalised" in answer.notes[-1]
    wrong_side = sampled(kb.js, log_p, log_q, drawn_from="q")
    assert "drawn from another law" in wrong_side.notes[-1]


def test_other_support() -> None:
    log_p, log_q = np.log([0.5, 0.5, 0.5, 0.5]), np.array([-math.inf, 0.0, 0.0, -math.inf])
    answer = sampled(kb.kl, log_p, log_q, drawn_from="p")
    assert (answer.value, answer.low, answer.high) == (math.inf,) * 3
    assert "density of q is 0 at 2 of 4 points" in answer.notes[-1]
    half = sampled(kb.total_variation, log_p, log_q, drawn_from="p")
    assert half.value == pytest.approx(0.5)
    assert sampled(kb.kl.dual, log_p, log_q, drawn_from="p", estimator=k1).value == pytest.approx(
        0.693147, abs=1e-6
    )
    with pytest.raises(kb.InvalidInputError, match=r"`log_q`\[0\] is -inf, but no point of density 0"):
        sampled(kb.kl, log_p, log_q, drawn_from="q")


def test_weights_turn_draws_of_a_third_law() -> None:
    """Draws of N(0, 1.5²), weighted to N(0, 1): the self-normalised interval covers."""
    rng = np.random.default_rng(21)
    inside, values = [], []
    for _ in range(600):
        x = 1.5 * rng.normal(size=400)
        answer = sampled(
            kb.kl, -0.5 * x * x, -0.5 * (x - 0.5) ** 2, drawn_from="p", log_weights=-0.5 * x * x * (1 - 1.5**-2) + 7.0
        )  # fmt: skip
        inside.append(answer.low <= 0.125 <= answer.high)
        values.append(answer.value)
    assert 0.92 <= np.mean(inside) <= 0.98
    assert abs(np.mean(values) - 0.125) < 4 * np.std(values) / math.sqrt(600) + 0.05 * np.std(values)
    assert any("weights: effective sample size" in note for note in answer.notes)


def test_weights_of_enumerated_outcomes_are_an_exact_expectation() -> None:
    for d in (kb.kl, kb.js, kb.pearson_chi2, kb.renyi(3)):
        for side, mass in SIDES.items():
            for estimator in (k3, fixed(0.3), regressed):
                answer = sampled(
                    d, np.log(P), np.log(Q), drawn_from=side, log_weights=np.log(mass) - 50.0, estimator=estimator
                )  # fmt: skip
                assert answer.value == pytest.approx(float(d(P, Q)), rel=1e-13)


def test_weightless_draws_do_not_count() -> None:
    log_p, log_q = categorical(np.random.default_rng(4), 300, "p")
    weights = np.where(np.arange(300) < 200, 0.0, -math.inf)
    some = sampled(kb.js, log_p, log_q, drawn_from="p", log_weights=weights)
    first = sampled(kb.js, log_p[:200], log_q[:200], drawn_from="p", log_weights=weights[:200])
    assert (some.value, some.low, some.n) == (first.value, first.low, 300)


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_every_library(backend: Backend) -> None:
    log_p, log_q = categorical(np.random.default_rng(4), 300, "q")
    expected = sampled(kb.js, log_p, log_q, drawn_from="q")
    found = sampled(kb.js, backend.array(log_p), backend.array(log_q), drawn_from="q")
    assert isinstance(found.value, float)
    assert found.value == pytest.approx(expected.value, rel=1e-13)
    assert found.low == pytest.approx(expected.low, rel=1e-12)


def test_single_precision_and_lists() -> None:
    log_p, log_q = categorical(np.random.default_rng(4), 300, "q")
    expected = sampled(kb.js, log_p, log_q, drawn_from="q").value
    for backend in (NUMPY, TORCH, JAX):
        found = sampled(
            kb.js, backend.array(log_p, "float32"), backend.array(log_q, "float32"), drawn_from="q"
        )
        assert found.value == pytest.approx(expected, rel=1e-5)
    assert sampled(kb.js, log_p.tolist(), log_q.tolist(), drawn_from="q").value == expected


def test_notes_tell_size_and_tail() -> None:
    log_p, log_q = normal(np.random.default_rng(4), 2000, "q", 0.5)
    answer = sampled(kb.js, log_p, log_q, drawn_from="q")
    size = effective_size(log_p - log_q)
    assert any(f"effective sample size {size:.4g} of 2000, Pareto k" in note for note in answer.notes)
    assert answer.kind == "monte-carlo"
    assert answer.method == "regressed, drawn from q"
    assert (answer.n, answer.level, answer.unit) == (2000, 0.95, "nats")


def test_bad_input() -> None:
    good = np.zeros(10)
    with pytest.raises(kb.InvalidInputError, match=r"drawn_from is 'r'"):
        sampled(kb.kl, good, good, drawn_from="r")  # type: ignore[arg-type]
    with pytest.raises(kb.InvalidInputError, match="level must lie between 0 and 1, got 95"):
        sampled(kb.kl, good, good, drawn_from="p", level=95)
    with pytest.raises(kb.ShapeError, match="`log_p` has 10 draws and `log_q` 9"):
        sampled(kb.kl, good, good[1:], drawn_from="p")
    with pytest.raises(kb.InvalidInputError, match="at least 3 draws"):
        sampled(kb.kl, good[:2], good[:2], drawn_from="p")
    with pytest.raises(kb.InvalidInputError, match=r"`log_q`\[4\] is nan"):
        sampled(kb.kl, good, np.where(np.arange(10) == 4, math.nan, good), drawn_from="p")
    with pytest.raises(kb.InvalidInputError, match="k1 averages a log-ratio"):
        sampled(kb.js, good, good, drawn_from="p", estimator=k1)
    with pytest.raises(kb.InvalidInputError, match="kink"):
        sampled(kb.total_variation, good, good, drawn_from="p", estimator=k2)
    with pytest.raises(kb.InvalidInputError, match="finite coefficient"):
        fixed(math.nan)
    for d in (kb.cauchy_schwarz, kb.renyi(0), kb.renyi(math.inf)):
        with pytest.raises(kb.UnsupportedPairError, match="no average over draws"):
            sampled(d, good, good, drawn_from="p")


@pytest.mark.parametrize(
    "d", [kb.reverse_kl, kb.js, kb.gan, kb.total_variation, kb.le_cam], ids=lambda d: d.name
)
def test_linear_growth_taken_off_by_formula(d: kb.FDivergence) -> None:
    """g(t) − g'(∞)(t − 1) beyond t = e⁸, where the subtraction still keeps some digits, and where it keeps none."""
    s = np.array([0.1, 8.5, 10.0, 12.0, 1e4])
    draws = Draws(d, s, np.full(5, 0.2), False)
    found = without_growth(draws, s, d.value(s))
    assert found is not None
    assert np.allclose(found[:4], d.value(s[:4]) - d.at_infinity * np.expm1(s[:4]), rtol=1e-9, atol=1e-9)
    assert np.isfinite(found[4])
    if d is kb.reverse_kl:
        assert np.allclose(found, -s, rtol=1e-13, atol=1e-13)


def test_weighted_slope_is_the_calmer_one() -> None:
    """The slope that fits the squared weights leaves less error than that of the weights."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    weights = np.exp(1.2 * x)
    weights /= weights.sum()
    control = x + x**2
    terms = np.exp(0.7 * x) + 0.5 * control
    error, slope = regress(terms, control, weights, True)[1:3]
    centred = control - weights @ control
    naive = float(weights @ (centred * terms)) / float(weights @ (centred * centred))
    rest = terms - naive * control
    assert slope != naive
    assert error < 0.98 * math.sqrt(float(np.sum((weights * (rest - weights @ rest)) ** 2)))


def test_arrays_are_left_alone() -> None:
    log_p, log_q = categorical(np.random.default_rng(4), 50, "q")
    before = log_p.copy(), log_q.copy()
    log_p.flags.writeable = log_q.flags.writeable = False
    sampled(kb.kl, log_p, log_q, drawn_from="q")
    assert np.array_equal(log_p, before[0])
    assert np.array_equal(log_q, before[1])


def test_powers_beyond_the_largest_number_are_averaged_in_logarithms() -> None:
    """A constant log-ratio r, with as much mass elsewhere: R_a = (a − 1)⁻¹ log E_q[t^a] whatever the size of t^a."""
    n = 400
    far, near = np.full(n, -500.0), np.zeros(n)
    for order in (2.0, 5.0):
        answer = kb.sampled(kb.renyi(order), near, far, drawn_from="p")
        assert answer.value == pytest.approx(500.0, rel=1e-12)
        answer = kb.sampled(kb.renyi(order), near, far, drawn_from="q")
        assert answer.value == pytest.approx(500.0 * order / (order - 1.0), rel=1e-12)
        assert (answer.low, answer.high) == (-math.inf, math.inf)
    empty = np.where(np.arange(n) < 3, -math.inf, 0.0)
    assert kb.sampled(kb.renyi(2.0), near, empty, drawn_from="p").value == math.inf


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "n", "least"), [(1.0, 300, 0.92), (0.5, 300, 0.925), (1.0, 1000, 0.925)])
def test_intervals_of_the_regression_cover_where_few_draws_decide(shift: float, n: int, least: float) -> None:
    """KL of normal laws; two thousand seeds a case and side put the standard error of a share below 0.006."""
    for side in ("p", "q"):
        hits = 0
        for seed in range(2000):
            x = np.random.default_rng(seed).normal(size=n) + (shift if side == "q" else 0.0)
            answer = kb.sampled(kb.kl, -(x**2) / 2, -((x - shift) ** 2) / 2, drawn_from=side)
            hits += answer.low <= 0.5 * shift**2 <= answer.high
        assert hits >= least * 2000
