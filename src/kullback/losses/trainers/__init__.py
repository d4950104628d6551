"""Doors to the trainers that people have: transformers and Accelerate, TRL, Lightning."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kullback.errors import MissingDependencyError
from kullback.losses.trainers.following import TeacherLoss
from kullback.losses.trainers.objective import Measures, Objective, divergence_named
from kullback.losses.trainers.reading import Reading

if TYPE_CHECKING:
    from kullback.losses.trainers.policies import PolicyTrainer
    from kullback.losses.trainers.preferences import PreferenceTrainer
    from kullback.losses.trainers.trainer import DistillArguments, DistillTrainer

_HOMES = {
    "DistillArguments": ("trainer", "kullback[trainers]"),
    "DistillTrainer": ("trainer", "kullback[trainers]"),
    "PolicyTrainer": ("policies", "trl>=1.16"),
    "PreferenceTrainer": ("preferences", "trl>=1.16"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kullback.losses.trainers' has no attribute {name!r}")
    module, package = _HOMES[name]
    try:
        return getattr(import_module(f"kullback.losses.trainers.{module}"), name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs {error.name}; install it with: pip install '{package}'"
        ) from error


__all__ = [
    "DistillArguments",
    "DistillTrainer",
    "Measures",
    "Objective",
    "PolicyTrainer",
    "PreferenceTrainer",
    "Reading",
    "TeacherLoss",
    "divergence_named",
]
