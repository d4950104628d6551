"""The method for an entropy, by the kinds and the number of the columns."""

from __future__ import annotations

from collections.abc import Iterator

from kullback.estimators.chain_entropy import ChainedEntropy
from kullback.estimators.choose.choice import Choice, first
from kullback.estimators.counts import ChaoWangJost, MillerMadow
from kullback.estimators.density import KDEEntropy
from kullback.estimators.method import EntropyMethod
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.problem import OneSample
from kullback.estimators.rounding import RoundedEntropy, rounded, tied


def for_entropy(problem: OneSample) -> Choice[EntropyMethod]:
    """The method for an entropy."""
    return first(f"the entropy of `{problem.x.name}`", _candidates(problem), problem)


def _candidates(problem: OneSample) -> Iterator[Choice[EntropyMethod]]:
    if problem.x.discrete:
        yield Choice(ChaoWangJost(), "counts of classes, with those that were not seen")
        yield Choice(MillerMadow(), "counts of classes under weights")
    elif problem.x.mixed:
        if rounded(problem):
            yield Choice(
                RoundedEntropy(ChainedEntropy()), "classes, and continuous columns that were rounded"
            )
        yield Choice(ChainedEntropy(), "classes first, and the values within each")
        yield Choice(ChainedEntropy(MillerMadow(), KDEEntropy()), "classes and values under weights")
    else:
        yield from _of_values(problem)


def _of_values(problem: OneSample) -> Iterator[Choice[EntropyMethod]]:
    if rounded(problem):
        yield Choice(RoundedEntropy(), "continuous columns that were rounded")
    elif problem.x.dimension == 1 and tied(problem.x.values[:, 0]):
        yield Choice(KDEEntropy(), "a continuous column with equal values")
    yield Choice(KozachenkoLeonenko(), "continuous columns")
    yield Choice(KDEEntropy(), "one or two continuous columns under weights")
