"""Doors to the trainers that people have: transformers and Accelerate, TRL, Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kullback.errors import MissingDependencyError
from kullback.losses.trainers.following import TeacherLoss
from kullback.losses.trainers.objective import Measures, Objective, divergence_named
from kullback.losses.trainers.reading import Reading

if TYPE_CHECKING:
    from kullback.losses.trainers.trainer import DistillArguments, DistillTrainer

_OF_TRANSFORMERS = ("DistillArguments", "DistillTrainer")


def __getattr__(name: str) -> Any:
    if name not in _OF_TRANSFORMERS:
        raise AttributeError(f"module 'kullback.losses.trainers' has no attribute {name!r}")
    try:
        from kullback.losses.trainers import trainer
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs {error.name}; install it with: pip install 'kullback[trainers]'"
        ) from error
    return getattr(trainer, name)


__all__ = [
    "DistillArguments",
    "DistillTrainer",
    "Measures",
    "Objective",
    "Reading",
    "TeacherLoss",
    "divergence_named",
]
