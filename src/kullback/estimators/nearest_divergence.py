"""KL of two samples by nearest neighbours, measured against references that take the curvature out of the balls."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from kullback.divergences import jeffreys, kl, reverse_kl
from kullback.errors import InvalidInputError
from kullback.estimators import neighbour_jackknife as jackknife
from kullback.estimators import neighbour_reference as reference
from kullback.estimators import neighbour_ties as ties
from kullback.estimators import neighbour_weights as weights
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.neighbour_balls import balls, checked, enough, levelled, rotated
from kullback.estimators.neighbour_reference import Reference
from kullback.estimators.neighbour_weights import BiasPrior
from kullback.estimators.problem import TwoSamples
from kullback.estimators.samples import Sample
from kullback.estimators.trees import Tree
from kullback.exact.pareto import term_k

Floats = NDArray[np.float64]
_CROWD = 0.2  # one row among the 5 nearest of so many of the other sample: there the samples do not overlap
_ALONE = 0.3  # one row with so much of the variance: a tail that the other law may lack
_HEAVY = 0.5  # the tail index of the terms above which a mean has no standard error
_LEANING = 3.0  # a correction of more of its own standard errors is the model's, not the data's
_BENT = math.log(
    2.0
)  # more in the other sample's ball than in the own one: the reference, not rows, fills it
_SUPPORTED = 3  # columns up to which the interval was seen to cover
_VOUCHED = 5  # columns beyond which laws unlike the references were seen outside it


@dataclass(frozen=True)
class NearestKL(DivergenceMethod):
    r"""KL, its reverse and Jeffreys' sum from the distances to the nearest rows of either sample.

    $$\widehat{\mathrm{KL}} = \sum_k w_k \Big[\psi(m+1) - \psi(n) +
    \frac1n \sum_i \log \frac{G_q(B'_k(x_i))\,/\,g_q(x_i)}{G_p(B_k(x_i))\,/\,g_p(x_i)}\Big]$$

    $B_k(x)$ and $B'_k(x)$ are the cubes about x that reach its k-th neighbour among the n rows of x and the m of y.
    `k` takes one k, weight 1 and volumes for both measures: the estimator as it was published. Without it, eleven k
    from one search are combined by weights that remove most of the bias, and each $G$ is a Gaussian of its sample's
    shape, or a mixture of Gaussians of that shape, with density g, under which laws like it are estimated without bias
    in any dimension. Both samples are seen in axes that make both shapes diagonal, so that no affine map of the columns
    changes anything beyond rounding. In nats.

    The standard error is the delete-one jackknife over both samples less its known excess, and the bias that the
    weights leave widens the interval, as do the parameters of the references in more than 3 columns, and what a
    reference adds at rows of x so far from y that it speaks in the place of rows. There is no interval where that is
    more than the standard error, where one row of y is near a fifth of x (n/m fifths where y has fewer rows, at most
    half of x: the samples hardly overlap), where one row makes three tenths of the variance (a tail that the other law
    may lack), where over 1 % of the rows equal others or one value makes 5 % of a column, in more than 3 columns where
    the correction of the bias is large against its own noise, and in more than 5 columns, where laws unlike the
    references keep a bias. Where log p/q has no variance, as of a Student's t with 3 degrees of freedom from a normal
    law, a note says that the interval may be too short. Where the other law ends sharply within x's, in two columns and
    more (skew normals a shift apart), no note does, and intervals were seen to hold 8 times in 10. Refuses discrete
    columns, weights and other divergences. Raises `InvalidInputError` for fewer rows than k + 2, for atoms, for columns
    that depend on each other, and for samples that share all rows.

    Source: [wang2009], [perezcruz2008], [efron1981], [schwarz1978], [vehtari2024].

    >>> import kullback as kb
    >>> from kullback.estimators import NearestKL
    >>> x, y = [0.0, 1.0, 2.0, 3.0], [-0.5, 0.5, 1.5, 2.5, 3.5]  # ψ(6) − ψ(4) − log 2 = 1/4 + 1/5 − log 2
    >>> round(kb.estimate(kb.kl, x, y, method=NearestKL(k=1)).value, 6)
    -0.243147
    """

    k: int | None = None

    def __post_init__(self) -> None:
        checked(self.k, type(self).__name__)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "nearest-neighbour KL" + ("" if self.k is None else f", k={self.k}")

    def refusal(self, problem: TwoSamples) -> str:
        """Only KL, its reverse and Jeffreys of continuous columns without weights are served."""
        if problem.noun not in (kl, reverse_kl, jeffreys):
            return f"nearest neighbours give kl, reverse_kl and jeffreys, not {problem.noun.name}; density ratios do"
        if not problem.x.continuous:
            return f"`{problem.x.name}` has discrete columns; neighbour distances need continuous ones"
        if problem.weighted:
            return (
                "neighbours are counted, and rows of different weight are not counts; leave the weights out"
            )
        return ""

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The divergence, and how sure."""
        d, least = problem.x.dimension, min(problem.x.n, problem.y.n)
        weighting = weights.single(self.k) if self.k else weights.weigh(least, prior(d))
        found = self._found(problem, weighting.ks, referred=self.k is None)
        spread = weights.jackknife(found.without_x) + weights.jackknife(found.without_y)
        noise = weights.variance(weighting.weights, spread, found.excess, 1)
        leaning = weights.lean(weighting, found.values, spread, found.excess, 1)
        tied, notes = ties.verdict(found.tied)
        if self.k is not None:
            notes = (*notes, "one k: the interval tells chance, not the bias of the estimator")
        if found.tail > _HEAVY:
            told = f"Pareto k of the terms is {found.tail:.2f}, above {_HEAVY}: the interval may be too short"
            notes = (*notes, told)
        spike = ties.spike(problem.x) or ties.spike(problem.y)
        distrust = tied or spike or self._doubt(d, found, leaning, noise)
        value = float(weighting.weights @ found.values)
        bias = math.hypot(weighting.bias_error, found.foretold, 0.0 if self.k else _overfit(problem))
        return Estimate(value, math.sqrt(noise), bias, distrust=distrust, notes=notes)

    def statistic(self, problem: TwoSamples) -> float:
        """The number of one k, 5 unless told, by volumes: neither weights nor references."""
        k = self.k or min(5, problem.x.n - 2, problem.y.n - 2)
        return float(self._found(problem, (k,), referred=False).values[0])

    def _found(self, problem: TwoSamples, ks: tuple[int, ...], *, referred: bool) -> _Deletions:
        """The estimates in the direction that the noun asks for, or both added up."""
        for s in (problem.x, problem.y):
            enough(s, self.k)
        x, y = _framed(problem.x, problem.y, referred=referred)
        if problem.noun == kl:
            return _one_way(x, y, ks)
        backward = _one_way(y, x, ks).exchanged()
        return backward if problem.noun == reverse_kl else _one_way(x, y, ks) + backward

    def _doubt(self, d: int, found: _Deletions, leaning: float, noise: float) -> str:
        if found.crowd > _CROWD:
            return (
                f"one row is among the 5 nearest of {found.crowd:.0%} of the other sample, were both of one size: "
                "the two hardly overlap"
            )
        if found.heaviest > _ALONE:
            return (
                f"one row makes {found.heaviest:.0%} of the variance: one law may not cover the other's tail"
            )
        if found.foretold > math.sqrt(noise):
            return (
                f"rows far from all rows of the other sample make {found.foretold:.2g} of the value, more than its "
                "standard error: there the tail was assumed, not seen"
            )
        if d > _VOUCHED:
            return f"in {d} columns the bias is small for laws like the references only; {_VOUCHED} are supported"
        if self.k is None and d > _SUPPORTED and leaning > _LEANING:
            return f"the correction of the bias in {d} columns is {leaning:.1f} times its own noise"
        return ""


def prior(d: int) -> BiasPrior:
    """What the references leave of the bias in d columns: edges, mostly."""
    if d <= 2:
        return BiasPrior((1 / 2, 1.0), (0.5, 1.0), 3.0)
    # beyond 3 columns `_overfit` is the larger part
    return BiasPrior((1 / 3, 2 / 3), (0.6, 1.0) if d == 3 else (0.3, 0.7), 3.0)


@dataclass(frozen=True)
class _Deletions:
    """Estimates over the grid (K,), without each row of x (K, n) and of y (K, m), and what makes them doubtful.

    `excess` (K, K) is what the jackknife of both has too much, `foretold` the part of the value that comes from rows so
    far from the other sample that its reference speaks for it.
    """

    values: Floats
    without_x: Floats
    without_y: Floats
    excess: Floats
    crowd: float
    tied: float
    foretold: float
    tail: float

    @property
    def heaviest(self) -> float:
        """The largest share that one row has in the variance at the largest k."""
        moves = [(w[-1] - w[-1].mean()) ** 2 for w in (self.without_x, self.without_y)]
        return max(float(m.max() / m.sum()) for m in moves)

    def exchanged(self) -> _Deletions:
        """The same with x and y in each other's place."""
        return replace(self, without_x=self.without_y, without_y=self.without_x)

    def __add__(self, other: _Deletions) -> _Deletions:
        return _Deletions(
            self.values + other.values,
            self.without_x + other.without_x,
            self.without_y + other.without_y,
            self.excess + other.excess,
            max(self.crowd, other.crowd),
            max(self.tied, other.tied),
            self.foretold + other.foretold,
            max(self.tail, other.tail),
        )


Side = tuple[Tree, Reference | None]


def _one_way(p: Side, q: Side, ks: tuple[int, ...]) -> _Deletions:
    """KL of p's law from q's."""
    near = balls(p[0], ks, reference=p[1])
    far = balls(q[0], ks, reference=q[1], queries=p[0].points)
    if near.atomic or far.atomic:
        raise InvalidInputError(
            f"a row equals {max(ks) + 1} or more others: an atom, at which no density exists; declare columns with "
            "repeated values kind='discrete'"
        )
    if far.tied == 1.0:
        raise InvalidInputError(
            "every row of one sample occurs in the other: they are not independent draws of densities; for values that "
            "repeat declare kind='discrete'"
        )
    values, without_p, without_q = jackknife.divergences(
        near.reach, near.rows, far.reach, far.rows, ks, len(q[0].points)
    )
    excess = _excess(p[0].points.shape[1], without_p.shape[1], without_q.shape[1], ks)
    # of fewer rows of q each is near more of p's, by no fault of the laws; near half of them is too many at any size
    sizes = np.clip(without_q.shape[1] / without_p.shape[1], _CROWD / 0.5, 1.0)
    crowd = far.busiest(min(5, max(ks) + 1)) * float(sizes)
    tied = max(near.tied, far.tied)
    bent = far.bent - near.bent
    foretold = float(np.where(bent > _BENT, bent, 0.0).mean())
    terms = (jackknife.at(far.reach, ks) - jackknife.at(near.reach, ks))[:, -1]
    return _Deletions(values, without_p, without_q, excess, crowd, tied, foretold, term_k(terms, terms))


def _framed(x: Sample, y: Sample, *, referred: bool) -> tuple[Side, Side]:
    """Both samples in the axes in which both shapes are diagonal, with their references."""
    points, _ = levelled(x, y)
    for s, rows in zip((x, y), points, strict=True):
        if reference.flat(rows):
            flat = (
                "all have one value"
                if s.dimension == 1
                else f"lie on a plane, line or point of their {s.dimension} columns"
            )
            raise InvalidInputError(
                f"the rows of `{s.name}` {flat}, where no density exists: drop a column that is constant or follows "
                "from the others, or declare repeated values kind='discrete'"
            )
    bases = [reference.fit(rows) if referred else None for rows in points]
    shapes = [reference.scatter(r) if b is None else b.shape for r, b in zip(points, bases, strict=True)]
    axes = eigh(shapes[1], shapes[0] + shapes[1])[1].astype(
        np.float64
    )  # of the sum, which has no first sample
    first, second = (
        (Tree(rotated(r, axes)), None if b is None else b.moved(axes))
        for r, b in zip(points, bases, strict=True)
    )
    return first, second


def _overfit(problem: TwoSamples) -> float:
    """The bias that references with d (d + 3)/2 parameters each can add; it was seen only beyond 3 columns."""
    d = problem.x.dimension
    return d * (d + 3) / 4 * (1 / problem.x.n + 1 / problem.y.n) if d > _SUPPORTED else 0.0


def _excess(d: int, n: int, m: int, ks: tuple[int, ...]) -> Floats:
    """What the jackknife has too much: the entropy's part falls with x's rows, and so does most of the rest."""
    share = 1.0 if d <= _SUPPORTED else 0.75  # of that at equal laws; unlike ones have less in many columns
    both = replace(weights.divergence_excess(d), share=share).matrix(ks)
    of_x = share * weights.entropy_excess(d).matrix(ks)
    return of_x / n + (both - of_x) * (0.75 / n + 0.25 / m)  # seen at equal and unlike laws of 1 to 3 columns
