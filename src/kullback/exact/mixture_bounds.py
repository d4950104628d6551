"""Certified bounds of divergences of mixtures in many dimensions, with a named approximation between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kullback.answer import Answer
from kullback.divergences import Divergence, FDivergence, jeffreys, kl, reverse_kl
from kullback.divergences.combination import Combination
from kullback.errors import ConvergenceError, UnsupportedPairError
from kullback.exact.approximations import of_divergences, of_points
from kullback.exact.component_pairs import costs, table, weights
from kullback.exact.integrand import EPSILON, reduced
from kullback.exact.law import Law
from kullback.exact.mixture import MixtureLaw
from kullback.exact.normals import Normals, log_average, normals
from kullback.exact.overlap import log_products
from kullback.exact.quadrature import by_quadrature
from kullback.exact.transport import carried, split_up


class Bound(NamedTuple):
    """One end of an interval and the inequality that it comes from."""

    value: float
    name: str


def by_bounds(d: Divergence, p: Law, q: Law) -> Answer:
    """The tightest of the bounds that the components allow, and an approximation that lies inside.

    Raises `UnsupportedPairError` where neither law is a mixture, or where nothing bounds the divergence from above.
    """
    if not (isinstance(p, MixtureLaw) or isinstance(q, MixtureLaw)):
        raise UnsupportedPairError("bounds are made for mixtures, and neither law is one")
    f, mapped = reduced(d)
    low, high = _ends(f, p, q)
    if high.value == math.inf and low.value < math.inf:
        raise UnsupportedPairError(
            f"the components of {p.name}‖{q.name} give no finite upper bound of {f.name}"
        )
    value, name = _inside(f, p, q, low.value, high.value)
    return Answer(
        mapped(value),
        mapped(low.value),
        mapped(high.value),
        kind="bounds",
        method=f"low: {low.name}; high: {high.name}",
        notes=(f'the value is {name}, inside certified bounds; kind="monte-carlo" gives a sampled one',),
    )


def _ends(f: FDivergence, p: Law, q: Law) -> tuple[Bound, Bound]:
    if f == reverse_kl:
        return _ends(kl, q, p)
    lows, highs = list(_lower(f, p, q)), list(_upper(f, p, q))
    parts = f.parts if isinstance(f, Combination) else ((1.0, kl), (1.0, reverse_kl)) if f == jeffreys else ()
    if parts:
        ends = [(weight, *_ends(part, p, q)) for weight, part in parts]
        lows.append(Bound(sum(w * low.value for w, low, _ in ends), "sum of the parts' bounds"))
        highs.append(Bound(sum(w * high.value for w, _, high in ends), "sum of the parts' bounds"))
    low, high = max(lows, key=lambda b: b.value), min(highs, key=lambda b: b.value)
    # where both are sharp, rounding could let them cross
    return (
        (low, high) if low.value <= high.value else (Bound(high.value, low.name), Bound(low.value, high.name))
    )


def _lower(f: FDivergence, p: Law, q: Law) -> Iterator[Bound]:
    yield Bound(0.0, "non-negative")
    left, right = normals(p), normals(q)
    if left is None or right is None:
        return
    if f == kl:
        yield Bound(_entropic(p, q, left, right)[0], "entropies of mixtures")
    if left.dimension > 1:
        for direction in _directions(left, right):
            try:
                found = by_quadrature(f, left.projected(direction), right.projected(direction))
            except ConvergenceError:
                continue
            yield Bound(found.low, "one-dimensional projection")


def _upper(f: FDivergence, p: Law, q: Law) -> Iterator[Bound]:
    w, v = weights(p), weights(q)
    if f != kl:
        yield _rounded_up(carried(costs(f, p, q), w, v), "joint convexity")
        return
    pairs = table(kl, p, q)
    yield _rounded_up(split_up(pairs, w, v), "variational")
    left, right = normals(p), normals(q)
    if left is not None and right is not None:
        yield Bound(_entropic(p, q, left, right)[1], "entropies of mixtures")


def _rounded_up(value: float, name: str) -> Bound:
    return Bound(value * (1.0 + 64.0 * EPSILON), name)


def _entropic(p: Law, q: Law, left: Normals, right: Normals) -> tuple[float, float]:
    r"""Bounds of $E_p \log p - E_p \log q$ from bounds of both means, [durrieu2012].

    With H the entropies of the components, the mean of log q over $p_i$ lies between
    $\log \sum_j v_j e^{-KL(p_i \| q_j)} - H_i$ and $\log \sum_j v_j \int p_i q_j$; that of log p over P is, moreover,
    at most $-\sum_i w_i H_i$, as the entropy is concave.
    """
    w, v = left.weights, right.weights
    on = np.arange(left.dimension)
    volumes = np.log(left.scale_tril[:, on, on]).sum(axis=-1)
    entropy = volumes + 0.5 * left.dimension * (1.0 + math.log(2.0 * math.pi))
    low_p = log_average(-table(kl, p, p), w) - entropy
    low_q = log_average(-table(kl, p, q), v) - entropy
    high_p = log_average(log_products(left, left), w)
    high_q = log_average(log_products(left, right), v)
    noise = (
        64.0 * EPSILON * float(np.sum(w * (np.abs(low_p) + np.abs(low_q) + np.abs(high_p) + np.abs(high_q))))
    )
    most_p = min(float(w @ high_p), -float(w @ entropy))
    return float(w @ low_p) - float(w @ high_q) - noise, most_p - float(w @ low_q) + noise


def _directions(p: Normals, q: Normals) -> Iterator[np.ndarray]:
    """Where to look for a difference: along the shift of the means, the largest change of scale, the farthest pair."""
    (mean_p, cov_p), (mean_q, cov_q) = p.moments(), q.moments()
    root = np.linalg.cholesky(0.5 * (cov_p + cov_q))
    white = np.linalg.inv(root)
    _, axes = np.linalg.eigh(white @ (cov_p - cov_q) @ white.T)
    apart = (p.loc[:, None] - q.loc) @ white.T
    heaviest = int(np.argmax(p.weights))
    nearest = apart[heaviest][np.argmin(np.sum(apart[heaviest] ** 2, axis=-1))]
    found = [white @ (mean_p - mean_q), axes[:, 0], axes[:, -1], nearest]
    for direction in found:
        size = float(np.linalg.norm(direction))
        if size > EPSILON:
            yield white.T @ (direction / size)


def _inside(f: FDivergence, p: Law, q: Law, low: float, high: float) -> tuple[float, str]:
    """The first approximation that lies between the bounds; their middle where none does."""
    if low == high:
        return low, "both bounds"
    for value, name in _approximations(f, p, q):
        if low <= value <= high:
            return value, name
    return 0.5 * (low + high), "the middle of the bounds"


def _approximations(f: FDivergence, p: Law, q: Law) -> Iterator[tuple[float, str]]:
    left, right = normals(p), normals(q)
    if left is not None and right is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            yield float(of_points(f, left, right)), "the unscented approximation"
    if f in (kl, reverse_kl):
        yield float(of_divergences(*((p, q) if f == kl else (q, p)))), "the variational approximation"
