"""The information between two variables from bins of ranks: as fine as the data ask for, or equally full."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample
from kullback.estimators.weighting import mid_ranks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CAUTION = 1.5  # where little is cut, one cut less shows less than what finer cuts would find


@dataclass(frozen=True)
class Cells:
    """A table of fields, each row's place in it, and the cells that the fields are merged into.

    `ratio` is p_xy / (p_x p_y), one number for all fields of a cell; `share` is 1 over the number of those fields;
    `free` is the part of the cells that the margins leave free.
    """

    x: Ints
    y: Ints
    row: Floats
    column: Floats
    ratio: Floats
    share: Floats
    free: float


class _Bins(InformationMethod):
    """What both kinds of bins share: plug-in value, its bias of second order, its influence function."""

    @abstractmethod
    def _cells(self, problem: JointSample, coarser: int) -> Cells:
        """The bins; with `coarser` = 1 some that are one halving less fine."""

    def _blind(self, n: int) -> float:  # noqa: ARG002  (equally full bins look everywhere)
        """How much information these bins may not have looked for."""
        return 0.0

    def refusal(self, problem: JointSample) -> str:
        """Why bins do not serve."""
        if problem.weights is not None:
            return "does not weight rows; leave `weights` out"
        if problem.given is not None:
            return "knows no `given`; nearest neighbours do"
        if any(s.mixed or s.dimension > 1 for s in (problem.x, problem.y)):
            return "takes one column on each side; nearest neighbours serve more"
        if problem.discrete:
            return "takes a continuous column on one side at least; count discrete ones"
        if problem.divergence is not None and math.isinf(problem.divergence.at_zero):
            return (
                f"{problem.divergence} is infinite as soon as one bin is empty; GridInformation has no bins"
            )
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        """The corrected plug-in value; what coarser bins say is how wrong it may be beside chance."""
        if problem.n < 16:
            raise InvalidInputError(f"bins need at least 16 rows, got {problem.n}")
        d = problem.divergence or kl
        value, error, correction = _read(d, self._cells(problem, 0), problem.n)
        coarse = _read(d, self._cells(problem, 1), problem.n)[0]
        bias = math.hypot(_CAUTION * (value - coarse), correction / 2, self._blind(problem.n))
        return Estimate(value, error, bias_error=bias)

    def statistic(self, problem: JointSample) -> float:
        """The corrected plug-in value."""
        return _read(problem.divergence or kl, self._cells(problem, 0), problem.n)[0]


@dataclass(frozen=True)
class AdaptiveBins(_Bins):
    r"""The information between two columns from a partition that is refined where the data are not even.

    $$\hat I = \sum_c q_c\, f(p_c / q_c) - \text{bias}, \qquad q_c = p_x(c)\, p_y(c)$$

    A cell of the plane of ranks is cut in four where a chi-square test at `significance` finds its four or its sixteen
    parts not even, after Darbellay and Vajda. The bias of second order, for mutual information about one half of a
    nat over n for each cell, is subtracted. The interval contains what stopping one cut earlier changes.

    Refuses weights, `given`, discrete variables, more than one column on a side, and divergences with infinite f(0).
    Raises `InvalidInputError` for fewer than 16 rows. Source: [darbellay1999], [miller1955].

    >>> import numpy as np, kullback as kb
    >>> x, e = np.random.default_rng(0).standard_normal((2, 5000))
    >>> found = kb.mutual_information(x, 0.6 * x + 0.8 * e, method=kb.estimators.AdaptiveBins())
    >>> abs(found.value - 0.2231) < 0.05
    True
    """

    significance: float = 0.01

    def __post_init__(self) -> None:
        if not 0.0 < self.significance < 1.0:
            raise InvalidInputError(f"significance must lie between 0 and 1, got {self.significance!r}")

    @property
    def name(self) -> str:
        """The name with the level of the tests."""
        return f"AdaptiveBins({self.significance:g})"

    def refusal(self, problem: JointSample) -> str:
        """Why a partition of the plane does not serve."""
        if not problem.continuous:
            return "takes two continuous columns; EqualFrequencyBins takes a discrete variable too"
        return super().refusal(problem)

    def _blind(self, n: int) -> float:
        """The information at which the first test just sees nothing: a chi-square is 2n times as large."""
        return float(chdtri(3, self.significance / 2)) / (2 * n)

    def _cells(self, problem: JointSample, coarser: int) -> Cells:
        depth = max(2, min(9, int(math.log2(problem.n / 4) / 2 + 1)))
        x, y = (_ranked(s, 1 << depth) for s in (problem.x, problem.y))
        fields = _fields(x, y, 1 << depth, 1 << depth)
        stop = _stops(fields, depth, self.significance)
        return _merged(fields, np.maximum(stop - coarser, 0), depth)


@dataclass(frozen=True)
class EqualFrequencyBins(_Bins):
    r"""The information between two variables from bins that hold equally many rows each.

    $$\hat I = \sum_{ij} q_{ij}\, f(p_{ij} / q_{ij}) - \text{bias}, \qquad q_{ij} = p_i\, p_j$$

    A continuous column is cut into `bins` bins by its ranks, by default ⌈n^(1/3)⌉, so that monotone maps change
    nothing; equal values share a bin. The classes of a discrete variable are its bins. The bias of second order,
    for mutual information that of Miller and Madow at independence, is subtracted; the interval contains what half
    as many bins change. Refuses weights, `given`, two discrete variables, more than one column on a side, and
    divergences with infinite f(0) or a kink. Raises `InvalidInputError` for fewer than 16 rows or 2 bins. Source:
    [miller1955], [chelombiev2019].

    >>> import numpy as np, kullback as kb
    >>> x = np.arange(1000.0)
    >>> found = kb.mutual_information(x, x, method=kb.estimators.EqualFrequencyBins(4))
    >>> round(found.value, 2)  # log 4, less 9/16 of 4 cells / 2000
    1.39
    """

    bins: int | None = None

    def __post_init__(self) -> None:
        if self.bins is not None and (self.bins != int(self.bins) or self.bins < 2):
            raise InvalidInputError(f"bins counts the bins of a column: at least 2, got {self.bins!r}")

    @property
    def name(self) -> str:
        """The name, with the number of bins where it was given."""
        return "EqualFrequencyBins" if self.bins is None else f"EqualFrequencyBins({self.bins})"

    def refusal(self, problem: JointSample) -> str:
        """Why equally full bins do not serve."""
        if problem.divergence is not None and problem.divergence.curvature_at_one is None:
            return f"{problem.divergence} has a kink at 1, where noise in many bins adds up; take GridInformation"
        return super().refusal(problem)

    def _cells(self, problem: JointSample, coarser: int) -> Cells:
        bins = self.bins or math.ceil(problem.n ** (1 / 3))
        bins = max(2, bins >> coarser) if bins > 2 else 2 - coarser
        sides = [(s.codes if s.codes is not None else _ranked(s, bins)) for s in (problem.x, problem.y)]
        sizes = [s.classes if s.codes is not None else bins for s in (problem.x, problem.y)]
        return _fields(sides[0], sides[1], *sizes)


def _read(d: FDivergence, cells: Cells, n: int) -> tuple[float, float, float]:
    """The corrected value, its standard error and the correction."""
    q = np.outer(cells.row, cells.column)
    found = float(np.sum(d.terms((q * cells.ratio).ravel(), q.ravel(), validate=False)))
    full = cells.ratio > 0
    t = np.where(full, cells.ratio, 1.0)
    r = np.log(t)
    # half of Σ t f''(t) over the cells, by the expansion of f to second order
    bend = np.where(full & (q > 0), cells.share * d.curvature(r) / t, 0.0)
    correction = float(bend.sum()) * cells.free / (2 * n)
    tilts = np.where(full, d.tilt(r), d.at_zero)
    influence = d.slope(r)[cells.x, cells.y] + (tilts @ cells.column)[cells.x] + (cells.row @ tilts)[cells.y]
    return found - correction, float(influence.std(ddof=1)) / math.sqrt(n), correction


def _ranked(s: Sample, bins: int) -> Ints:
    """The bin of each row of one column, equally full; equal values share one."""
    rank = mid_ranks(s.values[:, 0]) - 0.5
    return (rank * (bins / s.n)).astype(np.int64)


def _fields(x: Ints, y: Ints, rows: int, columns: int) -> Cells:
    """Every field of the table a cell of its own."""
    table = np.bincount(x * columns + y, minlength=rows * columns).reshape(rows, columns) / len(x)
    row, column = table.sum(axis=1), table.sum(axis=0)
    product = np.outer(row, column)
    ratio = np.divide(table, product, out=np.ones_like(table), where=product > 0)
    free = (1 - 1 / np.count_nonzero(row)) * (1 - 1 / np.count_nonzero(column))
    return Cells(x, y, row, column, ratio, np.ones_like(table), float(free))


def _merged(fields: Cells, levels: Ints, depth: int) -> Cells:
    """Fields joined into the squares at which the cutting stopped: at level 0 one, at `depth` each its own."""
    product = np.outer(fields.row, fields.column)
    joint = product * fields.ratio
    ratio, share = fields.ratio.copy(), fields.share.copy()
    for level in range(depth):
        here = levels == level
        side = 1 << (depth - level)
        p, q = (_spread(_blocks(a, side), side) for a in (joint, product))
        ratio[here] = np.divide(p, q, out=np.ones_like(p), where=q > 0)[here]
        share[here] = 1 / side**2
    cells = float(share.sum())
    return replace(fields, ratio=ratio, share=share, free=1 - 1 / cells)


def _stops(fields: Cells, depth: int, significance: float) -> Ints:
    """For each field the level at which its square was found even."""
    n = len(fields.x)
    product = np.outer(fields.row, fields.column)
    joint = product * fields.ratio
    stop = np.full(joint.shape, depth)
    active = np.ones((1, 1), dtype=bool)
    for level in range(depth):
        side = 1 << (depth - level)
        p, q = _blocks(joint, side), _blocks(product, side)
        cut = np.zeros_like(active)
        for parts in range(1, min(2, depth - level) + 1):
            inner = side >> parts
            even = _spread(np.divide(p, q, out=np.ones_like(p), where=q > 0), 1 << parts) * _blocks(
                product, inner
            )
            off = (_blocks(joint, inner) - even) ** 2
            away = n * np.divide(off, even, out=np.zeros_like(off), where=even > 0)
            # two tests a square share the level
            limit = chdtri(4**parts - 1, significance / 2)
            cut |= (_blocks(away, 1 << parts) > limit) & (n * p >= 8)
        stop[_spread(active & ~cut, side)] = level
        active = _spread(active & cut, 2)
    return stop


def _blocks(a: NDArray[np.float64], side: int) -> Floats:
    """Sums over squares of `side` by `side`."""
    m = len(a) // side
    return a.reshape(m, side, m, side).sum(axis=(1, 3))


def _spread(a: NDArray, side: int) -> NDArray:
    """Every entry repeated over a square of `side` by `side`."""
    return np.repeat(np.repeat(a, side, axis=0), side, axis=1)
