"""The entropy of columns that were rounded: of the density before, from rows put back into their cells."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.problem import OneSample
from kullback.estimators.ratios.rows import in_order
from kullback.estimators.strata import Floats

Places = NDArray[np.int64]

_TIED = 0.01  # share of rows with the value of another, below which a column is as good as not rounded
_OFF = 1e-6  # steps off the lattice that a value may lie, as decimal fractions do in binary
_PARTS, _SHOWN = (
    4,
    10,
)  # quarters of the rows, and the tied rows in one from which its smallest gap is its step
_FULL = 5.0  # rows for each level of a column, from which its histogram tells what coarser cells would cost


@dataclass(frozen=True)
class RoundedEntropy(EntropyMethod):
    r"""The differential entropy before the values were rounded to a lattice of step s, as decimals are.

    $$h(x + s\,u), \quad u \sim \text{uniform on } [-\tfrac12, \tfrac12], \qquad
    h(x) \le h(x + s\,u) \approx h(x) + \tfrac{s^2}{24} E\Big[\Big(\frac{p'(x)}{p(x)}\Big)^2\Big]$$

    Rounded rows that are put anywhere in their cells are rows of the histogram with these cells, whose entropy `method`
    takes; u is a fixed sequence in the order of the values, so neither the order of the rows nor the seed matters. What
    the histogram has too much widens the interval: what doubling the cells would add where they hold 5 rows and more,
    and at least $s^2 / 24\sigma^2$, its size for a normal column. In nats; columns in the caller's units.

    A `ChainedEntropy` as the method takes columns of both kinds. Refuses columns none of which is rounded, one with a
    step wider than its standard deviation (whose values are classes), columns that depend linearly on each other,
    weights, and what `method` refuses. Source: [cover2006].

    >>> import numpy as np, kullback as kb
    >>> x = np.round(np.random.default_rng(0).normal(size=2000), 1)  # of a normal law, 1.4189
    >>> answer = kb.entropy(x, method=kb.estimators.RoundedEntropy())
    >>> answer.low < 1.4189 < answer.high
    True
    """

    method: EntropyMethod = field(default_factory=KozachenkoLeonenko)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"{self.method.name} before rounding"

    def refusal(self, problem: OneSample) -> str:
        """Why there is no rounding to undo, or none that can be undone."""
        if problem.weights is not None:
            return "puts every row into its cell alike; leave the weights out, or take KDEEntropy"
        if problem.x.discrete:
            return f"`{problem.x.name}` has discrete columns only, which nobody rounded; take ChaoWangJost"
        steps = _steps(problem.x.values)
        if not steps.any():
            return f"no column of `{problem.x.name}` is rounded to a lattice; take {self.method.name}"
        coarse = np.flatnonzero(steps > problem.x.values.std(axis=0))
        if coarse.size:
            return (
                f"column {int(coarse[0])} of `{problem.x.name}` has steps wider than its standard deviation: declare "
                "it kind='discrete'"
            )
        if np.linalg.matrix_rank(problem.x.values - problem.x.values.mean(axis=0)) < problem.x.dimension:
            return "the columns depend on each other, and cells would hide that; leave one out"
        return self.method.refusal(problem)

    def estimate(self, problem: OneSample) -> Estimate:
        """The entropy of the histogram, and how sure."""
        x = problem.x
        codes = np.zeros(x.n, dtype=np.int64) if x.codes is None else x.codes
        order = in_order(np.column_stack([x.values, codes.astype(np.float64)]))
        x, codes, steps = x.take(order), codes[order], _steps(x.values)
        anywhere = np.random.default_rng(0).uniform(-0.5, 0.5, x.values.shape)
        found = self.method.estimate(replace(problem, x=replace(x, values=x.values + steps * anywhere)))
        doubt = sum(
            _excess(part[:, j], steps[j]) * len(part) / x.n
            for part in np.split(x.values, np.flatnonzero(np.diff(codes)) + 1)
            for j in np.flatnonzero(steps)
        )
        units = ", ".join(f"{steps[j] * x.scale:.3g}" for j in np.flatnonzero(steps))
        told = f"values on a lattice of step {units}: the entropy is that before rounding"
        return replace(found, bias_error=math.hypot(found.bias_error, doubt), notes=(*found.notes, told))


def rounded(problem: OneSample) -> bool:
    """Whether a continuous column has ties and lies on a lattice."""
    return bool(problem.x.dimension) and bool(_steps(problem.x.values).any())


def tied(column: Floats) -> bool:
    """Whether more than a hundredth of the rows share their value with another."""
    counts = np.unique(column, return_counts=True)[1]
    return bool(counts[counts > 1].sum() > _TIED * len(column))


def _steps(values: Floats) -> Floats:
    """The step of each column's lattice, 0 where its values are not rounded."""
    return np.array([_step(column) for column in values.T])


def _step(column: Floats) -> float:
    levels = np.unique(column)
    if len(levels) < 2 or not tied(column):
        return 0.0
    step = float(np.diff(levels).min())
    places = (levels - levels[0]) / step
    # the smallest gap has the error of a difference; the widest distance tells the step better
    step = float((levels[-1] - levels[0]) / np.rint(places[-1]))
    places = (levels - levels[0]) / step
    straight = bool((np.abs(places - np.rint(places)) < _OFF * np.maximum(places, 1.0)).all())
    return step if straight and _even(column, step) else 0.0


def _even(column: Floats, step: float) -> bool:
    """Whether the cells are as wide in every quarter of the rows; significant digits make them wider farther out."""
    for part in np.array_split(np.sort(column), _PARTS):
        levels, counts = np.unique(part, return_counts=True)
        gap = np.diff(levels).min(initial=math.inf)
        if len(levels) > 1 and counts[counts > 1].sum() >= _SHOWN and gap > 1.5 * step:
            return False
    return True


def _excess(column: Floats, step: float) -> float:
    """How far the entropy of the histogram may lie above that of the density."""
    # a class of few rows may show no spread, though its law has at least that of a cell
    smooth = step**2 / (24.0 * max(float(column.var()), step**2 / 12.0))
    place: Places = np.rint((column - column.min()) / step).astype(np.int64)
    levels = len(np.unique(place))
    if len(column) < _FULL * levels:
        return smooth
    pairs = max(_entropy(place // 2), _entropy((place + 1) // 2))
    return max(smooth, pairs + math.log(2.0) - _entropy(place))


def _entropy(place: Places) -> float:
    """Of the shares of the cells, with the correction of first order."""
    counts = np.unique(place, return_counts=True)[1]
    n = len(place)
    return float(counts @ (math.log(n) - np.log(counts))) / n + (len(counts) - 1) / (2 * n)
