"""Closed inequalities: never violated over 1e5 random instances, and attained by one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from mpmath import lambertw, mp, mpf

import kullback as kb
from kullback.bounds import (
    bretagnolle_huber,
    chernoff,
    fano,
    gaussian_reverse_kl,
    gaussian_triangle,
    le_cam,
    pinsker,
    reverse_pinsker,
)

N = 100_000
SLACK = 1 + 1e-12


def laws(k: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(k, spread), (2, N))
    mix = rng.uniform(size=(N, 1)) ** 2
    return p, mix * p + (1 - mix) * q


def on_grid(bound: Callable[[float], float], x: np.ndarray, points: int = 4000) -> np.ndarray:
    """An increasing bound at the grid point below each x, which is the sharper test."""
    grid = np.quantile(x, np.linspace(0, 1, points))
    values = np.array([bound(float(g)) for g in grid])
    assert np.all(np.diff(values) >= 0)
    return values[np.minimum(np.searchsorted(grid, x, side="left"), points - 1)]


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_pinsker(spread: float) -> None:
    p, q = laws(3, spread, 1)
    tv, divergence = kb.total_variation(p, q, normalize=True), kb.kl(p, q, normalize=True)
    assert np.all(tv <= on_grid(lambda x: pinsker(x).high, divergence) * SLACK)
    assert np.all(tv <= np.sqrt(np.minimum(divergence / 2, -np.expm1(-divergence))) * SLACK)
    assert pinsker(math.inf).high == 1.0  # disjoint supports
    near = kb.kl([0.5 + 1e-6, 0.5 - 1e-6], [0.5, 0.5])
    assert pinsker(near).high == pytest.approx(1e-6, rel=1e-6)


def test_bretagnolle_huber() -> None:
    p, q = laws(3, 0.3, 12)
    error, divergence = 1 - kb.total_variation(p, q, normalize=True), kb.kl(p, q, normalize=True)
    assert np.all(error >= (1 - np.sqrt(-np.expm1(-divergence))) * (1 - 1e-12) - 1e-15)
    for i in range(2000):
        assert error[i] >= bretagnolle_huber(divergence[i]).low * (1 - 1e-12) - 1e-15
    assert bretagnolle_huber(0.0).low == 1.0  # attained by p = q
    assert bretagnolle_huber(math.inf).low == 0.0  # and by disjoint supports
    for x in (1.0, 40.0, 700.0):
        with mp.workdps(700):
            assert bretagnolle_huber(x).low == pytest.approx(
                float(1 - mp.sqrt(1 - mp.exp(-mpf(x)))), rel=1e-14
            )


def test_le_cam() -> None:
    p, q = laws(3, 0.5, 13)
    tv, hellinger = kb.total_variation(p, q, normalize=True), kb.squared_hellinger(p, q, normalize=True)
    apart = 0.5 * hellinger
    assert np.all((tv >= apart * (1 - 1e-12)) & (tv <= np.sqrt(apart * (2 - apart)) * SLACK + 1e-15))
    for i in range(300):
        for n in (1, 2, 3):  # the law of n draws, written out
            mine, other = p[i] / p[i].sum(), q[i] / q[i].sum()
            a, b = mine, other
            for _ in range(n - 1):
                a, b = np.outer(a, mine).ravel(), np.outer(b, other).ravel()
            answer = le_cam(min(float(hellinger[i]), 2.0), n=n)
            assert answer.low * (1 - 1e-9) - 1e-15 <= 0.5 * np.abs(a - b).sum() <= answer.high * SLACK + 1e-15
    sharp = [1.0, 0.0], [0.75, 0.25]
    lower = [0.6, 0.4, 0.0], [0.6, 0.0, 0.4]  # what is not shared is disjoint: TV = H²/2
    upper = [0.8, 0.2], [0.2, 0.8]  # exchanged: TV = √(H²/2 (2 − H²/2))
    assert le_cam(kb.squared_hellinger(*lower)).low == pytest.approx(kb.total_variation(*lower), rel=1e-14)
    assert le_cam(kb.squared_hellinger(*upper)).high == pytest.approx(kb.total_variation(*upper), rel=1e-14)
    assert le_cam(kb.squared_hellinger(*sharp), n=10**6).low == pytest.approx(1.0)
    assert le_cam(2.0, n=3).low == le_cam(2.0).high == 1.0
    assert le_cam(1e-20, n=7).low == pytest.approx(3.5e-20, rel=1e-14)


def test_reverse_pinsker() -> None:
    p, q = laws(4, 1.0, 2)
    tv, least = kb.total_variation(p, q, normalize=True), q.min(axis=-1)
    divergence = kb.kl(p, q, normalize=True)
    assert np.all(divergence <= np.log1p(2 * tv**2 / least) * SLACK)
    for i in range(2000):
        assert divergence[i] <= reverse_pinsker(tv[i], smallest_mass=least[i]).high * SLACK
    assert reverse_pinsker(0.5, smallest_mass=0.5).high == pytest.approx(kb.kl([1, 0], [0.5, 0.5]), rel=1e-15)


def test_fano() -> None:
    rng = np.random.default_rng(3)
    joint = rng.dirichlet(np.full(9, 0.3), N).reshape(N, 3, 3)  # (y, x)
    margin = joint.sum(axis=-1)
    posterior = joint / np.where(margin > 0, margin, 1)[..., None]
    entropy = np.sum(
        margin * kb.kl.entropy(np.where(margin[..., None] > 0, posterior, 1 / 3), normalize=True), axis=-1
    )
    error = 1 - joint.max(axis=-1).sum(axis=-1)
    least = np.sort(entropy)[:: N // 500]
    bounds = np.array([fano(float(h), classes=3).low for h in least])
    place = np.searchsorted(least, entropy, side="right") - 1
    assert np.all(error >= bounds[place] - 1e-12)
    for classes, wrong in ((2, 0.1), (5, 0.3)):  # the symmetric channel attains it
        row = [1 - wrong] + [wrong / (classes - 1)] * (classes - 1)
        assert fano(kb.kl.entropy(row), classes=classes).low == pytest.approx(wrong, rel=1e-12)
    assert fano(0.0, classes=3).low == 0
    assert fano(math.log(3), classes=3).low == pytest.approx(2 / 3)


def test_chernoff() -> None:
    p, q = laws(3, 0.5, 4)
    prior = np.random.default_rng(5).uniform(0.05, 0.95, N)
    best = np.minimum(prior[:, None] * p, (1 - prior[:, None]) * q).sum(axis=-1)
    for s in np.linspace(0, 1, 21):
        affinity = np.sum(np.where((p > 0) & (q > 0), p**s * q ** (1 - s), 0), axis=-1)
        assert np.all(best <= prior**s * (1 - prior) ** (1 - s) * affinity * SLACK)
    for i in range(300):
        high = chernoff(p[i] / p[i].sum(), q[i] / q[i].sum(), prior=prior[i]).high
        s = np.linspace(0, 1, 201)[:, None]
        grid = np.min(
            prior[i] ** s[:, 0]
            * (1 - prior[i]) ** (1 - s[:, 0])
            * np.sum(p[i] ** s * q[i] ** (1 - s), axis=-1)
        )
        assert best[i] * (1 - 1e-9) <= high <= grid * (1 + 1e-9)
    assert chernoff([1.0, 0.0], [0.5, 0.5]).high == pytest.approx(0.25, rel=1e-12)  # its error is 1/4
    assert chernoff([1.0, 0.0], [0.0, 1.0]).high == 0
    assert chernoff([0.6, 0.4], [0.4, 0.6], n=50).high < chernoff([0.6, 0.4], [0.4, 0.6], n=10).high


def normal_kl(a: np.ndarray, b: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """KL of N(·, a) from N(·, b) whose means are `shift` apart, diagonal, last axis summed."""
    ratio = np.log(a) - np.log(b)
    return 0.5 * np.sum(np.expm1(ratio) - ratio + shift**2 / b, axis=-1)


def test_gaussian_reverse() -> None:
    rng = np.random.default_rng(6)
    d = rng.integers(1, 4, N)[:, None] > np.arange(3)
    size = rng.choice([0.05, 0.5, 2.0], (N, 1))
    variance = np.where(d, np.exp(size * rng.normal(size=(N, 3))), 1.0)
    mean = np.where(d, size * rng.normal(size=(N, 3)) * rng.integers(0, 2, (N, 1)), 0.0)
    one = np.ones_like(variance)
    forward, backward = normal_kl(variance, one, mean), normal_kl(one, variance, mean)
    order = np.sort(forward)[:: N // 2000]
    bounds = np.array([gaussian_reverse_kl(float(x)).high for x in order])
    place = np.searchsorted(order, forward, side="left")
    inside = place < order.size
    assert np.all(backward[inside] <= bounds[place[inside]] * SLACK)
    for epsilon, known in {
        0.05: 0.06902183341174595,
        0.1: 0.16032619174091534,
        1.0: 7.555653277590215,
    }.items():
        assert gaussian_reverse_kl(epsilon).high == pytest.approx(known, rel=1e-13)
    with mp.workdps(60):
        for epsilon in (1e-14, 1e-8, 1e-3, 0.5, 2.0, 20.0):
            w = -lambertw(-mp.exp(-(1 + 2 * mpf(epsilon)))).real
            truth = (1 / w - mp.log(1 / w) - 1) / 2
            assert gaussian_reverse_kl(epsilon).high == pytest.approx(float(truth), rel=1e-12)
            tight = float(w)
            if epsilon > 1e-4:  # attained: variance w against 1
                assert normal_kl(np.array([tight]), np.ones(1), np.zeros(1)) == pytest.approx(
                    epsilon, rel=1e-9
                )


def test_gaussian_triangle() -> None:
    """Three normal laws with common axes, and in the plane with axes turned."""
    rng = np.random.default_rng(7)
    size = rng.choice([0.03, 0.4, 1.5], (N, 1))
    a, c = np.exp(size * rng.normal(size=(2, N, 2)))
    m, o = size * rng.normal(size=(2, N, 2)) * rng.integers(0, 2, (2, N, 1))
    one = np.ones_like(a)
    first, second, third = normal_kl(a, one, m), normal_kl(one, c, o), normal_kl(a, c, m + o)
    for i in rng.choice(N, 1000, replace=False):
        assert third[i] <= gaussian_triangle(float(first[i]), float(second[i])).high * SLACK
    # all of them against the bound written with vectors, the roots by bisection
    high, low = np.full((2, N), 60.0), np.zeros((2, N))
    for _ in range(90):
        middle = 0.5 * (low + high)
        above = np.expm1(middle) - middle > 2 * np.stack([first, second])
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    assert np.all(third <= (first + second + 0.5 * np.expm1(high[0]) * np.expm1(high[1])) * (1 + 1e-9))
    for r, s in ((0.1, 0.1), (1.0, 0.3), (2.0, 2.0)):  # variances e^r : 1 : e^-s
        laws_ = [np.array([v]) for v in (math.exp(r), 1.0, math.exp(-s))]
        apart = [float(normal_kl(laws_[i], laws_[j], np.zeros(1))) for i, j in ((0, 1), (1, 2), (0, 2))]
        assert gaussian_triangle(apart[0], apart[1]).high == pytest.approx(apart[2], rel=1e-12)


def test_gaussian_triangle_with_turned_axes() -> None:
    rng = np.random.default_rng(8)
    root = rng.normal(size=(1000, 2, 2)) * 0.7
    a = root @ np.swapaxes(root, 1, 2) + 0.2 * np.eye(2)
    other = rng.normal(size=(1000, 2, 2)) * 0.7
    b = other @ np.swapaxes(other, 1, 2) + 0.2 * np.eye(2)  # the precision of the third
    m, o = rng.normal(size=(2, 1000, 2)) * rng.uniform(0, 1, (2, 1000, 1))

    def quadratic(v: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return np.einsum("ni,nij,nj->n", v, matrix, v)

    det_a, det_b = np.linalg.slogdet(a)[1], np.linalg.slogdet(b)[1]
    first = 0.5 * (np.trace(a, axis1=1, axis2=2) - det_a - 2 + np.sum(m * m, axis=1))
    second = 0.5 * (np.trace(b, axis1=1, axis2=2) - det_b - 2 + quadratic(o, b))
    third = 0.5 * (np.trace(b @ a, axis1=1, axis2=2) - det_a - det_b - 2 + quadratic(m - o, b))
    for x, y, z in zip(first, second, third, strict=True):
        assert z <= gaussian_triangle(float(x), float(y)).high * SLACK


def test_refusals() -> None:
    for call in (
        lambda: pinsker(-1.0),
        lambda: pinsker(math.nan),
        lambda: bretagnolle_huber(-1.0),
        lambda: le_cam(2.1),
        lambda: le_cam(0.1, n=0),
        lambda: reverse_pinsker(0.1, smallest_mass=0.0),
        lambda: reverse_pinsker(1.1, smallest_mass=0.1),
        lambda: fano(2.0, classes=2),
        lambda: fano(0.1, classes=1),
        lambda: chernoff([0.5, 0.5], [0.5, 0.5], prior=1.0),
        lambda: chernoff([0.5, 0.6], [0.5, 0.5]),
        lambda: gaussian_triangle(0.1, -0.1),
    ):
        with pytest.raises(kb.InvalidInputError):
            call()
