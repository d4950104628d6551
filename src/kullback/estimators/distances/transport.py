"""Wasserstein distances of two samples: on the line, along slices, and by a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.divergences.sliced import SlicedWasserstein, unit_directions
from kullback.divergences.wasserstein import Wasserstein
from kullback.errors import ConvergenceError, MissingDependencyError
from kullback.estimators import copies
from kullback.estimators.distances import coupling, sampling_reach
from kullback.estimators.distances.coupling import Plan
from kullback.estimators.distances.spread import masses, variance
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples

Floats = NDArray[np.float64]
_LARGEST_PLAN = 25_000_000  # pairs of rows: 200 MB of costs, some seconds
_SPLITS = 16
_PLAN_SPLITS = 4


@dataclass(frozen=True)
class LineTransport(DivergenceMethod):
    r"""The Wasserstein distance of one column, exact for the empirical laws, in one sort.

    $$\hat W_p = \Big(\int_0^1 |F_n^{-1}(u) - G_m^{-1}(u)|^p\, du\Big)^{1/p}$$

    Far from equality the error is that of the dual potentials' means, $\operatorname{Var} \varphi(X) / n +
    \operatorname{Var} \psi(Y) / m$ for the p-th power; near it the interval reaches as far as the samples are from
    their own laws, which random halves of each tell (the rows are sorted first, so their order does not matter).
    Empirical distances are too large on average, most near equality. Weights multiply rows. Refuses other divergences
    and other columns.
    Source: [villani2009], [delbarrio2019].

    >>> import kullback as kb
    >>> kb.estimate(kb.wasserstein(2), [0.0, 1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 8.0], method=LineTransport()).value
    5.0
    """

    @property
    def name(self) -> str:
        return "transport on the line"

    def refusal(self, problem: TwoSamples) -> str:
        if not isinstance(problem.noun, Wasserstein):
            return f"estimates kb.wasserstein(p), not {problem.noun}"
        return _needs_line(problem)

    def estimate(self, problem: TwoSamples) -> Estimate:
        return _estimate(problem, _on_line(problem), _SPLITS, line=True)

    def statistic(self, problem: TwoSamples) -> float:
        return _plan_of(problem, _on_line(problem)).cost


@dataclass(frozen=True)
class SlicedTransport(DivergenceMethod):
    r"""The sliced Wasserstein distance of several columns, exact for the empirical laws along every direction.

    $$\widehat{SW}_p = \Big(\frac1L \sum_{l=1}^L W_p^p(\theta_l \cdot P_n, \theta_l \cdot Q_m)\Big)^{1/p}$$

    with the directions of the noun. It converges as fast as on the line in any number of columns; errors and interval
    are those of `LineTransport`, from the mean of the directions' potentials. Weights multiply rows. Refuses other
    divergences, and discrete columns. Source: [bonneel2015].

    >>> import kullback as kb
    >>> x, y = [[0.0, 0.0]] * 4, [[3.0, 4.0]] * 4  # 5 apart; E cos² = 1/2 in the plane
    >>> round(kb.estimate(kb.sliced_wasserstein(2), x, y, method=SlicedTransport()).value ** 2, 6)
    12.5
    """

    @property
    def name(self) -> str:
        return "sliced transport"

    def refusal(self, problem: TwoSamples) -> str:
        if not isinstance(problem.noun, SlicedWasserstein):
            return f"estimates kb.sliced_wasserstein(p), not {problem.noun}"
        return "" if problem.x.continuous else "needs continuous columns: names have no distance between them"

    def estimate(self, problem: TwoSamples) -> Estimate:
        return _estimate(problem, _sliced(problem), _PLAN_SPLITS * 2, line=True)

    def statistic(self, problem: TwoSamples) -> float:
        return _plan_of(problem, _sliced(problem)).cost


@dataclass(frozen=True)
class PlanTransport(DivergenceMethod):
    r"""The Wasserstein distance of several columns, by the optimal plan between the empirical laws, from POT.

    $$\hat W_p = \Big(\min_{\pi} \sum_{ij} \pi_{ij} \|x_i - y_j\|^p\Big)^{1/p}$$

    Too large on average, by about $n^{-1/d}$ where the laws are close and d > 2: the low end of the interval allows
    for it, from the distances between random halves of each sample. Cubic in the rows: refused above 25 million pairs,
    where `kb.sliced_wasserstein(p)` or a part of the rows serves. Needs `pip install 'kullback[transport]'`. Weights
    multiply rows. Source: [villani2009], [peyre2019].

    >>> import kullback as kb
    >>> x, y = [[0.0, 0.0], [1.0, 0.0]] * 2, [[0.0, 2.0], [1.0, 2.0]] * 2
    >>> kb.estimate(kb.wasserstein(1), x, y, method=PlanTransport()).value
    2.0
    """

    @property
    def name(self) -> str:
        return "optimal plan"

    def refusal(self, problem: TwoSamples) -> str:
        if not isinstance(problem.noun, Wasserstein):
            return f"estimates kb.wasserstein(p), not {problem.noun}"
        if not problem.x.continuous:
            return "needs continuous columns: names have no distance between them"
        pairs = problem.x.n * problem.y.n
        if pairs > _LARGEST_PLAN:
            return (
                f"{pairs:.3g} pairs of rows are too many for an exact plan ({_LARGEST_PLAN:.3g} at most); "
                "ask for kb.sliced_wasserstein(p), or pass a random part of the rows"
            )
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        return _estimate(problem, _by_plan(problem), _PLAN_SPLITS, line=False)

    def statistic(self, problem: TwoSamples) -> float:
        return _plan_of(problem, _by_plan(problem)).cost


def _needs_line(problem: TwoSamples) -> str:
    if problem.x.continuous and problem.x.dimension == 1:
        return ""
    return "needs one continuous column; PlanTransport takes several"


def _plan_of(problem: TwoSamples, solve: Any) -> Plan:
    w, v = masses(problem.weights_x, problem.x.n), masses(problem.weights_y, problem.y.n)
    return solve(problem.x.values, problem.y.values, w, v)


def _estimate(problem: TwoSamples, solve: Any, splits: int, *, line: bool) -> Estimate:
    """The p-th root of a plan's cost, its delta-method error, and the noise within each sample."""
    order = problem.noun.order  # type: ignore[attr-defined]
    x, y = problem.x.values, problem.y.values
    w, v = masses(problem.weights_x, len(x)), masses(problem.weights_y, len(y))
    plan = solve(x, y, w, v)
    value = plan.cost ** (1.0 / order)
    power = math.sqrt(variance(plan.of_x, w) * float(w @ w) + variance(plan.of_y, v) * float(v @ v))
    error = power / (order * value ** (order - 1.0)) if value > 0 else 0.0

    def distance(a: Floats, b: Floats, mass_a: Floats, mass_b: Floats) -> float:
        return max(solve(a, b, mass_a, mass_b).cost, 0.0) ** (1.0 / order)

    scale = problem.x.scale
    noise = [
        sampling_reach.within_sample(distance, points, mass, splits=splits, seed=problem.seed)
        for points, mass in ((x, w), (y, v))
    ]
    # near equality the potentials are noise, and the error at least that of the samples about their laws
    error = max(error, math.hypot(noise[0][1], noise[1][1]))
    (a, b), (c, d) = noise
    scaled = ((a * scale, b * scale), (c * scale, d * scale))
    return copies.judged(problem, sampling_reach.estimate(value * scale, error * scale, scaled, line=line))


