"""What can be said without knowing everything: inequalities, variational bounds, worst cases over a divergence ball."""

from kullback.bounds import concentration
from kullback.bounds.ball import WorstCase, lower_expectation, upper_expectation
from kullback.bounds.contraction import (
    chi2_contraction,
    dobrushin,
    dropout,
    gaussian_noise,
    kl_contraction,
    kl_contraction_from,
)
from kullback.bounds.generalisation import divergence_gap, information_gap, mixture_regret, wasserstein_gap
from kullback.bounds.inequalities import (
    bretagnolle_huber,
    chernoff,
    fano,
    gaussian_reverse_kl,
    gaussian_triangle,
    le_cam,
    pinsker,
    reverse_pinsker,
)
from kullback.bounds.joint_range import Edge, bound, joint_range
from kullback.bounds.variational import (
    VariationalBound,
    by_log_ratio,
    donsker_varadhan,
    fenchel,
    info_nce,
    interpolated,
    jensen_shannon,
    nwj,
)

__all__ = [
    "Edge",
    "VariationalBound",
    "WorstCase",
    "bound",
    "bretagnolle_huber",
    "by_log_ratio",
    "chernoff",
    "chi2_contraction",
    "concentration",
    "divergence_gap",
    "dobrushin",
    "donsker_varadhan",
    "dropout",
    "fano",
    "fenchel",
    "gaussian_noise",
    "gaussian_reverse_kl",
    "gaussian_triangle",
    "info_nce",
    "information_gap",
    "interpolated",
    "jensen_shannon",
    "joint_range",
    "kl_contraction",
    "kl_contraction_from",
    "le_cam",
    "lower_expectation",
    "mixture_regret",
    "nwj",
    "pinsker",
    "reverse_pinsker",
    "upper_expectation",
    "wasserstein_gap",
]
