"""Mixtures of normal laws as stacked arrays, a single normal law being a mixture of one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kullback._ops import Array, Namespace, ops
from kullback.exact.law import Law
from kullback.exact.mixture import MixtureLaw, mixed
from kullback.exact.registry import families, readings
from kullback.exact.triangular import diagonal, solve, transpose


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

    def log_density(self, x: Array) -> Array:
        """The log-density of the mixture at points (..., n, d)."""
        xp = ops(self.loc, x)
        apart = x[..., None, :, :] - self.loc[..., :, None, :]
        z = solve(self.scale_tril, transpose(apart))
        volume = xp.sum(xp.log(diagonal(self.scale_tril))) + 0.5 * self.dimension * math.log(2.0 * math.pi)
        table = -0.5 * xp.sum(z * z, axis=-2) - volume[..., None]
        return log_average(transpose(table), self.weights[..., None, :])

    def law(self) -> Law:
        """The components as a batch of multivariate normal laws."""
        return Law(families()["multivariate_normal"], {"loc": self.loc, "scale_tril": self.scale_tril})

    def projected(self, direction: Array) -> Law:
        """The law of the inner product with a direction, a mixture on the line; of one mixture only."""
        loc = self.loc @ direction
        scale = np.linalg.norm(transpose(self.scale_tril) @ direction, axis=-1)
        one = families()["normal"]
        parts = [Law(one, {"loc": m, "scale": s}) for m, s in zip(loc, scale, strict=True)]
        return mixed(self.weights, parts)

    def moments(self) -> tuple[Array, Array]:
        """Mean (..., d) and covariance (..., d, d) of the mixture."""
        xp, w = self.xp, self.weights[..., None]
        mean = xp.sum(w * self.loc, axis=-2)
        centred = self.loc - mean[..., None, :]
        spread = self.covariance + centred[..., :, None] * centred[..., None, :]
        return mean, xp.sum(w[..., None] * spread, axis=-3)


def log_average(table: Array, w: Array) -> Array:
    """log Σ_j w_j exp(table_ij), without underflow, and with gradients towards weights of 0."""
    xp = ops(table, w)
    top = xp.detach(xp.max(table))
    # rows of −inf alone stay so, instead of becoming NaN
    top = xp.where(xp.isfinite(top), top, 0.0)
    with xp.quiet():
        return top + xp.log(xp.sum(w * xp.exp(table - top[..., None])))


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


def on_the_line(law: Law) -> Law:
    """Normal laws and mixtures of them whose draws are vectors of one number, with draws that are numbers."""
    found = normals(law) if law.event == (1,) else None
    if found is None:
        return law
    one = families()["normal"]
    loc, scale = found.loc[..., 0], found.scale_tril[..., 0, 0]
    parts = [Law(one, {"loc": loc[..., i], "scale": scale[..., i]}) for i in range(found.size)]
    return mixed(found.weights, parts)


def _parameters(law: Law) -> tuple[Array, Array] | None:
    """Mean and factor of one component, or of a batch of them, in d dimensions."""
    if law.transforms:
        return None
    if law.inner is not None:
        return _independent(law.inner) if law.axes == 1 and law.inner.name == "normal" else None
    if law.parts:
        return _side_by_side([_parameters(part) for part in law.parts])
    for member in readings(law):
        p: Any = member.parameters
        if member.name == "normal":
            return p["loc"][..., None], p["scale"][..., None, None]
        if member.name == "multivariate_normal":
            return p["loc"], p["scale_tril"]
    return None


def _side_by_side(parts: list[tuple[Array, Array] | None]) -> tuple[Array, Array] | None:
    """A product of normal laws on the line as one in many dimensions."""
    found = [part for part in parts if part is not None and part[0].shape[-1] == 1]
    if len(found) < len(parts):
        return None
    xp = ops(*(loc for loc, _ in found))
    shape = np.broadcast_shapes(
        *(tuple(x.shape[:-1]) for x, _ in found), *(tuple(s.shape[:-2]) for _, s in found)
    )
    loc = xp.concat([xp.broadcast_to(x, (*shape, 1)) for x, _ in found], axis=-1)
    scale = xp.concat([xp.broadcast_to(s[..., 0], (*shape, 1)) for _, s in found], axis=-1)
    return _diagonal(loc, scale)


def _diagonal(loc: Array, scale: Array) -> tuple[Array, Array]:
    xp = ops(scale)
    return loc, scale[..., None] * xp.to_float(xp.asarray(np.eye(scale.shape[-1]), like=scale), 64)


def _independent(inner: Law) -> tuple[Array, Array] | None:
    if inner.transforms:
        return None
    scale = inner.parameters["scale"]
    loc = inner.parameters["loc"] + 0.0 * scale
    return _diagonal(loc, scale + 0.0 * loc)
