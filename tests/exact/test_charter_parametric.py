"""The promises on awkward parameters of known distributions, one test a row: P1 to P10."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
import torch

import kullback as kb

stats: Any = scipy.stats
TORCH: Any = torch.distributions
NORMAL = stats.multivariate_normal
GOOD = NORMAL([0.0, 0.0], np.eye(2))


def double(*values: float) -> torch.Tensor:
    tensor = torch.tensor(values, dtype=torch.float64)
    return tensor if len(values) > 1 else tensor[0]


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("library", ["scipy", "torch"])
def test_P1_scale_that_is_none(library: str, scale: float) -> None:
    good = stats.norm(0, 1) if library == "scipy" else TORCH.Normal(double(0.0), double(1.0))
    bad = stats.norm(0, scale) if library == "scipy" else TORCH.Normal(0.0, scale, validate_args=False)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(kb.InvalidInputError, match=r"scale is (-1|0|nan|inf).*positive finite"):
            kb.between(kb.kl, *pair)


def test_P2_covariance_that_is_none() -> None:
    flat = NORMAL([0, 0], np.ones((2, 2)), allow_singular=True)
    for pair in ((GOOD, flat), (flat, GOOD)):
        with pytest.raises(
            kb.InvalidInputError, match=r"not positive definite: its smallest eigenvalue is -?\d"
        ):
            kb.between(kb.kl, *pair)
    lopsided = NORMAL([0, 0], np.array([[1.0, 0.5], [0.501, 1.0]]))
    with pytest.raises(kb.InvalidInputError, match=r"not symmetric: entries differ by 0\.001"):
        kb.between(kb.kl, GOOD, lopsided)
    nearly = np.array([[1.0, 0.1], [0.1 + 1e-16, 1.0]])
    assert nearly[0, 1] != nearly[1, 0]
    symmetric = NORMAL([0, 0], 0.5 * (nearly + nearly.T))
    assert kb.between(kb.kl, GOOD, NORMAL([0, 0], nearly)).value == kb.between(kb.kl, GOOD, symmetric).value


def test_P3_ill_conditioned_covariance() -> None:
    answer = kb.between(kb.kl, GOOD, NORMAL([0, 0], np.diag([1.0, 1e-12]), allow_singular=True))
    assert answer.value == pytest.approx(0.5 * (1e12 - 1.0 + math.log(1e-12)), rel=1e-15)
    assert any("covariance of Q has condition number 1e+12" in note for note in answer.notes)
    assert kb.between(kb.kl, GOOD, NORMAL([0, 0], np.diag([1.0, 1e-3]))).notes == ()
    with pytest.raises(kb.InvalidInputError, match="smallest eigenvalue"):
        kb.between(kb.kl, GOOD, NORMAL([0, 0], np.diag([1.0, 1e-17]), allow_singular=True))
    # a triangular factor keeps its digits: it is never squared
    thin, thinner = (
        TORCH.MultivariateNormal(double(0.0, 0.0), scale_tril=torch.diag(double(1.0, 1e-6 * (1 + e))))
        for e in (0.0, 1e-8)
    )
    assert float(kb.between(kb.kl, thin, thinner).value) == pytest.approx(1e-16, rel=1e-6)


def test_P4_degenerate_on_one_flat() -> None:
    """The plane z = x + y + 1 in space: coordinates (x, y) have the same divergences."""
    rng = np.random.default_rng(3)
    chart, shift = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 0.0, 1.0])
    inside, around = [], []
    for _ in range(2):
        root, mean = rng.normal(size=(2, 2)), rng.normal(size=2)
        covariance = root @ root.T + 0.3 * np.eye(2)
        inside.append(NORMAL(mean, covariance))
        around.append(NORMAL(chart @ mean + shift, chart @ covariance @ chart.T, allow_singular=True))
    for d in (kb.kl, kb.renyi(0.5), kb.js):
        answer = kb.between(d, *around, degenerate="pseudo")
        assert answer.value == pytest.approx(kb.between(d, *inside).value, rel=1e-9)
        assert any("one flat of dimension 2 of 3" in note for note in answer.notes)
    with pytest.raises(kb.InvalidInputError, match='degenerate="pseudo"'):
        kb.between(kb.kl, *around)
    assert kb.between(kb.kl, around[0], around[0], degenerate="pseudo").value == pytest.approx(0.0, abs=1e-14)
    assert kb.between(kb.kl, *inside, degenerate="pseudo").value == kb.between(kb.kl, *inside).value


def test_P4_degenerate_on_different_flats() -> None:
    along = NORMAL([0, 0], np.diag([1.0, 0.0]), allow_singular=True)
    for other in (
        NORMAL([0, 1], np.diag([1.0, 0.0]), allow_singular=True),
        NORMAL([0, 0], np.diag([0.0, 1.0]), allow_singular=True),
        GOOD,
    ):
        for d, most in ((kb.kl, math.inf), (kb.js, math.log(2.0)), (kb.total_variation, 1.0)):
            for pair in ((along, other), (other, along)):
                answer = kb.between(d, *pair, degenerate="pseudo")
                assert answer.value == pytest.approx(most, rel=1e-15)
                assert any("different flats" in note for note in answer.notes)
    with pytest.raises(kb.UnsupportedPairError, match="normal ones only"):
        kb.between(kb.kl, along, stats.dirichlet([1, 2]), degenerate="pseudo")


@pytest.mark.parametrize(("chance", "exact"), [(0.0, -math.log(0.7)), (1.0, -math.log(0.3))])
def test_P5_bernoulli_at_its_ends(chance: float, exact: float) -> None:
    p, q = (TORCH.Bernoulli(probs=double(x)) for x in (chance, 0.3))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(exact, rel=1e-15)
    assert kb.between(kb.kl, stats.bernoulli(chance), stats.bernoulli(0.3)).value == pytest.approx(
        exact, rel=1e-15
    )
    assert math.isinf(kb.between(kb.kl, q, p).value)
    assert float(kb.between(kb.kl, p, TORCH.Bernoulli(probs=double(chance))).value) == 0.0
    assert math.isinf(kb.between(kb.kl, p, TORCH.Bernoulli(probs=double(1.0 - chance))).value)


def gamma_kl(a: float, b: float, c: float, e: float) -> float:
    with mp.workdps(60):
        a, b, c, e = (mp.mpf(x) for x in (a, b, c, e))  # type: ignore[assignment]
        value = (
            (a - c) * mp.digamma(a) - mp.loggamma(a) + mp.loggamma(c) + c * mp.log(b / e) + a * (e - b) / b
        )
        return float(value)  # type: ignore[arg-type]


def beta_kl(a: float, b: float, c: float, e: float) -> float:
    def log_beta(x: Any, y: Any) -> Any:
        return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)

    with mp.workdps(60):
        a, b, c, e = (mp.mpf(x) for x in (a, b, c, e))  # type: ignore[assignment]
        slope = (a - c) * mp.digamma(a) + (b - e) * mp.digamma(b) + (c - a + e - b) * mp.digamma(a + b)
        return float(log_beta(c, e) - log_beta(a, b) + slope)


@pytest.mark.parametrize("size", [1e-8, 1e-4, 1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("delta", [0.3, 1e-4, 1e-8])
def test_P6_tiny_and_huge_shapes(size: float, delta: float) -> None:
    near = size * (1.0 + delta)
    p, q = (TORCH.Gamma(double(x), double(1.0)) for x in (size, near))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(gamma_kl(size, 1.0, near, 1.0), rel=1e-13)
    p, q = TORCH.Beta(double(size), double(2.0 * size)), TORCH.Beta(double(near), double(2.0 * size))
    wanted = beta_kl(size, 2.0 * size, near, 2.0 * size)
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(wanted, rel=1e-13)
    p, q = (TORCH.Dirichlet(double(x, 2.0 * size)) for x in (size, near))
    assert float(kb.between(kb.kl, p, q).value) == pytest.approx(wanted, rel=1e-13)


def test_P7_unsupported_pairs_list_what_there_is() -> None:
    with pytest.raises(
        kb.UnsupportedPairError, match=r"closed forms with one of them: .*‖.*what can be had: kind="
    ):
        kb.between(kb.kl, stats.norm(0, 1), stats.logistic(0, 1), kind="exact")
    with pytest.raises(kb.UnsupportedPairError, match=r"`Q` is a builtins\.str.*kullback\.sampled"):
        kb.between(kb.kl, stats.norm(0, 1), "normal")


def test_P8_supports_that_do_not_match() -> None:
    assert kb.between(kb.kl, stats.uniform(0, 2), stats.uniform(0, 1)).value == math.inf
    assert float(kb.between(kb.kl, TORCH.Uniform(0.0, 2.0), TORCH.Uniform(0.0, 1.0)).value) == math.inf
    assert kb.between(kb.kl, stats.uniform(0, 1), stats.uniform(0, 2)).value == pytest.approx(math.log(2.0))
    both = (
        kb.exact.Product(stats.norm(), stats.uniform(0, 2)),
        kb.exact.Product(stats.norm(), stats.uniform(0, 1)),
    )
    assert kb.between(kb.kl, *both).value == math.inf


def test_P9_poisson_without_arrivals() -> None:
    none, some = TORCH.Poisson(double(0.0)), TORCH.Poisson(double(1.5))
    assert float(kb.between(kb.kl, none, some).value) == 1.5
    assert math.isinf(kb.between(kb.kl, some, none).value)
    assert kb.between(kb.kl, stats.poisson(0.0), stats.poisson(1.5)).value == 1.5


def test_P10_shapes() -> None:
    p, q = TORCH.Normal(torch.zeros(3, 1), 1.0), TORCH.Normal(torch.zeros(4), torch.ones(4))
    value: Any = kb.between(kb.kl, p, q).value
    assert value.shape == (3, 4)
    with pytest.raises(kb.ShapeError, match=r"\(3,\).*\(4,\)"):
        kb.between(kb.kl, TORCH.Normal(torch.zeros(3), 1.0), q)
    with pytest.raises(kb.ShapeError, match=r"\(2,\).*\(3,\)"):
        kb.between(kb.kl, GOOD, NORMAL(np.zeros(3), np.eye(3)))
