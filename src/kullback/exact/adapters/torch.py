"""torch.distributions, recognised by module and class name; nothing is imported."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kullback._ops import ops
from kullback.errors import UnsupportedPairError
from kullback.exact.adapters import attributes
from kullback.exact.law import Law, Support
from kullback.exact.transform import Transform

MODULE = "torch.distributions"


def read(thing: Any) -> Law | None:
    """The law of a torch distribution; `None` where it has neither a known family nor one dimension."""
    name = type(thing).__name__
    if name == "Independent":
        return _independent(thing)
    found = attributes.read(thing)
    if found is not None:
        return found
    if name == "TransformedDistribution":
        return _transformed(thing)
    return _unknown(thing)


def _independent(thing: Any) -> Law | None:
    base, axes = thing.base_dist, thing.reinterpreted_batch_ndims
    inner = read(base)
    if inner is None or axes == 0:
        return inner
    return Law(None, {}, label=f"independent {inner.name}", inner=inner, axes=axes)


def _transformed(thing: Any) -> Law | None:
    base = read(thing.base_dist)
    if base is None or base.family is None:
        return _unknown(thing)
    transforms = []
    for t in thing.transforms:
        name = type(t).__name__
        if name == "ExpTransform":
            transforms.append(Transform("exp"))
        elif name == "AffineTransform":
            transforms.append(attributes.affine(_array(t.loc), _array(t.scale)))
        elif name == "PowerTransform":
            transforms.append(Transform("power", 0.0, attributes.affine(0.0, _array(t.exponent)).scale))
        else:
            return _unknown(thing)
    return replace(base, transforms=(*base.transforms, *transforms))


def _array(x: Any) -> Any:
    return ops(x).asarray(x)


def _unknown(thing: Any) -> Law | None:
    """Any other law on the line, by its own log_prob."""
    if tuple(thing.event_shape) or tuple(thing.batch_shape):
        return None
    constraint = thing.support
    low = float(getattr(constraint, "lower_bound", -math.inf))
    high = float(getattr(constraint, "upper_bound", math.inf))
    xp = ops(_some_array(thing))

    def log_density(x: np.ndarray) -> np.ndarray:
        points = xp.to_float(xp.asarray(np.ascontiguousarray(x)), 64)
        return np.asarray(xp.to_numpy(xp.detach(thing.log_prob(points))), dtype=float)

    support = Support(low, high, bool(getattr(constraint, "is_discrete", False)))
    return Law(None, {}, label=type(thing).__name__, density=log_density, support_given=support)


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
