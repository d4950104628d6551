"""The method for a mutual information, by the kinds and the number of the columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kullback.estimators import diagnostics
from kullback.estimators.choose.choice import Choice, first
from kullback.estimators.conditional import ConditionalKSG
from kullback.estimators.counts import Contingency
from kullback.estimators.density import GridInformation
from kullback.estimators.ksg import KSG
from kullback.estimators.method import InformationMethod
from kullback.estimators.mixed_neighbours import MixedKSG
from kullback.estimators.mixtures import MixtureInformation
from kullback.estimators.problem import JointSample
from kullback.estimators.ratios import RatioInformation
from kullback.estimators.ross import Ross

_ATOMS = 0.05  # share of the rows with one value, from which a column is no longer described by a density


def for_information(problem: JointSample) -> Choice[InformationMethod]:
    """The method for a mutual information."""
    what = f"the information between `{problem.x.name}` and `{problem.y.name}`"
    return replace(first(what, _candidates(problem), problem), notes=diagnostics.notes(problem))


def _candidates(problem: JointSample) -> Iterator[Choice[InformationMethod]]:
    if problem.discrete:
        yield Choice(Contingency(), "counts of classes")
    elif problem.divergence is None and problem.weights is None:
        yield from _by_neighbours(problem)
    yield Choice(GridInformation(), "a density over one column on each side serves every f-divergence")
    yield Choice(RatioInformation(), "a density ratio serves every f-divergence, weights and any columns")


def _by_neighbours(problem: JointSample) -> Iterator[Choice[InformationMethod]]:
    if problem.continuous and problem.given is None:
        if problem.x.dimension + problem.y.dimension > 2 and diagnostics.atoms(problem) < _ATOMS:
            yield Choice(MixtureInformation(), "several continuous columns, whose joint shape matters")
        yield Choice(KSG(), "continuous columns")
    yield Choice(ConditionalKSG(), "continuous columns within a condition")
    yield Choice(Ross(), "continuous columns against classes")
    yield Choice(MixedKSG(), "columns of both kinds")
