"""Cauchy–Schwarz divergence and squared L2 distance of densities, from kernel means that need no density estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import cauchy_schwarz, squared_l2
from kullback.errors import InvalidInputError
from kullback.estimators import copies
from kullback.estimators.distances import kernel_sums
from kullback.estimators.distances.kernel_sums import Sums
from kullback.estimators.distances.near_equality import Noise, ends, noise_of, strongest
from kullback.estimators.distances.spread import masses, variance
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.weighting import effective_rows

Floats = NDArray[np.float64]
_WIDEST = 8  # columns for which the smoothing bias stays below the error


@dataclass(frozen=True)
class _Potentials:
    """∫p², ∫q² and ∫pq at one smoothing, as means of a kernel over pairs of rows."""

    kernel: kernel_sums.Kernel
    pp: Sums
    qq: Sums
    pq: Sums

    def value(self, angle: bool) -> float:
        """The Cauchy–Schwarz divergence, or the squared distance."""
        pp, qq, pq = self.pp.mean, self.qq.mean, self.pq.mean
        return math.log(pp) + math.log(qq) - 2.0 * math.log(pq) if angle else pp + qq - 2.0 * pq

    def noise(self, x: Floats, y: Floats, w: Floats, v: Floats, angle: bool) -> Noise:
        """That of the value, which is linear in the three where noise is small."""
        parts, top = (self.pp, self.qq, self.pq), strongest(self.kernel, x, y, w, v)
        if not angle:
            return noise_of(*parts, w, v, top)
        pp, qq, pq = (part.times(1.0 / part.mean) for part in parts)
        return noise_of(pp, qq, pq, w, v, top / self.pq.mean)


@dataclass(frozen=True)
class KernelPotentials(DivergenceMethod):
    r"""Cauchy–Schwarz divergence and squared L2 distance by Gaussian kernels over pairs of different rows.

    $$\int p q \approx \overline{2 \varphi_h(x_i - y_j) - \varphi_{\sqrt 2 h}(x_i - y_j)},$$

    the combination of two widths that cancels the smoothing bias of order h²; likewise $\int p^2$ and $\int q^2$ over
    pairs of different rows. Then $D = \log \int p^2 + \log \int q^2 - 2 \log \int pq$, or the squared L2 distance
    $\int p^2 + \int q^2 - 2 \int pq$. `bandwidth` h is in units of each column's standard deviation; `None` takes $(n
    + m)^{-2/(8 + d)}$, for which bias and pair noise are both below the error. What another halving of h² changes
    widens the interval, whose upper end is that of `KernelMeans`. At most eight continuous columns; (n + m)² kernel
    values. Weights are relative, and no row is its own partner. Refuses other divergences. Source: [principe2010],
    [sankaran1963].

    >>> import numpy as np, kullback as kb
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=2000), rng.normal(1.0, size=2000)
    >>> answer = kb.estimate(kb.cauchy_schwarz, x, y, method=KernelPotentials())  # exact value 1/2
    >>> answer.low < 0.5 < answer.high
    True
    """

    bandwidth: float | None = None

    def __post_init__(self) -> None:
        if self.bandwidth is not None and not 0 < self.bandwidth < math.inf:
            raise InvalidInputError(f"bandwidth must be positive and finite or None, got {self.bandwidth!r}")

    @property
    def name(self) -> str:
        return "kernel potentials" if self.bandwidth is None else f"kernel potentials, h={self.bandwidth:.3g}"

    def refusal(self, problem: TwoSamples) -> str:
        if problem.noun not in (cauchy_schwarz, squared_l2):
            return f"estimates kb.cauchy_schwarz and kb.squared_l2, not {problem.noun}"
        if not problem.x.continuous:
            return "needs continuous columns; discrete ones are compared by their counts"
        if problem.x.dimension > _WIDEST:
            return (
                f"smoothing bias exceeds the error beyond {_WIDEST} columns, got {problem.x.dimension}; "
                "reduce the columns first"
            )
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        return copies.judged(problem, self._found(problem))

    def _found(self, problem: TwoSamples) -> Estimate:
        x, y, w, v, spread = _scaled(problem)
        h = self.bandwidth or (
            (effective_rows(problem.weights_x, len(x)) + effective_rows(problem.weights_y, len(y)))
            ** (-2.0 / (8.0 + x.shape[1]))
        )
        wide, narrow = (_potentials(x, y, w, v, h / math.sqrt(halvings)) for halvings in (1.0, 2.0))
        angle = problem.noun == cauchy_schwarz
        if angle and min(wide.pp.mean, wide.qq.mean, wide.pq.mean) <= 0:
            return Estimate(
                math.inf, math.inf, distrust="no row of one sample is near one of the other at this bandwidth"
            )
        unit = 1.0 if angle else float(np.exp(-np.log(spread).sum() - x.shape[1] * _log_scale(problem)))
        value, noise = wide.value(angle) * unit, wide.noise(x, y, w, v, angle).times(unit)
        seen = narrow.pq.mean > 0 or not angle
        bias = 0.5 * (abs(value - narrow.value(angle) * unit) if seen else abs(value))
        widened = replace(noise, error=math.hypot(noise.error, bias))
        return Estimate(
            value, noise.error, bias_error=bias, interval=lambda level: ends(value, widened, level)
        )


def _log_scale(problem: TwoSamples) -> float:
    return problem.x.exponent * math.log(2.0)


def _scaled(problem: TwoSamples) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    x, y = problem.x.values, problem.y.values
    if min(len(x), len(y)) < 2:
        raise InvalidInputError("pairs of different rows need at least 2 rows of each sample")
    w, v = masses(problem.weights_x, len(x)), masses(problem.weights_y, len(y))
    spread = np.array(
        [math.sqrt(0.5 * (variance(a, w) + variance(b, v))) for a, b in zip(x.T, y.T, strict=True)]
    )
    if (spread == 0).any():
        column = int(np.argmin(spread))
        raise InvalidInputError(
            f"column {column} is constant in both samples and has no density: leave it out"
        )
    return x / spread, y / spread, w, v, spread


def _potentials(x: Floats, y: Floats, w: Floats, v: Floats, h: float) -> _Potentials:
    def kernel(square: Floats) -> Floats:
        wide = np.exp(square * (-0.25 / h**2))  # of variance 2h²; its square has variance h²
        top = (2.0 * math.pi * h**2) ** (-0.5 * x.shape[1])
        return top * (2.0 * wide * wide - 2.0 ** (-0.5 * x.shape[1]) * wide)

    return _Potentials(
        kernel,
        kernel_sums.within(kernel, x, w),
        kernel_sums.within(kernel, y, v),
        kernel_sums.across(kernel, x, y, w, v),
    )
