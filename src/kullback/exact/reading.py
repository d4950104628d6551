"""From a caller's object to a law: the adapters are asked by the module that the object's class comes from."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kullback.errors import UnsupportedPairError
from kullback.exact.law import Composite, Law

_ADAPTERS = ("torch", "scipy", "numpyro", "sklearn")


def read(thing: Any, name: str) -> Law:
    """The law that `thing` describes; `name` is the argument's name for the error."""
    if isinstance(thing, Law):
        return thing
    if isinstance(thing, Composite):
        return thing.law(read)
    for adapter in _ADAPTERS:
        module = import_module(f"kullback.exact.adapters.{adapter}")
        if any(kind.__module__.startswith(module.MODULE) for kind in type(thing).__mro__):
            found = module.read(thing)
            if found is not None:
                return found
    kind = type(thing)
    raise UnsupportedPairError(
        f"`{name}` is a {kind.__module__}.{kind.__qualname__}, which is not read as a distribution; pass a "
        "torch.distributions object, a frozen scipy.stats distribution (such as scipy.stats.norm(0, 1)) or a "
        "NumPyro one; for probability vectors call the divergence itself; for log-densities of your own draws "
        "use kullback.sampled"
    )
