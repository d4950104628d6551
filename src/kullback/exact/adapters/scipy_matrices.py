"""Frozen scipy.stats distributions of vectors and matrices, each with attributes of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.exact.law import Law, law
from kullback.exact.positive import lower_factor
from kullback.exact.registry import families


def read(thing: Any) -> Law | None:
    """The law of a frozen distribution by its class name; `None` where the name is not in the table."""
    name = type(thing).__name__.removesuffix("_frozen")
    if name == "multivariate_t":
        return _multivariate_t(thing)
    if name not in _READERS:
        return None
    family, parameters = _READERS[name]
    return law(families()[family], parameters(thing), label=name)


def _multivariate_t(thing: Any) -> Law:
    """No family: only its density and its draws are used."""

    def draw(n: int, seed: int) -> np.ndarray:
        return np.asarray(thing.rvs(n, random_state=np.random.default_rng(seed))).reshape(n, thing.dim)

    return Law(
        None, {}, label="multivariate_t", density=thing.logpdf, draw=draw, event_given=(int(thing.dim),)
    )


def _number(x: Any) -> np.ndarray:
    return np.asarray(x, dtype=float)


def _scatter(thing: Any) -> dict[str, np.ndarray]:
    name = type(thing).__name__.removesuffix("_frozen")
    return {"df": _number(thing.df), "scale_tril": lower_factor(f"{name}'s scale", thing.scale)}


def _matrix_normal(thing: Any) -> dict[str, np.ndarray]:
    return {
        "loc": _number(thing.mean),
        "scale_tril_row": lower_factor("matrix_normal's rowcov", thing.rowcov),
        "scale_tril_column": lower_factor("matrix_normal's colcov", thing.colcov),
    }


def _direction(thing: Any) -> dict[str, np.ndarray]:
    return {"direction": _number(thing.mu), "concentration": _number(thing.kappa)}


def _counts(thing: Any) -> dict[str, np.ndarray]:
    return {"total_count": _number(thing.n), "concentration": _number(thing.alpha)}


_READERS: dict[str, tuple[str, Callable[[Any], dict[str, np.ndarray]]]] = {
    "wishart": ("wishart", _scatter),
    "invwishart": ("inverse_wishart", _scatter),
    "matrix_normal": ("matrix_normal", _matrix_normal),
    "dirichlet_multinomial": ("dirichlet_multinomial", _counts),
    "vonmises_fisher": ("von_mises_fisher", _direction),
}
