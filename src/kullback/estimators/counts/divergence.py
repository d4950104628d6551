"""Divergences of two samples of classes: of the observed shares without their bias, and of shares with a prior."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import (
    Divergence,
    FDivergence,
    alpha,
    bhattacharyya,
    kl,
    squared_l2,
    total_variation,
)
from kullback.divergences.renyi import Renyi
from kullback.errors import InvalidInputError
from kullback.estimators.counts import folded, kinked, noncentral, quadratic, sparse, statistics
from kullback.estimators.counts.tally import Counts, count
from kullback.estimators.counts.variation import estimate_variation
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]

_DRAWS = 400
_NUMBERS = 1_000_000  # in memory at a time


@dataclass(frozen=True)
class Frequencies(DivergenceMethod):
    r"""The divergence of the observed shares, less its bias: $D(\hat p \| \hat q) - B$.

    For every f-divergence that is curved or has a kink at 1; for Rényi of order in (0, ∞) and `bhattacharyya`, through
    the alpha divergence whose maps they are; for `squared_l2`, whose bias is known exactly. Bias and variance are the
    jackknife's, or a second-order expansion's where leaving out a row can make the value infinite; the interval is that
    of $\hat D / c \sim \chi'^2_k(\lambda)$ with these moments: the limit law where both samples have one law, nearly
    normal far from it. Classes that expect less than one row are made one for the value, those that expect less than
    five for the interval, equals by their pooled rows with equals; what the interval hides so goes on top of its upper
    end.

    Where f has a kink at 1, as in total variation, or within the noise of a class, the interval runs from what one half
    of the rows would show of a rule learnt on the other to the observed value less the bias of what is smooth, with the
    normal width at both ends: it holds where the laws are equal, too, there two or three times as wide as one that
    knew.

    The value is +inf where a class that only one sample has makes it so; the lower end stays finite. `Smoothed` gives
    a finite value. Weights that are whole numbers are repeated rows; other weights are refused, as are nouns that need
    positions, an f that is flat at 1 and one whose slope is steep without a bound there. Source: [miller1955].

    >>> import kullback as kb
    >>> from kullback.estimators import Frequencies
    >>> x, y = ["a"] * 500 + ["b"] * 500, ["a"] * 400 + ["b"] * 600
    >>> answer = kb.estimate(kb.js, x, y, method=Frequencies())
    >>> round(answer.value, 5), round(answer.low, 5), round(answer.high, 5)
    (0.00481, 0.00161, 0.01041)
    """

    @property
    def name(self) -> str:
        return "counts"

    def refusal(self, problem: TwoSamples) -> str:
        return _refusal(problem) or ("" if _served(problem.noun) else _unserved(problem.noun))

    def statistic(self, problem: TwoSamples) -> float:
        a, b = _counts(problem)
        assert isinstance(problem.noun, Divergence)
        return float(problem.noun(a, b, counts=True))

    def estimate(self, problem: TwoSamples) -> Estimate:
        a, b = _counts(problem)
        noun = problem.noun
        if isinstance(noun, FDivergence):
            return _of(noun, a, b)
        if isinstance(noun, Renyi) or noun == bhattacharyya:
            return _renyi(noun, a, b)
        return quadratic.squared_l2(a, b)


@dataclass(frozen=True)
class Smoothed(DivergenceMethod):
    r"""The divergence of shares to which a prior number of rows was added; finite whatever classes are empty.

    $$D(\tilde p \| \tilde q), \qquad \tilde p_i = (1 - w) \hat p_i + \frac wK, \qquad
      w = \frac{K s}{\min(n, m) + K s}$$

    `prior` = s is the number of rows added to each of the K classes in the smaller sample, ½ for Jeffreys' prior; the
    larger sample is mixed with as much of the uniform law, so that samples of equal shares have exactly 0 and the value
    falls as the prior grows. The shares sum to 1. It serves every divergence of masses.

    The upper end is the quantile of the divergence under the Dirichlet posteriors of both laws, from draws that `seed`
    fixes, which holds more than its level near equality; the lower end is `Frequencies`'s where that serves, else one
    from the posterior's bias and variance, and 0 for an f whose slope is too steep at 1 for either. Raises
    `InvalidInputError` for a prior that is not positive.
    Source: [jeffreys1946].

    >>> import kullback as kb
    >>> from kullback.estimators import Smoothed
    >>> x, y = ["a", "a", "b", "b"], ["a", "a", "a", "a"]
    >>> method = Smoothed(prior=0.5)
    >>> round(kb.estimate(kb.kl, x, y, method=method).value, 6)  # of (1/2, 1/2) from (9/10, 1/10)
    0.510826
    """

    prior: float = 0.5

    def __post_init__(self) -> None:
        s = self.prior
        if isinstance(s, bool) or not isinstance(s, int | float) or not 0 < s < math.inf:
            raise InvalidInputError(
                f"prior is {s!r}; expected a positive number of rows to add to each class; 0.5 is Jeffreys' prior"
            )

    @property
    def name(self) -> str:
        return f"counts + {self.prior:g}"

    def refusal(self, problem: TwoSamples) -> str:
        noun = problem.noun
        if isinstance(noun, Renyi) and noun.order in (0.0, math.inf):
            return (
                f"{noun.name} looks at the rarest classes, and those are the prior's; take an order between"
            )
        if isinstance(noun, Divergence):
            return _refusal(problem)
        return f"{problem.noun.name} is no divergence of masses alone; counts do not tell it"

    def statistic(self, problem: TwoSamples) -> float:
        return self._value(problem.noun, *_counts(problem))

    def estimate(self, problem: TwoSamples) -> Estimate:
        a, b = _counts(problem)
        noun = problem.noun
        assert isinstance(noun, Divergence)
        value = self._value(noun, a, b)
        draws = self._posterior(noun, a, b, problem.rng)
        shown = Frequencies().estimate(problem).interval if _served(noun) else None

        def interval(level: float) -> tuple[float, float]:
            if shown is not None:
                low = shown(level)[0]
            elif isinstance(noun, FDivergence):
                low = _lower_end_unserved(noun, a, b, level)
            else:
                low = _lower_end(value, draws, level)
            return min(low, value), max(_quantile(draws, (1 + level) / 2), value)

        told = (
            ""
            if not np.isnan(draws).any()
            else (
                f"the posterior of {self.name} reaches beyond what float64 tells of {noun.name}; take a larger prior"
            )
        )
        empty = int(((a == 0) | (b == 0)).sum())
        notes = (f"{self.prior:g} rows added to each of {a.size} classes; {empty} are empty in one sample",)
        return Estimate(value, _deviation(draws), interval=interval, distrust=told, notes=notes)

    def _value(self, noun: object, a: Counts, b: Counts) -> float:
        assert isinstance(noun, Divergence)
        share = self.prior * a.size / (min(a.sum(), b.sum()) + self.prior * a.size)
        p, q = ((1 - share) * x / x.sum() + share / a.size for x in (a, b))
        return float(noun(p, q, normalize=True))

    def _posterior(self, noun: Divergence, a: Counts, b: Counts, rng: np.random.Generator) -> Counts:
        together = max(1, _NUMBERS // a.size)
        found = []
        for start in range(0, _DRAWS, together):
            shape = (min(together, _DRAWS - start), a.size)
            p, q = (_log_gamma(x + self.prior, shape, rng) for x in (a, b))
            found.append(np.asarray(noun.of_logits(p, q)))
        return np.concatenate(found)


def _log_gamma(shapes: Counts, shape: tuple[int, int], rng: np.random.Generator) -> Counts:
    """Logarithms of gamma draws, which for a small prior are below what float64 holds: G(s) is G(s + 1) U^(1/s)."""
    return np.log(rng.standard_gamma(shapes + 1.0, shape)) - rng.standard_exponential(shape) / shapes


def _deviation(draws: Counts) -> float:
    """The standard deviation, whose squares may be beyond float64 where it is not."""
    top = float(np.abs(draws).max())
    return top * float((draws / top).std()) if 0 < top < math.inf else (0.0 if top == 0 else math.inf)


def _quantile(draws: Counts, probability: float) -> float:
    """The quantile, where a divergence that is unbounded may be beyond float64: no interpolation towards +inf."""
    whole = np.isfinite(draws).all()
    return float(np.quantile(draws, probability, method="linear" if whole else "higher"))


def _lower_end(value: float, draws: Counts, level: float) -> float:
    r"""For a noun that is smooth at equality: draws about the value vary as the value did about the truth.

    Mean and variance are those of $c\,\chi'^2_k(\lambda)$, λ = value/c: $c (k + \lambda)$ and $c^2 (2k + 4\lambda)$.
    """
    deviation = _deviation(draws)
    bias = float(draws.mean()) - value if deviation < math.inf else math.inf
    if not 0 < bias < math.inf:
        return _quantile(draws, (1 - level) / 2)
    scale = deviation * (deviation / (2.0 * bias + 4.0 * value))
    return scale * noncentral.lower_limit(value / scale, bias / scale, (1.0 + level) / 2.0)


def _lower_end_unserved(measure: FDivergence, a: Counts, b: Counts, level: float) -> float:
    """Where f is flat at 1, of its kinks elsewhere; where it is steep there, no more than that it is a divergence."""
    if not kinked.flat(measure) or a.size == 1:
        return 0.0
    few = sparse.joined(*sparse.pooled(a.astype(np.int64), b.astype(np.int64)))
    return folded.Folded.of(measure, *sparse.supported(measure, *few)).low((1.0 + level) / 2.0)


def _refusal(problem: TwoSamples) -> str:
    if not (problem.x.discrete and problem.y.discrete):
        return (
            "there are continuous columns, which have no counts; declare them kind='discrete', "
            "or take a nearest-neighbour method"
        )
    for w in (problem.weights_x, problem.weights_y):
        if w is not None and not np.all(w == np.rint(w)):
            return "weights that are no whole numbers are no counts; repeat rows, or round the weights"
    return ""


def _served(noun: object) -> bool:
    if isinstance(noun, FDivergence):
        return kinked.known(noun)
    if isinstance(noun, Renyi):
        return 0 < noun.order < math.inf
    return noun in (bhattacharyya, squared_l2)


def _unserved(noun: object) -> str:
    if isinstance(noun, FDivergence):
        what = "is flat at 1, so" if kinked.flat(noun) else "has a slope so steep at 1, or a kink so near it,"
        return (
            f"f of {noun} {what} that counts of nearly equal laws tell nothing of its law; "
            "Smoothed() gives a value; an f that is curved or has a kink at 1 is served"
        )
    return (
        f"no interval is known for {noun}; it serves f-divergences that are curved or have a kink at 1, renyi(a), "
        "0 < a < inf, bhattacharyya and squared_l2; Smoothed() serves every divergence of masses"
    )


def _counts(problem: TwoSamples) -> tuple[Counts, Counts]:
    """Both counts over the classes that occur, in an order that the names do not decide: the fewest rows first."""
    x, y = problem.x, problem.y
    assert x.codes is not None
    assert y.codes is not None
    a, b = count(x.codes, x.classes, problem.weights_x), count(y.codes, y.classes, problem.weights_y)
    order = np.lexsort((a, b, a + b))
    order = order[(a + b)[order] > 0]
    return a[order], b[order]


def _of(measure: FDivergence, a: Counts, b: Counts) -> Estimate:
    if a.size == 1:
        return Estimate(0.0, 0.0, notes=("both samples have one class, the same",))
    whole = a.astype(np.int64), b.astype(np.int64)
    few = sparse.pooled(*whole)
    bent = measure != total_variation and folded.needed(measure, *few)
    return replace((_folded if bent else _smooth)(measure, whole, few), notes=_empty(a, b))


def _folded(measure: FDivergence, whole: Pair, few: Pair) -> Estimate:
    """Where f has kinks within the noise."""
    found = statistics.plugin(measure, *whole)
    few = sparse.supported(measure, *sparse.joined(*few))
    law = folded.Folded.of(measure, *few)
    if not math.isfinite(found) or few[0].size == 1:

        def outer(level: float) -> tuple[float, float]:
            sure = (3.0 + level) / 4.0
            return max(0.0, law.low(sure), sparse.lacking_bound(measure, *whole, sure)), measure.upper_bound

        return Estimate(found, law.error if math.isfinite(found) else math.inf, interval=outer)
    value = folded.Folded.of(measure, *sparse.pooled(*whole, least=1.0)).value
    hidden = found - statistics.plugin(measure, *few)

    def ends(level: float) -> tuple[float, float]:
        sure = (1.0 + level) / 2.0
        high = min(law.high(sure) + hidden, measure.upper_bound)
        return min(law.low(sure), value), max(high, value)

    return Estimate(value, law.error, interval=ends)


def _smooth(measure: FDivergence, whole: Pair, few: Pair) -> Estimate:
    """And total variation, which has an interval of its own."""
    found = statistics.plugin(measure, *whole)
    hidden = found - statistics.plugin(measure, *few)
    shown = math.isfinite(found) and few[0].size > 1
    value = _value(measure, whole) if shown else found

    def ends(level: float) -> tuple[float, float]:
        if shown:
            answer = statistics.estimate(measure, *few, level, hidden=hidden)
            return min(answer.low, value), max(answer.high, value)
        return _lowest(measure, whole, few, level), measure.upper_bound

    return Estimate(value, statistics.standard_error(measure, *few), interval=ends)


def _value(measure: FDivergence, whole: Pair) -> float:
    """Less its bias, which the second order tells for cells that can expect a row; the others hide little."""
    a, b = sparse.pooled(*whole, least=1.0)
    if not measure.curvature_at_one:
        return estimate_variation(a, b, 0.95).value
    moments = statistics.jackknife(measure, a, b) if measure.bounded else statistics.expansion(measure, a, b)
    return statistics.plugin(measure, a, b) - moments.bias


def _lowest(measure: FDivergence, whole: Pair, few: Pair, level: float) -> float:
    """Where the value is +inf: what joined cells show, or a single cell by itself; each half as likely to fail."""
    lower = 0.0
    if few[0].size > 1:
        lower = statistics.estimate(measure, *few, (1.0 + level) / 2.0).low
    return max(0.0, lower, sparse.lacking_bound(measure, *whole, (3.0 + level) / 4.0))


def _empty(a: Counts, b: Counts) -> tuple[str, ...]:
    only = int((b == 0).sum()), int((a == 0).sum())
    return (f"{only[0]} classes occur in x alone, {only[1]} in y alone",) if any(only) else ()


def _renyi(noun: object, a: Counts, b: Counts) -> Estimate:
    r"""$R_a = \log(1 + a (a - 1) D_a) / (a - 1)$, a monotone map of the alpha divergence, ends and all."""
    order = noun.order if isinstance(noun, Renyi) else 0.5
    scale = 1.0 if isinstance(noun, Renyi) else 0.5
    if order == 1.0:
        return _of(kl, a, b)
    inner = _of(alpha(order), a, b)
    if inner.interval is None:
        return inner
    ends = inner.interval
    growth = order * (order - 1.0)

    def mapped(d: float) -> float:
        if d < 0.0:
            return scale * order * d  # an estimate below 0 has no logarithm; the map goes on straight
        if d == math.inf or growth * d <= -1.0:
            return math.inf
        return scale * math.log1p(growth * d) / (order - 1.0)

    slope = scale * order / (1.0 + growth * inner.value)
    error = slope * inner.standard_error if math.isfinite(inner.value) else math.inf
    return replace(
        inner,
        value=mapped(inner.value),
        standard_error=error,
        interval=lambda level: (mapped(ends(level)[0]), mapped(ends(level)[1])),
    )
