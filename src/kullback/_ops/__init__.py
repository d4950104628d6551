"""Arrays: the only room that knows NumPy from torch from JAX.

`ops(x, ...)` returns the namespace of functions for the arrays that it is given: a module of this folder, or, for any
other library that follows the array-API standard, a wrapper around that library's own namespace. Names and semantics
are the standard's where it has the function. A library is never imported here before the caller has made one of its
arrays, so `import kullback` stays light.
"""

from __future__ import annotations

from typing import Any

from kullback.errors import DTypeError

Array = Any  # the array type of whichever library the caller uses
Namespace = Any  # one of the modules of this folder

_MODULES = {"numpy": "numpy", "torch": "torch", "jax": "jax", "jaxlib": "jax"}
_SCALARS = (int, float, complex, bool, str, bytes, list, tuple)
_cache: dict[type, Namespace] = {}


def ops(*arrays: Array) -> Namespace:
    """The namespace shared by `arrays`; plain numbers and lists join any of them, and are NumPy's when alone.

    Raises `DTypeError` where arrays of two libraries are mixed, or where an object is no array.
    """
    found = None
    for x in arrays:
        if isinstance(x, _SCALARS):
            continue
        namespace = _cache.get(type(x)) or _namespace_of(x)
        if found is None:
            found = namespace
        elif found is not namespace:
            raise DTypeError(
                f"the arrays belong to two libraries, {found.NAME} and {namespace.NAME}; "
                "convert one of them, so that no copy between devices happens unseen"
            )
    return found if found is not None else _load("numpy")


def _namespace_of(x: Array) -> Namespace:
    kind = type(x)
    for ancestor in kind.__mro__:
        name = _MODULES.get(ancestor.__module__.partition(".")[0])
        if name is not None:
            _cache[kind] = _load(name)
            return _cache[kind]
    if hasattr(x, "__array_namespace__"):
        from kullback._ops.standard import Standard

        _cache[kind] = Standard(x.__array_namespace__())
        return _cache[kind]
    raise DTypeError(
        f"expected an array of NumPy, torch, JAX or the array-API standard, got {kind.__module__}.{kind.__qualname__}; "
        "pass by_label=True for a mapping or a Series, or convert it to an array"
    )


def _load(name: str) -> Namespace:
    # statements, because torch.compile follows them into the file, where it stops at import_module
    if name == "torch":
        from kullback._ops import torch as module
    elif name == "jax":
        from kullback._ops import jax as module
    else:
        from kullback._ops import numpy as module
    return module
