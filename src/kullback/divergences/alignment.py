"""Masses that come with labels, gaps or as sparse matrices, laid side by side as plain vectors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from kullback.errors import DTypeError, InvalidInputError, ShapeError


def vectors(p: Any, q: Any, *, by_label: bool, missing: Literal["zero", "drop"] | None) -> tuple[Any, Any]:
    """`p` and `q` as arrays of equal categories; gaps become NaN where `missing` says what they mean."""
    if by_label:
        return _aligned(_labelled("p", p), _labelled("q", q), missing)
    if _is_sparse(p) and _is_sparse(q):
        return _sparse(p, q)
    return tuple(_plain(name, x, missing) for name, x in (("p", p), ("q", q)))  # type: ignore[return-value]


def _plain(name: str, x: Any, missing: str | None) -> Any:
    if isinstance(x, Mapping) or hasattr(x, "items"):
        raise DTypeError(
            f"`{name}` is a {type(x).__name__} with labels; pass by_label=True to align them by label"
        )
    if _is_sparse(x):
        raise DTypeError(f"`{name}` is sparse and the other is not; pass both as scipy.sparse, or both dense")
    if isinstance(x, np.ma.MaskedArray):
        gaps = int(np.ma.count_masked(x))
        if gaps and missing is None:
            raise InvalidInputError(
                f"`{name}` has {gaps} masked entries; choose missing='zero' or missing='drop'"
            )
        return np.ma.filled(x.astype(float), np.nan)
    if hasattr(x, "null_count") and hasattr(x, "to_list"):
        x = x.to_list()
    if isinstance(x, (list, tuple)) and any(v is None for v in x):
        return np.array([_number(name, i, v, missing) for i, v in enumerate(x)])
    return x


def _labelled(name: str, x: Any) -> dict[Any, Any]:
    items: Iterable[tuple[Any, Any]] | None = x.items() if hasattr(x, "items") else None
    if items is None:
        raise DTypeError(
            f"`{name}` is a {type(x).__name__} without labels; by_label=True takes a mapping or a Series"
        )
    found: dict[Any, Any] = {}
    for label, mass in items:
        if label in found:
            raise InvalidInputError(
                f"`{name}` has the label {str(label)[:40]!r} twice; add its masses up first"
            )
        found[label] = mass
    return found


def _aligned(p: dict[Any, Any], q: dict[Any, Any], missing: str | None) -> tuple[np.ndarray, np.ndarray]:
    # sorted by type and text: the sum, and so its last bit, does not depend on the order in which labels came
    labels = sorted({*p, *q}, key=lambda label: (type(label).__name__, str(label)))
    if not labels:
        raise InvalidInputError("`p` and `q` are empty: need at least one category")
    return tuple(  # type: ignore[return-value]
        np.array([_number(name, label, x.get(label, 0), missing) for label in labels])
        for name, x in (("p", p), ("q", q))
    )


def _number(name: str, place: Any, value: Any, missing: str | None) -> Any:
    gap = (
        value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))
    )
    if gap and missing is None:
        raise InvalidInputError(
            f"`{name}`[{str(place)[:40]!r}] is missing ({value}); choose missing='zero' or missing='drop'"
        )
    if not gap and not isinstance(value, (int, float, np.number, np.bool_)):
        raise DTypeError(
            f"`{name}`[{str(place)[:40]!r}] is a {type(value).__name__}; masses are real numbers"
        )
    return np.nan if gap else value


def _is_sparse(x: Any) -> bool:
    return type(x).__module__.startswith("scipy.sparse")


def _sparse(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """Row by row the categories that either has, so that nothing as wide as the matrix is allocated."""
    p, q = (x.tocsr() if x.ndim == 2 else x.reshape(1, -1).tocsr() for x in (p, q))
    if p.shape[-1] != q.shape[-1] or p.shape[0] != q.shape[0]:
        raise ShapeError(
            f"`p` has shape {p.shape} and `q` has shape {q.shape}; sparse masses need equal shapes"
        )
    used = [np.union1d(p.indices[_row(p, i)], q.indices[_row(q, i)]) for i in range(p.shape[0])]
    width = max(1, *(len(columns) for columns in used))
    dense = tuple(np.zeros((len(used), width), dtype=np.result_type(p.dtype, q.dtype)) for _ in range(2))
    for matrix, out in zip((p, q), dense, strict=True):
        for i, columns in enumerate(used):
            row = _row(matrix, i)
            np.add.at(out[i], np.searchsorted(columns, matrix.indices[row]), matrix.data[row])
    return (dense[0][0], dense[1][0]) if len(used) == 1 else dense  # type: ignore[return-value]


def _row(matrix: Any, i: int) -> slice:
    return slice(matrix.indptr[i], matrix.indptr[i + 1])
