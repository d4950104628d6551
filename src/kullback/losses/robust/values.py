"""Value iteration against the least favourable transitions, with any f-divergence as the price of leaving the known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback._ops import Array, ops
from kullback.bounds import lower_expectation
from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError

_SLACK = 1e-6  # of a sum of probabilities


@dataclass(frozen=True)
class Plan:
    r"""Values of H steps, step 0 first: $V_h(s) = \max_a Q_h(s, a)$, with V_H = 0.

    `values` (H + 1, S), `action_values` (H, S, A), `weights` (H, m) with $Q_h = \langle \phi, w_h \rangle$ before
    anything is taken off; `policy` (H, S) has the first of the best actions. NumPy, float64.

    >>> import numpy as np
    >>> q = np.array([[[0.25, 0.75]]])
    >>> Plan(np.array([[0.75], [0.0]]), q, np.zeros((1, 2))).policy.tolist()
    [[1]]
    """

    values: np.ndarray
    action_values: np.ndarray
    weights: np.ndarray

    @property
    def policy(self) -> np.ndarray:
        """The best action of every step and state."""
        return self.action_values.argmax(-1)


def robust_value_iteration(
    d: FDivergence, features: Array, reward_weights: Array, factors: Array, *, penalty: float
) -> Plan:
    r"""The robust plan of a known linear factored model, each factor free to move at the price λ (`penalty`).

    $$Q_h(s, a) = \sum_i \phi_i(s, a)\left[\theta_{hi} + \inf_\mu\, E_\mu V_{h+1} + \lambda D_f(\mu \| \mu_{hi})
    \right], \qquad P_h(\cdot | s, a) = \sum_i \phi_i(s, a)\, \mu_{hi}$$

    D_f(adversary‖nominal): the d-rectangular regularised robust Markov decision process. `features` φ (S, A, m), a law
    over the m factors for each state and action (one-hot for a table); `reward_weights` θ (H, m); `factors` μ, laws of
    the next state, (m, S) or one set for each step but the last, (H − 1, m, S) (the last leads nowhere). Towards
    infinite λ it is ordinary value iteration. NumPy or torch in, NumPy out, no gradient. Raises `ShapeError`,
    `InvalidInputError`. Source: [tang2025b], [iyengar2005].

    >>> import kullback as kb
    >>> one_state_pays = [[[1.0, 0.0]], [[0.0, 1.0]]]
    >>> plan = robust_value_iteration(
    ...     kb.total_variation, one_state_pays, [[0.0, 1.0]] * 2, [[0.5, 0.5], [0.5, 0.5]], penalty=0.5
    ... )
    >>> plan.values[0].tolist()  # E min(V, min V + 1/2) = 1/4 is left of the mean, 1/2
    [0.25, 1.25]
    """
    phi, theta = _features(features), _host("reward_weights", reward_weights)
    horizon = _horizon(phi, theta)
    laws = _host("factors", factors)
    states, m = phi.shape[0], phi.shape[-1]
    if laws.shape not in ((m, states), (horizon - 1, m, states)):
        raise ShapeError(
            f"`factors` has shape {laws.shape}; expected {(m, states)} or {(horizon - 1, m, states)}: a law of the "
            "next state for every factor"
        )
    laws = np.broadcast_to(laws, (horizon - 1, m, states))
    values, q = np.zeros((horizon + 1, states)), np.zeros((horizon, *phi.shape[:2]))
    weights = theta.copy()
    for h in reversed(range(horizon)):
        if h < horizon - 1:
            weights[h] += _least(d, values[h + 1], laws[h], penalty)
        q[h] = phi @ weights[h]
        values[h] = q[h].max(-1)
    return Plan(values, q, weights)


def pessimistic_value_iteration(
    d: FDivergence,
    features: Array,
    reward_weights: Array,
    states: Array,
    actions: Array,
    next_states: Array,
    *,
    penalty: float,
    ridge: float = 0.1,
    pessimism: float = 1.0,
) -> Plan:
    r"""The same plan from recorded transitions, less what they leave uncertain: R2PVI for any f-divergence.

    $$Q_h = \sum_i \phi_i \left[\theta_{hi} + s_{hi} \inf_\mu\big(E_\mu V_{h+1} + \lambda D_f(\mu \| \hat\mu_{hi})\big)
    - \beta \sqrt{(\Lambda_h^{-1})_{ii}}\right] \text{ within } [0, H - h], \qquad
    \Lambda_h = \Phi_h^\top \Phi_h + \kappa I$$

    Row i of $\Lambda_h^{-1} \Phi_h^\top$ gives each recorded next state a weight: s is their sum, within [0, 1], and
    $\hat\mu_{hi}$ the law of the next state nearest (in Euclidean distance) to the weights over s. The published
    algorithm regresses the integrand of the dual of one divergence instead, and keeps each within its range: where no
    weight is negative both are the same for total variation and differ for KL and χ² by what the ridge takes off; here
    the inner problem is that of laws, solved for every f (the dual of χ² is *maximised* over its threshold). κ is
    `ridge`, β `pessimism`.

    `features` and `reward_weights` as in `robust_value_iteration`, with rewards in [0, 1]; `states`, `actions` and
    `next_states` (H, n), numbers of states and actions, n transitions a step (the next states of the last step are
    not used). Raises `ShapeError`, `InvalidInputError`. Source: [tang2025b].

    >>> import kullback as kb
    >>> phi = [[[1.0, 0.0]], [[0.0, 1.0]]]
    >>> told = [[0, 1]] * 2, [[0, 0]] * 2, [[1, 1]] * 2
    >>> plan = pessimistic_value_iteration(kb.kl, phi, [[0.0, 1.0]] * 2, *told, penalty=1.0, ridge=1.0, pessimism=0.0)
    >>> plan.values[0].tolist()  # each was seen once: half of the next value
    [0.5, 1.5]
    """
    phi, theta = _features(features), _host("reward_weights", reward_weights)
    horizon, count = _horizon(phi, theta), phi.shape[0]
    rewards = phi @ theta.T
    if rewards.min() < -_SLACK or rewards.max() > 1 + _SLACK:
        raise InvalidInputError(
            f"rewards go from {rewards.min():g} to {rewards.max():g}; expected [0, 1], by which values are bounded"
        )
    if not (0 < ridge < math.inf and 0 <= pessimism < math.inf):
        raise InvalidInputError(f"`ridge` is {ridge!r}, `pessimism` {pessimism!r}; expected > 0 and >= 0")
    s, a, after = _transitions(horizon, (count, phi.shape[1], count), (states, actions, next_states))
    values, q = np.zeros((horizon + 1, count)), np.zeros((horizon, *phi.shape[:2]))
    weights = theta.copy()
    for h in reversed(range(horizon)):
        seen = phi[s[h], a[h]]
        inverse = np.linalg.inv(seen.T @ seen + ridge * np.eye(phi.shape[-1]))
        if h < horizon - 1:
            mass, laws = _laws(inverse @ seen.T @ (after[h][:, None] == np.arange(count)))
            weights[h] += mass * _least(d, values[h + 1], laws, penalty)
        doubt = pessimism * np.sqrt(np.diagonal(inverse))
        q[h] = np.minimum(np.maximum(phi @ (weights[h] - doubt), 0.0), horizon - h)
        values[h] = q[h].max(-1)
    return Plan(values, q, weights)


def _least(d: FDivergence, values: np.ndarray, laws: np.ndarray, penalty: float) -> np.ndarray:
    return np.asarray(lower_expectation(d, values, reference=laws, penalty=penalty).value)


def _laws(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum of each row, within [0, 1], and the nearest law to the row over its sum; uniform where that is 0."""
    mass = weights.sum(-1)
    n = weights.shape[-1]
    positive = mass > 0
    rows = np.where(positive[:, None], weights / np.where(positive, mass, 1.0)[:, None], 1.0 / n)
    falling = -np.sort(-rows, axis=-1)
    excess = (np.cumsum(falling, axis=-1) - 1.0) / np.arange(1, n + 1)
    last = np.count_nonzero(falling > excess, axis=-1) - 1
    nearest = np.maximum(rows - np.take_along_axis(excess, last[:, None], -1), 0.0)
    return np.minimum(np.maximum(mass, 0.0), 1.0), nearest / nearest.sum(-1, keepdims=True)


