"""NumPyro, recognised by module and class name; nothing is imported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kullback.exact.adapters import attributes
from kullback.exact.law import Law
from kullback.exact.mixture import mixed, split
from kullback.exact.transform import Transform

MODULE = "numpyro.distributions"


def read(thing: Any) -> Law | None:
    """The law of a NumPyro distribution, `None` where its class is not known."""
    name = type(thing).__name__
    if name == "Independent":
        inner, axes = read(thing.base_dist), thing.reinterpreted_batch_ndims
        if inner is None or axes == 0:
            return inner
        return Law(None, {}, label=f"independent {inner.name}", inner=inner, axes=axes)
    if name == "TransformedDistribution":
        return _transformed(thing)
    if name == "MixtureSameFamily":
        inner = read(thing.component_distribution)
        return None if inner is None else mixed(thing.mixing_distribution.probs, split(inner))
    if name == "MixtureGeneral":
        found = [read(component) for component in thing.component_distributions]
        known = [law for law in found if law is not None]
        return mixed(thing.mixing_distribution.probs, known) if len(known) == len(found) else None
    return attributes.read(thing)


def _transformed(thing: Any) -> Law | None:
    base = read(thing.base_dist)
    if base is None or base.family is None:
        return None
    transforms = []
    for t in thing.transforms:
        name = type(t).__name__
        if name == "ExpTransform":
            transforms.append(Transform("exp"))
        elif name == "AffineTransform":
            transforms.append(attributes.affine(t.loc, t.scale))
        else:
            return None
    return replace(base, transforms=(*base.transforms, *transforms))
