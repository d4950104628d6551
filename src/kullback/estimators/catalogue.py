"""The list of all methods, found by scanning this folder: a new file needs no other edit."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from inspect import isabstract
from typing import TypeVar

import kullback.estimators as room
from kullback.estimators.method import Method

M = TypeVar("M", bound=Method)


@cache
def _modules() -> None:
    for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        # torch stays out until a critic is trained, numba until a tree is large; trees hold no methods
        if ".neural." not in found.name and ".trees." not in found.name:
            import_module(found.name)


def methods(kind: type[M]) -> tuple[type[M], ...]:
    """Every class of method of one kind (`EntropyMethod`, `InformationMethod`, `DivergenceMethod`), by name."""
    _modules()
    found: set[type[M]] = set()
    todo = [kind]
    while todo:
        for sub in todo.pop().__subclasses__():
            todo.append(sub)
            if not isabstract(sub) and sub.__module__.startswith("kullback."):
                found.add(sub)
    return tuple(sorted(found, key=lambda c: c.__name__))
