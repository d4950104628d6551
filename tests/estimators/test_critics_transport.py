"""The Wasserstein-1 distance from below: against distances that are known, and the Lipschitz constant itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import estimate
from kullback.estimators.critics import Lipschitz, LipschitzCritic, Training, WassersteinDependency

torch = pytest.importorskip("torch")

QUICK = LipschitzCritic((8, 8), Training(batch=128, steps=60, patience=60, learning_rate=2e-2))


def test_a_shift_is_as_far_as_it_goes_in_any_unit() -> None:
    before = torch.random.get_rng_state()
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((800, 2)), rng.standard_normal((800, 2)) + np.array([3.0, 4.0])
    answer = estimate(kb.wasserstein(1), x, y, method=QUICK)
    assert answer.value == pytest.approx(5.0, abs=0.25)
    assert answer.low < 5.0 < answer.high == math.inf
    assert torch.equal(torch.random.get_rng_state(), before)
    near, far = (
        estimate(kb.wasserstein(1), u * x[:60], u * y[:60], method=QUICK).value for u in (1.0, 2.0**200)
    )
    assert far == pytest.approx(near * 2.0**200, rel=1e-12)


def test_no_more_than_the_distance_at_equality() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((400, 3)), rng.standard_normal((400, 3))
    answer = estimate(kb.wasserstein(1), x, y, method=QUICK, level=0.999)
    assert answer.low <= 0.0
    assert abs(answer.value) < 4 * answer.standard_error


def test_the_constant_is_one() -> None:
    from kullback.estimators.neural.networks import LipschitzNetwork, contraction

    generator = torch.Generator().manual_seed(0)
    network = LipschitzNetwork([5, 16, 16, 1], generator).double()
    a, b = torch.randn(2, 500, 5, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        pace = (network(a) - network(b)).abs()[:, 0] / (a - b).norm(dim=1)
    assert 0.05 < float(pace.max()) <= 1 + 1e-12
    sizes = torch.linalg.svdvals(contraction(torch.randn(8, 8, generator=generator, dtype=torch.float64)))
    assert float(sizes.max()) <= 1 + 1e-12


def test_what_is_not_served_is_refused() -> None:
    x = np.random.default_rng(0).standard_normal(50)
    with pytest.raises(UnsupportedPairError, match="wasserstein"):
        estimate(kb.wasserstein(2), x, x + 1, method=QUICK)
    with pytest.raises(UnsupportedPairError, match="weights"):
        estimate(kb.wasserstein(1), x, x + 1, weights_x=np.arange(1.0, 51.0), method=QUICK)
    with pytest.raises(InvalidInputError, match="even"):
        LipschitzCritic((3,))


DEPENDENCY = WassersteinDependency(
    architecture=Lipschitz((16, 16)),
    training=Training(batch=128, steps=60, patience=60, learning_rate=3e-2, partners=4),
)


def test_the_dependency_of_a_variable_with_itself() -> None:
    """W1 of (x, x) from (x, x'): at least E|x − x'|/√2 = √(2/π), at most what moving along both diagonals costs."""
    x = np.random.default_rng(2).standard_normal(1000)
    answer = kb.mutual_information(x, x, divergence=kb.wasserstein(1), method=DEPENDENCY)
    u, v = np.random.default_rng(3).standard_normal((2, 10**6))
    most = float(np.hypot((math.sqrt(2.0) - 1.0) * u, v).mean())
    assert 0.9 * math.sqrt(2 / math.pi) <= answer.value <= most + 3 * answer.standard_error
    assert answer.unit == "units of x"
    assert answer.high == math.inf
    huge = kb.mutual_information(
        x[:200] * 2.0**300, x[:200] * 2.0**300, divergence=kb.wasserstein(1), method=DEPENDENCY
    )
    plain = kb.mutual_information(x[:200], x[:200], divergence=kb.wasserstein(1), method=DEPENDENCY)
    assert huge.value == pytest.approx(plain.value * 2.0**300, rel=1e-9)


def test_independent_variables_are_no_distance_from_independence() -> None:
    x, y = np.random.default_rng(4).standard_normal((2, 800))
    answer = kb.mutual_information(x, y, divergence=kb.wasserstein(1), method=DEPENDENCY, level=0.999)
    assert answer.low <= 0.0 < answer.value + 4 * answer.standard_error


def test_a_distance_needs_the_method_that_bounds_it() -> None:
    x = np.arange(100.0)
    with pytest.raises(UnsupportedPairError, match="method=WassersteinDependency"):
        kb.mutual_information(x, x, divergence=kb.wasserstein(1))
    with pytest.raises(UnsupportedPairError, match="pass divergence="):
        kb.mutual_information(x, x, method=DEPENDENCY)
    with pytest.raises(InvalidInputError, match="even numbers"):
        Lipschitz((5,))
