"""From samples: estimators with an honest interval. `estimate`, `entropy`, `mutual_information` and their methods."""

from __future__ import annotations

from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.verbs import entropy, estimate, mutual_information

__all__ = [
    "KernelMeans",
    "KernelPotentials",
    "LineTransport",
    "PlanTransport",
    "SlicedTransport",
    "entropy",
    "estimate",
    "mutual_information",
]
