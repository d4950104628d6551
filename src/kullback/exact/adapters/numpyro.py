"""NumPyro, recognised by module and class name; nothing is imported."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

from kullback._ops import ops
from kullback.errors import UnsupportedPairError
from kullback.exact.adapters import attributes
from kullback.exact.law import Law, law, to_numpy
from kullback.exact.mixture import mixed, split
from kullback.exact.registry import families
from kullback.exact.transform import Transform
from kullback.exact.truncated import Truncated

MODULE = "numpyro.distributions"
_TRUNCATED = ("LeftTruncatedDistribution", "RightTruncatedDistribution", "TwoSidedTruncatedDistribution")
_COUNTS = ("GammaPoisson", "NegativeBinomial2", "NegativeBinomialLogits")


def read(thing: Any) -> Law | None:
    """The law of a NumPyro distribution, `None` where its class is not known."""
    found = _read(thing)
    if found is None or found.family is None:
        return found
    # NumPyro keeps plain numbers as arrays of NumPy
    xp = import_module("kullback._ops.jax")
    return replace(found, parameters={name: xp.asarray(x) for name, x in found.parameters.items()})


def _read(thing: Any) -> Law | None:
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
    if name in _TRUNCATED:
        return _truncated(thing)
    if name in _COUNTS:
        return _counts(thing, name)
    if name in ("GeometricProbs", "GeometricLogits"):
        return law(families()["geometric"], {"probs": thing.probs}, label=name)
    if name == "DirichletMultinomial":
        parameters = {"total_count": thing.total_count, "concentration": thing.concentration}
        return law(families()["dirichlet_multinomial"], parameters, label=name)
    return attributes.read(thing)


def _counts(thing: Any, label: str) -> Law:
    """Poisson counts whose rate is a gamma law's: the chance to stop is that of the rate in rate + 1."""
    rate = thing.rate
    parameters = {"total_count": thing.concentration, "probs": rate / (1.0 + rate)}
    return law(families()["negative_binomial"], parameters, label=label)


def _truncated(thing: Any) -> Law:
    ends = {name: getattr(thing, name, None) for name in ("low", "high")}
    xp = ops(*(x for x in ends.values() if x is not None))
    known = {name: xp.asarray(x) for name, x in ends.items() if x is not None}
    if tuple(thing.batch_shape) or not all(map(xp.concrete, known.values())):
        raise UnsupportedPairError(
            f"{type(thing).__name__} in a batch or inside a trace is not read; pass one law at a time, outside"
        )
    numbers = {name: float(to_numpy(x)) for name, x in known.items()}
    return Truncated(thing.base_dist, **numbers).law(lambda base, name: read(base) or _refused(base, name))


def _refused(base: Any, name: str) -> Law:
    raise UnsupportedPairError(f"the {name} that is truncated is a {type(base).__name__}, which is not read")


def _transformed(thing: Any) -> Law | None:
    base = read(thing.base_dist)
    if base is None or base.family is None:
        return None
    transforms = []
    for t in thing.transforms:
        name = type(t).__name__
        if name == "ExpTransform":
            transforms.append(Transform("exp"))
        elif name == "AffineTransform" and all(ops(x).concrete(ops(x).asarray(x)) for x in (t.loc, t.scale)):
            transforms.append(attributes.affine(t.loc, t.scale))
        else:
            return None
    return replace(base, transforms=(*base.transforms, *transforms))
