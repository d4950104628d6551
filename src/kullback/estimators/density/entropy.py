"""The entropy of one or two columns from their density on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError
from kullback.estimators.density.scores import Reading, likeliest, optimism, settled, smooth
from kullback.estimators.density.ties import untied
from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.problem import OneSample, Weights
from kullback.estimators.weighting import spread

Floats = NDArray[np.float64]

_FACTORS = (0.125, 0.25, 0.5, 1.0)
_FLOOR = 0.1  # of one row's kernel: what an outlier's density is at least


@dataclass(frozen=True)
class KDEEntropy(EntropyMethod):
    r"""The entropy of one or two continuous columns from a kernel density in which no row tells of itself.

    $$\hat H = -\frac1n \sum_i \log \hat p_{-i}(x_i)$$

    The columns are drawn in by asinh about their medians, so that outliers do not matter, and made uncorrelated; both
    maps are accounted for exactly. What the variance of the density costs is added back. `bandwidth` multiplies the
    normal reference rule; by default it is that of 1/8, 1/4, 1/2 and 1 under which the rows left out are most likely.
    The interval contains how far the number moves when it is doubled, which is what edges of the support cost.

    Ties and atoms are treated as by `SpacingEntropy` where there is one column. Weights weight every mean; only their
    proportions count, so that a row is one observation whatever its weight, and Kish's effective number of rows sets
    the bandwidth. Repeat no rows instead: copies tell of a row that is left out, and the bandwidth comes out too small,
    in two columns by far. Refuses discrete columns and more than two. Raises `InvalidInputError`
    for fewer than 10 rows. Source: [hall1993], [kandasamy2015].

    >>> import numpy as np, kullback as kb
    >>> from scipy.special import ndtri
    >>> x = ndtri((np.arange(2000) + 0.5) / 2000)  # normal: 1.4189
    >>> abs(kb.entropy(x, method=kb.estimators.KDEEntropy()).value - 1.4189) < 0.02
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
        return "KDEEntropy" if self.bandwidth is None else f"KDEEntropy({self.bandwidth:g})"

    def refusal(self, problem: OneSample) -> str:
        """Why a grid does not serve."""
        if not problem.x.continuous or problem.x.dimension > 2:
            return f"serves one or two continuous columns, and `{problem.x.name}` is not; nearest neighbours serve more"
        return ""

    def estimate(self, problem: OneSample) -> Estimate:
        """The entropy at one bandwidth, with what half and double of it say."""
        if problem.n < 10:
            raise InvalidInputError(f"a density needs at least 10 rows, got {problem.n}")
        values, weights, notes = problem.x.values, problem.weights, ()
        if values.shape[1] == 1:
            column = untied(values[:, 0], weights)
            if column.atom:
                return Estimate(-math.inf, 0.0, notes=column.notes)
            values, weights, notes = column.values[:, None], column.weights, column.notes
        elif np.linalg.matrix_rank(values - values.mean(axis=0)) < 2:
            return Estimate(-math.inf, 0.0, notes=("the rows lie on a line: their law has no density",))
        rows, stretch = _drawn_in(values, weights)

        def read(factor: float) -> Reading:
            return _read(rows, stretch, weights, factor)

        found = settled(read, self.bandwidth or likeliest(read, _FACTORS), notes)
        where = problem.x.dimension * problem.x.exponent * math.log(2)
        return Estimate(where - found.value, found.standard_error, found.bias_error, notes=found.notes)


def _drawn_in(values: Floats, weights: Weights) -> tuple[Floats, Floats]:
    """Rows of similar spread in all directions, and for each the log of what the map does to a volume there."""
    middle = _median(values, weights)
    away = np.abs(values - middle)
    unit = _median(away, weights)
    unit = np.where(unit > 0, unit, away.mean(axis=0))
    z = (values - middle) / unit
    rows = np.arcsinh(z)
    stretch = -(0.5 * np.log1p(z * z) + np.log(unit)).sum(axis=1)
    if rows.shape[1] == 1:
        return rows, stretch
    sizes, axes = np.linalg.eigh(np.cov(rows.T, aweights=weights))
    # `smooth` centres them
    return rows @ (axes / np.sqrt(sizes)), stretch - 0.5 * float(np.log(sizes).sum())


def _median(values: Floats, weights: Weights) -> Floats:
    if weights is None:
        return np.median(values, axis=0)
    return np.quantile(values, 0.5, axis=0, weights=weights, method="inverted_cdf")


def _read(rows: Floats, stretch: Floats, weights: Weights, factor: float) -> Reading:
    """The mean log density at one bandwidth, corrected."""
    p = smooth(rows, factor, weights)
    floor = _FLOOR * p.drawn.height
    at_rows = p.pdf(rows)
    logs = np.log(p.without_self(at_rows) + floor) + stretch
    with_self = np.log(at_rows + floor) + stretch
    correction = optimism(rows.shape[1]) * float(p.share @ (with_self - logs))
    return Reading(float(p.share @ logs) + correction, spread(logs, p.share), correction)
