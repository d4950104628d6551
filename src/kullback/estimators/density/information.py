"""The information between two columns, or a column and classes, from densities of normal scores on grids."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.estimators.density.scores import (
    Reading,
    Smooth,
    likeliest,
    normal_scores,
    optimism,
    settled,
    smooth,
)
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample, Weights
from kullback.estimators.strata import average, strata, within
from kullback.estimators.weighting import effective_rows, shares, spread

Floats = NDArray[np.float64]

_ROWS = 5.0  # as if drawn from independence: what keeps ratios finite where nobody is
_FACTORS = (0.25, 0.5, 1.0, 2.0)
_NODES = np.linspace(-5.0, 5.0, 129)
_NORMAL = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()


@dataclass(frozen=True)
class GridInformation(InformationMethod):
    r"""The information between two columns, or a column and classes, by any f, from kernel densities on a grid.

    $$\hat I = \frac1n \sum_i f'\big(\hat t_{-i}(x_i, y_i)\big) + \iint \big(f - t f'\big)(\hat t)\,p_x p_y,
    \qquad \hat t = \hat p_{xy} / (p_x p_y)$$

    Both columns are mapped to normal scores by their ranks, which changes no information and makes the margins
    known. The joint density is smoothed along the directions x ± y, each in proportion to its spread, so that
    strong dependence is not washed out; no row tells of itself, and what the variance of the density costs is added
    back. Against a discrete variable each class has a density of its own. `bandwidth` multiplies the normal
    reference rule; by default it is that of 1/4, 1/2, 1 and 2 under which the rows left out are most likely. The
    interval contains how far the number moves when it is doubled. A permutation test takes the rule itself, where
    none is given. Weights weight ranks, densities and means, and the effective number of rows sets the bandwidth;
    repeated rows are not as good, since a row that is left out is told of by its copies.

    A discrete `given` makes strata, whose average is taken. Refuses a continuous one, two discrete variables and more
    than one column on a side. Raises `InvalidInputError` for fewer than 10 rows or a class of fewer than 5.
    Source: [kandasamy2015], [silverman1986].

    >>> import numpy as np, kullback as kb
    >>> x, e = np.random.default_rng(0).standard_normal((2, 5000))
    >>> found = kb.mutual_information(x, 0.6 * x + 0.8 * e, method=kb.estimators.GridInformation())
    >>> abs(found.value - 0.2231) < 0.03
    True
    """

    bandwidth: float | None = None

    def __post_init__(self) -> None:
        if self.bandwidth is not None and not (self.bandwidth > 0 and math.isfinite(self.bandwidth)):
            raise InvalidInputError(
                f"bandwidth multiplies the reference rule and must be positive, got {self.bandwidth!r}"
            )

    @property
    def name(self) -> str:
        """The name, with the bandwidth where it was given."""
        return "GridInformation" if self.bandwidth is None else f"GridInformation({self.bandwidth:g})"

    def refusal(self, problem: JointSample) -> str:
        """Why a grid does not serve."""
        if problem.given is not None and not problem.given.discrete:
            return (
                "knows no continuous `given`; cut it into classes, kind_given='discrete', or for kl take "
                "ConditionalKSG"
            )
        sides = (problem.x, problem.y)
        if problem.discrete or any(s.mixed for s in sides):
            return "takes a continuous column against another one or against classes"
        if any(s.dimension > 1 for s in sides):
            return "takes one column on each side; nearest neighbours serve more"
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        """The information at the rule's bandwidth, with what half and double of it say."""
        if problem.given is not None:
            return within(problem, self.estimate)
        _enough(problem)
        if any(s.continuous and np.ptp(s.values) == 0 for s in (problem.x, problem.y)):
            return Estimate(0.0, 0.0, notes=("a constant column tells nothing: exactly 0",))
        factor = self.bandwidth or likeliest(lambda f: self._read(problem, f, kl), _FACTORS)
        found = settled(lambda f: self._read(problem, f, problem.divergence or kl), factor, _tied(problem))
        return replace(found, distrust=found.distrust or _unresolved(problem))

    def statistic(self, problem: JointSample) -> float:
        """The value at one bandwidth."""
        if problem.given is not None:
            parts = strata(problem)
            return average([self.statistic(part) for part in parts], parts)
        return self._read(problem, self.bandwidth or 1.0, problem.divergence or kl).value

    def _read(self, problem: JointSample, factor: float, d: FDivergence) -> Reading:
        for own, other in ((problem.x, problem.y), (problem.y, problem.x)):
            if own.codes is not None:
                return _with_classes(
                    d, normal_scores(other.values, problem.weights), own.codes, problem.weights, factor
                )
        columns = np.hstack([problem.x.values, problem.y.values])
        return _with_column(d, normal_scores(columns, problem.weights), problem.weights, factor)


