"""Matching one law by another: scores of diffusions weighted by any f, transport maps, moments."""

from kullback.losses.matching.diffusions import (
    Diffusion,
    VarianceExploding,
    VariancePreserving,
    expansion,
    expansion_loss,
)
from kullback.losses.matching.moments import moment_kl
from kullback.losses.matching.monge import monge_gap
from kullback.losses.matching.ratios import TimeBins, discriminator_ratio
from kullback.losses.matching.scores import f_distill, score_weight

__all__ = [
    "Diffusion",
    "TimeBins",
    "VarianceExploding",
    "VariancePreserving",
    "discriminator_ratio",
    "expansion",
    "expansion_loss",
    "f_distill",
    "moment_kl",
    "monge_gap",
    "score_weight",
]
