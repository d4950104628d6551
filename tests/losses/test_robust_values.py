"""Robust value iteration: inner problems against linear programmes and SLSQP, plans against enumeration and data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses import robust

RISKY, SAFE = [0.97, 0.03, 0.0], [0.0, 0.0, 1.0]


def least(d: kb.FDivergence, values: np.ndarray, law: np.ndarray, penalty: float) -> float:
    return float(kb.lower_expectation(d, values, reference=law, penalty=penalty).value)


def by_programme(values: np.ndarray, law: np.ndarray, penalty: float) -> float:
    """Total variation as a linear programme over the law and the mass that it gains."""
    n = len(law)
    cost = np.r_[values, np.full(n, penalty)]  # μ ≥ 0 and its gain g ≥ μ − q; TV is the sum of the gains
    found = linprog(
        cost, A_ub=np.c_[np.eye(n), -np.eye(n)], b_ub=law, A_eq=[np.r_[np.ones(n), np.zeros(n)]], b_eq=[1.0]
    )
    return float(found.fun)


def by_slsqp(d: kb.FDivergence, values: np.ndarray, law: np.ndarray, penalty: float) -> float:
    def cost(p: np.ndarray) -> float:
        p = np.abs(p)
        return float(p @ values + penalty * d.terms(p, law, validate=False).sum())

    total = {"type": "eq", "fun": lambda p: p.sum() - 1}
    bounds = [(1e-12, 1.0)] * len(law)
    return float(
        minimize(cost, law, bounds=bounds, constraints=[total], method="SLSQP", options={"ftol": 1e-13}).fun
    )


@pytest.mark.parametrize("penalty", [0.05, 0.3, 2.0])
def test_inner_problems_against_programmes(penalty: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(4):
        values, law = rng.uniform(size=6), rng.dirichlet(np.ones(6) * 2)
        programme = by_programme(values, law, penalty)
        assert least(kb.total_variation, values, law, penalty) == pytest.approx(programme, abs=1e-8)
        assert programme == pytest.approx(law @ np.minimum(values, values.min() + penalty), abs=1e-8)
        for d in (kb.kl, kb.pearson_chi2):
            found = least(d, values, law, penalty)
            assert found == pytest.approx(by_slsqp(d, values, law, penalty), abs=1e-5)


def test_the_dual_of_chi_square_is_maximised_over_its_threshold() -> None:
    values, law, penalty = np.array([0.0, 0.2, 0.9, 1.0]), np.array([0.1, 0.2, 0.3, 0.4]), 0.1

    def at(a: float) -> float:
        x = np.minimum(values, a)
        return float(law @ x - (law @ x**2 - (law @ x) ** 2) / (4 * penalty))

    duals = [at(a) for a in np.linspace(0, 1, 20_001)]
    truth = by_slsqp(kb.pearson_chi2, values, law, penalty)
    assert max(duals) == pytest.approx(truth, abs=1e-6)
    assert min(duals) < truth - 0.05
    assert least(kb.pearson_chi2, values, law, penalty) == pytest.approx(truth, abs=1e-6)


# Safe and risky: from a start, one action leads to 1 with a chance of 3 % of 0, the other surely to 0.9


def choice(d: kb.FDivergence, penalty: float) -> str:
    features = np.zeros((4, 2, 5))
    features[0, 0, 0] = features[0, 1, 1] = 1.0  # the start: safe, risky
    for state, factor in ((1, 2), (2, 3), (3, 4)):
        features[state, :, factor] = 1.0
    rewards = np.array([[0.0] * 5, [0.0, 0.0, 1.0, 0.0, 0.9]])
    factors = np.zeros((5, 4))
    factors[0, 1:], factors[1, 1:] = SAFE, RISKY
    factors[[2, 3, 4], [1, 2, 3]] = 1.0
    plan = robust.robust_value_iteration(d, features, rewards, factors, penalty=penalty)
    return ("safe", "risky")[plan.policy[0, 0]]


@pytest.mark.parametrize(
    ("d", "safe", "risky"),
    [(kb.kl, (0.05, 0.1, 0.2), (0.5, 2, 50)), (kb.pearson_chi2, (0.05, 0.1), (0.2, 0.5, 50))],
    ids=["kl", "chi2"],
)
def test_the_price_decides_between_safe_and_risky(
    d: kb.FDivergence, safe: tuple[float, ...], risky: tuple[float, ...]
) -> None:
    assert {choice(d, x) for x in safe} == {"safe"}
    assert {choice(d, x) for x in risky} == {"risky"}


@pytest.mark.parametrize("d", tuple(kb.catalogue()), ids=repr)
def test_no_factor_of_an_adversary_does_worse(d: kb.FDivergence) -> None:
    values, law = np.array([1.0, 0.0, 0.9]), np.array([0.9, 0.06, 0.04])
    for penalty in (0.1, 0.5):
        value = least(d, values, law, penalty)
        assert values.min() <= value <= law @ values
        for other in np.random.default_rng(0).dirichlet(np.ones(3), size=20):
            assert value <= other @ values + penalty * d(other, law) + 1e-9


def model(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four states, three actions, three factors, four steps."""
    rng = np.random.default_rng(seed)
    features = rng.dirichlet(np.full(3, 0.5), size=(4, 3))
    return features, rng.uniform(size=(4, 3)), rng.dirichlet(np.ones(4), size=3)


