"""Pairs of distributions, from far apart to one rounding apart, with the tails where formulas break."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def near_equal(rng: np.random.Generator, n: int, delta: float, batch: int | None = None) -> Pair:
    """q at random and p = q (1 + z) with z of size `delta` and mean 0 under q."""
    size = (n,) if batch is None else (batch, n)
    q = rng.dirichlet(np.ones(n), size=batch)
    z = delta * np.clip(rng.standard_normal(size), -3.0, 3.0)
    z -= (q * z).sum(axis=-1, keepdims=True)
    if delta > 1e-2:
        p = q * np.exp(z)
        return p / p.sum(axis=-1, keepdims=True), q
    return q * (1.0 + z), q


def far_apart(rng: np.random.Generator, n: int, batch: int | None = None, spread: float = 1.0) -> Pair:
    """Two draws from a Dirichlet distribution; a small `spread` makes tails of 1e-100 and less."""
    p, q = rng.dirichlet(np.full(n, spread), size=(2,) if batch is None else (2, batch))
    return p, q


def with_zeros(rng: np.random.Generator, n: int, batch: int) -> Pair:
    """Some categories empty on one side, some on both, but never a whole side."""
    p, q = rng.dirichlet(np.ones(n), size=(2, batch))
    for x in (p, q):
        x[:, 1:][rng.random((batch, n - 1)) < 0.3] = 0.0
        x /= x.sum(axis=-1, keepdims=True)
    return p, q


def logits(rng: np.random.Generator, n: int, scale: float, delta: float, batch: int | None = None) -> Pair:
    """Two vectors of logits of that scale, `delta` apart."""
    size = (n,) if batch is None else (batch, n)
    a = scale * rng.standard_normal(size)
    return a, a + delta * rng.standard_normal(size)


def masked_logits(rng: np.random.Generator, n: int, delta: float) -> Iterator[tuple[str, Pair]]:
    """−inf on either side, on both, and on everything that the other side has."""
    a, b = logits(rng, n, 1.0, delta)
    for name, only_a, only_b in (
        ("both", [1], [1]),
        ("p", [1], []),
        ("q", [], [1]),
        ("each", [0], [1]),
        ("disjoint", [0, 1], list(range(2, n))),
    ):
        x, y = a.copy(), b.copy()
        x[only_a], y[only_b] = -np.inf, -np.inf
        yield name, (x, y)
