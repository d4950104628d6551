"""Nouns on nearly equal normal laws, against textbook formulas with 60 digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import kullback as kb
from exact.members import MEMBERS, member, moved
from kullback.exact.bures import squared_bures

GAUSSIAN = kb.mmd(kb.GaussianKernel(0.7))
ENERGY_ROOT = kb.mmd(kb.DistanceKernel())


def bures_truth(p: np.ndarray, q: np.ndarray) -> mp.mpf:
    def root(x: mp.matrix) -> mp.matrix:
        values, vectors = mp.eigsy(x)
        return vectors * mp.diag([mp.sqrt(v) for v in values]) * vectors.T

    s, r = (mp.matrix(x.tolist()) * mp.matrix(x.tolist()).T for x in (p, q))
    half = root(s)
    both = root(half * r * half)
    return mp.fsum(s[i, i] + r[i, i] - 2 * both[i, i] for i in range(len(p)))


@pytest.mark.parametrize("delta", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6])
def test_bures_keeps_its_digits(delta: float, condition: float) -> None:
    rng = np.random.default_rng(7)
    for n in (1, 2, 4):
        p = np.tril(0.5 * rng.normal(size=(n, n)))
        np.fill_diagonal(p, np.abs(np.diag(p)) + 0.5)
        p = np.geomspace(1, condition**-0.5, n)[:, None] * p
        q = p * (1 + 0.3 * delta * np.tril(rng.normal(size=(n, n))))
        with mp.workdps(60):
            truth = bures_truth(p, q)
            assert abs((mp.mpf(float(squared_bures(p, q))) - truth) / truth) < 2e-14


def normal_truth(d: kb.Noun, p: dict, q: dict) -> mp.mpf:
    """Textbook formulas of two normal laws on the line."""
    (m, s), (n, t) = ((mp.mpf(z["loc"]), mp.mpf(z["scale"])) for z in (p, q))

    def product(a, b, c, e):
        v = b**2 + e**2
        return mp.exp(-((a - c) ** 2) / (2 * v)) / mp.sqrt(2 * mp.pi * v)

    def spread(shift, v):
        return mp.sqrt(2 * v / mp.pi) * mp.exp(-(shift**2) / (2 * v)) + shift * mp.erf(shift / mp.sqrt(2 * v))

    energy = 2 * spread(m - n, s**2 + t**2) - spread(0, 2 * s**2) - spread(0, 2 * t**2)
    return {
        kb.wasserstein(2): mp.sqrt((m - n) ** 2 + (s - t) ** 2),
        kb.fisher: ((m - n) / t**2) ** 2 + (s / t**2 - 1 / s) ** 2,
        kb.squared_l2: product(m, s, m, s) + product(n, t, n, t) - 2 * product(m, s, n, t),
        kb.energy_distance: energy,
        ENERGY_ROOT: mp.sqrt(energy),
        GAUSSIAN: mp.sqrt(
            mp.mpf(0.7)
            * mp.sqrt(2 * mp.pi)
            * sum(
                w * product(a, mp.sqrt(b**2 + mp.mpf(0.7) ** 2), c, e)
                for w, a, b, c, e in ((1, m, s, m, s), (1, n, t, n, t), (-2, m, s, n, t))
            )
        ),
    }[d]


@pytest.mark.parametrize("delta", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize(
    "d", [kb.wasserstein(2), kb.fisher, kb.squared_l2, kb.energy_distance, ENERGY_ROOT, GAUSSIAN], ids=repr
)
def test_near_equality_keeps_its_digits(d: kb.Noun, delta: float) -> None:
    for first in MEMBERS["normal"]:
        second = moved(first, delta)
        with mp.workdps(60):
            truth = normal_truth(d, first, second)
            value = kb.between(d, member("normal", first), member("normal", second)).value
            assert abs((mp.mpf(float(value)) - truth) / truth) < 2e-14, (first, second)


@pytest.mark.parametrize("delta", [1e-3, 1e-6])
def test_near_equality_by_quadrature_stays_within_its_interval(delta: float) -> None:
    first, second = {"loc": 0.3, "scale": 1.2}, {"loc": 0.3 * (1 + delta), "scale": 1.2 * (1 - delta)}
    for d in (kb.wasserstein(2), kb.fisher, kb.squared_l2, kb.energy_distance):
        with mp.workdps(60):
            truth = float(normal_truth(d, first, second))
        answer = kb.between(d, member("normal", first), member("normal", second), kind="quadrature")
        assert answer.low <= truth <= answer.high
        assert answer.value == pytest.approx(truth, rel=1e-8)
