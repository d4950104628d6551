"""Densities on grids: kernels, bandwidths, and what is estimated from them."""

from __future__ import annotations

from kullback.estimators.density.bandwidth import (
    Bandwidth,
    ImprovedSheatherJones,
    Scott,
    Silverman,
    critical_bandwidths,
)
from kullback.estimators.density.divergence import GridDivergence
from kullback.estimators.density.entropy import KDEEntropy
from kullback.estimators.density.grid import GridDensity, grid_density
from kullback.estimators.density.information import GridInformation
from kullback.estimators.density.kernels import Epanechnikov, Gaussian, Kernel

__all__ = [
    "Bandwidth",
    "Epanechnikov",
    "Gaussian",
    "GridDensity",
    "GridDivergence",
    "GridInformation",
    "ImprovedSheatherJones",
    "KDEEntropy",
    "Kernel",
    "Scott",
    "Silverman",
    "critical_bandwidths",
    "grid_density",
]
