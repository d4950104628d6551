"""Training losses: any divergence of two sets of logits, at the speed of the matrix products behind them (torch)."""

from kullback.losses import (
    bottleneck,
    contrast,
    matching,
    policy,
    preference,
    priors,
    robust,
    supervision,
    unlearn,
    unnormalised,
    variational,
)
from kullback.losses.bracketing import Bracket, bracket
from kullback.losses.distill import (
    Decoupled,
    balanced,
    by_entropy,
    decoupled,
    decoupled_parts,
    target_cross_entropy,
    toward_labels,
    with_labels,
)
from kullback.losses.doctor import Checkup, check_loss
from kullback.losses.dual_head import binary_loss
from kullback.losses.engines.chunks import Engine
from kullback.losses.features import Critic, feature_information
from kullback.losses.heads import Head
from kullback.losses.policy import kl_in_loss, kl_in_reward, sampled_kl
from kullback.losses.selected import Selected, selected
from kullback.losses.shards import Shard, shared_denominator
from kullback.losses.sinkhorn import Sinkhorn
from kullback.losses.sources import Sources
from kullback.losses.sparse import Rest, TopK
from kullback.losses.speculative import (
    Verdict,
    acceptance,
    best_draft,
    residual,
    speculative_step,
    speed_up,
    tokens_per_call,
)
from kullback.losses.teachers import (
    ClassCentroids,
    class_information,
    conditional_information,
    informative_teacher,
)
from kullback.losses.token import loss, per_token
from kullback.losses.transport import (
    batch_transport,
    class_alignments,
    class_cosines,
    class_costs,
    class_transport,
    gaussian_features,
    linear_alignment,
)
from kullback.losses.vocabulary import VocabularyMap, aligned

__all__ = [
    "Bracket",
    "Checkup",
    "ClassCentroids",
    "Critic",
    "Decoupled",
    "Engine",
    "Head",
    "Rest",
    "Selected",
    "Shard",
    "Sinkhorn",
    "Sources",
    "TopK",
    "Verdict",
    "VocabularyMap",
    "acceptance",
    "aligned",
    "balanced",
    "batch_transport",
    "best_draft",
    "binary_loss",
    "bottleneck",
    "bracket",
    "by_entropy",
    "check_loss",
    "class_alignments",
    "class_cosines",
    "class_costs",
    "class_information",
    "class_transport",
    "conditional_information",
    "contrast",
    "decoupled",
    "decoupled_parts",
    "feature_information",
    "gaussian_features",
    "informative_teacher",
    "kl_in_loss",
    "kl_in_reward",
    "linear_alignment",
    "loss",
    "matching",
    "per_token",
    "policy",
    "preference",
    "priors",
    "residual",
    "robust",
    "sampled_kl",
    "selected",
    "shared_denominator",
    "speculative_step",
    "speed_up",
    "supervision",
    "target_cross_entropy",
    "tokens_per_call",
    "toward_labels",
    "unlearn",
    "unnormalised",
    "variational",
    "with_labels",
]
