"""The mutual information of continuous columns and classes, from nearest neighbours of the same class."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.neighbour_average import Averaging, Priors, alone, averaging
from kullback.estimators.neighbour_weights import BiasPrior, Excess, information_excess, jackknife, variance
from kullback.estimators.problem import JointSample
from kullback.estimators.strata import average, averaged, row_weights, strata
from kullback.estimators.strips import Strips, local_terms, own_terms
from kullback.estimators.trees import Tree
from kullback.wording import several

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_LEAST = 3  # members a class needs: a row, its neighbour, and one that may be left out


@dataclass(frozen=True)
class Ross(InformationMethod):
    r"""The mutual information of continuous columns with classes, from the k-th neighbour within the class.

    $$\hat I = \psi(n) + \frac1n \sum_i \big[\psi(k_i) - \psi(n_{c(i)}) - \psi(m_i)\big]$$

    where $n_c$ is the size of row i's class and $m_i$ the number of rows of any class, i among them, that are strictly
    closer than its k-th neighbour of the same class (maximum norm, columns of equal spread). In nats; x (n, d) and the
    classes may come in either order. `k` None weights k = 1, …, 20 against their bias, averaged over what the curve
    over k says it is, and widens the interval by what is left; a number takes that k as it is. A class of few members
    takes k at most its size less 2; classes of one or two members are left out, which the notes tell and the interval
    allows for. The standard error is that of the exact delete-one jackknife, with weighted k less most of its known
    excess. A discrete `given` makes strata, whose average is taken.

    The information of classes is at most their entropy; an estimate beyond it is told in the notes, not clipped.
    Refuses two variables of one kind, mixed ones, a continuous `given`, other divergences, weights, and too few rows in
    all classes. Source: [ross2014], [efron1981], [hoeting1999].

    >>> import kullback as kb
    >>> from kullback.estimators import Ross
    >>> x = [i / 100 for i in range(100)] + [5 + i / 100 for i in range(100)]
    >>> found = kb.mutual_information(x, ["a"] * 100 + ["b"] * 100, method=Ross(k=3))  # far apart: the class's entropy
    >>> round(found.value, 1)  # log 2
    0.7
    """

    k: int | None = None

    def __post_init__(self) -> None:
        if self.k is not None and (isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1):
            raise InvalidInputError(f"k must be a whole number from 1 on, or None; got {self.k!r}")

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "Ross, weighted k" if self.k is None else f"Ross, k={self.k}"

    def refusal(self, problem: JointSample) -> str:
        """Why the problem is not one of columns and classes."""
        if problem.divergence is not None:
            return f"knows the mutual information only, not that of {problem.divergence}"
        if problem.weights is not None:
            return "does not weight rows; leave `weights` out"
        if problem.x.mixed or problem.y.mixed or problem.x.continuous == problem.y.continuous:
            return "takes one continuous variable and one discrete; KSG takes two of the former, MixedKSG any mixture"
        if problem.given is not None and not problem.given.discrete:
            return "takes a discrete `given` only; cut a continuous one into classes"
        if all(_largest(part) < _LEAST for part in _parts(problem)):
            return f"needs a class with more than 2 rows, got {_largest(problem)}: need > k samples"
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        """The weighted estimate, and how sure."""
        parts = _parts(problem)
        found = [self._within(part) for part in parts]
        return found[0] if problem.given is None else averaged(found, row_weights(parts))

    def statistic(self, problem: JointSample) -> float:
        """The value alone."""
        parts = _parts(problem)
        return average([self._value(part) for part in parts], parts)

    def _value(self, problem: JointSample) -> float:
        values, codes = _kept(problem)
        sizes = np.bincount(codes)
        if len(sizes) < 2 or not np.ptp(values, axis=0).any():
            return 0.0
        chosen = self._averaging(len(codes), sizes, values.shape[1])
        estimates = _values(_levelled(values), codes, chosen.ks)
        return float(chosen.shares(estimates) @ chosen.weights @ estimates)

    def _within(self, problem: JointSample) -> Estimate:
        values, codes = _kept(problem)
        n, sizes = len(codes), np.bincount(codes)
        gone = 1.0 - n / problem.n
        notes = _left_out(problem, n, len(sizes))
        if len(sizes) < 2 or not np.ptp(values, axis=0).any():
            told = (*notes, _NOTHING_LEFT if gone else _NOTHING)
            return Estimate(0.0, 0.0, 0.5 * gone * math.log(problem.n), notes=told)
        chosen = self._averaging(n, sizes, values.shape[1])
        small = int((sizes < max(chosen.ks) + 2).sum())
        notes += (f"k reduced in {small} of {len(sizes)} classes, to their size less 2",) if small else ()
        estimates, left_out, tied = _terms(_levelled(values), codes, chosen.ks)
        shares = chosen.shares(estimates)
        w = shares @ chosen.weights
        value = float(w @ estimates)
        noise = variance(w, jackknife(left_out.T), self._excess(values.shape[1]).matrix(chosen.ks), n)
        entropy = float(-(sizes / n) @ np.log(sizes / n))
        if value > entropy:
            notes += (
                f"above the entropy of the classes, {entropy:.6g} nats: noise, as neither can exceed it",
            )
        distrust = (
            f"{tied:.1%} of the rows equal another of their class: take MixedKSG" if tied > 0.01 else ""
        )
        # what the rows left out could have told is at most log n each
        bias = math.hypot(chosen.bias_error(estimates, shares), 0.5 * gone * math.log(problem.n))
        return Estimate(value, math.sqrt(noise), bias, distrust=distrust, notes=notes)

    def _averaging(self, n: int, sizes: Codes, dimension: int) -> Averaging:
        if self.k is not None:
            return alone(self.k)
        return averaging(n, _priors(dimension), within=max(_LEAST, n // len(sizes)))

    def _excess(self, dimension: int) -> Excess:
        """Most of that of mutual information, half of it on the line; none at one k, whose bias is in no other part."""
        share = 0.0 if self.k is not None else 0.5 if dimension == 1 else 0.9
        return replace(information_excess(), share=share)


_NOTHING = "a constant carries no information: 0 exactly"
_NOTHING_LEFT = "what is left has no two classes, or no two values: it tells nothing"


def _parts(problem: JointSample) -> list[JointSample]:
    return [problem] if problem.given is None else strata(problem)


def _sides(problem: JointSample) -> tuple[Floats, Codes]:
    """The continuous columns and the classes, whichever side they are on."""
    classes, other = (problem.y, problem.x) if problem.x.codes is None else (problem.x, problem.y)
    assert classes.codes is not None
    return other.values, classes.codes


def _largest(problem: JointSample) -> int:
    return int(np.bincount(_sides(problem)[1]).max())


def _kept(problem: JointSample) -> tuple[Floats, Codes]:
    """The same without classes of 1 or 2 rows, in which no neighbour could be left out."""
    values, codes = _sides(problem)
    kept = np.bincount(codes)[codes] >= _LEAST
    return values[kept], np.unique(codes[kept], return_inverse=True)[1]


def _left_out(problem: JointSample, kept: int, classes: int) -> tuple[str, ...]:
    few = int(np.count_nonzero(np.bincount(_sides(problem)[1]))) - classes
    rows = several(problem.n - kept, "row")
    return (f"{rows} of {several(few, 'class', 'classes')} with 1 or 2 rows left out",) if few else ()


def _levelled(values: Floats) -> Floats:
    """Columns of one spread, so that none alone makes the distances; outliers do not set it."""
    middle = np.median(values, axis=0)
    spread = np.median(np.abs(values - middle), axis=0)
    spread = np.where(spread > 0, spread, np.abs(values - middle).max(axis=0))
    return (values - middle) / np.where(spread > 0, spread, 1.0)


def _values(values: Floats, codes: Codes, ks: tuple[int, ...]) -> Floats:
    """The estimates alone, (K,)."""
    everyone = [Strips(values, -1)]
    total = np.zeros(len(ks))
    for code, size in enumerate(np.bincount(codes)):
        rows = np.flatnonzero(codes == code)
        orders = np.minimum(ks, size - 2)
        reach = Tree(values[rows]).neighbours(int(orders.max()))[0][:, orders - 1]
        total += own_terms(everyone, reach, rows).sum(axis=0) + size * (digamma(orders) - digamma(size))
    return digamma(len(codes)) + total / len(codes)


def _terms(values: Floats, codes: Codes, ks: tuple[int, ...]) -> tuple[Floats, Floats, float]:
    """The estimates, (K,), those without each row, (n, K), and the share of rows that equal another of their class."""
    n = len(codes)
    total = np.zeros(len(ks))
    without = np.zeros((n, len(ks)))
    tied = 0
    everyone = [Strips(values, -1)]
    for code, size in enumerate(np.bincount(codes)):
        rows = np.flatnonzero(codes == code)
        own_ks = tuple(sorted({min(k, size - 2) for k in ks}))
        pick = [own_ks.index(min(k, size - 2)) for k in ks]
        distances, near = Tree(values[rows]).neighbours(max(own_ks) + 1)
        tied += int((distances[:, 0] == 0).sum())
        found = local_terms(everyone, distances, rows[near], own_ks, where=rows)
        order = digamma(np.array(own_ks, dtype=np.float64))[pick]
        total += found.own.sum(axis=0)[pick] + size * (order - digamma(size))
        left = size - (codes == code)[:, None]
        without += found.without[:, pick] + left * (order - digamma(left))
    return digamma(n) + total / n, digamma(n - 1) + without / (n - 1), tied / n


def _priors(dimension: int) -> Priors:
    """What the bias may be, in powers of k over the rows of a class: little, some, or much.

    Set by the score of intervals at 500 and 2000 rows of classes of known laws.
    """
    if dimension == 1:
        return ((1.0, BiasPrior((1.0, 2.0), (0.5, 2.0), 2.0)),)
    if dimension == 2:
        return (
            (1.0, BiasPrior((1 / 2, 3 / 2), (0.1, 0.5), 1.1)),
            (1.3, BiasPrior((1 / 2, 3 / 2), (0.3, 3.0), 1.1)),
            (1.0, BiasPrior((1 / 2, 3 / 2), (3.0, 3.0), 1.1)),
        )
    if dimension == 3:
        return (
            (1.0, BiasPrior((1 / 2, 3 / 2), (0.15, 0.3), 2.0)),
            (1.0, BiasPrior((1 / 2, 3 / 2), (0.3, 1.5), 2.0)),
            (0.3, BiasPrior((1 / 2, 1.0), (0.5, 4.0), 2.0)),
        )
    return (
        (1.0, BiasPrior((1 / 2, 1.0), (0.15, 0.1), 0.8)),
        (1.1, BiasPrior((1 / 3, 2 / 3), (0.5, 1.2), 0.8)),
    )
