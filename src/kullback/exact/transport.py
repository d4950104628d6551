"""Upper bounds by joint convexity: mass of one mixture's components is carried to the other's."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from kullback._ops.numpy import logsumexp

_ROUNDING = 1e-15  # of the whole mass, which may be left without a place
_STEPS = 2000
_STILL = 1e-13  # of the bound, by which a step has to lower it


def cheapest(cost: np.ndarray, w: np.ndarray, v: np.ndarray) -> np.ndarray | None:
    r"""The coupling π of w and v with the least $\sum \pi_{ij} c_{ij}$, to rounding; None where none is finite."""
    finite = np.isfinite(cost)
    i, j = np.nonzero(finite)
    columns = np.arange(len(i))
    rows = csr_array(
        (np.ones(2 * len(i)), (np.concatenate([i, len(w) + j]), np.concatenate([columns, columns]))),
        shape=(len(w) + len(v), len(i)),
    )
    solved = linprog(cost[i, j], A_eq=rows, b_eq=np.concatenate([w, v]), method="highs")
    if solved.x is None:
        return None
    plan = np.zeros(cost.shape)
    plan[i, j] = np.maximum(solved.x, 0.0)
    return _feasible(plan, w, v, finite)


def _feasible(plan: np.ndarray, w: np.ndarray, v: np.ndarray, finite: np.ndarray) -> np.ndarray | None:
    """The plan with marginals w and v: what a row or column has too much is cut off, what lacks is spread over all."""
    plan = plan * np.minimum(1.0, _ratio(w, plan.sum(axis=1)))[:, None]
    plan = plan * np.minimum(1.0, _ratio(v, plan.sum(axis=0)))
    lacks, short = np.maximum(w - plan.sum(axis=1), 0.0), np.maximum(v - plan.sum(axis=0), 0.0)
    missing = float(lacks.sum())
    if missing <= _ROUNDING:
        return plan
    rest = np.outer(lacks, short) / short.sum()
    return None if rest[~finite].any() else plan + rest


def _ratio(wanted: np.ndarray, held: np.ndarray) -> np.ndarray:
    return np.divide(wanted, held, out=np.ones_like(wanted), where=held > 0)


def carried(cost: np.ndarray, w: np.ndarray, v: np.ndarray) -> float:
    r"""$D_f(P \| Q) \le \min_\pi \sum_{ij} \pi_{ij} c_{ij}$ for costs that are at least $D_f(p_i \| q_j)$."""
    plan = cheapest(cost, w, v)
    return (
        math.inf
        if plan is None
        else float(np.sum(np.where(plan > 0, plan * np.where(plan > 0, cost, 0.0), 0.0)))
    )


def split_up(pairs: np.ndarray, w: np.ndarray, v: np.ndarray) -> float:
    r"""The variational upper bound of KL, [hershey2007], from the table of $KL(p_i \| q_j)$, in logarithms throughout.

    $$\min_{\phi, \psi} \sum_{ij} \phi_{ij} \left[KL(p_i \| q_j) + \log \frac{\phi_{ij}}{\psi_{ij}}\right], \qquad
    \sum_j \phi_{ij} = w_i,\; \sum_i \psi_{ij} = v_j.$$

    Each turn is optimal for one of the two, from the product of the weights and from the cheapest coupling; every
    iterate is a bound.
    """
    starts = [np.log(w)[:, None] + np.log(v)]
    plan = cheapest(pairs, w, v)
    if plan is not None:
        with np.errstate(divide="ignore"):
            starts.append(np.log(plan))
    return min(_alternated(pairs, w, v, start) for start in starts)


def _alternated(pairs: np.ndarray, w: np.ndarray, v: np.ndarray, log_phi: np.ndarray) -> float:
    best = math.inf
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_STEPS):
            held = logsumexp(log_phi.T).T
            # a column that nothing is carried to takes no part; its weight only makes the bound larger
            log_psi = log_phi + np.where(np.isfinite(held), np.log(v) - held, 0.0)
            inside = np.where(np.isfinite(log_psi), log_psi - pairs, -math.inf)
            total = logsumexp(inside)
            value = float(np.sum(w * (np.log(w) - total[:, 0])))
            if not value < best - _STILL * (1.0 + abs(best) if math.isfinite(best) else 0.0):
                return min(best, value)
            best, log_phi = value, np.log(w)[:, None] + inside - total
    return best
