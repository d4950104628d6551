"""Averages over priors of the bias: which prior a curve over k speaks for, and what that does to the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kullback as kb
from kullback.estimators import KSG, ksg_parts
from kullback.estimators.neighbour_average import Averaging, alone, averaging, information_priors, quarters
from kullback.estimators.neighbour_weights import BiasPrior
from kullback.estimators.normal_scores import ranked

N = 2000
K = np.array(averaging(N, information_priors(2)).ks)


@pytest.mark.parametrize("dimension", [2, 3, 4, 6])
@pytest.mark.parametrize("n", [2, 5, 30, N])
def test_weights_add_up_to_one_whatever_the_curve(dimension: int, n: int) -> None:
    found = averaging(n, information_priors(dimension))
    assert found.weights.sum(axis=1) == pytest.approx(1.0)
    curve = np.random.default_rng(n).normal(size=len(found.ks))
    shares = found.shares(curve)
    assert shares.sum() == pytest.approx(1.0)
    assert shares == pytest.approx(found.shares(curve + 7.0))  # the value itself speaks for no prior


def test_shares_are_the_densities_of_the_contrasts() -> None:
    priors = ((2.0, BiasPrior((0.5, 1.0), (0.5, 2.0), 1.0)), (1.0, BiasPrior((1.0, 2.0), (3.0, 9.0), 2.0)))
    found = averaging(30, priors)
    curve = np.random.default_rng(1).normal(size=len(found.ks)) / 10
    logs = []
    for share, prior in priors:
        spread = prior.biases(found.ks, 30)
        full = prior.noises(found.ks, 30) + spread.T @ spread
        steps = np.diff(np.eye(len(found.ks)), axis=0)  # other contrasts than those of the code
        seen, moved = steps @ full @ steps.T, steps @ curve
        quadratic = moved @ np.linalg.solve(seen, moved) + np.linalg.slogdet(seen)[1]
        logs.append(math.log(share) - 0.5 * float(quadratic))
    expected = np.exp(np.array(logs) - max(logs))
    assert found.shares(curve) == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize(
    ("power", "size", "holds"), [(0.5, 1.2, 1), (1.0, 25.0, 0), (2.0, 2000.0, 2), (1.0, 0.0, 1)]
)
def test_a_curve_without_noise_finds_its_prior_and_its_limit(power: float, size: float, holds: int) -> None:
    found = averaging(N, information_priors(2), quarters(0.7, N))
    curve = 0.7 - size * (K / N) ** power
    shares = found.shares(curve)
    assert np.argmax(shares) == holds
    value = float(shares @ found.weights @ curve)
    assert abs(value - 0.7) < 0.01 + 0.2 * abs(curve[-1] - 0.7)


def test_a_narrow_strip_has_the_bias_of_fewer_rows_and_the_noise_of_all() -> None:
    prior = BiasPrior((0.5, 1.0), (0.5, 2.0), 1.0)
    found = averaging(N, ((1.0, prior),), 4)  # 1 nat
    share = K * math.e / N
    spread = np.array([0.5 * share**0.5, 2.0 * share])
    raw = np.linalg.solve(prior.noises(tuple(K), N) + spread.T @ spread, np.ones(len(K)))
    assert found.weights[0] == pytest.approx(raw / raw.sum())
    assert found.bias[0] == pytest.approx(float(np.linalg.norm(spread @ found.weights[0])))


def test_neighbours_of_a_class_have_the_bias_of_its_rows_and_the_noise_of_all() -> None:
    prior = BiasPrior((0.5, 1.0), (0.7, 3.0), 1.2)
    found = averaging(800, ((1.0, prior),), within=40)
    assert max(found.ks) == 10  # a quarter of the rows that are searched
    spread = prior.biases(found.ks, 40)
    raw = np.linalg.solve(prior.noises(found.ks, 800) + spread.T @ spread, np.ones(len(found.ks)))
    assert found.weights[0] == pytest.approx(raw / raw.sum())
    assert found.bias[0] == pytest.approx(float(np.linalg.norm(spread @ found.weights[0])))
    assert found.bias[0] < averaging(40, ((1.0, prior),)).bias[0]  # noise is what bias is traded for


@pytest.mark.parametrize(
    ("information", "n", "rounded"), [(-0.2, N, 0), (0.1, N, 0), (1.7, N, 7), (9.0, 5, 0)]
)
def test_information_in_quarters(information: float, n: int, rounded: int) -> None:
    assert quarters(information, n) == rounded


def test_more_than_the_rows_tell_is_not_extrapolated() -> None:
    x = np.random.default_rng(8).normal(size=500)
    y = x + math.exp(-5) * np.random.default_rng(9).normal(size=500)  # 5 nats, of which 500 rows tell 2.3
    found = kb.mutual_information(x, y, method=KSG())
    assert abs(found.value - 5) < 0.5
    assert found.low == -math.inf


def test_a_narrow_strip_is_covered() -> None:
    """All marginals are uniform: I = -log(0.2); 95 % fall below 11 of 14 in 4 of 1000 runs."""
    hits = 0
    for seed in range(14):
        rng = np.random.default_rng([7, seed])
        x = rng.random(500)
        found = kb.mutual_information(x, (x + 0.2 * rng.random(500)) % 1, method=KSG())
        hits += found.low <= -math.log(0.2) <= found.high
    assert hits >= 11


def test_what_priors_disagree_on_widens_the_interval() -> None:
    found = Averaging(
        (1, 2), np.array([[2.0, -1.0], [1.0, 0.0]]), np.array([0.3, 0.0]), np.zeros((2, 2, 2)), np.zeros(2)
    )
    halves = found.shares(np.array([1.0, 0.0]))
    assert halves.tolist() == [0.5, 0.5]
    # values 2 and 1: half a nat off their mean; and 0.3 for half the probability
    assert found.bias_error(np.array([1.0, 0.0]), halves) == pytest.approx(math.sqrt(0.25 + 0.045))
    assert alone(3).bias_error(np.array([1.0]), np.ones(1)) == 0.0


def student(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of three columns that share nothing but their scale."""
    rng = np.random.default_rng(seed)
    scale = 1 / np.sqrt(rng.gamma(0.5, size=(n, 1)))
    return scale * rng.normal(size=(n, 3)), scale * rng.normal(size=(n, 3))


