"""The method for an entropy, by the kinds and the number of the columns."""

from __future__ import annotations

from collections.abc import Iterator

from kullback.estimators.choose.choice import Choice, first
from kullback.estimators.counts import ChaoWangJost, MillerMadow
from kullback.estimators.method import EntropyMethod
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.problem import OneSample


def for_entropy(problem: OneSample) -> Choice[EntropyMethod]:
    """The method for an entropy."""
    return first(f"the entropy of `{problem.x.name}`", _candidates(problem), problem)


def _candidates(problem: OneSample) -> Iterator[Choice[EntropyMethod]]:
    if problem.x.codes is not None:
        yield Choice(ChaoWangJost(), "counts of classes, with those that were not seen")
        yield Choice(MillerMadow(), "counts of classes under weights")
    else:
        yield Choice(KozachenkoLeonenko(), "continuous columns")
