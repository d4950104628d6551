"""Which method `method="auto"` takes, and why, in words for the notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from kullback.errors import UnsupportedPairError
from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.method import DivergenceMethod, EntropyMethod, InformationMethod, Method
from kullback.estimators.problem import JointSample, OneSample, TwoSamples

M = TypeVar("M", bound=Method)


@dataclass(frozen=True)
class Choice(Generic[M]):
    """A method and the reason for it."""

    method: M
    reason: str


_DISTANCES: tuple[tuple[DivergenceMethod, str], ...] = (
    (LineTransport(), "exact on one column"),
    (SlicedTransport(), "exact along every direction"),
    (PlanTransport(), "several columns"),
    (KernelMeans(), "unbiased over pairs of rows"),
    (KernelPotentials(), "needs no density estimate"),
)


def for_entropy(problem: OneSample) -> Choice[EntropyMethod]:
    """The method for an entropy."""
    raise UnsupportedPairError(f"no method for the entropy of `{problem.x.name}`")


def for_information(problem: JointSample) -> Choice[InformationMethod]:
    """The method for a mutual information."""
    raise UnsupportedPairError(
        f"no method for the information between `{problem.x.name}` and `{problem.y.name}`"
    )


def for_divergence(problem: TwoSamples) -> Choice[DivergenceMethod]:
    """The method for a divergence of two samples."""
    for method, reason in _DISTANCES:
        if not method.refusal(problem):
            return Choice(method, reason)
    raise UnsupportedPairError(
        f"no method for {problem.noun} between `{problem.x.name}` and `{problem.y.name}`"
    )
