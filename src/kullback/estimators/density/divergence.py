"""Divergences of two samples from their densities on grids."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError
from kullback.estimators.copies import SAME
from kullback.estimators.density import apart
from kullback.estimators.density.scores import (
    Reading,
    Smooth,
    normal_scores,
    optimism,
    settled,
    smooth,
)
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples, Weights
from kullback.estimators.weighting import effective_rows, shares, spread
from kullback.exact.pareto import term_k

Floats = NDArray[np.float64]

_HEAVY = 0.7  # the tail index above which a mean is noise
_FLOOR = 0.1  # of one row's kernel: what keeps a ratio finite where a sample has nobody


@dataclass(frozen=True)
class GridDivergence(DivergenceMethod):
    r"""An f-divergence of one or two columns from kernel densities, corrected by its influence function.

    $$\hat D = \frac1n \sum_i f'\big(\hat t_{-i}(x_i)\big)
    + \frac1m \sum_j \big(f - t f'\big)\big(\hat t_{-j}(y_j)\big), \qquad \hat t = \hat p / \hat q,$$

    where −i says that a row does not tell of itself; weights weight both means and both densities, and repeated rows
    equal whole weights within the error only. The columns are first mapped to normal scores of the pooled ranks, which
    changes no f-divergence: scale, place, outliers and the edges of supports do not matter. What the variance of
    the densities costs is added back, except where f has a kink (total variation). `bandwidth` multiplies the normal
    reference rule; the interval contains how far the number moves when it is doubled. Where a tenth of one sample lies
    where the other has no rows, or the terms have a Pareto tail of index above 0.7, an unbounded divergence has no
    interval. A bounded one of samples that a cut through one column separates is its largest value, and the interval
    goes down to what laws may have of which no row crossed the cut; near that value one row more is in the error.

    Refuses discrete columns, more than two columns, and what is no f-divergence. Raises `InvalidInputError`
    for fewer than 10 rows in a sample and for a constant column in one of them. Source: [kandasamy2015], [nguyen2010],
    [vehtari2024].

    >>> import numpy as np, kullback as kb
    >>> from scipy.special import ndtri
    >>> x = ndtri((np.arange(1000) + 0.5) / 1000)  # normal, and the same moved by 1: KL is 1/2
    >>> abs(kb.estimate(kb.kl, x, x + 1.0, method=kb.estimators.GridDivergence()).value - 0.5) < 0.05
    True
    """

    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        if not (self.bandwidth > 0 and math.isfinite(self.bandwidth)):
            raise InvalidInputError(
                f"bandwidth multiplies the reference rule and must be positive, got {self.bandwidth!r}"
            )

    @property
    def name(self) -> str:
        """The name, with the bandwidth where it is not the rule's."""
        return "GridDivergence" if self.bandwidth == 1.0 else f"GridDivergence({self.bandwidth:g})"

    def refusal(self, problem: TwoSamples) -> str:
        """Why grids do not serve."""
        if not isinstance(problem.noun, FDivergence):
            return f"estimates f-divergences, and {problem.noun} is none"
        if not (problem.x.continuous and problem.y.continuous):
            return "takes continuous columns; count discrete ones"
        if problem.x.dimension > 2:
            return f"serves one or two columns, got {problem.x.dimension}; nearest neighbours serve more"
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The divergence at the rule's bandwidth, with what half and double of it say."""
        x, y = _scored(problem)
        same = len(x) == len(y) and np.array_equal(np.unique(x.rows, axis=0), np.unique(y.rows, axis=0))
        if same and not problem.weighted:
            return Estimate(0.0, 0.0, distrust=SAME)
        noun = problem.noun
        assert isinstance(noun, FDivergence)
        if noun.bounded and apart.separated(x.rows, y.rows):
            return apart.of_separated(noun, x.size, y.size)
        alone = max(_alone(x, y, self.bandwidth), _alone(y, x, self.bandwidth))
        told = f"{alone:.0%} of the rows of one sample lie where the other has none"
        notes = (told,) if alone > 0.01 else ()
        told = told if alone > 0.1 and not noun.bounded else _heavy(noun, x, y, self.bandwidth)
        distrust = SAME if same else told
        found = settled(lambda factor: _read(noun, x, y, factor), self.bandwidth, notes, distrust)
        return apart.not_certain(noun, found, min(x.size, y.size))

    def statistic(self, problem: TwoSamples) -> float:
        """The value at one bandwidth."""
        assert isinstance(problem.noun, FDivergence)
        return _read(problem.noun, *_scored(problem), self.bandwidth).value


@dataclass(frozen=True)
class _Scores:
    """Normal scores of one sample's rows, and their weights."""

    rows: Floats
    weights: Weights

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> float:
        """The effective number of rows."""
        return effective_rows(self.weights, len(self))

    def smooth(self, factor: float) -> Smooth:
        """Their density."""
        return smooth(self.rows, 0.9 * factor, self.weights)


def _scored(problem: TwoSamples) -> tuple[_Scores, _Scores]:
    for s in (problem.x, problem.y):
        if s.n < 10:
            raise InvalidInputError(f"a density needs at least 10 rows, `{s.name}` has {s.n}")
        if np.any(np.ptp(s.values, axis=0) == 0):
            raise InvalidInputError(f"a column of `{s.name}` is constant: its law has no density")
    n, w_x, w_y = problem.x.n, problem.weights_x, problem.weights_y
    sizes = (effective_rows(w_x, n), effective_rows(w_y, problem.y.n))
    both = (sizes[0] * shares(w_x, n), sizes[1] * shares(w_y, problem.y.n))
    pooled = normal_scores(np.concatenate([problem.x.values, problem.y.values]), np.concatenate(both))
    return _Scores(pooled[:n], w_x), _Scores(pooled[n:], w_y)


Pair = tuple[Floats, Floats]


def _log_ratios(x: _Scores, y: _Scores, factor: float) -> tuple[Pair, Pair, Pair]:
    """The shares of the rows of both samples, and log p/q at them as the other rows tell it and as all rows do."""
    p, q = x.smooth(factor), y.smooth(factor)
    floor = _FLOOR * max(p.drawn.height, q.drawn.height)
    px, qx, py, qy = p.pdf(x.rows), q.pdf(x.rows), p.pdf(y.rows), q.pdf(y.rows)

    def ratios(own_x: Floats, own_y: Floats) -> Pair:
        return np.log((own_x + floor) / (qx + floor)), np.log((py + floor) / (own_y + floor))

    return (p.share, q.share), ratios(p.without_self(px), q.without_self(qy)), ratios(px, qy)


def _read(d: FDivergence, x: _Scores, y: _Scores, factor: float) -> Reading:
    """The corrected value at one bandwidth."""
    (of_x, of_y), out, within = _log_ratios(x, y, factor)
    slopes, tilts = d.slope(out[0]), d.tilt(out[1])
    found = float(of_x @ slopes + of_y @ tilts)
    error = math.hypot(spread(slopes, of_x), spread(tilts, of_y))
    if d.curvature_at_one is None:
        return Reading(found, error, 0.0)
    correction = optimism(x.rows.shape[1]) * (
        float(of_x @ d.slope(within[0]) + of_y @ d.tilt(within[1])) - found
    )
    return Reading(found + correction, error, correction)


def _heavy(d: FDivergence, x: _Scores, y: _Scores, factor: float) -> str:
    """The reason for distrust where the terms have no reliable mean; empty where they have one."""
    if d.bounded:
        return ""
    (of_x, of_y), (at_x, at_y), _ = _log_ratios(x, y, factor)
    index = np.fmax(term_k(of_x * d.slope(at_x), at_x), term_k(of_y * d.tilt(at_y), at_y))
    if not index > _HEAVY:
        return ""
    return (
        f"the terms have Pareto k {index:.2f} above {_HEAVY}: rare rows that are not here would decide the mean; "
        "use a bounded divergence such as js"
    )


def _alone(x: _Scores, y: _Scores, factor: float) -> float:
    """The share of the rows of x that have less than three rows of y in reach of the kernel."""
    q = y.smooth(factor)
    return float(shares(x.weights, len(x)) @ (q.pdf(x.rows) < 3 * q.drawn.height))
