"""Looking into models and data: information planes, spectra, couplings of least entropy, answers that survive reuse."""

from kullback.information.bins import DistinctBins, EqualWidthBins
from kullback.information.bottleneck import (
    Compression,
    entropy_bounded_compression,
    greedy_compression,
    through_bottleneck,
)
from kullback.information.coding import PlanePoint
from kullback.information.coupling import Coupling, greedy_coupling, minimum_entropy_coupling
from kullback.information.diffusion import diffusion_entropy, diffusion_information, diffusion_spectrum
from kullback.information.noise import GaussianNoise, RelativeNoise
from kullback.information.plane import information_plane
from kullback.information.spectrum import kernel_matrix, spectral_entropy, vendi
from kullback.information.validity import Reply, ReusableHoldout, max_information

__all__ = [
    "Compression",
    "Coupling",
    "DistinctBins",
    "EqualWidthBins",
    "GaussianNoise",
    "PlanePoint",
    "RelativeNoise",
    "Reply",
    "ReusableHoldout",
    "diffusion_entropy",
    "diffusion_information",
    "diffusion_spectrum",
    "entropy_bounded_compression",
    "greedy_compression",
    "greedy_coupling",
    "information_plane",
    "kernel_matrix",
    "max_information",
    "minimum_entropy_coupling",
    "spectral_entropy",
    "through_bottleneck",
    "vendi",
]
