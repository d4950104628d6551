"""Neural critics: networks trained to tell pairs, or two samples, apart, judged on rows that they have not seen."""

from __future__ import annotations

from kullback.estimators.critics.bounds import NWJ, DonskerVaradhan, InfoNCE, JensenShannonCritic
from kullback.estimators.critics.dependency import WassersteinDependency
from kullback.estimators.critics.ratios import FDime, Smile
from kullback.estimators.critics.settings import Joint, Lipschitz, Separable, Training
from kullback.estimators.critics.transport import LipschitzCritic

__all__ = [
    "NWJ",
    "DonskerVaradhan",
    "FDime",
    "InfoNCE",
    "JensenShannonCritic",
    "Joint",
    "Lipschitz",
    "LipschitzCritic",
    "Separable",
    "Smile",
    "Training",
    "WassersteinDependency",
]
