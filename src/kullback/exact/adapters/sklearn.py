"""scikit-learn's fitted Gaussian mixtures, recognised by module and class name; nothing is imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.errors import InvalidInputError
from kullback.exact.law import Law, law
from kullback.exact.mixture import mixed
from kullback.exact.registry import families

MODULE = "sklearn.mixture"


def read(thing: Any) -> Law | None:
    """The mixture that was fitted; `None` for other estimators, whose predictive law is no Gaussian mixture."""
    if type(thing).__name__ != "GaussianMixture":
        return None
    if not hasattr(thing, "covariances_"):
        raise InvalidInputError("this GaussianMixture is not fitted; call its fit(X) first")
    normal, means = families()["multivariate_normal"], np.asarray(thing.means_, dtype=float)
    return mixed(
        np.asarray(thing.weights_, dtype=float),
        [
            law(normal, {"loc": mean, "scale_tril": factor}, label="GaussianMixture")
            for mean, factor in zip(means, _factors(thing, *means.shape), strict=True)
        ],
    )


def _factors(thing: Any, size: int, dimension: int) -> np.ndarray:
    """The lower-triangular factors of the covariances, (k, d, d)."""
    given, identity = np.asarray(thing.covariances_, dtype=float), np.eye(dimension)
    if thing.covariance_type == "spherical":
        return np.sqrt(given)[:, None, None] * identity
    if thing.covariance_type == "diag":
        return np.sqrt(given)[:, :, None] * identity
    if thing.covariance_type == "tied":
        return np.broadcast_to(np.linalg.cholesky(given), (size, dimension, dimension))
    return np.linalg.cholesky(given)
