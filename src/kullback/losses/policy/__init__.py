"""Training a policy: towards a target, near a reference, from rewards; by any f-divergence of drawn samples."""

from kullback.losses.policy.baselines import RunningMean, leave_one_out
from kullback.losses.policy.gradients import Partition, f_dpg, pseudo_reward
from kullback.losses.policy.penalties import TrustRegion, penalty, sampled_divergence
from kullback.losses.policy.rewarded import clipped, group_advantages
from kullback.losses.policy.sampled import kl_in_loss, kl_in_reward, sampled_kl

__all__ = [
    "Partition",
    "RunningMean",
    "TrustRegion",
    "clipped",
    "f_dpg",
    "group_advantages",
    "kl_in_loss",
    "kl_in_reward",
    "leave_one_out",
    "penalty",
    "pseudo_reward",
    "sampled_divergence",
    "sampled_kl",
]
