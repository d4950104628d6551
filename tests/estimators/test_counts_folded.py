"""Divergences of two samples of classes where f has kinks: laws, parts by hand, refusals, intervals by simulation."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

import kullback as kb
from estimators.test_counts_divergence import covered, drawn, problem, rows
from kullback.divergences import FDivergence
from kullback.errors import DTypeError, InvalidInputError, UnsupportedPairError
from kullback.estimators import ChainedDivergence, Frequencies, Smoothed
from kullback.estimators.counts import kinked
from kullback.estimators.counts.folded import Folded, needed

TV = kb.total_variation


def power(k: float) -> FDivergence:
    return FDivergence.from_generator(
        lambda t: np.abs(t - 1) ** k,
        lambda t: k * np.abs(t - 1) ** (k - 1) * np.sign(t - 1),
        name=f"power {k:g}",
    )


def hinge(at: float, curved: float) -> FDivergence:
    """max(t − at, 0), on top of a curve."""
    return FDivergence.from_generator(
        lambda t: np.maximum(t - at, 0) - max(1 - at, 0) + curved * (t - 1) ** 2 / (t + 1),
        lambda t: (t > at) * 1.0 + curved * (1 - 4 / (t + 1) ** 2),
        name=f"hinge {at:g}",
    )


BOTH = FDivergence.from_generator(
    lambda t: np.abs(t - 1) + (t - 1) ** 2, lambda t: np.sign(t - 1) + 2 * (t - 1), name="both"
)
ABOVE = FDivergence.from_generator(
    lambda t: np.maximum(t - 1, 0) + 0.1 * (t - 1) ** 2,
    lambda t: (t > 1) * 1.0 + 0.2 * (t - 1),
    name="above",
)
KINKED = [2.0 * TV, BOTH, ABOVE, TV + kb.js, 2.0 * TV + kb.kl, 0.05 * TV + kb.squared_hellinger, hinge(1, 0)]
A, B = (30, 20, 50), (20, 40, 30)


TABLES = [(A, B), ((30, 20, 50), (60, 40, 100)), ((9, 1, 0, 40), (30, 4, 2, 80)), ((30, 0), (0, 40))]


@pytest.mark.parametrize("counts", TABLES)
def test_multiples_of_total_variation_have_multiples_of_its_interval(counts: tuple) -> None:
    one, two = (Frequencies().estimate(problem(d, *counts)) for d in (TV, 2.0 * TV))
    assert one.interval is not None
    assert two.interval is not None
    assert two.value == pytest.approx(2 * one.value, rel=1e-12)
    for level in (0.5, 0.95, 0.999):
        assert two.interval(level) == pytest.approx([2 * end for end in one.interval(level)], rel=1e-12)


def test_total_variation_of_another_hand_is_total_variation() -> None:
    """max(t − 1, 0) is |t − 1|/2 but for what changes no divergence."""
    one, other = (Frequencies().estimate(problem(d, A, B)) for d in (TV, hinge(1, 0)))
    assert one.interval is not None
    assert other.interval is not None
    assert (other.value, *other.interval(0.95)) == pytest.approx((one.value, *one.interval(0.95)), rel=1e-6)


def test_the_parts_by_hand() -> None:
    a, b = np.array([30, 70]), np.array([30, 70])
    law = Folded.of(BOTH, a, b)
    sd = math.sqrt(2 * 0.3 * 0.7 / 100)  # of either gap; f = |t − 1| + (t − 1)²
    excess = 2 * 2 * sd / math.sqrt(2 * math.pi)
    p = np.array([30.5, 70.5]) / 101
    noise = np.sqrt(2 * (1 - p) / p / 100)
    bias = float(p * noise @ (4 * np.sinh(noise * math.sqrt(2 * math.pi) / 4))) / math.sqrt(2 * math.pi)
    assert law.value == pytest.approx(-2 / 3 * excess - bias, rel=1e-6)
    assert law.lowest == pytest.approx(-excess - bias, rel=1e-6)
    assert law.highest == pytest.approx(excess, rel=1e-6)
    assert law.error == pytest.approx(math.sqrt(2 * 0.84 / 100 + 2 * bias**2), rel=1e-6)


def test_the_smooth_bias_is_that_of_the_expansion_where_rows_are_many() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    a, b = (np.rint(1e7 * x).astype(int) for x in (p, q))
    law, rest = Folded.of(TV + kb.kl, a, b), Folded.of(TV, a, b)
    second = 0.5 * float(((1 - p) + (p / q) * (1 - q)).sum()) / 1e7
    found = float(kb.kl(p, q))
    assert law.value - rest.value - found == pytest.approx(-second, rel=1e-3)


def test_kinks_are_found_where_they_are() -> None:
    d = hinge(2.0, 0.5)
    r, noise = np.log([1.0, 1.9, 2.3, 4.0]), np.array([0.1, 0.1, 0.1, 0.1])
    where, by = kinked.jumps(d, r, noise)
    assert by == pytest.approx([0, 1, 1, 0], abs=1e-4)
    assert where[1:3] == pytest.approx(math.log(2), abs=1e-5)
    for smooth in (kb.kl, kb.js, kb.alpha(100), kb.alpha(-400), BOTH, ABOVE, TV):
        assert not kinked.jumps(smooth, np.linspace(-1, 1, 9), np.full(9, 1.4))[1].any()
    assert needed(d, np.array([30, 70]), np.array([17, 83]))
    assert not needed(d, np.array([300, 700]), np.array([310, 690]))
    # at the kink, where a cell is too large by as much as its halves disagree
    a, b = np.array([40, 60]), np.array([20, 80])
    sd = math.sqrt(0.4 * 0.6 / 100 + 4 * 0.2 * 0.8 / 100)
    law = Folded.of(hinge(2.0, 0.0), a, b)
    assert law.lowest == pytest.approx(-sd * norm.pdf(0), rel=1e-4)
    assert law.value == pytest.approx(2 / 3 * law.lowest, rel=1e-4)


@pytest.mark.parametrize("d", KINKED, ids=lambda d: d.name)
def test_equal_shares_are_not_apart(d: FDivergence) -> None:
    equal = problem(d, (30, 20, 50), (60, 40, 100))
    for method in (Frequencies(), Smoothed()):
        assert method.refusal(equal) == ""
        found = method.estimate(equal)
        assert found.interval is not None
        assert found.interval(0.95)[0] <= 0.0 < found.interval(0.95)[1]


def test_counts_are_taken_without_being_asked() -> None:
    answer = kb.estimate(BOTH, rows(*A), rows(*B), kind="discrete")
    assert "counts" in answer.method
    assert 0 < answer.low < answer.value < answer.high


def test_disjoint_samples_are_at_the_limit_but_not_surely() -> None:
    found = kb.estimate(TV + kb.js, rows(30, 0), rows(0, 40), kind="discrete", method=Frequencies())
    assert found.low < found.value <= found.high == pytest.approx(1 + math.log(2))
    endless = kb.estimate(TV + kb.kl, rows(50, 50), rows(100, 0), kind="discrete", method=Frequencies())
    assert endless.value == endless.high == math.inf
    assert 0.3 < endless.low < math.inf


@pytest.mark.parametrize(
    "d", [power(1.5), power(1.2), TV + power(1.5), hinge(1 + 1e-7, 0.1)], ids=lambda d: d.name
)
def test_steep_slopes_are_refused_and_have_no_lower_end_but_zero(d: FDivergence) -> None:
    with pytest.raises(UnsupportedPairError, match=r"slope so steep at 1, .* Smoothed\(\) gives a value"):
        kb.estimate(d, rows(*A), rows(*B), kind="discrete", method=Frequencies())
    found = kb.estimate(d, rows(900, 100), rows(100, 900), kind="discrete", method=Smoothed())
    assert found.low == 0.0 < found.value < found.high


@pytest.mark.parametrize("d", [power(3), hinge(2, 0)], ids=lambda d: d.name)
def test_flat_generators_are_refused_and_have_the_lower_end_of_their_kinks(d: FDivergence) -> None:
    with pytest.raises(UnsupportedPairError, match="is flat at 1"):
        kb.estimate(d, rows(*A), rows(*B), kind="discrete", method=Frequencies())
    found = kb.estimate(d, rows(900, 100), rows(100, 900), kind="discrete", method=Smoothed())
    assert 0.0 < found.low < found.value < found.high


def test_information_by_a_generator_without_a_law_has_no_interval() -> None:
    x, y = np.repeat([0, 0, 1, 1], 25), np.tile([0, 1], 50)
    for d in (hinge(2, 0), power(1.5), power(3)):
        found = kb.mutual_information(x, y, divergence=d, kind_x="discrete", kind_y="discrete")
        assert (found.value, found.low, found.high) == (0.0, -math.inf, math.inf)
        assert "no interval" in found.notes[0]


def test_rows_of_both_kinds_do_not_split_by_a_kinked_generator() -> None:
    table = pl.DataFrame({"c": ["a", "b"] * 20, "v": np.linspace(0, 1, 40)})
    with pytest.raises(UnsupportedPairError, match="splits kl and reverse_kl, not both; density ratios"):
        kb.estimate(BOTH, table, table, method=ChainedDivergence())


@pytest.mark.parametrize("d", [BOTH, TV + kb.js], ids=lambda d: d.name)
class TestCharter:
    """The rows of the charter that ask something of classes; the others are about neighbours, critics and plans."""

    def test_S1_too_few_rows(self, d: FDivergence) -> None:
        with pytest.raises(InvalidInputError, match="no rows"):
            kb.estimate(d, [], ["a"], method=Frequencies())
        one = kb.estimate(d, ["a"], ["b"], method=Frequencies())
        assert one.low <= 0.0
        assert one.value <= one.high == d.upper_bound

    def test_S3_a_constant_column(self, d: FDivergence) -> None:
        same = kb.estimate(d, ["a"] * 5, ["a"] * 9, method=Frequencies())
        assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)

    def test_S4_order_and_names(self, d: FDivergence) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.integers(0, 9, 120), rng.integers(0, 9, 150)
        names = np.array(list("qwertzuio"))[rng.permutation(9)]
        for method in (Frequencies(), Smoothed()):
            first = kb.estimate(d, x, y, kind="discrete", method=method)
            second = kb.estimate(d, names[rng.permutation(x)], names[rng.permutation(y)], method=method)
            assert (second.value, second.low, second.high) == pytest.approx(
                (first.value, first.low, first.high), rel=1e-12
            )

    def test_S5_rows_without_a_value(self, d: FDivergence) -> None:
        x = pl.Series(["a", None, "b", "a"] * 10)
        with pytest.raises(InvalidInputError, match=r"10 of 40 rows"):
            kb.estimate(d, x, ["a", "b"] * 20, method=Frequencies())
        found = kb.estimate(d, x, ["a", "b"] * 20, method=Frequencies(), missing="drop")
        kept = kb.estimate(d, x.drop_nulls(), ["a", "b"] * 20, method=Frequencies())
        assert (found.low, found.value, found.high) == (kept.low, kept.value, kept.high)

    def test_S6_nothing_to_find_stays_signed(self, d: FDivergence) -> None:
        rng = np.random.default_rng(2)
        flat = np.full(4, 0.25)
        found = [Frequencies().estimate(drawn(d, flat, flat, 200, 200, rng)) for _ in range(20)]
        assert any(e.value < 0 for e in found)
        ends = [e.interval(0.95) for e in found if e.interval is not None]
        assert sum(low <= 0 <= high for low, high in ends) >= 18

    def test_S10_integers_need_a_declaration(self, d: FDivergence) -> None:
        with pytest.raises(DTypeError, match="kind='discrete' or kind='continuous'"):
            kb.estimate(d, rows(*A), rows(*B), method=Frequencies())

    def test_S11_an_empty_class(self, d: FDivergence) -> None:
        x, y = rows(50, 50), rows(100, 0)
        found = [kb.estimate(d, x, y, kind="discrete", method=Smoothed(s)).value for s in (0.1, 0.5, 1.0)]
        assert found == sorted(found, reverse=True)
        exact = kb.estimate(d, x, y, kind="discrete", method=Frequencies())
        assert (exact.value == math.inf) == (d.at_infinity == math.inf)

    def test_S13_a_p_value_is_never_zero(self, d: FDivergence) -> None:
        x, y = rows(90, 10), rows(10, 90)
        found = kb.estimate(d, x, y, kind="discrete", method=Frequencies(), permutations=19)
        assert found.p_value == pytest.approx(1 / 20)

    def test_S14_weights(self, d: FDivergence) -> None:
        x, y, w = rows(3, 4, 2), rows(5, 2, 4), np.array([1, 2, 3, 1, 2, 3, 1, 4, 9])
        weighted = kb.estimate(d, x, y, kind="discrete", weights_x=w, method=Frequencies())
        repeated = kb.estimate(d, np.repeat(x, w), y, kind="discrete", method=Frequencies())
        assert (weighted.value, weighted.low, weighted.high) == (repeated.value, repeated.low, repeated.high)
        with pytest.raises(UnsupportedPairError, match="no counts; repeat rows"):
            kb.estimate(d, x, y, kind="discrete", weights_x=w / 2, method=Frequencies())
        with pytest.raises(InvalidInputError, match="negative"):
            kb.estimate(d, x, y, kind="discrete", weights_x=-w, method=Frequencies())


FLAT = np.full(6, 1 / 6)


@pytest.mark.parametrize("d", [BOTH, TV + kb.js], ids=lambda d: d.name)
@pytest.mark.parametrize("height", [0.0, 1.0])
def test_intervals_cover(d: FDivergence, height: float) -> None:
    p = FLAT * np.exp(height * np.cos(2.4 * np.arange(6)))
    assert covered(d, p / p.sum(), FLAT, (300, 200), 60, 0) >= 0.87


def wave(classes: int, height: float, tail: float) -> tuple[np.ndarray, np.ndarray]:
    q = 1.0 / np.arange(1, classes + 1) ** tail
    p = q * np.exp(height * np.cos(2.4 * np.arange(classes)))
    return p / p.sum(), q / q.sum()


@pytest.mark.slow
@pytest.mark.parametrize("d", [BOTH, ABOVE, 2.0 * TV + kb.kl, 0.05 * TV + kb.js], ids=lambda d: d.name)
@pytest.mark.parametrize("sizes", [(50, 50), (1500, 300), (5000, 5000)], ids=str)
@pytest.mark.parametrize("classes", [2, 8, 50])
def test_intervals_cover_on_other_laws(d: FDivergence, sizes: tuple[int, int], classes: int) -> None:
    for height, tail in ((0.0, 0.0), (0.15, 1.5), (0.7, 1.5), (1.5, 0.0)):
        p, q = wave(classes, height, tail)
        assert covered(d, p, q, sizes, 100, 1) >= 0.89, (height, tail)  # 0.95 less 2.7 standard errors


@pytest.mark.slow
@pytest.mark.parametrize("at", [0.6, 1.05, 1.5])
@pytest.mark.parametrize("sizes", [(100, 200), (5000, 5000)], ids=str)
def test_intervals_cover_where_cells_are_at_a_kink_away_from_1(at: float, sizes: tuple[int, int]) -> None:
    q = np.full(9, 1 / 9)
    p = np.where(np.arange(9) < 3, at, (3 - at) / 2) / 9
    for law in (q, p):
        assert covered(hinge(at, 0.25), law, q, sizes, 100, 1) >= 0.89
