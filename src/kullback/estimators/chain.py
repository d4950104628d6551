"""KL of two samples with columns of both kinds, by the chain rule: that of the classes, and that within each class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import kl, reverse_kl
from kullback.errors import InvalidInputError
from kullback.estimators.counts import Frequencies
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.problem import TwoSamples

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChainedDivergence(DivergenceMethod):
    r"""KL or its reverse of rows that have classes c and continuous values v, from a method for each.

    $$\mathrm{KL}(p \| q) = \mathrm{KL}(p_c \| q_c) + \sum_c p(c)\, \mathrm{KL}(p_{v|c} \| q_{v|c})$$

    `classes` is the method for the first term, `values` that for each part of the second; the result has their unit,
    nats. The standard error adds those of the parts to that of the shares of the classes, which weigh the parts and
    make the first term: the slope in a share is $\log(p_c / q_c) + \mathrm{KL}_c$ for x and $-p_c / q_c$ for y.

    Refuses other divergences, which do not split so (density ratios take classes as columns), weights, and what one of
    the methods refuses. A class of x that y does not have makes the value +inf. Raises `InvalidInputError` where a
    class has too few rows for `values`, and names it. Source: [cover2006].

    >>> import kullback as kb
    >>> from kullback.estimators import ChainedDivergence
    >>> ChainedDivergence().name
    'counts, then nearest-neighbour KL within classes'
    """

    classes: DivergenceMethod = field(default_factory=Frequencies)
    values: DivergenceMethod = field(default_factory=NearestKL)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"{self.classes.name}, then {self.values.name} within classes"

    def refusal(self, problem: TwoSamples) -> str:
        """Why the rows or the divergence do not split into classes and values."""
        if problem.noun not in (kl, reverse_kl):
            return (
                f"splits kl and reverse_kl, not {problem.noun.name}; density ratios take classes as columns"
            )
        if not problem.x.mixed:
            return f"is for columns of both kinds; for one kind take {self.classes.name} or {self.values.name} alone"
        if problem.weighted:
            return "does not weight rows; leave the weights out"
        return self.classes.refusal(_codes(problem)) or self.values.refusal(_numbers(problem))

    def estimate(self, problem: TwoSamples) -> Estimate:
        """Both terms, and how sure."""
        if problem.noun == reverse_kl:
            problem = replace(problem, noun=kl, x=problem.y, y=problem.x)
        whole = self.classes.estimate(_codes(problem))
        if math.isinf(whole.value):
            return replace(whole, notes=(*whole.notes, "a class of one sample is missing in the other"))
        counts_x, counts_y = _tally(problem)
        present = np.flatnonzero(counts_x)
        parts = [self._part(problem, int(code)) for code in present]
        p = counts_x[present] / problem.x.n
        within = np.array([part.value for part in parts])
        noise = _shares(p, counts_y[present] / problem.y.n, within, problem.x.n, problem.y.n)
        # where both laws of the classes are near each other, their slopes vanish and the method knows what is left
        noise = max(noise, whole.standard_error**2)
        noise += float(p**2 @ np.array([part.standard_error**2 for part in parts]))
        left = float(p @ np.array([part.bias_error for part in parts]))
        return Estimate(
            whole.value + float(p @ within),
            math.sqrt(noise),
            math.hypot(whole.bias_error, left),
            distrust=next((part.distrust for part in (whole, *parts) if part.distrust), ""),
            notes=tuple(dict.fromkeys(note for part in (whole, *parts) for note in part.notes)),
        )

    def _part(self, problem: TwoSamples, code: int) -> Estimate:
        """The second term in one class."""
        assert problem.x.codes is not None
        assert problem.y.codes is not None
        inside = _numbers(problem).take(problem.x.codes == code, problem.y.codes == code)
        try:
            return self.values.estimate(inside)
        except InvalidInputError as error:
            rows = f"{inside.x.n} rows of x and {inside.y.n} of y"
            raise InvalidInputError(
                f"class {code} (of the discrete columns, in sorted order) has {rows}: {error}"
            ) from error


def _codes(problem: TwoSamples) -> TwoSamples:
    """The classes alone."""
    x, y = (replace(s, values=np.empty((s.n, 0))) for s in (problem.x, problem.y))
    return replace(problem, x=x, y=y)


def _numbers(problem: TwoSamples) -> TwoSamples:
    """The continuous columns alone."""
    x, y = (replace(s, codes=None, classes=0) for s in (problem.x, problem.y))
    return replace(problem, x=x, y=y)


def _tally(problem: TwoSamples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of each class in both samples."""
    assert problem.x.codes is not None
    assert problem.y.codes is not None
    classes = problem.x.classes
    return np.bincount(problem.x.codes, minlength=classes), np.bincount(problem.y.codes, minlength=classes)


def _shares(p: Floats, q: Floats, within: Floats, n: int, m: int) -> float:
    """The variance that the shares of the classes bring."""
    slope = np.log(p / q) + within
    of_x = float(p @ slope**2) - float(p @ slope) ** 2
    of_y = float(q @ (p / q) ** 2) - float(p.sum()) ** 2
    return of_x / n + of_y / m
