"""f-informations by density ratios."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, UnsupportedPairError
from kullback.estimators.ratios import ULSIF, RatioInformation

BY_RATIO = RatioInformation()


def pairs(n: int, rho: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def js_information(rho: float) -> float:
    """By quadrature over the joint density."""
    joint = stats.multivariate_normal(cov=np.array([[1, rho], [rho, 1]]))  # type: ignore[arg-type]

    def term(y: float, x: float) -> float:
        product = math.exp(-0.5 * (x * x + y * y)) / (2 * math.pi)
        return product * float(kb.js.value(math.log(joint.pdf([x, y]) / product)))

    return integrate.dblquad(term, -6, 6, -6, 6, epsabs=1e-4)[0]


def test_mutual_information_of_normals() -> None:
    x, y = pairs(1000, 0.6, 0)
    answer = kb.mutual_information(x, y, method=BY_RATIO)
    truth = -0.5 * math.log(1 - 0.36)
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < truth


def test_js_information_of_normals() -> None:
    x, y = pairs(1000, 0.6, 1)
    answer = kb.mutual_information(x, y, divergence=kb.js, method=BY_RATIO)
    truth = js_information(0.6)
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < truth


def test_a_curve_without_correlation_and_independence() -> None:
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(2, 600))
    assert kb.mutual_information(x, x**2 + noise, divergence=kb.js, method=BY_RATIO).low > 0.05
    answer = kb.mutual_information(x, noise, method=BY_RATIO)
    assert answer.low < 0 < answer.high
    assert answer.high - answer.low < 0.1


def test_no_interval_where_y_is_x() -> None:
    x, _ = pairs(300, 0.0, 3)
    answer = kb.mutual_information(x, x, method=BY_RATIO)
    assert answer.high == math.inf
    assert any("finer" in note for note in answer.notes)


def test_a_constant_tells_nothing() -> None:
    x, _ = pairs(200, 0.0, 4)
    assert kb.mutual_information(x, np.ones(200), method=BY_RATIO).value == pytest.approx(0.0, abs=1e-12)


def test_classes() -> None:
    rng = np.random.default_rng(5)
    a = rng.choice(list("ab"), 1500)
    b = np.where(rng.random(1500) < 0.8, a, np.where(a == "a", "b", "a"))
    answer = kb.mutual_information(a, b, method=BY_RATIO)
    truth = float(kb.kl([0.4, 0.1, 0.1, 0.4], [0.25] * 4))
    assert answer.low < truth < answer.high
    mixed = kb.mutual_information(a, rng.normal(size=1500) + (a == "a"), method=BY_RATIO)
    assert mixed.low < 0.1118 < mixed.high  # js of two normals a unit apart


def test_order_changes_nothing_and_weights_count() -> None:
    x, y = pairs(120, 0.5, 6)
    order = np.random.default_rng(0).permutation(120)
    first = kb.mutual_information(x, y, method=BY_RATIO)
    moved = kb.mutual_information(x[order], 1e-80 * y[order], method=BY_RATIO)
    assert moved.value == pytest.approx(first.value, rel=1e-6)
    x, y = pairs(1500, 0.0, 7)
    weighted = kb.mutual_information(x, y, weights=np.exp(-0.5 * (x - y) ** 2), method=BY_RATIO)
    truth = -0.5 * math.log(
        1 - 0.25
    )  # the weighted law is normal with precision [[2, -1], [-1, 2]], correlation 1/2
    assert weighted.low < truth < weighted.high
    assert weighted.high - weighted.low < truth


def test_refusals() -> None:
    x, y = pairs(50, 0.5, 8)
    with pytest.raises(UnsupportedPairError, match="within a continuous `given`"):
        kb.mutual_information(x, y, given=x + y, method=BY_RATIO)
    with pytest.raises(UnsupportedPairError, match="ClassifierRatio"):
        kb.mutual_information(["a", "b"] * 25, y, method=RatioInformation(ULSIF()))
    with pytest.raises(InvalidInputError, match="at least 20"):
        kb.mutual_information(x[:10], y[:10], method=BY_RATIO)
    with pytest.raises(DTypeError):
        RatioInformation(model=1)  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_cover() -> None:
    truth, hits = -0.5 * math.log(1 - 0.25), 0
    for seed in range(60):
        answer = kb.mutual_information(*pairs(300, 0.5, 1000 + seed), method=BY_RATIO, seed=seed)
        hits += answer.low <= truth <= answer.high
    assert hits >= 52, f"{hits} of 60"  # 1 in 150 intervals of 95 % do worse
