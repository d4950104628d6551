"""Mixtures of normal laws as stacked arrays, a single normal law being a mixture of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.exact.law import Law
from kullback.exact.mixture import MixtureLaw
from kullback.exact.registry import readings
from kullback.exact.triangular import transpose


@dataclass(frozen=True)
class Normals:
    """Weights (..., k), means (..., k, d) and lower-triangular factors of the covariances (..., k, d, d)."""

    weights: Array
    loc: Array
    scale_tril: Array

    @property
    def xp(self) -> Namespace:
        """The namespace of the arrays."""
        return ops(self.weights, self.loc, self.scale_tril)

    @property
    def size(self) -> int:
        """The number of components."""
        return self.loc.shape[-2]

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.loc.shape[-1]

    @property
    def covariance(self) -> Array:
        """The covariances of the components."""
        return self.scale_tril @ transpose(self.scale_tril)

    def one(self, i: int) -> Normals:
        """The mixture of component i alone, with the weight that it has."""
        place = slice(i, i + 1)
        return Normals(self.weights[..., place], self.loc[..., place, :], self.scale_tril[..., place, :, :])

    def down(self) -> Normals:
        """With the components along the rows of a table of pairs."""
        return replace(self, loc=self.loc[..., :, None, :], scale_tril=self.scale_tril[..., :, None, :, :])

    def across(self) -> Normals:
        """With the components along the columns of a table of pairs."""
        return replace(self, loc=self.loc[..., None, :, :], scale_tril=self.scale_tril[..., None, :, :, :])

    def moments(self) -> tuple[Array, Array]:
        """Mean (..., d) and covariance (..., d, d) of the mixture."""
        xp, w = self.xp, self.weights[..., None]
        mean = xp.sum(w * self.loc, axis=-2)
        centred = self.loc - mean[..., None, :]
        spread = self.covariance + centred[..., :, None] * centred[..., None, :]
        return mean, xp.sum(w[..., None] * spread, axis=-3)


def normals(law: Law) -> Normals | None:
    """The law as a mixture of normal laws, `None` where it is none."""
    components = law.components if isinstance(law, MixtureLaw) else (law,)
    found = [_parameters(c) for c in components]
    pairs = [pair for pair in found if pair is not None]
    if len(pairs) < len(found):
        return None
    xp, batch = ops(*law.arrays), law.batch
    d = pairs[0][0].shape[-1]
    loc = xp.stack([xp.broadcast_to(m, (*batch, d)) for m, _ in pairs], axis=-2)
    scale_tril = xp.stack([xp.broadcast_to(s, (*batch, d, d)) for _, s in pairs], axis=-3)
    one = 0.0 * loc[..., 0] + 1.0
    weights = law.parameters["weights"] if isinstance(law, MixtureLaw) else one
    return Normals(xp.broadcast_to(weights, (*batch, len(pairs))), loc, scale_tril)


def _parameters(law: Law) -> tuple[Array, Array] | None:
    """Mean and factor of one component, or of a batch of them, in d dimensions."""
    if law.transforms:
        return None
    if law.inner is not None:
        return _independent(law.inner) if law.axes == 1 and law.inner.name == "normal" else None
    for member in readings(law):
        p: Any = member.parameters
        if member.name == "normal":
            return p["loc"][..., None], p["scale"][..., None, None]
        if member.name == "multivariate_normal":
            return p["loc"], p["scale_tril"]
    return None


def _independent(inner: Law) -> tuple[Array, Array] | None:
    if inner.transforms:
        return None
    xp, scale = inner.xp, inner.parameters["scale"]
    loc = inner.parameters["loc"] + 0.0 * scale
    wide = scale + 0.0 * loc
    identity = xp.to_float(xp.asarray(np.eye(wide.shape[-1]), like=wide), 64)
    return loc, wide[..., None] * identity