def _with_column(d: FDivergence, z: Floats, weights: Weights, factor: float) -> Reading:
    turned = np.column_stack([z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]]) / math.sqrt(2)
    turned[:, turned.std(axis=0) < 1e-9] = 0.0
    if not turned.any(axis=0).all():
        raise InvalidInputError(
            "one column is a monotone function of the other: for continuous laws the information is +inf"
        )
    p = smooth(turned, factor, weights)
    product = np.exp(-0.5 * (turned**2).sum(axis=1)) / (2 * math.pi)
    a, b = (side.ravel() for side in np.meshgrid(_NODES, _NODES, indexing="ij"))
    nodes = np.column_stack([a + b, a - b]) / math.sqrt(2)
    ratio = p.pdf(nodes) * (2 * math.pi) * np.exp(0.5 * (a * a + b * b))
    tilts = d.tilt(_log_mixed(ratio, p.drawn.n)).reshape(len(_NODES), -1)
    by_x, by_y = tilts @ _NORMAL, _NORMAL @ tilts
    margins = np.interp(z[:, 0], _NODES, by_x) + np.interp(z[:, 1], _NODES, by_y)
    return _reading(d, p, p.pdf(turned), product, margins, float(_NORMAL @ by_x))


def _reading(
    d: FDivergence, p: Smooth, at_rows: Floats, product: Floats, margins: Floats, outside: float
) -> Reading:
    others = d.slope(_log_mixed(p.without_self(at_rows) / product, p.drawn.n))
    correction = 0.0
    if d.curvature_at_one is not None:
        gap = d.slope(_log_mixed(at_rows / product, p.drawn.n)) - others
        correction = optimism(len(p.drawn.axes)) * float(p.share @ gap)
    error = spread(others + margins, p.share)
    return Reading(float(p.share @ others) + outside + correction, error, correction)


def _with_classes(
    d: FDivergence, z: Floats, codes: NDArray[np.int64], weights: Weights, factor: float
) -> Reading:
    n = len(z)
    share = shares(weights, n)
    slopes, gaps, outside = np.empty(n), np.empty(n), np.empty(n)
    by_node = np.zeros(len(_NODES))
    normal = np.exp(-0.5 * z[:, 0] ** 2) / math.sqrt(2 * math.pi)
    for c in np.unique(codes):
        own = codes == c
        p = smooth(z[own], 0.9 * factor, None if weights is None else weights[own])
        at_rows = p.pdf(z[own])
        tilts = d.tilt(
            _log_mixed(p.pdf(_NODES) * math.sqrt(2 * math.pi) * np.exp(0.5 * _NODES**2), p.drawn.n)
        )
        slopes[own] = d.slope(_log_mixed(p.without_self(at_rows) / normal[own], p.drawn.n))
        gaps[own] = d.slope(_log_mixed(at_rows / normal[own], p.drawn.n)) - slopes[own]
        outside[own] = tilts @ _NORMAL
        by_node += share[own].sum() * tilts
    correction = 0.0 if d.curvature_at_one is None else optimism(1) * float(share @ gaps)
    influence = slopes + outside + np.interp(z[:, 0], _NODES, by_node)
    return Reading(float(share @ (slopes + outside)) + correction, spread(influence, share), correction)


def _log_mixed(ratio: Floats, n: float) -> Floats:
    """The log of a density ratio from n rows, with some rows of independence added."""
    return np.log((n * ratio + _ROWS) / (n + _ROWS))


def _unresolved(problem: JointSample) -> str:
    """Why a ridge is too narrow for the rows or for the grid; empty where it is not."""
    if not problem.continuous:
        return ""
    z = normal_scores(np.hstack([problem.x.values, problem.y.values]), problem.weights)
    across = min(float(np.std(z[:, 0] + sign * z[:, 1])) / math.sqrt(2) for sign in (1.0, -1.0))
    n = effective_rows(problem.weights, problem.n)
    # of a normal law about the ridge the information is −log(across) + ½ log ½, and n rows resolve ½ log(n/5)
    if across >= max(math.sqrt(2.5 / n), 0.5 * float(_NODES[1] - _NODES[0])):
        return ""
    return (
        f"so much information cannot be resolved by {problem.n} rows on a grid: the density is a ridge of width "
        f"{across:.2g}, the estimate saturates and the truth may be larger"
    )


def _enough(problem: JointSample) -> None:
    if problem.n < 10:
        raise InvalidInputError(f"a density needs at least 10 rows, got {problem.n}")
    for s in (problem.x, problem.y):
        if s.codes is not None and np.bincount(s.codes).min() < 5:
            raise InvalidInputError(f"a class of `{s.name}` has fewer than 5 rows: merge small classes")


def _tied(problem: JointSample) -> tuple[str, ...]:
    sides = [s for s in (problem.x, problem.y) if s.continuous]
    shares = {s.name: 1 - len(np.unique(s.values)) / s.n for s in sides}
    told = "of the rows of `{}` repeat a value; they share the mean of their ranks"
    return tuple(f"{share:.0%} {told.format(name)}" for name, share in shares.items() if share > 0.01)
