"""Robust training: worst cases over examples, labels and transitions; losses that bear wrong labels."""

from kullback.losses.robust.adversarial import Barrier, doubly_robust, worst_perturbations
from kullback.losses.robust.comp_sum import comp_sum, consistency_bound, smooth_adversarial
from kullback.losses.robust.labels import adaptive_label_robust, adaptive_penalties, label_robust
from kullback.losses.robust.values import Plan, pessimistic_value_iteration, robust_value_iteration
from kullback.losses.robust.worst_case import DualVariables, worst_case
from kullback.losses.robust.z_loss import log_partition_penalty, z_loss, z_loss_from_sums

__all__ = [
    "Barrier",
    "DualVariables",
    "Plan",
    "adaptive_label_robust",
    "adaptive_penalties",
    "comp_sum",
    "consistency_bound",
    "doubly_robust",
    "label_robust",
    "log_partition_penalty",
    "pessimistic_value_iteration",
    "robust_value_iteration",
    "smooth_adversarial",
    "worst_case",
    "worst_perturbations",
    "z_loss",
    "z_loss_from_sums",
]