def test_radii_that_tell_more_than_all_columns_withdraw_the_interval() -> None:
    x, y = student(400, 1)
    found = kb.mutual_information(x, y, method=KSG())
    assert found.low == -math.inf
    assert "distances of x and of y from their centres alone" in found.notes[0]


def test_one_column_among_noise_withdraws_the_interval() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 4))
    y = np.sin(4 * x[:, 0]) + 0.1 * rng.normal(size=400)
    found = kb.mutual_information(x, y, method=KSG())
    assert found.low == -math.inf
    assert "column 0 of x and column 0 of y" in found.notes[0]


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_normal_columns_do_not(seed: int) -> None:
    rng = np.random.default_rng([3, seed])
    x = rng.normal(size=(400, 2))
    y = x + 1.5 * rng.normal(size=(400, 2))
    assert math.isfinite(kb.mutual_information(x, y, method=KSG()).low)


def test_parts_are_estimates_of_pairs() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 200, 2))
    y[:, 1] += x[:, 0]
    most, where = ksg_parts.most(ranked(np.hstack([x, y])).places, 2)
    assert where == "column 0 of x and column 1 of y"
    pair = kb.mutual_information(x[:, 0], y[:, 1], method=KSG(k=5)).value
    assert most == pytest.approx(pair, abs=1e-12)


def test_what_half_of_the_rows_would_change_is_told() -> None:
    rng = np.random.default_rng(5)
    x = rng.random(500)
    wave = np.sin(30 * x) + 0.1 * rng.normal(size=500)
    told = " ".join(kb.mutual_information(x, wave, method=KSG()).notes)
    assert "from half of the rows to all of them" in told
    quiet = kb.mutual_information(x, x + rng.normal(size=500), method=KSG()).notes
    assert not any("half of the rows" in note for note in quiet)


def test_two_halves_move_as_the_note_says() -> None:
    def at(rows: np.ndarray, k: int) -> float:
        return kb.mutual_information(rows[:, 0], rows[:, 1], method=KSG(k=k)).value

    moves = []
    for seed in range(20):
        rng = np.random.default_rng([6, seed])
        x = rng.random(400)
        rows = np.column_stack([x, np.sin(20 * x) + 0.3 * rng.normal(size=400)])
        halves = (at(rows[:200], 5) + at(rows[200:], 5)) / 2
        moves.append((at(rows, 5) - halves, at(rows, 5) - at(rows, 10)))
    split, curve = np.mean(moves, axis=0)
    assert split > 0.05
    assert curve == pytest.approx(split, abs=0.02)


@pytest.mark.parametrize("n", [500, 2000])
def test_waves_finer_than_the_rows_have_no_interval(n: int) -> None:
    """Twelve waves: y tells 1.7 nats of x, of which one neighbour sees a part, and five next to nothing."""
    rng = np.random.default_rng(6)
    x = rng.uniform(-1, 1, n)
    fine = kb.mutual_information(x, np.sin(12 * np.pi * x) + 0.1 * rng.normal(size=n), method=KSG())
    assert fine.low == -math.inf
    assert f"more finely than {n} rows show" in fine.notes[0]
    coarse = kb.mutual_information(x, np.sin(np.pi * x) + 0.1 * rng.normal(size=n), method=KSG())
    assert math.isfinite(coarse.low)


@pytest.mark.parametrize("columns", [1, 2])
def test_copies_have_no_interval(columns: int) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 300, columns))
    once = kb.mutual_information(x, y)
    assert once.low < 0 < once.high
    twice = kb.mutual_information(np.tile(x, (2, 1)), np.tile(y, (2, 1)))
    assert twice.low == -math.inf
    assert "50% of the rows are copies" in twice.notes[0]


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_rounding_makes_no_copies(step: float) -> None:
    rng = np.random.default_rng(8)
    x, noise = rng.normal(size=(2, 1000))
    found = kb.mutual_information(*(step * np.rint(v / step) for v in (x, x + noise)), method=KSG())
    assert math.isfinite(found.low)


@pytest.mark.parametrize("seed", range(3))
def test_crooked_dependence_in_four_columns_has_no_interval(seed: int) -> None:
    """Turned by an angle that grows outwards, normal columns keep their information, and lose their correlation."""
    rng = np.random.default_rng([9, seed])
    x, noise = rng.normal(size=(2, 500, 2))
    y = 0.9 * x + math.sqrt(0.19) * noise
    straight = kb.mutual_information(x, y, method=KSG())
    assert straight.low < -math.log(0.19) < straight.high
    angle = 1.5 * (x**2).sum(axis=1)
    turned = np.column_stack(
        [np.cos(angle) * x[:, 0] - np.sin(angle) * x[:, 1], np.sin(angle) * x[:, 0] + np.cos(angle) * x[:, 1]]
    )
    wound = kb.mutual_information(turned, y, method=KSG())
    assert wound.low == -math.inf
    assert any(said in wound.notes[0] for said in ("a normal law of these 4 columns", "more finely than"))
