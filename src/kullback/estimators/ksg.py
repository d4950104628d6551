"""Mutual information of continuous variables by nearest neighbours, after Kraskov, Stögbauer and Grassberger."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError, TieWarning
from kullback.estimators import diagnostics, ksg_curve, ksg_joint, ksg_parts, ksg_pass
from kullback.estimators.gaussian_copula import GaussianCopula
from kullback.estimators.ksg_curve import Curve
from kullback.estimators.ksg_pass import Joint
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.neighbour_average import (
    Averaging,
    alone,
    averaging,
    information_priors,
    quarters,
    resolved,
)
from kullback.estimators.neighbour_weights import grid
from kullback.estimators.normal_scores import Ranked, ranked, scores
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample
from kullback.estimators.trees import ScorePair

Floats = NDArray[np.float64]

_TESTED = 64  # the largest k of a test: a larger one costs more than the power it adds
_CLEAR = 3  # columns up to which neighbours see dependence of any shape
_CROOKED = 1.5  # times the information of a normal law, from which on a third of it is of other shapes
_MODELLED = 6  # columns of x and y together up to which the interval was seen to cover


@dataclass(frozen=True)
class KSG(InformationMethod):
    r"""Mutual information from the distance to the k-th neighbour, and how many rows are closer in x and in y alone.

    $$\hat I_k = \psi(k) + \psi(n) - \frac{1}{n} \sum_i \big[\psi(n_x(i) + 1) + \psi(n_y(i) + 1)\big], \qquad
    \hat I = \sum_k w_k \hat I_k$$

    Distances are largest differences; $n_x(i)$ counts the other rows whose x is closer to row i than its k-th neighbour
    in (x, y). By default k runs over a grid from 1 to 20. How the estimates change with k says how much of their bias
    is that of edges, of curves, or of scales too fine for the rows, and the weights average over these; of a pair, they
    expect the more bias the narrower the strip that the rows lie in, which is $e^{-I}$ wide among ranks. What bias they
    may leave widens the interval; the standard error is the delete-one jackknife's, corrected for its excess. One `k`
    gives the estimate of the paper as it is, with no allowance for its bias. `variant=2` is the paper's second
    estimate, of one k, with the sides of the rectangle that holds the k neighbours in place of one distance, and no
    interval: $\psi(k) - 1/k + \psi(n) - \langle \psi(n_x) + \psi(n_y) \rangle$, where rows on a side count as well.

    With `scores`, each column is replaced by the normal scores of its ranks, so that no monotone map of a column
    matters, and equal values are put in an order that depends on nothing but the data. `scores=False` keeps the
    geometry of several columns, each variable divided by its spread; equal values are then an error in the result,
    which a `TieWarning` tells. Constant columns tell nothing and are left out. No interval is given where the estimate
    saturates or rests on the model of its bias, where rows are copies of others, where one column of x and one of y,
    or their distances from the centre, tell more of each other than all columns are said to, where five neighbours see
    less than two thirds of what one does, so that even one may see too little, in 4 to 6 columns where a normal law
    would not share two thirds of it, and beyond 6. The notes tell where the estimate at k = 10 is not yet that at 5,
    which is what half of the rows would change.

    Rows of unequal weight, a `given`, discrete columns and divergences other than KL are refused. Raises
    `InvalidInputError` with no more than k rows. Source: [kraskov2004], [efron1981], [hoeting1999].

    >>> import kullback as kb
    >>> x = [0.0, 1.0, 2.0, 3.0]
    >>> round(kb.mutual_information(x, x, method=KSG(k=1)).value, 9)  # ψ(4) − ψ(1) = 1 + 1/2 + 1/3
    1.833333333
    """

    k: int | None = None
    scores: bool = True
    variant: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.k is not None and (not isinstance(self.k, int) or self.k < 1):
            raise InvalidInputError(
                f"k must be a whole number from 1 on, or None for a weighted grid; got {self.k!r}"
            )
        if self.variant not in (1, 2):
            raise InvalidInputError(
                f"variant must be 1 or 2, as the paper numbers them; got {self.variant!r}"
            )
        if self.variant == 2 and self.k is None:
            raise InvalidInputError(
                "the weights over k are those of variant 1; name one k for variant 2, as in KSG(k=3, variant=2)"
            )

    @property
    def name(self) -> str:
        """The name in an answer."""
        of = "weighted k" if self.k is None else f"k={self.k}"
        of += "" if self.variant == 1 else ", variant 2"
        return f"KSG({of})" if self.scores else f"KSG({of}, raw)"

    def refusal(self, problem: JointSample) -> str:
        """Continuous x and y, rows of equal weight, nothing given, KL."""
        if problem.divergence is not None:
            return f"estimates the KL information only, not that of {problem.divergence}"
        if problem.given is not None:
            return "does not condition; take a conditional method for `given`"
        if not problem.continuous:
            return "needs continuous columns; take a method for mixed or discrete ones"
        if problem.weights is not None:
            return "counts rows, which have no weight; repeat or resample them"
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        """The information in nats, and how sure."""
        needed = grid(problem.n)[-1] if self.k is None else self.k
        if problem.n <= needed:
            raise InvalidInputError(f"KSG needs > {needed} samples, got {problem.n}")
        x, y, notes = _varying(problem)
        if not x.shape[1] or not y.shape[1]:
            return Estimate(0.0, 0.0, notes=notes)
        both = np.hstack([x, y])
        ranks = ranked(both)
        if self.variant == 2:
            value = ksg_pass.rectangles(self._tree(both, x.shape[1], ranks), needed)
            reason = "an interval is known for variant 1 only"
            return Estimate(value, math.inf, distrust=reason, notes=(*notes, *self._ties(ranks)))
        joint = self._joint(both, x.shape[1], ranks)
        if problem.n == needed + 1:
            reason = f"{problem.n} rows leave no neighbour to spare for an error"
            return Estimate(ksg_pass.value(joint, needed), math.inf, distrust=reason, notes=notes)
        notes = (*notes, *self._ties(ranks))
        chosen = _averaged(joint, both.shape[1]) if self.k is None else alone(self.k)
        found = _weighted(joint, chosen, both.shape[1])
        copies = diagnostics.copied(x, y) if ranks.repeated else ""
        reason = copies or _refuted(found, ranks, x.shape[1]) or found.distrust or _crooked(found, problem)
        if not self.scores and both.shape[1] == 2:
            reason = reason or _distorted(joint, ksg_joint.placed(ranks, 1), found.standard_error)
        return Estimate(
            found.value, found.standard_error, found.bias_error, None, reason, (*notes, *found.notes)
        )

    def statistic(self, problem: JointSample) -> float:
        """The estimate at one k: the given one, or `k_to_test`."""
        x, y, _ = _varying(problem)
        if not x.shape[1] or not y.shape[1]:
            return 0.0
        k = self.k or k_to_test(problem.n)
        if problem.n <= k:
            raise InvalidInputError(f"KSG needs > {k} samples, got {problem.n}")
        both = np.hstack([x, y])
        ranks = ranked(both)
        if self.variant == 2:
            return ksg_pass.rectangles(self._tree(both, x.shape[1], ranks), k)
        return ksg_pass.value(self._joint(both, x.shape[1], ranks), k)

    def _joint(self, both: Floats, width: int, ranks: Ranked) -> Joint | ScorePair:
        """Where the columns, of which the first `width` are those of x, are searched."""
        return ksg_joint.placed(ranks, width) if self.scores else self._tree(both, width, ranks)

    def _tree(self, both: Floats, width: int, ranks: Ranked) -> Joint:
        """The columns in a tree, which knows neighbours by both sides."""
        columns = scores(len(both))[ranks.places] if self.scores else both[ranks.order]
        return ksg_joint.searched(columns, width)

    def _ties(self, ranks: Ranked) -> tuple[str, ...]:
        if not ranks.tied:
            return ()
        told = f"{ranks.tied:.0%} of the rows share a value with another, {ranks.repeated:.0%} all of them"
        if not self.scores:
            warnings.warn(
                TieWarning(f"{told}: raw neighbour distances are wrong then; take KSG(scores=True)"),
                stacklevel=4,
            )
        return (f"ties: {told}",)


def k_to_test(n: int) -> int:
    """The k of a test of independence on n rows: n/16, between 1 and 64; a test wants a larger k than an estimate.

    >>> k_to_test(500)
    31
    """
    return max(1, min(n // 16, _TESTED))


def _varying(problem: JointSample) -> tuple[Floats, Floats, tuple[str, ...]]:
    """The columns of x and y that are not constant, and a note about those that are."""
    kept = []
    notes = []
    for sample in (problem.x, problem.y):
        varies = (sample.values != sample.values[0]).any(axis=0)
        kept.append(_spread_one(sample, varies))
        if not varies.all():
            notes.append(f"`{sample.name}` has {int((~varies).sum())} constant columns, which tell nothing")
    return kept[0], kept[1], tuple(notes)


def _spread_one(sample: Sample, varies: NDArray[np.bool_]) -> Floats:
    """The columns in units of their common spread, so that x and y weigh the same in a distance."""
    values = sample.values if varies.all() else sample.values[:, varies]
    return values / math.sqrt(values.var(axis=0).mean()) if values.shape[1] else values


def _averaged(joint: Joint | ScorePair, dimension: int) -> Averaging:
    """The priors of the bias; those of a pair know how narrow the strip is that its rough information leaves."""
    priors = information_priors(dimension)
    if dimension > 2:
        return averaging(joint.n, priors)
    rough = ksg_pass.value(joint, min(5, grid(joint.n)[-1]))
    return averaging(joint.n, priors, quarters(rough, joint.n))


def _weighted(joint: Joint | ScorePair, chosen: Averaging, dimension: int) -> Estimate:
    """The weighted estimate, its corrected jackknife error, and what speaks against trusting it."""
    size = len(chosen.ks)
    anchor = np.eye(size)[min(4, size - 1)]  # k = 5, the fifth of the grid
    curve = ksg_curve.curve(joint, chosen.ks, np.vstack([chosen.weights, anchor]))
    shares = chosen.shares(curve.values)
    w = shares @ chosen.weights
    value = float(w @ curve.values)
    error = curve.error(np.append(shares, [0.0, 0.0]))
    noise = curve.error(np.append(shares, [-1.0, 0.0]), floor=0.3)
    lean = abs(float((w - anchor) @ curve.values)) / noise if noise > 0 else 0.0
    left = chosen.bias_error(curve.values, shares)
    notes = _moves(chosen.ks, curve.values, math.hypot(error, left))
    if lean > 3:
        notes.append(f"the correction of bias moved the value by {lean:.0f} of its own standard errors")
    if left > error:
        notes.append("what bias may be left outweighs chance in the interval")
    reason = _distrust(value, curve, dimension, lean)
    return Estimate(value, error, left, None, reason, tuple(notes))


def _moves(ks: tuple[int, ...], values: Floats, error: float) -> list[str]:
    """Whether more rows still change the value: k neighbours among half of them are 2 k among all."""
    if not {5, 10} <= set(ks):
        return []
    step = float(values[ks.index(5)] - values[ks.index(10)])
    if abs(step) <= error:
        return []
    return [f"before correction the value moves by {step:+.2g} nats from half of the rows to all of them"]


def _refuted(found: Estimate, ranks: Ranked, width: int) -> str:
    """A part of x and a part of y that tell more of each other than x and y are said to."""
    columns = ranks.places.shape[1]
    if not 2 < columns <= _MODELLED:
        return ""
    most, where = ksg_parts.most(ranks.places, width)
    if most <= found.value + 2 * math.hypot(found.standard_error, found.bias_error):
        return ""
    return f"{where} alone share {most:.2g} nats, which all columns together cannot fall short of"


def _crooked(found: Estimate, problem: JointSample) -> str:
    """In many columns neighbours see correlation, and of what is bent, wound or shared scale a part only."""
    normal = GaussianCopula()
    columns = problem.x.dimension + problem.y.dimension
    if columns <= _CLEAR or normal.refusal(problem):
        return ""
    straight = max(normal.statistic(problem), 0.0)
    if found.value - _CROOKED * straight <= 1.64 * math.hypot(found.standard_error, found.bias_error):
        return ""
    return (
        f"a normal law of these {columns} columns would share {straight:.2g} nats only, and of dependence that is not "
        "normal neighbours of so many columns see a part: take MixtureInformation"
    )


def _distrust(value: float, curve: Curve, dimension: int, lean: float) -> str:
    """Why no interval can be vouched for, if so."""
    n, k = curve.n, min(curve.ks, key=lambda each: abs(each - 5))
    if value > resolved(n) or curve.inside < min(2 * k, 0.5 * math.sqrt(k * n)):
        return f"so much information cannot be resolved by {n} rows: the estimate saturates, the truth may be larger"
    if dimension > _MODELLED:
        return f"with {dimension} columns the bias is larger than any model of it that was verified"
    if curve.unresolved:
        return f"x and y are related more finely than {n} rows show: the nearest neighbours see much more than the next"
    if lean > 3 and value > 2:
        return "the value rests on the model of its bias more than on the data"
    return ""


def _distorted(raw: Joint | ScorePair, scored: Joint | ScorePair, error: float) -> str:
    """Heavy tails: raw columns and normal scores have one information, and should tell it alike."""
    k = min(5, raw.n - 1)
    if abs(ksg_pass.value(raw, k) - ksg_pass.value(scored, k)) <= 2 * error:
        return ""
    return "raw columns and their normal scores disagree, as under heavy tails; take KSG(scores=True)"
