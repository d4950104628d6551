"""From samples: estimators with an honest interval. `estimate`, `entropy`, `mutual_information` and their methods."""

from __future__ import annotations

from kullback.estimators.conditional import ConditionalKSG
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
from kullback.estimators.critics import (
    NWJ,
    DonskerVaradhan,
    FDime,
    InfoNCE,
    JensenShannonCritic,
    Joint,
    Separable,
    Smile,
    Training,
)
from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.gaussian_copula import GaussianCopula, GaussianInformation
from kullback.estimators.mixed_neighbours import MixedKSG
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.ratios import KLIEP, ULSIF, ClassifierRatio, Variational, from_scores
from kullback.estimators.ross import Ross
from kullback.estimators.screening import Finding, Screening, screen
from kullback.estimators.verbs import entropy, estimate, mutual_information

__all__ = [
    "KLIEP",
    "NSB",
    "NWJ",
    "ULSIF",
    "ChaoShen",
    "ChaoWangJost",
    "ClassifierRatio",
    "ConditionalKSG",
    "Contingency",
    "DonskerVaradhan",
    "FDime",
    "Finding",
    "Frequencies",
    "GaussianCopula",
    "GaussianInformation",
    "Grassberger",
    "InfoNCE",
    "JensenShannonCritic",
    "Joint",
    "KernelMeans",
    "KernelPotentials",
    "KozachenkoLeonenko",
    "LineTransport",
    "MillerMadow",
    "MixedKSG",
    "NearestKL",
    "PlanTransport",
    "PlugIn",
    "Ross",
    "Screening",
    "Separable",
    "SlicedTransport",
    "Smile",
    "Smoothed",
    "Training",
    "Variational",
    "entropy",
    "estimate",
    "from_scores",
    "mutual_information",
    "screen",
]
