"""The reusable holdout by simulation: its noise, its privacy, and that an analyst who overfits learns so."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

import kullback as kb
from kullback.information import ReusableHoldout, max_information


def laplace_tail(x: float) -> float:
    """The chance that a Laplace number of scale 1 is above x."""
    return 0.5 * math.exp(-x) if x > 0 else 1 - 0.5 * math.exp(x)


def answered_by_holdout(gap: float, threshold: float, noise: float) -> float:
    """P(gap + Lap(4σ) > T + Lap(2σ)), by quadrature over the threshold's noise."""

    def term(u: float) -> float:
        return 0.5 * math.exp(-abs(u)) * laplace_tail((threshold + 2 * noise * u - gap) / (4 * noise))

    kink = (gap - threshold) / (2 * noise)
    ends = sorted({-40.0, 0.0, kink, 40.0})
    return sum(quad(term, a, b)[0] for a, b in pairwise(ends))


@pytest.mark.parametrize("gap", [0.0, 0.03, 0.05, 0.2])
def test_how_often_the_holdout_answers_and_with_which_noise(gap: float) -> None:
    train, holdout, trials = np.array([0.5 + gap]), np.array([0.5]), 8000
    replies = [
        ReusableHoldout(train, holdout, budget=1, threshold=0.05, noise=0.01, seed=s).ask(np.mean)
        for s in range(trials)
    ]
    used = np.array([bool(r.from_holdout) for r in replies])
    chance = answered_by_holdout(gap, 0.05, 0.01)
    assert used.mean() == pytest.approx(chance, abs=4.5 * math.sqrt(chance * (1 - chance) / trials) + 1e-9)
    values = np.array([float(r.value) for r in replies])
    assert np.all(values[~used] == 0.5 + gap)
    off = np.abs(values[used] - 0.5)  # a Laplace number's size has mean and deviation σ
    assert off.mean() == pytest.approx(0.01, abs=4.5 * 0.01 / math.sqrt(max(len(off), 1)))


def test_privacy_between_neighbouring_holdouts() -> None:
    """Ten rows of which one differs: no event of the answers is e^ε times as likely for one as for the other."""
    train, trials, budget, noise = np.ones(10), 12_000, 1, 0.15
    seen = []
    for holdout in (np.array([1.0] * 9 + [0.0]), np.array([1.0] * 8 + [0.0] * 2)):
        box = ReusableHoldout(train, holdout, budget=budget, threshold=0.1, noise=noise)
        replies = [
            ReusableHoldout(train, holdout, budget=budget, threshold=0.1, noise=noise, seed=s).ask(np.mean)
            for s in range(trials)
        ]
        cells = np.where(
            [bool(r.from_holdout) for r in replies], [float(r.value) // 0.1 for r in replies], 99
        )
        seen.append(dict(zip(*np.unique(cells, return_counts=True), strict=True)))
    assert box.privacy == pytest.approx(2 * budget / (noise * 10))
    often = [c for c in seen[0] if seen[0][c] > 200 and seen[1].get(c, 0) > 200]
    ratios = [abs(math.log(seen[0][c] / seen[1][c])) for c in often]
    assert len(often) > 5
    assert 0.2 < max(ratios) < box.privacy + 0.2


def test_an_analyst_who_selects_by_the_holdout_is_not_misled() -> None:
    """Coins of no bias, those kept that a holdout and the training rows both favour: their mean looks biased."""
    plain, reused = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n, d = 10_000, 1500
        train, holdout = (rng.integers(0, 2, size=(n, d), dtype=np.int8) for _ in range(2))
        box = ReusableHoldout(train, holdout, budget=2000, seed=seed)
        for told, gaps in ((holdout.mean(0), plain), (box.ask(lambda rows: rows.mean(0)).value, reused)):
            signs = np.sign(train.mean(0) - 0.5) * (np.sign(train.mean(0) - 0.5) == np.sign(told - 0.5))

            def score(rows: np.ndarray, signs: np.ndarray = signs) -> float:
                return float(np.mean((rows - 0.5) @ signs.astype(np.float32) > 0))

            answer = score(holdout) if gaps is plain else float(box.ask(score).value)
            gaps.append(abs(answer - 0.5))
    assert min(plain) > 0.05  # the truth is ½
    assert max(reused) < 0.04


def test_a_spent_budget_stops_the_answers() -> None:
    box = ReusableHoldout(np.ones(5), np.zeros(5), budget=2, threshold=0.01, noise=0.001, seed=0)
    assert [box.ask(np.mean).left for _ in range(2)] == [1, 0]
    with pytest.raises(kb.BudgetError, match="all 2"):
        box.ask(np.mean)
    many = ReusableHoldout(np.ones((5, 9)), np.zeros((5, 9)), budget=4, threshold=0.01, noise=0.001)
    with pytest.raises(kb.BudgetError):
        many.ask(lambda rows: rows.mean(0))
    assert many.left == 0


def test_the_same_seed_gives_the_same_answers() -> None:
    def replies(seed: int) -> list[float]:
        box = ReusableHoldout(np.ones(5), np.zeros(5), budget=9, seed=seed)
        return [float(box.ask(np.mean).value) for _ in range(5)]

    assert replies(1) == replies(1) != replies(2)


def test_max_information() -> None:
    assert max_information(0.02, n=50).high == 1.0
    loose = max_information(0.001, n=10_000, miss=0.01)
    assert loose.high == pytest.approx(0.5e-6 * 10_000 + 0.001 * math.sqrt(5000 * math.log(200)))
    assert loose.level == 0.99
    assert max_information(0.0, n=3).high == 0.0


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"budget": 1.5}, {"threshold": -1.0}, {"noise": math.inf}])
def test_refused_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(kb.InvalidInputError, match=next(iter(wrong))):
        ReusableHoldout([1], [1], **{"budget": 1, **wrong})


def test_refused_statistics() -> None:
    box = ReusableHoldout([1.0, 2.0], [1.0], budget=1)
    for statistic, error in (
        (lambda rows: rows, kb.ShapeError),
        (lambda _: "x", kb.DTypeError),
        (lambda _: math.nan, kb.InvalidInputError),
    ):
        with pytest.raises(error):
            box.ask(statistic)
    with pytest.raises(kb.InvalidInputError):
        max_information(-1.0, n=3)
