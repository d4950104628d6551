"""Verdicts, and the forecasts of what would settle them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kullback as kb
from kullback.answer import Answer
from kullback.divergences import FDivergence
from kullback.estimators.counts.statistics import estimate
from kullback.tables.permutation import PermutationTest
from kullback.tables.report import Verdict
from kullback.tables.verdict import detectable, judge, rows_needed


def ids(measure: FDivergence) -> str:
    return measure.name


def counts(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


A, B = counts(120, 60, 30, 90), counts(80, 80, 70, 170)


# Verdicts ----------------------------------------------------------------------------------------------------------

EPSILON = 0.01 * math.log(2)


def verdict(a: np.ndarray, b: np.ndarray) -> Verdict:
    test = PermutationTest(kb.js, a, b, (0, "x"))
    test.draw(999)
    return judge(estimate(kb.js, a, b, 0.95), test.p_value, alpha=0.05, min_effect=EPSILON)


def test_verdicts_have_two_axes() -> None:
    large = Answer(0.02, 0.01, 0.03, level=0.95, kind="estimate")
    assert judge(large, 0.05, alpha=0.05, min_effect=EPSILON) is Verdict.DRIFT
    assert judge(large, 0.06, alpha=0.05, min_effect=EPSILON) is Verdict.CANT_TELL
    assert verdict(A, B) is Verdict.DRIFT
    # proven beyond doubt, and negligible
    tiny = counts(5_010_000, 4_990_000), counts(5_000_000, 5_000_000)
    assert verdict(*tiny) is Verdict.SAME
    # large, and not proven
    assert verdict(counts(3, 7), counts(7, 3)) is Verdict.CANT_TELL
    # equal to the last row, and too few
    assert verdict(counts(5, 5), counts(5, 5)) is Verdict.CANT_TELL
    assert verdict(counts(50_000, 50_000), counts(50_000, 50_000)) is Verdict.SAME


@pytest.mark.parametrize("measure", [kb.js, kb.kl, kb.total_variation], ids=ids)
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.45), (0.5, 0.3)])
def test_the_rows_needed_settle_the_verdict(measure: FDivergence, shares: tuple[float, float]) -> None:
    def table(share: float, rows: int) -> np.ndarray:
        return counts(round(share * rows), rows - round(share * rows))

    a, b = (table(share, 40) for share in shares)
    answer = estimate(measure, a, b, 0.95)
    needed = rows_needed(measure, a, b, answer, alpha=0.05, min_effect=EPSILON, cells=2)
    assert needed is not None
    # the forecast takes the corrected estimate for the truth, so the tables of that size are laid out to have it
    truth = min(max(answer.value, 0.0), measure.upper_bound)
    low, high = shares[0] - 0.4999, shares[0]
    for _ in range(60):
        middle = (low + high) / 2
        apart = float(measure([shares[0], 1 - shares[0]], [middle, 1 - middle]))
        low, high = (low, middle) if apart < truth else (middle, high)

    def settled(rows: int) -> bool:
        interval = estimate(measure, table(shares[0], rows), table(high, rows), 0.95)
        return not interval.low < EPSILON <= interval.high

    assert settled(round(needed * 1.3))
    assert not settled(round(needed / 2))


def test_no_number_of_rows_settles_an_infinite_divergence() -> None:
    a, b = counts(20, 1), counts(21, 0)
    answer = estimate(kb.kl, a, b, 0.95)
    found = rows_needed(kb.kl, a, b, answer, alpha=0.05, min_effect=EPSILON, cells=2)
    assert found is None or found > 20


@pytest.mark.parametrize("measure", [kb.js, kb.kl, kb.total_variation], ids=ids)
def test_more_rows_show_smaller_drifts(measure: FDivergence) -> None:
    found = [detectable(measure, rows * A, rows * B, alpha=0.05) for rows in (1, 10, 100)]
    assert found == sorted(found, reverse=True)


def test_nothing_shows_in_two_rows() -> None:
    assert detectable(kb.js, counts(1, 1), counts(2, 0), alpha=0.05) == math.inf


@pytest.mark.parametrize("rows", [300, 3000])
def test_detectable_drifts_show_four_times_in_five(rows: int) -> None:
    rng = np.random.default_rng(rows)
    q = np.full(10, 0.1)
    size = detectable(kb.js, (rows * q).astype(np.int64), (rows * q).astype(np.int64), alpha=0.05)
    step = math.sqrt(8 * size / 1.0) * 0.1  # js = Σ (p − q)²/(8 q) for small steps
    p = q + step * np.array([1, -1] * 5)
    rejected = 0
    for trial in range(400):
        test = PermutationTest(kb.js, rng.multinomial(rows, p), rng.multinomial(rows, q), (trial, "x"))
        test.draw(199)
        rejected += test.p_value <= 0.05
    assert rejected / 400 == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 400))
