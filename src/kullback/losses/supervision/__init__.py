"""Supervision that is weak or missing: priors of the classes, clusters, correctness, frequencies, bags of examples."""

from kullback.losses.supervision.aggregates import bag_matching, bag_regression, within_bag
from kullback.losses.supervision.calibration import (
    Reliability,
    bernoulli_matching,
    binned_targets,
    correctness,
    kernel_targets,
    reliability,
)
from kullback.losses.supervision.clustering import (
    balanced_targets,
    dec_targets,
    depict_targets,
    student_t_logits,
)
from kullback.losses.supervision.prior_matching import prior_matching, weighted_entropy

__all__ = [
    "Reliability",
    "bag_matching",
    "bag_regression",
    "balanced_targets",
    "bernoulli_matching",
    "binned_targets",
    "correctness",
    "dec_targets",
    "depict_targets",
    "kernel_targets",
    "prior_matching",
    "reliability",
    "student_t_logits",
    "weighted_entropy",
    "within_bag",
]
