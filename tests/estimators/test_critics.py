"""Neural critics: against laws whose answer is known, against their own full-batch definitions, and on bad data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import kullback as kb
from kullback.errors import ConvergenceError, InvalidInputError, UnsupportedPairError
from kullback.estimators import estimate, mutual_information
from kullback.estimators.critics import (
    NWJ,
    DonskerVaradhan,
    FDime,
    InfoNCE,
    JensenShannonCritic,
    Joint,
    Separable,
    Smile,
    Training,
    inputs,
)
from kullback.estimators.critics.held_out import HeldOut, by_contrast, by_logarithm, by_ratio

torch = pytest.importorskip("torch")

QUICK = Training(batch=128, steps=200, patience=100, learning_rate=8e-3, partners=4)
SMALL = Joint((32, 32))
MINE = kb.FDivergence.from_generator(lambda t: (t**0.5 - 1.0) ** 2, name="mine")
CRITICS = [
    DonskerVaradhan(SMALL, QUICK),
    NWJ(SMALL, QUICK),
    InfoNCE(Separable((32, 32), 16), QUICK),
    JensenShannonCritic(SMALL, QUICK),
    Smile(SMALL, QUICK),
    FDime(SMALL, QUICK),
    FDime(SMALL, QUICK, f=kb.js),
    FDime(SMALL, QUICK, f=kb.squared_hellinger),
    FDime(SMALL, QUICK, f=MINE),
]


def normal(n: int, d: int, information: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, n, d])
    rho = math.sqrt(-math.expm1(-2 * information / d))
    x = rng.standard_normal((n, d))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, d))


@pytest.mark.parametrize("critic", CRITICS, ids=lambda c: c.name)
def test_information_of_correlated_normals(critic) -> None:
    before = torch.random.get_rng_state()
    x, y = normal(2000, 1, 0.7)
    answer = mutual_information(x, y, method=critic)
    assert answer.value == pytest.approx(0.7, abs=0.12)
    assert answer.low < 0.7 < answer.high == math.inf
    assert answer.value < 0.7 + 3 * answer.standard_error
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("d", "critic"),
    [
        (kb.kl, DonskerVaradhan(SMALL, QUICK)),
        (kb.kl, FDime(SMALL, QUICK, f=kb.js)),
        (kb.js, JensenShannonCritic(SMALL, QUICK)),
        (MINE, JensenShannonCritic(SMALL, QUICK)),
    ],
    ids=lambda v: v.name,
)
def test_divergence_of_shifted_normals(d, critic) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal(2000) + 0.8, rng.standard_normal(1500)
    answer = estimate(d, x, y, method=critic)
    grid = np.linspace(-12, 12, 4001)
    q = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    truth = float(np.sum(q * d.value(0.8 * grid - 0.32)) * (grid[1] - grid[0]))
    assert answer.value == pytest.approx(truth, abs=4 * answer.standard_error + 0.01)
    assert answer.low < truth < answer.high


def test_the_same_rows_in_any_order_and_units_give_the_same_answer() -> None:
    x, y = normal(300, 2, 0.5)
    critic = DonskerVaradhan(Joint((8,)), replace(QUICK, steps=50))
    first = mutual_information(x, y, method=critic, seed=4)
    rows = np.random.default_rng(0).permutation(300)
    assert mutual_information(x[rows], y[rows], method=critic, seed=4).value == pytest.approx(
        first.value, abs=1e-12
    )
    assert mutual_information(x * 2.0**300, y * 2.0**-300, method=critic, seed=4).value == first.value
    assert mutual_information(x, y, method=critic, seed=5).value != first.value


def test_the_gradient_is_that_of_the_whole_batch() -> None:
    """With the whole mean known, batches average to the gradient of the definition; with their own they do not."""
    generator = torch.Generator().manual_seed(0)
    at_p = torch.randn(60, generator=generator, dtype=torch.float64, requires_grad=True)
    at_q = (2 * torch.randn(60, 5, generator=generator, dtype=torch.float64)).requires_grad_()
    whole = at_p.mean() - torch.logsumexp(at_q.reshape(-1), 0)
    expected = torch.autograd.grad(whole, (at_p, at_q))
    log_mean = float(torch.logsumexp(at_q.detach().reshape(-1), 0)) - math.log(300)
    critic = DonskerVaradhan()

    def batches(mean_of) -> tuple:
        parts = [(at_p[i : i + 6], at_q[i : i + 6]) for i in range(0, 60, 6)]
        gain = sum(critic.gain(p, q, mean_of(q)) for p, q in parts) / 10
        return torch.autograd.grad(gain, (at_p, at_q))

    for found, truth in zip(batches(lambda _: log_mean), expected, strict=True):
        assert torch.allclose(found, truth, rtol=1e-12, atol=1e-15)
    naive = batches(lambda q: float(torch.logsumexp(q.detach().reshape(-1), 0)) - math.log(30))
    assert float((naive[1] - expected[1]).abs().max()) > 0.1 * float(expected[1].abs().max())


def test_the_running_mean_starts_at_the_first_batch_and_never_overflows() -> None:
    from kullback.estimators.neural.training import RunningMean

    mean = RunningMean()
    assert mean.after(torch.full((4,), 900.0)) == pytest.approx(900.0)
    assert mean.after(torch.full((4,), 0.0)) == pytest.approx(900.0 + math.log(0.9))


def test_infonce_names_its_maximum_and_says_when_it_is_reached() -> None:
    x, _ = normal(400, 1, 1.0)
    critic = InfoNCE(Separable((16,), 8), replace(QUICK, steps=50))
    answer = mutual_information(x, x + 1e-4, method=critic)
    cap = math.log(200)
    assert answer.value <= cap
    assert any(note.startswith(f"max = log(200) = {cap:.4g}") for note in answer.notes)
    seen = HeldOut(
        np.full(50, 30.0), np.zeros((50, 9)), 0.0, inputs.partners(50, 9, np.random.default_rng(0))
    )
    assert any("saturated" in note for note in critic.notes([seen]))
    assert not any("saturated" in note for note in critic.notes([replace(seen, at_p=np.zeros(50))]))


def test_partners_are_derangements() -> None:
    for n, count in ((2, 5), (7, 6), (50, 8)):
        found = inputs.partners(n, count, np.random.default_rng(n))
        assert found.shape == (n, min(count, n - 1))
        assert not np.any(found == np.arange(n)[:, None])
        for column in found.T:
            assert np.array_equal(np.sort(column), np.arange(n))


def _readings(n: int, draws: int, read) -> tuple[np.ndarray, np.ndarray]:
    """Values and errors of one reading over many samples, with the true log-ratio of normals as the critic."""
    found = []
    rho = 0.7
    for seed in range(draws):
        rng = np.random.default_rng([7, seed])
        x = rng.standard_normal(n)
        y = rho * x + math.sqrt(1 - rho**2) * rng.standard_normal(n)
        others = inputs.partners(n, 20, rng)

        def ratio(a, b):
            return -0.5 * math.log(1 - rho**2) - (rho**2 * (a * a + b * b) - 2 * rho * a * b) / (
                2 * (1 - rho**2)
            )

        found.append(read(HeldOut(ratio(x, y), ratio(x[:, None], y[others]), 0.0, others)))
    return np.array([r.value for r in found]), np.array([r.error for r in found])


@pytest.mark.parametrize(
    "read", [by_logarithm, lambda s: by_ratio(kb.kl, s), by_contrast], ids=["dv", "nwj", "nce"]
)
def test_standard_errors_are_the_scatter_of_values(read) -> None:
    """Pairs that share a row do not count as independent draws."""
    values, errors = _readings(400, 300, read)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)
    truth = -0.5 * math.log(1 - 0.49)
    assert np.mean(values) < truth + 3 * np.std(values) / math.sqrt(300) + 0.005


def test_folds_that_err_as_one_widen_the_interval_and_not_the_error() -> None:
    from kullback.estimators.critics.held_out import Reading, combined, lower_bound

    both = combined([Reading(0.1, 0.3), Reading(0.3, 0.4)])
    assert (both.value, both.error, both.together) == pytest.approx((0.2, 0.25, 0.35))
    found = lower_bound(both, both, cap=math.inf, kind="bounds", notes=())
    assert found.interval is not None
    assert found.interval(0.95) == pytest.approx((0.2 - 1.6448536 * 0.35, math.inf))


def test_what_is_not_served_is_refused() -> None:
    x, y = normal(100, 1, 0.5)
    for critic in CRITICS:
        with pytest.raises(UnsupportedPairError, match="given"):
            mutual_information(x, y, given=x, method=critic)
        with pytest.raises(UnsupportedPairError, match="weights"):
            mutual_information(x, y, weights=np.arange(1.0, 101.0), method=critic)
    with pytest.raises(UnsupportedPairError, match="reads kl"):
        mutual_information(x, y, divergence=kb.js, method=CRITICS[0])
    with pytest.raises(UnsupportedPairError, match="100 classes"):
        mutual_information(np.arange(100), y, kind_x="discrete", method=CRITICS[0])
    with pytest.raises(InvalidInputError, match="need > "):
        mutual_information(x[:15], y[:15], method=CRITICS[0])


def test_a_constant_tells_nothing_and_copies_are_told() -> None:
    x, y = normal(100, 1, 0.5)
    assert mutual_information(np.ones(100), y, method=CRITICS[0]).value == 0.0
    quick = DonskerVaradhan(Joint((8,)), replace(QUICK, steps=20))
    told = mutual_information(np.repeat(x, 2), np.repeat(y, 2), method=quick).notes
    assert any("100 of 200 rows are copies" in note for note in told)


def test_classes_are_served() -> None:
    rng = np.random.default_rng(1)
    c = rng.integers(0, 3, 1500)
    answer = mutual_information(
        c,
        np.where(rng.random(1500) < 0.8, c, rng.integers(0, 3, 1500)),
        kind_x="discrete",
        kind_y="discrete",
        method=CRITICS[0],
    )
    joint = 0.8 * np.eye(3) / 3 + 0.2 / 9
    truth = float(np.sum(joint * np.log(joint * 9)))
    assert answer.value == pytest.approx(truth, abs=0.08)


def test_scores_that_overflow_are_an_error_not_a_number() -> None:
    from kullback.estimators.neural.training import fit
    from kullback.progress import silent

    network = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)
    torch.nn.init.constant_(network.weight, 1000.0)
    torch.nn.init.zeros_(network.bias)

    def draw() -> tuple:
        scores = network(torch.ones(4, 1))[:, 0]
        return scores, scores

    with pytest.raises(ConvergenceError, match="normal_scores"):
        fit(network, draw, draw, NWJ().gain, Training(), silent)


def test_settings_are_checked() -> None:
    ranges = ({"folds": 1}, {"batch": 1}, {"watched": 1.0}, {"learning_rate": 0.0})
    for wrong in (*ranges, {"steps": "a"}, {"steps": 1.5}, {"folds": True}, {"watched": "a"}):
        with pytest.raises(InvalidInputError):
            Training(**wrong)
    with pytest.raises(InvalidInputError, match="widths"):
        Joint(hidden=())
    with pytest.raises(InvalidInputError, match="tau"):
        Smile(tau=-1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "critic", [DonskerVaradhan(), InfoNCE(), JensenShannonCritic(), Smile()], ids=lambda c: c.name
)
@pytest.mark.parametrize(("d", "information", "miss"), [(5, 2.0, 0.3)])
def test_information_in_more_dimensions(critic, d, information, miss) -> None:
    answer = mutual_information(*normal(5000, d, information, seed=11), method=critic)
    assert information - miss < answer.value < information + 3 * answer.standard_error
    assert answer.low < information
