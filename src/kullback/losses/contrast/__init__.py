"""Contrast: representations from what belongs together against what does not, and from two views that should agree."""

from kullback.losses.contrast.information import DonskerVaradhan, f_information
from kullback.losses.contrast.manifold import largest_nuclear_norm, mmcr
from kullback.losses.contrast.mim import contrastive_mim, mim
from kullback.losses.contrast.negatives import debiased_info_nce, info_nce, symmetric_info_nce
from kullback.losses.contrast.pairs import cosines, split
from kullback.losses.contrast.redundancy import barlow_twins, cross_correlation
from kullback.losses.contrast.salient import (
    alignment,
    common_salient,
    negative_joint_entropy,
    uniformity,
)
from kullback.losses.contrast.submodular import (
    facility_location_information,
    graph_cut_information,
    log_determinant_information,
)
from kullback.losses.contrast.wasserstein import lipschitz_penalty, wasserstein_dependency

__all__ = [
    "DonskerVaradhan",
    "alignment",
    "barlow_twins",
    "common_salient",
    "contrastive_mim",
    "cosines",
    "cross_correlation",
    "debiased_info_nce",
    "f_information",
    "facility_location_information",
    "graph_cut_information",
    "info_nce",
    "largest_nuclear_norm",
    "lipschitz_penalty",
    "log_determinant_information",
    "mim",
    "mmcr",
    "negative_joint_entropy",
    "split",
    "symmetric_info_nce",
    "uniformity",
    "wasserstein_dependency",
]
