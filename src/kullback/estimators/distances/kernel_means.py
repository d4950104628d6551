"""Maximum mean discrepancy and energy distance of two samples, without the bias of pairing a row with itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import DistanceKernel
from kullback.divergences.kernels import Kernel
from kullback.divergences.mmd import MMD, EnergyDistance
from kullback.errors import InvalidInputError
from kullback.estimators.distances import kernel_sums
from kullback.estimators.distances.kernel_sums import Sums
from kullback.estimators.distances.spread import masses, square_like_ends, variance
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.samples import Sample

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KernelMeans(DivergenceMethod):
    r"""MMD and energy distance from all pairs of different rows (a U-statistic, free of bias).

    $$U = \overline{k(x_i, x_j)}_{i \ne j} + \overline{k(y_i, y_j)}_{i \ne j} - 2\, \overline{k(x_i, y_j)}$$

    estimates the squared `kb.mmd(kernel)`, whose answer is $\operatorname{sign}(U) \sqrt{|U|}$ with both ends of the
    interval mapped alike, or `kb.energy_distance` itself, for which $k = -\|x - y\|$. At equality U scatters around 0,
    and negative values are kept. The variance has its first-order part and the one of degenerate pairs, so that the
    interval covers at equality and far from it. Continuous columns; (n + m)² kernel values, or one sort for the energy
    distance of one column. Weights are relative: a row of weight 2 counts twice in every mean, and is still not its own
    partner, which a copy of it would be. Refuses other divergences. Source: [gretton2012], [szekely2013].

    >>> import kullback as kb
    >>> kb.estimate(kb.energy_distance, [0.0, 1.0], [2.0, 3.0], method=KernelMeans()).value
    2.0
    """

    @property
    def name(self) -> str:
        return "kernel means"

    def refusal(self, problem: TwoSamples) -> str:
        if not isinstance(problem.noun, MMD | EnergyDistance):
            return f"estimates kb.mmd(kernel) and kb.energy_distance, not {problem.noun}"
        if not problem.x.continuous:
            return "needs continuous columns: names have no distance between them"
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        square, error, scale = _measured(problem)
        if isinstance(problem.noun, EnergyDistance):
            return Estimate(
                square * scale,
                error * scale,
                interval=lambda level: square_like_ends(square * scale, error * scale, level),
            )

        def ends(level: float) -> tuple[float, float]:
            low, high = square_like_ends(square, error, level)
            return _root(low) * math.sqrt(scale), _root(high) * math.sqrt(scale)

        # the slope of the root at the estimate, or at one error from 0 where that is farther
        slope = 0.5 / math.sqrt(max(abs(square), error)) if error > 0 else 0.0
        return Estimate(_root(square) * math.sqrt(scale), slope * error * math.sqrt(scale), interval=ends)

    def statistic(self, problem: TwoSamples) -> float:
        return _measured(problem)[0]


def _measured(problem: TwoSamples) -> tuple[float, float, float]:
    """U, its standard error, and the factor from the samples' unit to the caller's."""
    for sample in (problem.x, problem.y):
        if sample.n < 2:
            raise InvalidInputError(
                f"`{sample.name}` has {sample.n} row; pairs of different rows need at least 2"
            )
    x, y = problem.x.values, problem.y.values
    w, v = masses(problem.weights_x, len(x)), masses(problem.weights_y, len(y))
    kernel, scale = _kernel(problem)
    if isinstance(kernel, DistanceKernel) and x.shape[1] == 1:
        parts = [_negative(s) for s in _line(x[:, 0], y[:, 0], w, v)]
    else:
        parts = [
            kernel_sums.within(kernel, x, w),
            kernel_sums.within(kernel, y, v),
            kernel_sums.across(kernel, x, y, w, v),
        ]
    xx, yy, xy = parts
    value = xx.mean + yy.mean - 2.0 * xy.mean
    return value, _error(xx, yy, xy, w, v), scale


def _kernel(problem: TwoSamples) -> tuple[Kernel, float]:
    """The kernel in the samples' unit, and what its values are to be multiplied with."""
    x: Sample = problem.x
    kernel = problem.noun.kernel if isinstance(problem.noun, MMD) else DistanceKernel()
    if isinstance(kernel, DistanceKernel):
        return kernel, x.scale
    bandwidth = getattr(kernel, "bandwidth", None)
    if bandwidth is None:
        raise InvalidInputError(f"{kernel!r} has no `bandwidth` that could follow the unit of the data")
    return replace(kernel, bandwidth=bandwidth / x.scale), 1.0  # type: ignore[type-var]


def _line(x: Floats, y: Floats, w: Floats, v: Floats) -> tuple[Sums, Sums, Sums]:
    return (
        kernel_sums.on_line(x, w),
        kernel_sums.on_line(y, v),
        kernel_sums.on_line_across(x, y, w, v),
    )


def _negative(s: Sums) -> Sums:
    return Sums(-s.left, -s.right, s.square, -s.mean)


def _error(xx: Sums, yy: Sums, xy: Sums, w: Floats, v: Floats) -> float:
    """The standard error of U: of its projections, corrected for their own noise, and of what pairs add to them."""
    inner_x = xx.square - xx.mean**2 - 2.0 * variance(xx.left, w)
    inner_y = yy.square - yy.mean**2 - 2.0 * variance(yy.left, v)
    inner = xy.square - xy.mean**2 - variance(xy.left, w) - variance(xy.right, v)
    sum_w, sum_v = float(w @ w), float(v @ v)  # 1/n and 1/m without weights
    pairs = 2.0 * max(inner_x, 0.0) * sum_w**2 + 2.0 * max(inner_y, 0.0) * sum_v**2
    pairs += 4.0 * max(inner, 0.0) * sum_w * sum_v
    first = 4.0 * variance(xx.left - xy.left, w) * sum_w + 4.0 * variance(yy.left - xy.right, v) * sum_v
    # a row's mean carries the noise of its partners, which is twice the pairs' own variance
    return math.sqrt(max(first - pairs, pairs))


def _root(square: float) -> float:
    return math.copysign(math.sqrt(abs(square)), square)
