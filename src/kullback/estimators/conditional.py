"""Conditional mutual information of continuous variables from nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.neighbour_average import (
    Averaging,
    alone,
    averaging,
    conditional_priors,
    information_priors,
    quarters,
    resolved,
)
from kullback.estimators.neighbour_weights import Excess, grid, information_excess, jackknife, variance
from kullback.estimators.normal_scores import ranked, scores, shared_scores
from kullback.estimators.problem import JointSample
from kullback.estimators.residuals import Columns, residuals
from kullback.estimators.strata import average, averaged, row_weights, strata
from kullback.estimators.strips import Strips, local_terms, own_terms
from kullback.estimators.trees import Tree

Floats = NDArray[np.float64]
_SHARE_OF_GIVEN = 0.25  # in distances: x and y less what z foretells change slowly with z


@dataclass(frozen=True)
class ConditionalKSG(InformationMethod):
    r"""The conditional mutual information I(X; Y | Z) of continuous x, y and z, from counts about each row.

    $$\hat I = \psi(k) - \frac1n \sum_i \big[\psi(n_{xz}(i) + 1) + \psi(n_{yz}(i) + 1) - \psi(n_z(i) + 1)\big]$$

    where e(i) is the distance from row i to its k-th neighbour in (x, y, z), in the maximum norm, and n counts the
    other rows strictly closer than e(i) in the columns named. In nats; columns are put on normal scores. A discrete
    `given`, or discrete columns of it, make strata, whose average is taken.

    `k` None takes x and y (the columns or their scores) less what smooth functions of z foretell, over what they
    foretell of the deviation: that leaves the information as it is, and rows that differ in z alone become alike, so
    that z counts for a quarter in distances, and neighbours are near in x and y, where edges and strips are. Equal
    values are put in an arbitrary order, which tells nothing. It weights k = 1, …, 20 against their bias, averaged over
    what the curve over k says it is; what bias may be left widens the interval. A number takes that k on the scores as
    they are, the estimator as published, which no monotone map of a column changes. The standard error is that of the
    exact delete-one jackknife, with weighted k less its known excess.

    Refuses discrete x or y, other divergences, weights, and rows that equal others in all columns. Beyond 5 columns no
    interval is vouched for, nor where the rows do not resolve so much information. Source: [frenzel2007],
    [mesner2021], [efron1981], [hoeting1999].

    >>> import numpy as np, kullback as kb
    >>> from kullback.estimators import ConditionalKSG
    >>> z, e, f = np.random.default_rng(1).normal(size=(3, 1000))
    >>> found = kb.mutual_information(z + e, z + f, given=z, method=ConditionalKSG())  # independent given z
    >>> found.low < 0 < found.high
    True
    """

    k: int | None = None

    def __post_init__(self) -> None:
        if self.k is not None and (isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1):
            raise InvalidInputError(f"k must be a whole number from 1 on, or None; got {self.k!r}")

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "conditional KSG, weighted k" if self.k is None else f"conditional KSG, k={self.k}"

    def refusal(self, problem: JointSample) -> str:
        """Why the rows are not three continuous variables, or too few."""
        if problem.given is None:
            return "is for a `given`; without one take KSG"
        if problem.divergence is not None:
            return f"knows the mutual information only, not that of {problem.divergence}: there is no local formula"
        if problem.weights is not None:
            return "does not weight rows; leave `weights` out"
        if problem.x.codes is not None or problem.y.codes is not None:
            return "takes continuous x and y; with discrete columns take Ross or MixedKSG"
        counts = (
            [problem.n]
            if problem.given.codes is None
            else np.unique(problem.given.codes, return_counts=True)[1]
        )
        least = max(8, (self.k or 1) + 2)
        if min(counts) < least:
            return (
                f"needs at least {least} rows (of each class of `given`), got {min(counts)}: need > k samples"
            )
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        """The weighted counts, and how sure."""
        if problem.given is None or problem.given.codes is None:
            return self._within(problem)
        parts = strata(problem)
        return averaged([self._within(part) for part in parts], row_weights(parts))

    def statistic(self, problem: JointSample) -> float:
        """The value alone."""
        if problem.given is None or problem.given.codes is None:
            return self._value(problem)
        parts = strata(problem)
        return average([self._value(part) for part in parts], parts)

    def _value(self, problem: JointSample) -> float:
        space = _space(problem, published=self.k is not None)
        if space is None:
            return 0.0
        ks = np.array(self._ks(problem.n))
        reach = Tree(space.joint).neighbours(int(ks.max()))[0][:, ks - 1]
        given = len(space.margins) == 3
        all_in = 0.0 if given else digamma(problem.n)
        values = digamma(ks) + all_in + own_terms(space.margins, reach).mean(axis=0)
        chosen = self._averaging(values, *space.joint.shape, given=given)
        return float(chosen.shares(values) @ chosen.weights @ values)

    def _ks(self, n: int) -> tuple[int, ...]:
        return grid(n) if self.k is None else (self.k,)

    def _averaging(self, values: Floats, n: int, dimension: int, *, given: bool) -> Averaging:
        if self.k is not None:
            return alone(self.k)
        if given:
            return averaging(n, conditional_priors(dimension))
        rough = float(values[min(4, len(values) - 1)])  # k = 5, the fifth of the grid
        return averaging(n, information_priors(dimension), quarters(rough, n) if dimension == 2 else 0)

    def _excess(self, dimension: int, *, given: bool) -> Excess:
        if self.k is not None:  # its bias is in no other part of the interval
            return Excess(0.0, 0.0, 1.0)
        return _conditional_excess(dimension) if given else information_excess()

    def _within(self, problem: JointSample) -> Estimate:
        space = _space(problem, published=self.k is not None)
        if space is None:
            return Estimate(
                0.0, 0.0, notes=("what is constant, or constant given z, tells nothing: 0 exactly",)
            )
        n, d = space.joint.shape
        ks = self._ks(n)
        distances, rows = Tree(space.joint).neighbours(max(ks) + 1)
        found = local_terms(space.margins, distances, rows, ks)
        order = digamma(np.array(ks, dtype=np.float64))
        # without columns of z its count is that of all rows
        given = len(space.margins) == 3
        all_in, all_left = (0.0, 0.0) if given else (digamma(n), digamma(n - 1))
        values = order + all_in + found.own.mean(axis=0)
        spread = jackknife((order + all_left + found.without / (n - 1)).T)
        chosen = self._averaging(values, n, d, given=given)
        shares = chosen.shares(values)
        w = shares @ chosen.weights
        value = float(w @ values)
        noise = variance(w, spread, self._excess(d, given=given).matrix(ks), n)
        left = chosen.bias_error(values, shares)
        return Estimate(value, math.sqrt(noise), left, distrust=_doubt(value, n, space.repeated, d))


def _conditional_excess(dimension: int) -> Excess:
    """What the jackknife has too much with a condition: less than without, as counts of one sign offset the others."""
    return Excess(0.74, 1.12, 0.32) if dimension <= 3 else Excess(0.48, 0.86, 0.35)


def _doubt(value: float, n: int, repeated: float, dimension: int) -> str:
    if repeated > 0.01:
        return f"{repeated:.1%} of the rows equal another in every column: take MixedKSG, or declare columns discrete"
    if value > resolved(n):
        return f"so much information cannot be resolved by {n} rows: the truth may be larger"
    if dimension > 5:
        return f"{dimension} columns: the bias of neighbours there is not known; compare with GaussianCopula"
    return ""


@dataclass(frozen=True)
class _Space:
    """The rows by all columns (n, d), the margins to count in, and the share of rows that equal another altogether."""

    joint: Floats
    margins: list[Strips]
    repeated: float


def _space(problem: JointSample, *, published: bool) -> _Space | None:
    """The scores to search in, None where x or y tells nothing.

    As `published` they are the data's, equal where values are equal; else equal values are put in an arbitrary order,
    x and y are scores of what z does not foretell, and z counts for less.
    """
    given = np.empty((problem.n, 0)) if problem.given is None else problem.given.values
    parts = [_varying(values) for values in (problem.x.values, problem.y.values, given)]
    if not parts[0].size or not parts[1].size:
        return None
    columns = np.column_stack(parts)
    found = ranked(columns)  # by content: the order of the data does not pick among rows at one distance
    points = shared_scores(columns[found.order]) if published else scores(problem.n)[found.places]
    cuts = np.cumsum([part.shape[1] for part in parts])[:2]
    x, y, z = np.split(points, cuts, axis=1)
    if z.size and not published:
        *pair, last = np.split(columns[found.order], cuts, axis=1)
        known = Columns(last, z)
        sides = (Columns(v, s) for v, s in zip(pair, (x, y), strict=True))
        x, y = (shared_scores(_varying(residuals(side, known))) for side in sides)
        z = _SHARE_OF_GIVEN * z
        if not x.size or not y.size:
            return None
    margins = [Strips(np.column_stack([x, z]), -1), Strips(np.column_stack([y, z]), -1)]
    joint = np.column_stack([x, y, z])
    return _Space(joint, [*margins, Strips(z, 1)] if z.size else margins, found.repeated)


def _varying(values: Floats) -> Floats:
    """The columns that are not constant, which say nothing."""
    return values[:, (values != values[:1]).any(axis=0)]
