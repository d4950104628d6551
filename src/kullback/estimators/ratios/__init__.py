"""Divergences by the ratio of densities: models of log p/q, and what turns their scores into an estimate."""

from __future__ import annotations

from kullback.estimators.ratios.classifier import ClassifierRatio
from kullback.estimators.ratios.information import RatioInformation
from kullback.estimators.ratios.kernels import KLIEP, ULSIF
from kullback.estimators.ratios.nearest import NearestRatio
from kullback.estimators.ratios.scores import from_scores
from kullback.estimators.ratios.variational import Variational

__all__ = [
    "KLIEP",
    "ULSIF",
    "ClassifierRatio",
    "NearestRatio",
    "RatioInformation",
    "Variational",
    "from_scores",
]