def _transitions(horizon: int, limits: tuple[int, ...], given: tuple[Array, ...]) -> list[np.ndarray]:
    names = ("states", "actions", "next_states")
    made = [_host(name, x).astype(int) for name, x in zip(names, given, strict=True)]
    for name, x, limit in zip(names, made, limits, strict=True):
        if x.ndim != 2 or x.shape != (horizon, made[0].shape[-1]):
            raise ShapeError(
                f"`{name}` has shape {x.shape}; expected {horizon} steps of as many transitions each"
            )
        if x.size and (x.min() < 0 or x.max() >= limit):
            raise InvalidInputError(f"`{name}` goes from {x.min()} to {x.max()}; expected 0 to {limit - 1}")
    return made


def _features(features: Array) -> np.ndarray:
    phi = _host("features", features)
    if phi.ndim != 3:
        raise ShapeError(f"`features` has shape {phi.shape}; expected (states, actions, factors)")
    if phi.min() < 0 or np.any(np.abs(phi.sum(-1) - 1) > _SLACK):
        raise InvalidInputError(
            "`features` must be non-negative and sum to 1 over the factors, for transitions to be laws"
        )
    return phi


def _horizon(phi: np.ndarray, theta: np.ndarray) -> int:
    if theta.ndim != 2 or theta.shape[-1] != phi.shape[-1] or len(theta) == 0:
        raise ShapeError(
            f"`reward_weights` has shape {theta.shape}; expected (steps, {phi.shape[-1]}), one weight a factor"
        )
    return len(theta)


def _host(name: str, x: Array) -> np.ndarray:
    xp = ops(x)
    made = np.array(xp.to_numpy(xp.detach(xp.asarray(x))), dtype=float)
    if not np.isfinite(made).all():
        raise InvalidInputError(f"`{name}` holds {made[~np.isfinite(made)][0]}; expected finite numbers")
    return made
