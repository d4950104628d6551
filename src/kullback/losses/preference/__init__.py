"""Learning from preferences, with the policy held near a reference by any f-divergence whose slope can be a reward."""

from kullback.losses.preference.pairs import f_dpo, hinge, logistic, reference_free, reward, squared
from kullback.losses.preference.tokens import Answers, TokenMask, activation_mask, sparse
from kullback.losses.preference.unpaired import dispreference, reference_point, unpaired

__all__ = [
    "Answers",
    "TokenMask",
    "activation_mask",
    "dispreference",
    "f_dpo",
    "hinge",
    "logistic",
    "reference_free",
    "reference_point",
    "reward",
    "sparse",
    "squared",
    "unpaired",
]
