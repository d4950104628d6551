"""The fewest coordinates in which two laws differ: a shared linear map and equal parts change no f-divergence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kullback.exact.law import Law
from kullback.exact.normals import on_the_line
from kullback.exact.registry import families

_ROUNDING = 4.0 * float(np.finfo(float).eps)


def reduced_pair(p: Law, q: Law) -> tuple[Law, Law]:
    """Two single laws with the same f-divergences: normal laws as products, and without the parts that are equal."""
    p, q = on_the_line(p), on_the_line(q)
    if all(law.family is not None and law.family.name == "multivariate_normal" for law in (p, q)):
        p, q = _diagonal(p, q)
    if not p.parts or [x.event for x in p.parts] != [x.event for x in q.parts]:
        return p, q
    pairs = list(zip(p.parts, q.parts, strict=True))
    differing = [(x, y) for x, y in pairs if not _equal(x, y)] or pairs[:1]
    if len(differing) == 1:
        return differing[0]
    left, right = zip(*differing, strict=True)
    return replace(p, parts=left), replace(q, parts=right)


def _equal(x: Law, y: Law) -> bool:
    if x.family is None or y.family is None or x.family.name != y.family.name or x.transforms != y.transforms:
        return False
    if not x.parameters or x.parameters.keys() != y.parameters.keys():
        return False
    return all(np.array_equal(x.parameters[name], y.parameters[name]) for name in x.parameters)


def _diagonal(p: Law, q: Law) -> tuple[Law, Law]:
    """Coordinates in which p is standard normal and q has independent parts, a rotation of which is still free.

    Where q has the variance 1 of p too, it is spent on a direction that holds all of the shift.
    """
    lower, other = p.parameters["scale_tril"], q.parameters["scale_tril"]
    axes, scale, _ = np.linalg.svd(np.linalg.solve(lower, other))
    shift = axes.T @ np.linalg.solve(lower, q.parameters["loc"] - p.parameters["loc"])
    same = np.abs(scale - 1.0) <= _ROUNDING * len(scale) * max(1.0, float(scale[0]))
    if same.any():
        scale = np.where(same, 1.0, scale)
        length = float(np.linalg.norm(shift[same]))
        shift = np.where(same, 0.0, shift)
        shift[np.flatnonzero(same)[0]] = length
    return _normals(np.zeros_like(shift), np.ones_like(scale)), _normals(shift, scale)


def _normals(loc: np.ndarray, scale: np.ndarray) -> Law:
    normal = families()["normal"]
    parts = tuple(
        Law(normal, {"loc": np.asarray(m), "scale": np.asarray(s)}, label="normal")
        for m, s in zip(loc, scale, strict=True)
    )
    return Law(None, {}, label="multivariate_normal", parts=parts)
