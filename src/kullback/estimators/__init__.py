"""From samples: estimators with an honest interval. `estimate`, `entropy`, `mutual_information` and their methods."""

from __future__ import annotations

from kullback.estimators.adaptive_bins import AdaptiveBins, EqualFrequencyBins
from kullback.estimators.chain import ChainedDivergence
from kullback.estimators.chain_entropy import ChainedEntropy
from kullback.estimators.compression import Autoencoder, PrincipalComponents
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
    Lipschitz,
    LipschitzCritic,
    Separable,
    Smile,
    Training,
    WassersteinDependency,
)
from kullback.estimators.density import (
    Epanechnikov,
    Gaussian,
    GridDensity,
    GridDivergence,
    GridInformation,
    ImprovedSheatherJones,
    KDEEntropy,
    Scott,
    Silverman,
    critical_bandwidths,
    grid_density,
)
from kullback.estimators.distances.kernel_means import KernelMeans
from kullback.estimators.distances.potentials import KernelPotentials
from kullback.estimators.distances.transport import LineTransport, PlanTransport, SlicedTransport
from kullback.estimators.gaussian_copula import GaussianCopula, GaussianInformation
from kullback.estimators.ksg import KSG
from kullback.estimators.mixed_neighbours import MixedKSG
from kullback.estimators.mixtures import MixtureInformation
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.ratios import (
    KLIEP,
    ULSIF,
    ClassifierRatio,
    NearestRatio,
    RatioInformation,
    Variational,
    from_scores,
)
from kullback.estimators.ross import Ross
from kullback.estimators.rounding import RoundedEntropy
from kullback.estimators.screening import Finding, Screening, screen
from kullback.estimators.spacings import Correa, Ebrahimi, SpacingEntropy, VanEs, Vasicek
from kullback.estimators.verbs import entropy, estimate, mutual_information

__all__ = [
    "KLIEP",
    "KSG",
    "NSB",
    "NWJ",
    "ULSIF",
    "AdaptiveBins",
    "Autoencoder",
    "ChainedDivergence",
    "ChainedEntropy",
    "ChaoShen",
    "ChaoWangJost",
    "ClassifierRatio",
    "ConditionalKSG",
    "Contingency",
    "Correa",
    "DonskerVaradhan",
    "Ebrahimi",
    "Epanechnikov",
    "EqualFrequencyBins",
    "FDime",
    "Finding",
    "Frequencies",
    "Gaussian",
    "GaussianCopula",
    "GaussianInformation",
    "Grassberger",
    "GridDensity",
    "GridDivergence",
    "GridInformation",
    "ImprovedSheatherJones",
    "InfoNCE",
    "JensenShannonCritic",
    "Joint",
    "KDEEntropy",
    "KernelMeans",
    "KernelPotentials",
    "KozachenkoLeonenko",
    "LineTransport",
    "Lipschitz",
    "LipschitzCritic",
    "MillerMadow",
    "MixedKSG",
    "MixtureInformation",
    "NearestKL",
    "NearestRatio",
    "PlanTransport",
    "PlugIn",
    "PrincipalComponents",
    "RatioInformation",
    "Ross",
    "RoundedEntropy",
    "Scott",
    "Screening",
    "Separable",
    "Silverman",
    "SlicedTransport",
    "Smile",
    "Smoothed",
    "SpacingEntropy",
    "Training",
    "VanEs",
    "Variational",
    "Vasicek",
    "WassersteinDependency",
    "critical_bandwidths",
    "entropy",
    "estimate",
    "from_scores",
    "grid_density",
    "mutual_information",
    "screen",
]
