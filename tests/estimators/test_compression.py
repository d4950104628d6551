"""Columns made fewer: what is kept is told, and of information nothing is gained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kullback.errors import DTypeError, InvalidInputError
from kullback.estimators import mutual_information
from kullback.estimators.compression import Autoencoder, Compressor, PrincipalComponents
from kullback.estimators.critics.settings import Training
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample


class Normal(InformationMethod):
    """The information of normals with the covariance of the data: a truth for maps that keep normals normal."""

    name = "normal"

    def refusal(self, problem: JointSample) -> str:  # noqa: ARG002  (serves all)
        return ""

    def estimate(self, problem: JointSample) -> Estimate:
        x, y = problem.x.values, problem.y.values
        joint = np.cov(np.column_stack([x, y]), rowvar=False, aweights=problem.weights)
        k = x.shape[1]
        logs = [np.linalg.slogdet(c)[1] for c in (joint[:k, :k], joint[k:, k:], joint)]
        return Estimate(
            float(0.5 * (logs[0] + logs[1] - logs[2])), 0.0, notes=(f"{k}, {y.shape[1]} columns",)
        )


def images(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """Two hidden numbers a side, known to each other, seen as forty columns with little noise."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((n, 2))
    v = 0.8 * u + 0.6 * rng.standard_normal((n, 2))
    a, b = rng.standard_normal((2, 2, 40))
    x, y = (h @ m + 1e-3 * rng.standard_normal((n, 40)) for h, m in ((u, a), (v, b)))
    return x, y, -math.log(0.6)


def test_what_the_components_hold_is_kept() -> None:
    x, y, _ = images(3000)
    two = mutual_information(x, y, method=Normal(), compress=PrincipalComponents(components=2))
    rho2 = 1 - 0.36
    assert two.value == pytest.approx(-math.log(1 - rho2), abs=0.05)
    assert any("`x`: 40 columns compressed to 2 principal components with 100 %" in n for n in two.notes)
    assert any("I(c(X); c(Y)) <= I(X; Y)" in n for n in two.notes)
    by_share = mutual_information(x, y, method=Normal(), compress=PrincipalComponents(share=0.999))
    assert by_share.value == two.value


def test_information_only_falls_and_sides_go_by_themselves() -> None:
    x, y, _ = images(2000, seed=1)
    values = [
        mutual_information(x, y, method=Normal(), compress=(PrincipalComponents(components=k), None)).value
        for k in (1, 2, 10, 40)
    ]
    assert values == sorted(values)
    one = mutual_information(x, y, method=Normal(), compress=(None, PrincipalComponents(components=1)))
    assert "40, 1 columns" in one.notes
    whole = mutual_information(x, y, method=Normal())
    assert values[-1] == pytest.approx(whole.value, rel=1e-6)
    assert not any("compressed" in n for n in whole.notes)


def test_components_against_the_covariance() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((50, 6)) * np.arange(1.0, 7.0)
    weights = rng.integers(1, 4, 50).astype(float)
    found, _ = PrincipalComponents(components=3).codes(values, weights, rng)
    repeated, _ = PrincipalComponents(components=3).codes(
        np.repeat(values, weights.astype(int), axis=0), None, rng
    )
    np.testing.assert_allclose(np.repeat(found, weights.astype(int), axis=0), repeated, atol=1e-12)
    plain, told = PrincipalComponents(components=3).codes(values, None, rng)
    sizes = np.linalg.eigvalsh(np.cov(values, rowvar=False, ddof=0))[::-1]
    np.testing.assert_allclose(plain.var(axis=0), sizes[:3], rtol=1e-12)
    assert f"{100 * sizes[:3].sum() / sizes.sum():.4g} %" in told


def test_wide_tables_and_discrete_columns() -> None:
    x, y, _ = images(20)
    small = mutual_information(x, y, method=Normal(), compress=PrincipalComponents(components=2))
    assert "2, 2 columns" in small.notes
    with pytest.raises(InvalidInputError, match="no continuous column"):
        mutual_information(["a", "b"] * 10, y, method=Normal(), compress=PrincipalComponents(components=1))


def test_errors_say_what_to_do() -> None:
    x, y, _ = images(30)
    for wrong in ({}, {"components": 2, "share": 0.5}, {"components": 0}, {"share": 1.5}):
        with pytest.raises(InvalidInputError):
            PrincipalComponents(**wrong)
    with pytest.raises(DTypeError, match="expected a compressor"):
        mutual_information(x, y, method=Normal(), compress="pca")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="41 components of 40 columns"):
        mutual_information(x, y, method=Normal(), compress=PrincipalComponents(components=41))
    with pytest.raises(
        InvalidInputError, match=r"2 components of 1 column and .*: there are at most 1; .* a pair"
    ):
        mutual_information(x[:, 0], y, method=Normal(), compress=PrincipalComponents(components=2))
    with pytest.raises(InvalidInputError, match="every row is the same"):
        mutual_information(np.ones((30, 2)), y, method=Normal(), compress=PrincipalComponents(components=1))
    with pytest.raises(InvalidInputError, match="no weights"):
        mutual_information(x, y, method=Normal(), compress=Autoencoder(2), weights=np.arange(1.0, 31.0))


def test_an_autoencoder_follows_a_curve_that_a_line_does_not() -> None:
    torch = pytest.importorskip("torch")
    before = torch.random.get_rng_state()
    rng = np.random.default_rng(3)
    angle = rng.uniform(-1.5, 1.5, 1000)
    arc = np.column_stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)])
    quick = Autoencoder(1, hidden=(32, 32), training=Training(batch=128, steps=300, learning_rate=8e-3))
    codes, told = quick.codes(arc, None, np.random.default_rng(0))
    line, kept = PrincipalComponents(components=1).codes(arc, None, rng)
    share = float(told.split("which ")[1].split(" %")[0])
    assert share > 97
    assert float(kept.split("with ")[1].split(" %")[0]) < 80
    assert codes.shape == line.shape
    assert torch.equal(torch.random.get_rng_state(), before)
    again, _ = quick.codes(arc, None, np.random.default_rng(0))
    np.testing.assert_array_equal(again, codes)


def test_any_map_of_ones_own_serves() -> None:
    class First(Compressor):
        def codes(self, values, weights, rng):  # noqa: ARG002  (needs neither)
            return values[:, :1], "the first column"

    x, y, _ = images(50)
    assert (
        "`x`: 40 columns compressed to the first column"
        in mutual_information(x, y, method=Normal(), compress=First()).notes
    )
