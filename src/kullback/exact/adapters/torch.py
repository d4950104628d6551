"""torch.distributions, recognised by module and class name; nothing is imported."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kullback._ops import ops
from kullback.errors import UnsupportedPairError
from kullback.exact.adapters import attributes, torch_natural, torch_transforms
from kullback.exact.law import Law, Support
from kullback.exact.mixture import mixed, split

MODULE = "torch.distributions"


def read(thing: Any) -> Law | None:
    """The law of a torch distribution; `None` where it has neither a known family nor one dimension."""
    name = type(thing).__name__
    if name == "Independent":
        return _independent(thing)
    if name == "MixtureSameFamily":
        inner = read(thing.component_distribution)
        return _unknown(thing) if inner is None else mixed(thing.mixture_distribution.probs, split(inner))
    found = attributes.read(thing)
    if found is not None:
        return found
    if name in ("TransformedDistribution", "LogisticNormal"):
        return _transformed(thing)
    return torch_natural.read(thing, _unknown(thing))


def _independent(thing: Any) -> Law | None:
    base, axes = thing.base_dist, thing.reinterpreted_batch_ndims
    inner = read(base)
    if inner is None or axes == 0:
        return inner
    return Law(None, {}, label=f"independent {inner.name}", inner=inner, axes=axes)


def _transformed(thing: Any) -> Law | None:
    base = read(thing.base_dist)
    if base is None or (base.family is None and base.inner is None):
        return _unknown(thing)
    transforms = [torch_transforms.read(t, ops(_some_array(thing.base_dist))) for t in thing.transforms]
    known = tuple(t for t in transforms if t is not None)
    if len(known) < len(transforms):
        return _unknown(thing)
    return replace(base, transforms=(*base.transforms, *known))


def _unknown(thing: Any) -> Law | None:
    """Any other law on the line or the plane, by its own log_prob."""
    event = tuple(thing.event_shape)
    if event not in ((), (2,)) or tuple(thing.batch_shape):
        return None
    constraint = thing.support
    low = float(getattr(constraint, "lower_bound", -math.inf))
    high = float(getattr(constraint, "upper_bound", math.inf))
    xp = ops(_some_array(thing))

    def log_density(x: np.ndarray) -> np.ndarray:
        points = xp.to_float(xp.asarray(np.ascontiguousarray(x)), 64)
        if not event:
            return np.asarray(xp.to_numpy(xp.detach(thing.log_prob(points))), dtype=float)
        inside = np.asarray(xp.to_numpy(constraint.check(points)))
        inside = inside.reshape(len(x), -1).all(axis=1)  # constraints put together may answer by coordinate
        found = np.full(inside.shape, -math.inf)
        found[inside] = xp.to_numpy(xp.detach(thing.log_prob(points[inside])))
        return found

    label, discrete = type(thing).__name__, bool(getattr(constraint, "is_discrete", False))
    if event:
        return None if discrete else Law(None, {}, label=label, density=log_density, event_given=event)
    return Law(None, {}, label=label, density=log_density, support_given=Support(low, high, discrete))


def _some_array(thing: Any) -> Any:
    """An array among the attributes, which tells the library; drawing one would move the global generator."""
    inner = list(vars(thing).values())
    for value in inner:
        if hasattr(value, "detach"):
            return value
    for value in inner:
        if hasattr(value, "event_shape"):
            return _some_array(value)
    raise UnsupportedPairError(f"{type(thing).__name__} holds no array that tells its library")
