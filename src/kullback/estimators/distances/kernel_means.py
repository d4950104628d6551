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
from kullback.estimators import copies
from kullback.estimators.distances import kernel_sums
from kullback.estimators.distances.kernel_sums import Sums
from kullback.estimators.distances.near_equality import Noise, ends, noise_of, strongest
from kullback.estimators.distances.spread import masses
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
    and negative values are kept. The variance has its first-order part and the one of degenerate pairs, and the upper
    end is that of a noncentral chi-square, so that the interval covers at equality, close to it and far from it.
    Samples of the same rows are 0 and have none. Continuous columns; (n + m)² kernel values, or one sort for the
    energy distance of one column. Weights are relative: a row of weight 2 counts twice in every mean, and is still not
    its own partner, which a copy of it would be. Refuses other divergences. Source: [gretton2012], [szekely2013],
    [sankaran1963].

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
        return copies.judged(problem, self._found(problem))

    def _found(self, problem: TwoSamples) -> Estimate:
        pairs = _Pairs.of(problem)
        square, noise = pairs.value, pairs.noise
        if isinstance(problem.noun, EnergyDistance):
            square, noise = square * pairs.scale, noise.times(pairs.scale)
            return Estimate(square, noise.error, interval=lambda level: ends(square, noise, level))
        unit = math.sqrt(pairs.scale)

        def roots(level: float) -> tuple[float, float]:
            low, high = ends(square, noise, level)
            return _root(low) * unit, _root(high) * unit

        # the slope of the root at the estimate, or at one error from 0 where that is farther
        error = noise.error
        slope = 0.5 / math.sqrt(max(abs(square), error)) if error > 0 else 0.0
        return Estimate(_root(square) * unit, slope * error * unit, interval=roots)

    def statistic(self, problem: TwoSamples) -> float:
        return _Pairs.of(problem).value


@dataclass(frozen=True)
class _Pairs:
    """The kernel's means over pairs, and the factor from the samples' unit to the caller's."""

    problem: TwoSamples
    kernel: Kernel
    scale: float
    masses: tuple[Floats, Floats]
    sums: tuple[Sums, Sums, Sums]

    @staticmethod
    def of(problem: TwoSamples) -> _Pairs:
        for sample in (problem.x, problem.y):
            if sample.n < 2:
                raise InvalidInputError(
                    f"`{sample.name}` has {sample.n} row; pairs of different rows need at least 2"
                )
        x, y = problem.x.values, problem.y.values
        w, v = masses(problem.weights_x, len(x)), masses(problem.weights_y, len(y))
        kernel, scale = _kernel(problem)
        if isinstance(kernel, DistanceKernel) and x.shape[1] == 1:
            sums = _line(x[:, 0], y[:, 0], w, v)
        else:
            sums = (
                kernel_sums.within(kernel, x, w),
                kernel_sums.within(kernel, y, v),
                kernel_sums.across(kernel, x, y, w, v),
            )
        return _Pairs(problem, kernel, scale, (w, v), sums)

    @property
    def value(self) -> float:
        """U."""
        xx, yy, xy = self.sums
        return xx.mean + yy.mean - 2.0 * xy.mean

    @property
    def noise(self) -> Noise:
        """How sure U is."""
        x, y = self.problem.x.values, self.problem.y.values
        return noise_of(*self.sums, *self.masses, strongest(self.kernel, x, y, *self.masses))


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
        kernel_sums.on_line(x, w).times(-1.0),
        kernel_sums.on_line(y, v).times(-1.0),
        kernel_sums.on_line_across(x, y, w, v).times(-1.0),
    )


def _root(square: float) -> float:
    return math.copysign(math.sqrt(abs(square)), square)
