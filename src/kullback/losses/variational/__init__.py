"""Variational inference: objectives of log-weights, gradient estimators by site, evidence from both sides, collapse."""

from kullback.losses.variational.collapsing import Collapse, collapse, linear_vae
from kullback.losses.variational.estimators import (
    DoublyReparameterised,
    Enumeration,
    LeaveOneOut,
    MeasureValued,
    Reparameterised,
    ScoreFunction,
    StickingTheLanding,
)
from kullback.losses.variational.interval import evidence
from kullback.losses.variational.objectives import (
    MeasuredDivergence,
    RenyiBound,
    TailAdaptive,
    chi_upper,
    elbo,
    importance_weighted,
)
from kullback.losses.variational.surrogates import bound, expectation, loss
from kullback.losses.variational.wake_sleep import sleep, wake

__all__ = [
    "Collapse",
    "DoublyReparameterised",
    "Enumeration",
    "LeaveOneOut",
    "MeasureValued",
    "MeasuredDivergence",
    "RenyiBound",
    "Reparameterised",
    "ScoreFunction",
    "StickingTheLanding",
    "TailAdaptive",
    "bound",
    "chi_upper",
    "collapse",
    "elbo",
    "evidence",
    "expectation",
    "importance_weighted",
    "linear_vae",
    "loss",
    "sleep",
    "wake",
]