def test_a_high_price_is_ordinary_value_iteration() -> None:
    features, rewards, factors = model()
    kernel, value = features @ factors, np.zeros(4)
    for h in reversed(range(4)):
        q = features @ rewards[h] + (kernel @ value if h < 3 else 0)
        value = q.max(1)
    for d in (kb.kl, kb.js, kb.total_variation):
        plan = robust.robust_value_iteration(d, features, rewards, factors, penalty=1e6)
        assert np.allclose(plan.values[0], value, atol=1e-5)
        assert plan.values.shape == (5, 4)
        assert plan.policy.shape == (4, 4)


def test_robust_values_are_those_of_the_policy_against_its_worst_factors() -> None:
    features, rewards, factors = model()
    penalty = 0.3
    plan = robust.robust_value_iteration(kb.kl, features, rewards, np.stack([factors] * 3), penalty=penalty)
    value = np.zeros(4)
    for h in reversed(range(4)):
        ahead = np.zeros(3)
        if h < 3:
            tilted = factors * np.exp(-value / penalty)
            ahead = -penalty * np.log(tilted.sum(1))
        value = (features @ (rewards[h] + ahead)).max(1)
        assert np.allclose(plan.values[h], value, atol=1e-9)


def recorded(features: np.ndarray, factors: np.ndarray, n: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    states, actions = rng.integers(0, 4, (4, n)), rng.integers(0, 3, (4, n))
    laws = (features @ factors)[states, actions]
    after = (laws.cumsum(-1) < rng.uniform(size=(4, n, 1))).sum(-1)
    return states, actions, np.minimum(after, 3)


@pytest.mark.parametrize("d", [kb.kl, kb.total_variation, kb.pearson_chi2, kb.js], ids=repr)
def test_plans_from_data_approach_the_known_model(d: kb.FDivergence) -> None:
    features, rewards, factors = model()
    known = robust.robust_value_iteration(d, features, rewards, factors, penalty=0.5)
    away = []
    for n in (200, 20_000):
        found = robust.pessimistic_value_iteration(
            d, features, rewards, *recorded(features, factors, n), penalty=0.5, pessimism=0.0
        )
        away.append(float(np.abs(found.values - known.values).max()))
    assert away[1] < 0.03 < away[0]


def test_published_form_of_total_variation_on_a_table() -> None:
    """One-hot features give no weight below 0, and the regression of min(V, min V + λ) is the same number."""
    rng = np.random.default_rng(1)
    features = np.eye(4).reshape(2, 2, 4)
    states, actions, after = (
        rng.integers(0, 2, (2, 30)),
        rng.integers(0, 2, (2, 30)),
        rng.integers(0, 2, (2, 30)),
    )
    rewards = np.array([[0.0] * 4, [0.1, 0.2, 0.9, 0.8]])
    found = robust.pessimistic_value_iteration(
        kb.total_variation, features, rewards, states, actions, after, penalty=0.3, ridge=0.5, pessimism=0.0
    )
    seen = features[states[0], actions[0]]
    value = np.array([0.2, 0.9])
    capped = np.minimum(value[after[0]], 0.2 + 0.3)
    weights = np.linalg.solve(seen.T @ seen + 0.5 * np.eye(4), seen.T @ capped)
    assert np.allclose(found.weights[0], weights, atol=1e-9)


def test_pessimism_takes_off_what_is_rarely_seen() -> None:
    features, rewards, factors = model()
    data = recorded(features, factors, 100)
    plans = [
        robust.pessimistic_value_iteration(kb.kl, features, 0.2 * rewards, *data, penalty=0.5, pessimism=beta)
        for beta in (0.0, 0.1, 50.0)
    ]
    assert bool((plans[0].values[:-1] > plans[1].values[:-1]).all())
    assert float(np.abs(plans[2].values).max()) == 0.0


def test_torch_and_numpy_agree() -> None:
    features, rewards, factors = model()
    one = robust.robust_value_iteration(kb.js, features, rewards, factors, penalty=0.5)
    same = (torch.tensor(x) for x in (features, rewards, factors))
    other = robust.robust_value_iteration(kb.js, *same, penalty=0.5)
    assert np.array_equal(one.values, other.values)


def test_refusals() -> None:
    features, rewards, factors = model()
    data = recorded(features, factors, 5)
    with pytest.raises(InvalidInputError, match="sum to 1"):
        robust.robust_value_iteration(kb.kl, 2 * features, rewards, factors, penalty=1.0)
    with pytest.raises(ShapeError, match="factors"):
        robust.robust_value_iteration(kb.kl, features, rewards, factors[:2], penalty=1.0)
    with pytest.raises(ShapeError, match="reward_weights"):
        robust.robust_value_iteration(kb.kl, features, rewards[0], factors, penalty=1.0)
    with pytest.raises(InvalidInputError, match="penalty"):
        robust.robust_value_iteration(kb.kl, features, rewards, factors, penalty=0.0)
    with pytest.raises(InvalidInputError, match=r"\[0, 1\]"):
        robust.pessimistic_value_iteration(kb.kl, features, 9 * rewards, *data, penalty=1.0)
    with pytest.raises(InvalidInputError, match="next_states"):
        robust.pessimistic_value_iteration(kb.kl, features, rewards, *data[:2], data[2] + 3, penalty=1.0)
    with pytest.raises(ShapeError, match="actions"):
        robust.pessimistic_value_iteration(
            kb.kl, features, rewards, data[0], data[1][:2], data[2], penalty=1.0
        )
    with pytest.raises(InvalidInputError, match="ridge"):
        robust.pessimistic_value_iteration(kb.kl, features, rewards, *data, penalty=1.0, ridge=0.0)
    with pytest.raises(InvalidInputError, match="finite"):
        robust.robust_value_iteration(kb.kl, features, np.nan * rewards, factors, penalty=1.0)
