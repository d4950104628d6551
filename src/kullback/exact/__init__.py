"""Exact answers for known distributions, and Monte Carlo with an interval where there are none."""

from kullback.exact.conjugate import NormalInverseWishart
from kullback.exact.control_variates import Estimator, fixed, k1, k2, k3, regressed
from kullback.exact.cross_entropy import rare_event
from kullback.exact.dispatch import between
from kullback.exact.importance import expectations
from kullback.exact.labelled import Labelled
from kullback.exact.mixture import Mixture
from kullback.exact.monte_carlo import sampled
from kullback.exact.pareto import effective_size, pareto_k, tail_index
from kullback.exact.product import Product
from kullback.exact.proposals import NormalMixture
from kullback.exact.surrogate import in_loss, surrogate
from kullback.exact.truncated import Truncated

__all__ = [
    "Estimator",
    "Labelled",
    "Mixture",
    "NormalInverseWishart",
    "NormalMixture",
    "Product",
    "Truncated",
    "between",
    "effective_size",
    "expectations",
    "fixed",
    "in_loss",
    "k1",
    "k2",
    "k3",
    "pareto_k",
    "rare_event",
    "regressed",
    "sampled",
    "surrogate",
    "tail_index",
]
