"""The method for a divergence of two samples, by the divergence, the kinds and the number of the columns."""

from __future__ import annotations

from collections.abc import Iterator

from kullback.estimators.chain import ChainedDivergence
from kullback.estimators.choose.choice import Choice, first
from kullback.estimators.counts import Frequencies, Smoothed
from kullback.estimators.density import GridDivergence
from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.method import DivergenceMethod
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.problem import TwoSamples
from kullback.estimators.ratios import ClassifierRatio

_NEAR = 5  # columns up to which nearest neighbours give an interval

_DISTANCES: tuple[Choice[DivergenceMethod], ...] = (
    Choice(LineTransport(), "exact on one column"),
    Choice(SlicedTransport(), "exact along every direction"),
    Choice(PlanTransport(), "several columns"),
    Choice(KernelMeans(), "unbiased over pairs of rows"),
    Choice(KernelPotentials(), "needs no density estimate"),
)


def for_divergence(problem: TwoSamples) -> Choice[DivergenceMethod]:
    """The method for a divergence of two samples."""
    what = f"{problem.noun.name} between `{problem.x.name}` and `{problem.y.name}`"
    return first(what, _candidates(problem), problem)


def _candidates(problem: TwoSamples) -> Iterator[Choice[DivergenceMethod]]:
    yield from _DISTANCES
    if problem.x.discrete:
        yield Choice(Frequencies(), "counts of classes")
        yield Choice(Smoothed(), "counts of classes, which a prior fills up")
        return
    if problem.x.mixed:
        yield Choice(ChainedDivergence(), "classes first, and the continuous columns within each")
    elif problem.x.dimension <= _NEAR:
        yield Choice(NearestKL(), f"up to {_NEAR} continuous columns")
        yield Choice(GridDivergence(), "a density over one or two columns serves every f-divergence")
    yield Choice(ClassifierRatio(), "a density ratio serves f-divergences, weights and any columns")