def _on_line(problem: TwoSamples) -> Any:
    order = problem.noun.order  # type: ignore[attr-defined]

    def solve(x: Floats, y: Floats, w: Floats, v: Floats) -> Plan:
        return coupling.on_line(x[:, 0], y[:, 0], w, v, order)

    return solve


def _sliced(problem: TwoSamples) -> Any:
    noun = problem.noun
    assert isinstance(noun, SlicedWasserstein)
    directions = (
        unit_directions(noun.directions, problem.x.dimension) if problem.x.dimension > 1 else np.ones((1, 1))
    )

    def solve(x: Floats, y: Floats, w: Floats, v: Floats) -> Plan:
        cost, of_x, of_y = 0.0, np.zeros(len(x)), np.zeros(len(y))
        for direction in directions:
            plan = coupling.on_line(x @ direction, y @ direction, w, v, noun.order)
            cost, of_x, of_y = cost + plan.cost, of_x + plan.of_x, of_y + plan.of_y
        share = 1.0 / len(directions)
        return Plan(cost * share, of_x * share, of_y * share)

    return solve


def _by_plan(problem: TwoSamples) -> Any:
    order = problem.noun.order  # type: ignore[attr-defined]
    try:
        import ot
    except ImportError:
        raise MissingDependencyError(
            "a plan in more than one dimension is computed by POT, which is not installed: "
            "pip install 'kullback[transport]'"
        ) from None

    def solve(x: Floats, y: Floats, w: Floats, v: Floats) -> Plan:
        from scipy.spatial.distance import cdist

        cost = cdist(x, y) ** order
        total, log = ot.emd2(w, v / v.sum() * w.sum(), cost, log=True, numItermax=10_000_000)
        if log["warning"] is not None:
            raise ConvergenceError(f"POT found no optimal plan: {log['warning']}; pass a part of the rows")
        return Plan(float(total), np.asarray(log["u"]), np.asarray(log["v"]))

    return solve
