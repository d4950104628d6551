"""Mutual information where atoms, ties, classes and continuous values mix, from counts about each row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, stdtrit

from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.normal_scores import shared_scores
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample
from kullback.estimators.strata import average, averaged, row_weights, strata
from kullback.estimators.trees import Tree

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_GAP = 1e3  # between classes, far beyond the range of normal scores
_GROUPS = 20
_STANDS_OUT = 5  # an atom has so many times the rows of the values next to it; levels of a scale have not
_LONELY = 0.05


@dataclass(frozen=True)
class MixedKSG(InformationMethod):
    r"""The mutual information of variables of any kinds, from the box about each row that reaches its k-th neighbour.

    $$\hat I = \frac1n \sum_i \big[\psi(\tilde k_i) + \psi(n_{z,i}) - \psi(n_{xz,i}) - \psi(n_{yz,i})\big],
    \qquad n_{z,i} = n \text{ without } \texttt{given}$$

    The n count rows in the box, i among them. Where the k-th neighbour lies at distance 0 they count the equal rows,
    and $\tilde k$ too: the counts of discrete variables. Where several rows lie at its distance in one margin (rounded
    values) the box is closed and $\tilde k$ the number of its other rows. Elsewhere it is open, as in `KSG`, and
    $\tilde k = k$. In nats. Continuous columns are put on normal scores, equal values on one; rows of different classes
    are infinitely far apart, and so is a value that occurs more than k times and over 5 times as often as the values
    next to it (an atom, such as the zeros of a cost) from all others. `k` is 10 for the sake of rounded data.

    The standard error leaves out 20 groups of rows in turn, drawn by the caller's `seed`; the bias that is left is
    taken to be the step from k/2 to k. Refuses other divergences, weights, and fewer than 40 rows (in a class
    of `given`). Source: [gao2017], [mesner2021], [frenzel2007].

    >>> import kullback as kb
    >>> from kullback.estimators import MixedKSG
    >>> x = [0.0, 1.0] * 500
    >>> round(kb.mutual_information(x, x, method=MixedKSG()).bits.value, 2)
    1.0
    """

    k: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise InvalidInputError(f"k must be a whole number from 1 on; got {self.k!r}")

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"mixed KSG, k={self.k}"

    def refusal(self, problem: JointSample) -> str:
        """Why the problem cannot be counted in boxes."""
        if problem.divergence is not None:
            return f"knows the mutual information only, not that of {problem.divergence}"
        if problem.weights is not None:
            return "does not weight rows; leave `weights` out"
        least = max(2 * _GROUPS, self.k + _GROUPS)
        sizes = [part.n for part in _parts(problem)]
        if min(sizes) < least:
            return (
                f"needs at least {least} rows (in each class of `given`), got {min(sizes)}: need > k samples"
            )
        return ""

    def statistic(self, problem: JointSample) -> float:
        """The value alone."""
        parts = _parts(problem)
        return average([_value(part, self.k)[0] for part in parts], parts)

    def estimate(self, problem: JointSample) -> Estimate:
        """The counts, and how sure."""
        parts = _parts(problem)
        found = [self._within(part, problem.seed) for part in parts]
        return found[0] if len(found) == 1 else averaged(found, row_weights(parts))

    def _within(self, problem: JointSample, seed: int) -> Estimate:
        if any(_constant(s) for s in (problem.x, problem.y)):
            return Estimate(0.0, 0.0, notes=("a constant carries no information: 0 exactly",))
        value, lonely, tied = _value(problem, self.k)
        left_out = [_value(part, self.k)[0] for part in _without_groups(problem, seed)]
        error = math.sqrt((_GROUPS - 1) * float(np.var(left_out)))
        bias = abs(value - _value(problem, max(1, self.k // 2))[0])
        notes = (f"{tied:.1%} of the rows have neighbours at equal distances",) if tied else ()
        if lonely:
            notes += (f"{lonely:.1%} of the rows are alone in their classes and left out",)

        def interval(level: float) -> tuple[float, float]:
            reach = float(stdtrit(_GROUPS - 1, 0.5 + level / 2)) * math.hypot(error, bias)
            return value - reach, value + reach

        distrust = f"{lonely:.0%} of the rows are alone in their classes" if lonely > _LONELY else ""
        return Estimate(value, error, bias, interval=interval, distrust=distrust, notes=notes)


def _parts(problem: JointSample) -> list[JointSample]:
    """Strata of a discrete `given`; a condition with continuous columns is a variable like the others."""
    return strata(problem) if problem.given is not None and problem.given.discrete else [problem]


def _constant(s: Sample) -> bool:
    return (s.codes is None or s.codes.min() == s.codes.max()) and not np.ptp(s.values, axis=0).any()


def _without_groups(problem: JointSample, seed: int) -> list[JointSample]:
    """The problem without one group of rows each; groups go by values, so that the order of rows says nothing."""
    keys = [column for s in problem.variables for column in s.values.T]
    keys += [s.codes for s in problem.variables if s.codes is not None]
    group = np.empty(problem.n, dtype=np.int64)
    group[np.lexsort(keys)] = np.random.default_rng([seed, 2]).permutation(problem.n) % _GROUPS
    return [problem.take(group != g) for g in range(_GROUPS)]


def _value(problem: JointSample, k: int) -> tuple[float, float, float]:
    """The estimate, the share of rows that are alone, and the share whose k-th neighbour is tied."""
    x, y = _placed(problem.x, k), _placed(problem.y, k)
    z = np.empty((problem.n, 0)) if problem.given is None else _placed(problem.given, k)
    joint = Tree(np.column_stack([x, y, z]))
    reach, order = _reach(joint, k)
    within = [_counts(np.column_stack(m), reach) for m in ([x, z], [y, z], [z])]
    zero = reach == 0
    several = np.logical_or.reduce([closed - opened > 1 for opened, closed in within])
    ties = several & ~zero & _repeats(problem)
    shut = zero | ties
    all_in = joint.counts(reach, strict=False)
    inner = np.where(zero, all_in, np.where(ties, all_in - 1, order))
    of_x, of_y, of_z = (np.where(shut, closed, opened) for opened, closed in within)
    alone = order < 0
    known = ~alone
    if not known.any():
        return 0.0, 1.0, 0.0
    local = digamma(inner[known]) + digamma(of_z[known]) - digamma(of_x[known]) - digamma(of_y[known])
    return float(local.mean()), float(alone.mean()), float(shut.mean())


def _repeats(problem: JointSample) -> bool:
    """Whether a continuous column repeats a value; without, only scores that mirror each other about 0 can tie."""
    columns = [column for s in problem.variables for column in s.values.T]
    return any(1 < len(np.unique(column)) < problem.n for column in columns)  # a constant says nothing


def _reach(joint: Tree, k: int) -> tuple[Floats, Codes]:
    """The distance to the k-th neighbour of the same classes, or to the farthest of fewer, and which that is.

    A row that no other shares its classes with has order −1, or, where no column but classes could tell rows apart,
    distance 0 to itself.
    """
    distances, _ = joint.neighbours(min(k, len(joint.points) - 1))
    order = (distances < _GAP / 2).sum(axis=1)
    reach = np.where(order > 0, distances[np.arange(len(order)), np.maximum(order, 1) - 1], 0.0)
    moving = (joint.points % _GAP != 0).any()
    return reach, np.where((order == 0) & moving, -1, order)


def _counts(points: NDArray[Any], reach: Floats) -> tuple[Codes, Codes]:
    """Rows in the open and in the closed box, each row counting itself; of no columns, all rows."""
    if not points.shape[1]:
        every = np.full(len(points), len(points))
        return every, every
    tree = Tree(points)
    return tree.counts(reach), tree.counts(reach, strict=False)


def _placed(s: Sample, k: int) -> NDArray[Any]:
    """Normal scores of the continuous columns, and one column that keeps classes and atoms apart."""
    kinds = [] if s.codes is None else [s.codes]
    kinds += [_atoms(column, k) for column in s.values.T]
    return np.column_stack([shared_scores(s.values), _GAP * _joined(kinds)])


def _joined(kinds: Sequence[Codes]) -> Codes:
    return np.unique(np.column_stack(kinds), axis=0, return_inverse=True)[1].reshape(-1)


def _atoms(column: Floats, k: int) -> Codes:
    """A number from 1 on for each value that stands out by how often it occurs, 0 for all others."""
    levels, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    if len(levels) == len(column):
        return np.zeros(len(column), dtype=np.int64)
    beside = np.maximum(np.append(0, counts[:-1]), np.append(counts[1:], 0))
    atom = (counts > k) & (counts > _STANDS_OUT * beside)
    return np.where(atom, np.arange(1, len(levels) + 1), 0)[inverse]
