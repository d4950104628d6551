"""f-informations within the classes of a condition: the mean of closed numbers, permutations, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import GridInformation, RatioInformation

RHOS = (0.8, 0.0)
SHARES = (0.4, 0.6)


def rows(seed: int, n: int) -> tuple[Any, Any, Any]:
    """Normal pairs whose correlation, and whose places, depend on the class."""
    rng = np.random.default_rng(seed)
    z = rng.choice(2, n, p=SHARES)
    rho = np.array(RHOS)[z]
    x, e = rng.standard_normal((2, n))
    return x + 3 * z, rho * x + np.sqrt(1 - rho**2) * e + 3 * z, np.array(["a", "b"])[z]


def truth(d: kb.FDivergence) -> float:
    """By quadrature over the plane where the correlation is not 0."""
    u = np.linspace(-8, 8, 801)
    x, y = np.meshgrid(u, u)
    q = np.exp(-0.5 * (x * x + y * y)) / (2 * np.pi) * (u[1] - u[0]) ** 2
    rho = RHOS[0]
    r = -0.5 * np.log(1 - rho**2) - (rho**2 * (x * x + y * y) - 2 * rho * x * y) / (2 * (1 - rho**2))
    return SHARES[0] * float(d((q * np.exp(r)).ravel(), q.ravel(), normalize=True))


@pytest.mark.parametrize(
    ("d", "method"),
    [(kb.js, GridInformation()), (kb.squared_hellinger, GridInformation()), (kb.js, RatioInformation())],
    ids=["js-grid", "hellinger-grid", "js-ratio"],
)
def test_the_average_over_the_classes(d: kb.FDivergence, method: Any) -> None:
    x, y, z = rows(0, 2000)
    expected = truth(d)
    found = kb.mutual_information(x, y, given=z, divergence=d, method=method)
    assert found.low < expected < found.high
    assert found.value == pytest.approx(expected, abs=0.03)
    assert kb.mutual_information(x, y, divergence=d, method=method).value > found.value + 0.05


def test_it_is_the_weighted_mean_of_its_strata() -> None:
    x, y, z = rows(1, 800)
    found = kb.mutual_information(x, y, given=z, divergence=kb.js, method=GridInformation())
    parts = [
        np.mean(z == c)
        * kb.mutual_information(x[z == c], y[z == c], divergence=kb.js, method=GridInformation()).value
        for c in "ab"
    ]
    assert found.value == pytest.approx(sum(parts), abs=1e-12)


def test_auto_takes_strata_and_refuses_numbers() -> None:
    x, y, z = rows(2, 400)
    assert kb.mutual_information(x, y, given=z, divergence=kb.js).method.startswith("GridInformation")
    wide = np.column_stack([x, y[::-1]])
    assert kb.mutual_information(wide, y, given=z, divergence=kb.js).method.startswith("ratio information")
    with pytest.raises(UnsupportedPairError, match="cut it into classes"):
        kb.mutual_information(x, y, given=x + y, divergence=kb.js)
    z[0] = "rare"
    with pytest.raises(InvalidInputError, match="class 2 of `given`"):
        kb.mutual_information(x, y, given=z, divergence=kb.js)


def test_permutations_stay_within_the_classes() -> None:
    rng = np.random.default_rng(3)
    z = rng.choice(2, 300)
    x, y = rng.standard_normal((2, 300)) + 4 * z
    apart = kb.mutual_information(x, y, given=np.array(["a", "b"])[z], divergence=kb.js, permutations=39)
    together = kb.mutual_information(x, y, divergence=kb.js, permutations=39)
    assert apart.p_value is not None
    assert together.p_value == pytest.approx(1 / 40)
    assert apart.p_value > 0.05
