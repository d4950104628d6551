"""How far apart are two distributions? Divergences as nouns, what one does with them as verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kullback.answer import Answer
from kullback.divergences import (
    DistanceKernel,
    Divergence,
    FDivergence,
    GaussianKernel,
    LaplacianKernel,
    Noun,
    alpha,
    bhattacharyya,
    bregman,
    catalogue,
    cauchy_schwarz,
    chernoff,
    energy_distance,
    fisher,
    gan,
    jeffreys,
    js,
    kl,
    le_cam,
    mmd,
    neyman_chi2,
    pearson_chi2,
    renyi,
    reverse_kl,
    skew_js,
    sliced_wasserstein,
    squared_hellinger,
    squared_l2,
    total_variation,
    tsallis,
    wasserstein,
)
from kullback.errors import (
    BudgetError,
    ConvergenceError,
    CoverageWarning,
    DTypeError,
    InvalidInputError,
    KullbackError,
    MissingDependencyError,
    ShapeError,
    SmallSampleWarning,
    TieWarning,
    UnsupportedPairError,
    UntrustedFileError,
)

if TYPE_CHECKING:
    from kullback.bounds import bound, lower_expectation, upper_expectation
    from kullback.estimators import Finding, Screening, entropy, estimate, mutual_information, screen
    from kullback.exact import Mixture, between, sampled, surrogate
    from kullback.losses import Engine, Head, TopK, check_loss, loss, per_token
    from kullback.tables import Profile, Report, compare

__version__ = "0.1.0"

# verbs whose rooms bring a dataframe library or a deep-learning one are loaded on first use
_LAZY = {
    "Engine": "kullback.losses",
    "Finding": "kullback.estimators",
    "Head": "kullback.losses",
    "Mixture": "kullback.exact",
    "Profile": "kullback.tables",
    "Report": "kullback.tables",
    "Screening": "kullback.estimators",
    "TopK": "kullback.losses",
    "between": "kullback.exact",
    "bound": "kullback.bounds",
    "check_loss": "kullback.losses",
    "compare": "kullback.tables",
    "entropy": "kullback.estimators",
    "estimate": "kullback.estimators",
    "loss": "kullback.losses",
    "lower_expectation": "kullback.bounds",
    "mutual_information": "kullback.estimators",
    "per_token": "kullback.losses",
    "sampled": "kullback.exact",
    "screen": "kullback.estimators",
    "surrogate": "kullback.exact",
    "upper_expectation": "kullback.bounds",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'kullback' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


__all__ = [
    "Answer",
    "BudgetError",
    "ConvergenceError",
    "CoverageWarning",
    "DTypeError",
    "DistanceKernel",
    "Divergence",
    "Engine",
    "FDivergence",
    "Finding",
    "GaussianKernel",
    "Head",
    "InvalidInputError",
    "KullbackError",
    "LaplacianKernel",
    "MissingDependencyError",
    "Mixture",
    "Noun",
    "Profile",
    "Report",
    "Screening",
    "ShapeError",
    "SmallSampleWarning",
    "TieWarning",
    "TopK",
    "UnsupportedPairError",
    "UntrustedFileError",
    "alpha",
    "between",
    "bhattacharyya",
    "bound",
    "bregman",
    "catalogue",
    "cauchy_schwarz",
    "check_loss",
    "chernoff",
    "compare",
    "energy_distance",
    "entropy",
    "estimate",
    "fisher",
    "gan",
    "jeffreys",
    "js",
    "kl",
    "le_cam",
    "loss",
    "lower_expectation",
    "mmd",
    "mutual_information",
    "neyman_chi2",
    "pearson_chi2",
    "per_token",
    "renyi",
    "reverse_kl",
    "sampled",
    "screen",
    "skew_js",
    "sliced_wasserstein",
    "squared_hellinger",
    "squared_l2",
    "surrogate",
    "total_variation",
    "tsallis",
    "upper_expectation",
    "wasserstein",
]
