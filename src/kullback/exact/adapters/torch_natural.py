"""A caller's own exponential family in torch, which knows its natural parameters and its log-normaliser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kullback.exact.law import REAL, Family, Law, law


def read(thing: Any, unknown: Law | None) -> Law | None:
    """The law in its natural parameters, with the density and support of `unknown`; else `unknown`."""
    kind = type(thing)
    if not any(base.__name__ == "ExponentialFamily" for base in kind.__mro__):
        return unknown
    try:
        natural = dict(enumerate(thing._natural_params))
    except NotImplementedError:
        return unknown
    names, batch = {f"natural{i}": x for i, x in natural.items()}, len(thing.batch_shape)
    support = unknown.support_given if unknown is not None else None
    made = Family(
        f"{kind.__module__}.{kind.__qualname__}",
        dict.fromkeys(names, REAL),
        support=None if support is None else lambda _: support,
        rank=len(thing.event_shape),
        ranks={name: x.ndim - batch for name, x in names.items()},
        log_normaliser=thing._log_normalizer,
    )
    found = law(made, names, label=kind.__name__)
    return found if unknown is None else replace(found, density=unknown.density)
