"""Entropies of discrete columns: what each correction of the plug-in value is for, with an interval."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from kullback.estimators.counts import noncentral, shannon
from kullback.estimators.counts.tally import LEAST_ROWS, Tally, count, tally, unseen_share
from kullback.estimators.method import EntropyMethod, Estimate, Interval
from kullback.estimators.problem import OneSample

_LEAST_COVERAGE = 0.8  # below it, what was never seen decides about the entropy


class CountedEntropy(EntropyMethod):
    """What the corrections share: the counts, the variance, and what unseen classes do to the interval."""

    _whole: ClassVar[bool] = False  # whether only whole rows can be counted
    _least_coverage: ClassVar[float] = _LEAST_COVERAGE

    @abstractmethod
    def value(self, t: Tally) -> float:
        """The entropy of the law behind these counts."""

    def refusal(self, problem: OneSample) -> str:
        return refusal(problem, whole=self._whole)

    def estimate(self, problem: OneSample) -> Estimate:
        return self.of_tally(counted(problem))

    def of_tally(self, t: Tally) -> Estimate:
        """The estimate from the counts of the counts."""
        if t.classes == 1:
            return one_class(t)
        value = self.value(t)
        error = math.sqrt(max(self._variance(t), _second_order(t)))
        left = self._bias_left(t, value)
        notes, distrust = _told(t, self._least_coverage)
        inner = _normal(value, math.hypot(error, left)) if t.occurring(1) else _matched(t, value, error, left)
        return Estimate(value, error, left, _with_unseen(t, value, inner), distrust, notes)

    def _variance(self, t: Tally) -> float:
        """From leaving out one row at a time; rows of equal classes leave the same behind."""
        if not t.whole:
            h = shannon.plug_in(t)
            return float(t.times * t.shares @ (-np.log(t.shares) - h) ** 2) / t.n - _second_order(t)
        left = np.array([self.value(t.less_one(i)) for i in range(len(t.sizes))])
        weight = t.times * t.shares
        return (t.n - 1) * float(weight @ (left - weight @ left) ** 2) - _second_order(t)

    def _bias_left(self, t: Tally, value: float) -> float:
        return abs(shannon.chao_wang_jost(t) - value)


def refusal(problem: OneSample, *, whole: bool = False) -> str:
    """Why counts do not answer for this sample; empty where they do."""
    if not problem.x.discrete:
        return (
            f"`{problem.x.name}` has continuous columns, which have no counts; declare them kind='discrete' "
            "or take a nearest-neighbour method"
        )
    w = problem.weights
    if whole and w is not None and not np.all(w == np.rint(w)):
        return "it counts the classes seen once, which weights that are no whole numbers do not tell; use MillerMadow()"
    return ""


def counted(problem: OneSample) -> Tally:
    """The counts of the counts of a discrete sample."""
    assert problem.x.codes is not None
    return tally(count(problem.x.codes, problem.x.classes, problem.weights))


@dataclass(frozen=True)
class PlugIn(CountedEntropy):
    r"""The entropy of the observed shares, which is too small on average.

    $$\hat H = -\sum_i \frac{n_i}{n} \log \frac{n_i}{n}$$

    Source: [miller1955].

    >>> import kullback as kb
    >>> from kullback.estimators import PlugIn
    >>> round(kb.entropy(["a", "a", "b", "b"], method=PlugIn()).bits.value, 6)
    1.0
    """

    @property
    def name(self) -> str:
        return "plug-in"

    def value(self, t: Tally) -> float:
        return shannon.plug_in(t)


@dataclass(frozen=True)
class MillerMadow(CountedEntropy):
    r"""The plug-in entropy plus its first-order bias, for K observed classes.

    $$\hat H + \frac{K - 1}{2n}$$

    Right where every class occurs several times. Source: [miller1955].

    >>> import kullback as kb
    >>> from kullback.estimators import MillerMadow
    >>> round(kb.entropy(["a", "a", "b", "b"], method=MillerMadow()).value, 6)  # log 2 + 1/8
    0.818147
    """

    @property
    def name(self) -> str:
        return "Miller-Madow"

    def value(self, t: Tally) -> float:
        return shannon.plug_in(t) + shannon.first_bias(t)


@dataclass(frozen=True)
class Grassberger(CountedEntropy):
    r"""Grassberger's entropy, whose bias falls off exponentially in the expected counts, down to 1/2n.

    $$\log n - \frac1n \sum_i n_i G(n_i), \qquad
      G(k) = \psi(k) + \tfrac12 (-1)^k \left[\psi\left(\tfrac{k+1}{2}\right) - \psi\left(\tfrac k2\right)\right]$$

    Refuses weights that are not whole numbers. Source: [grassberger2003].

    >>> import kullback as kb
    >>> from kullback.estimators import Grassberger
    >>> round(kb.entropy(["a", "b"], method=Grassberger()).value, 6)  # 2 log 2 + Euler's constant
    1.96351
    """

    _whole = True

    @property
    def name(self) -> str:
        return "Grassberger"

    def value(self, t: Tally) -> float:
        return shannon.grassberger(t)

    def _variance(self, t: Tally) -> float:
        # G goes up and down between even and odd counts: a row less says nothing of its spread
        return MillerMadow()._variance(t)


@dataclass(frozen=True)
class ChaoShen(CountedEntropy):
    r"""Shares shrunk by Turing's coverage C, each term divided by the probability that its class is seen.

    $$-\sum_i \frac{C p_i \log(C p_i)}{1 - (1 - C p_i)^n}, \qquad C = 1 - \frac{f_1}{n}, \quad p_i = \frac{n_i}{n}$$

    $f_1$ classes have one row. For many rare classes; where all are common it is the plug-in value, whose bias it then
    keeps. Refuses weights that are not whole numbers. Source: [chao2003].

    >>> import kullback as kb
    >>> from kullback.estimators import ChaoShen
    >>> round(kb.entropy(["a", "a", "b", "b"], method=ChaoShen()).value, 6)  # log 2 / (1 − 1/16)
    0.739357
    """

    _whole = True

    @property
    def name(self) -> str:
        return "Chao-Shen"

    def value(self, t: Tally) -> float:
        return shannon.chao_shen(t)


@dataclass(frozen=True)
class ChaoWangJost(CountedEntropy):
    r"""The unbiased estimate of all that n rows can tell of the entropy, and a bound for the rest from rare classes.

    $$\sum_i \frac{n_i}{n} \left[\psi(n) - \psi(n_i)\right] + \frac{f_1}{n} \sum_{j \ge 0} \frac{w^{j+1}}{n + j},
      \qquad w = 1 - \frac{2 f_2}{(n - 1) f_1 + 2 f_2}$$

    $f_1$ classes have one row, $f_2$ two. The least biased of those that need not know the number of classes. Refuses
    weights that are not whole numbers. Source: [chao2013].

    >>> import kullback as kb
    >>> from kullback.estimators import ChaoWangJost
    >>> round(kb.entropy(["a", "a", "b", "b"], method=ChaoWangJost()).value, 6)  # ψ(4) − ψ(2) = 1/2 + 1/3
    0.833333
    """

    _whole = True

    @property
    def name(self) -> str:
        return "Chao-Wang-Jost"

    def value(self, t: Tally) -> float:
        return shannon.chao_wang_jost(t)

    def _bias_left(self, t: Tally, value: float) -> float:  # noqa: ARG002  (the others compare theirs with this one)
        # the bound takes rare classes for alike; how far from alike they are, nobody has seen
        return 0.5 * shannon.unseen(t)


def _second_order(t: Tally) -> float:
    """The variance of the chi-square that is left where all classes are equally likely."""
    return (t.classes - 1) / (2.0 * t.n**2)


def one_class(t: Tally) -> Estimate:
    """An entropy of 0, up to that of a law with a second class that is rare enough to stay unseen."""

    def interval(level: float) -> tuple[float, float]:
        return 0.0, _one_more(t, 0.0, level)

    note = "one class only; the upper end allows for a second"
    return Estimate(0.0, 0.0, interval=interval, distrust=_few(t), notes=(note,))


def _normal(value: float, error: float) -> Interval:
    def interval(level: float) -> tuple[float, float]:
        reach = float(ndtri(0.5 + level / 2.0)) * error
        return value - reach, value + reach

    return interval


def _with_unseen(t: Tally, value: float, inner: Interval) -> Interval:
    """With room at the upper end for a class that is rare enough to stay unseen, as where there is one class only."""

    def interval(level: float) -> tuple[float, float]:
        low, high = inner(level)
        return low, max(high, _one_more(t, value, level))

    return interval


def _one_more(t: Tally, value: float, level: float) -> float:
    """The entropy with a further class, as likely as one without rows can be, and no likelier than the others."""
    share = min(unseen_share(t.n, level), 1.0 / (t.classes + 1))
    return shannon.plug_in(tally(np.array([share, 1.0 - share]))) + (1.0 - share) * value


def _few(t: Tally) -> str:
    if t.n >= LEAST_ROWS:
        return ""
    return (
        f"of {t.n:g} rows, fewer than {LEAST_ROWS}, classes that were not seen may outweigh those that were"
    )


def _told(t: Tally, least: float) -> tuple[tuple[str, ...], str]:
    """Notes about the classes that were not seen, and the reason why they leave no interval."""
    if not t.occurring(1):
        return (), _few(t)
    note = f"classes seen hold {t.coverage:.4g} of the probability (Turing); {t.occurring(1):g} have one row"
    if t.coverage >= least:
        return (note,), _few(t)
    return (note,), (
        f"classes that were never seen hold about {1 - t.coverage:.2g} of the probability, and what they add cannot be "
        "known; take more rows, or NSB(classes=K) where the number of classes is known"
    )


def _matched(t: Tally, value: float, error: float, left: float) -> Interval:
    """log K − H is a divergence from equality, whose estimate is a scaled noncentral chi-square near it."""
    bias = shannon.first_bias(t)
    found = math.log(t.classes) - value + bias
    variance = error**2 + _second_order(t)
    # closer to equality than equal classes show themselves on average, the spread is theirs
    spread = variance if found > bias else 2.0 * found / t.n
    scale, freedom = noncentral.matched(found, bias, spread, 1.0 / (2.0 * t.n))
    freedom = max(freedom, 0.5)

    def interval(level: float) -> tuple[float, float]:
        sure = (1.0 + level) / 2.0
        near = scale * noncentral.lower_limit(found / scale, freedom, sure)
        far = scale * noncentral.upper_limit(found / scale, freedom, sure)
        top = math.log(t.classes)
        # what bias is left widens both sides as it would widen a normal interval
        more = math.hypot(error, left) - error
        reach = float(ndtri(sure)) * more
        return min(value, top - far - reach), max(value, top - near + reach)

    return interval
