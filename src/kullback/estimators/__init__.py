"""From samples: estimators with an honest interval. `estimate`, `entropy`, `mutual_information` and their methods."""

from __future__ import annotations

from kullback.estimators.counts import (
    NSB,
    ChaoShen,
    ChaoWangJost,
    Contingency,
    Frequencies,
    Grassberger,
    MillerMadow,
    PlugIn,
    Smoothed,
)
from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.ratios import KLIEP, ULSIF, ClassifierRatio, Variational, from_scores
from kullback.estimators.screening import Finding, Screening, screen
from kullback.estimators.verbs import entropy, estimate, mutual_information

__all__ = [
    "KLIEP",
    "NSB",
    "ULSIF",
    "ChaoShen",
    "ChaoWangJost",
    "ClassifierRatio",
    "Contingency",
    "Finding",
    "Frequencies",
    "Grassberger",
    "KernelMeans",
    "KernelPotentials",
    "LineTransport",
    "MillerMadow",
    "PlanTransport",
    "PlugIn",
    "Screening",
    "SlicedTransport",
    "Smoothed",
    "Variational",
    "entropy",
    "estimate",
    "from_scores",
    "mutual_information",
    "screen",
]
