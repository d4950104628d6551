"""Quadrature over the plane: against grids, iterated integrals and what is known in one dimension."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

import kullback as kb
from kullback.exact import Product

stats: Any = scipy.stats
TORCH = torch.distributions
NORMAL = stats.multivariate_normal
A, B = np.array([[1.0, 0.4], [0.4, 2.0]]), np.array([[1.5, -0.3], [-0.3, 0.8]])
P, Q = NORMAL([0.0, 0.0], A), NORMAL([1.0, 0.5], B)
SMOOTH = (kb.kl, kb.reverse_kl, kb.js, kb.squared_hellinger, kb.le_cam, kb.skew_js(0.3), kb.alpha(0.4))


def on_grid(d: kb.FDivergence, p: object, q: object, reach: float = 14.0, n: int = 561) -> float:
    """The trapezoidal rule, which converges faster than any power on smooth functions that vanish at the ends."""
    x = np.linspace(-reach, reach, n)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    f, g = (law.pdf(points).ravel() * (x[1] - x[0]) ** 2 for law in (p, q))  # type: ignore[attr-defined]
    return float(np.sum(d.terms(f, g, axis=0, validate=False)))


@pytest.mark.parametrize("d", SMOOTH, ids=repr)
def test_normal_laws_against_a_grid(d: kb.FDivergence) -> None:
    answer = kb.between(d, P, Q, kind="quadrature")
    assert answer.value == pytest.approx(on_grid(d, P, Q), rel=1e-12)
    assert answer.low <= answer.value <= answer.high
    assert answer.high - answer.low < 1e-12


def test_jensen_shannon_of_two_normal_laws_is_quick() -> None:
    start = time.process_time()
    answer = kb.between(kb.js, P, Q)
    assert time.process_time() - start < 5.0  # a tenth of it on an idle core
    assert answer.method.startswith("adaptive on the plane")


def test_total_variation_has_an_honest_interval() -> None:
    """A kink along a curve: ∫∫ |p − q| / 2 with the inner integral between the roots of log p − log q."""
    answer = kb.between(kb.total_variation, P, Q)
    inverse = np.linalg.inv(A) - np.linalg.inv(B)
    mean, (root_a, root_b) = np.array([1.0, 0.5]), (np.linalg.det(A) ** -0.5, np.linalg.det(B) ** -0.5)
    push = np.linalg.inv(B) @ mean
    constant = 2.0 * math.log(root_a / root_b) + mean @ push
    x = np.linspace(-12, 12, 24001)
    two, one = inverse[1, 1], 2.0 * (inverse[0, 1] * x + push[1])
    zero = inverse[0, 0] * x * x + 2.0 * push[0] * x - constant
    inside = one * one - 4.0 * two * zero
    roots = (-one + np.array([[-1.0], [1.0]]) * np.sqrt(np.maximum(inside, 0.0))) / (2.0 * two)
    roots.sort(axis=0)

    def between_roots(cov: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """∫ of the density over y between the roots, for every x."""
        along = shift[1] + cov[0, 1] / cov[0, 0] * (x - shift[0])
        spread = math.sqrt(cov[1, 1] - cov[0, 1] ** 2 / cov[0, 0])
        low, high = stats.norm.cdf((roots - along) / spread)
        return stats.norm.pdf(x, shift[0], math.sqrt(cov[0, 0])) * (high - low)

    gap = between_roots(A, np.zeros(2)) - between_roots(B, mean)
    exact = abs(float(np.trapezoid(np.where(inside > 0, gap, 0.0), x)))
    assert answer.low <= exact + 1e-9
    assert exact - 1e-9 <= answer.high
    assert answer.value == pytest.approx(exact, rel=1e-6)
    assert 0.0 < answer.high - answer.low < 1e-5


def test_equal_covariances_differ_along_one_line_in_any_dimension() -> None:
    rng = np.random.default_rng(8)
    for dim in (2, 5, 40):
        root = rng.normal(size=(dim, dim)) / math.sqrt(dim) + np.eye(dim)
        p, q = (NORMAL(m, root @ root.T) for m in (np.zeros(dim), root @ np.full(dim, 1.0 / math.sqrt(dim))))
        for d in (kb.js, kb.total_variation):
            line = kb.between(d, stats.norm(0, 1), stats.norm(1, 1))
            found = kb.between(d, p, q)
            assert found.kind == "quadrature"
            assert found.value == pytest.approx(line.value, rel=1e-10)


def test_near_equality_keeps_its_digits() -> None:
    for delta in (1e-4, 1e-7):
        q = NORMAL([0.0, delta], A + np.diag([2.0 * delta, 0.0]))
        kl = kb.between(kb.kl, P if delta < 0 else NORMAL([0, 0], A), q).value
        js = kb.between(kb.js, NORMAL([0, 0], A), q).value
        assert js / kl == pytest.approx(0.25, rel=20 * delta)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((stats.norm(0, 1), stats.laplace(0, 1)), (stats.laplace(0, 1), stats.norm(0, 2))),
        ((stats.gamma(0.5), stats.norm(0, 1)), (stats.gamma(2.0), stats.norm(1, 1.5))),
        ((stats.t(2), stats.uniform(0, 2)), (stats.cauchy(), stats.uniform(1, 3))),
    ],
    ids=["smooth", "singular", "heavy"],
)
def test_products_of_two_laws(first: tuple[object, ...], second: tuple[object, ...]) -> None:
    """Hellinger multiplies over the parts; with the equality turned off, the plane must find the same."""
    from kullback.exact.plane import by_plane
    from kullback.exact.reading import read

    p, q = (read(Product(*laws), "P").at(()) for laws in (first, second))
    wanted = kb.between(kb.squared_hellinger, Product(*first), Product(*second))
    answer = by_plane(kb.squared_hellinger, p, q)
    assert "independent parts" in wanted.method
    assert answer.value == pytest.approx(wanted.value, rel=1e-8)
    assert answer.low - 1e-12 <= wanted.value <= answer.high + 1e-12


def test_a_product_next_to_a_correlated_law() -> None:
    p, q = Product(stats.norm(0, 1), stats.logistic(0, 1)), NORMAL([0, 0], [[1, 0.9], [0.9, 1.5]])
    answer = kb.between(kb.js, p, q)

    class Joint:
        def pdf(self, x: np.ndarray) -> np.ndarray:
            return stats.norm(0, 1).pdf(x[..., 0]) * stats.logistic(0, 1).pdf(x[..., 1])

    assert answer.kind == "quadrature"
    assert answer.value == pytest.approx(on_grid(kb.js, Joint(), q, reach=36, n=721), rel=1e-10)


class Turned(TORCH.Independent):
    """Independent draws in coordinates of its own, of which only the density tells."""

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]], dtype=torch.float64)
        return super().log_prob(value @ turn)


def test_laws_of_torch_by_their_density() -> None:
    zero = torch.zeros(2, dtype=torch.float64)
    p, q = TORCH.StudentT(zero + 5.0), TORCH.Normal(zero + 0.5, zero + 1.5)
    wanted = kb.between(kb.js, TORCH.Independent(p, 1), TORCH.Independent(q, 1))
    answer = kb.between(kb.js, Turned(p, 1), Turned(q, 1))
    assert answer.kind == wanted.kind == "quadrature"
    assert answer.value == pytest.approx(wanted.value, rel=1e-9)


def test_a_density_that_is_none_is_refused() -> None:
    class Half(TORCH.Independent):
        def log_prob(self, value: torch.Tensor) -> torch.Tensor:
            return super().log_prob(value) - math.log(2.0)

    zero = torch.zeros(2, dtype=torch.float64)
    good = TORCH.Normal(zero, zero + 1.0)
    with pytest.raises(kb.ConvergenceError, match=r"integrates to 0\.5 on the plane"):
        kb.between(kb.js, Half(good, 1), TORCH.Independent(good, 1), kind="quadrature")
