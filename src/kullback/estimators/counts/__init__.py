"""Estimates from counts of classes: entropies, information, divergences of two samples."""

from __future__ import annotations

from kullback.estimators.counts.divergence import Frequencies, Smoothed
from kullback.estimators.counts.entropy import ChaoShen, ChaoWangJost, Grassberger, MillerMadow, PlugIn
from kullback.estimators.counts.information import Contingency
from kullback.estimators.counts.nsb import NSB

__all__ = [
    "NSB",
    "ChaoShen",
    "ChaoWangJost",
    "Contingency",
    "Frequencies",
    "Grassberger",
    "MillerMadow",
    "PlugIn",
    "Smoothed",
]
