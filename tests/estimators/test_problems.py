"""The problems with known answers: what they draw, and that their truths are true."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from problems.samples_benchmark import benchmark_1, benchmark_2
from problems.samples_problem import JointProblem

# Four digits from the closed forms of the papers; the mixtures from 10^6 draws, known to three.
PUBLISHED = {
    "1v1-normal-0.75": 0.4133,
    "normal_cdf-1v1-normal-0.75": 0.4133,
    "1v1-additive-0.75": 0.3333,
    "wiggly-1v1-normal-0.75": 0.4133,
    "asinh-student-identity-1-1-1": 0.2242,
    "swissroll_x-normal_cdf-1v1-normal-0.75": 0.4133,
    "multinormal-dense-2-2-0.5": 0.2939,
    "multinormal-dense-3-3-0.5": 0.4133,
    "multinormal-dense-5-5-0.5": 0.5928,
    "multinormal-dense-50-50-0.5": 1.6243,
    "multinormal-sparse-2-2-2-2.0": 1.0217,
    "multinormal-sparse-25-25-2-2.0": 1.0217,
    "student-identity-2-2-1": 0.4319,
    "student-identity-2-2-2": 0.1931,
    "student-identity-3-3-3": 0.1787,
    "student-identity-5-5-2": 0.4482,
    "half_cube-multinormal-sparse-3-3-2-2.0": 1.0217,
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": 1.0217,
    "asinh-student-identity-5-5-2": 0.4482,
}
DRAWN = {
    "1v1-X-0.9": 0.4085,
    "2v1-galaxy-0.5-3.0": 0.4936,
    "3v1-concentric_gaussians-5": 0.4550,
    "5v1-concentric_gaussians-5": 0.6276,
    "3v1-concentric_gaussians-10": 0.5598,
    "25v1-concentric_gaussians-5": 1.1908,
    "mult-sparse-w-inliers-5-5-2-2.0-0.2": 0.6362,
    "mult-sparse-w-inliers-5-5-2-2.0-0.5": 0.2697,
}


@cache
def benchmark() -> dict[str, JointProblem]:
    return {p.name: p for p in (*benchmark_1(), *benchmark_2())}


def test_the_benchmark_has_its_tasks() -> None:
    assert len(benchmark_1()) == 40
    assert len(benchmark_2()) == 13
    assert len(benchmark()) == 53


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_truths_to_four_digits(name: str) -> None:
    assert benchmark()[name].truth == pytest.approx(PUBLISHED[name], abs=5.1e-5)


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_truths_to_three_digits(name: str) -> None:
    assert benchmark()[name].truth == pytest.approx(DRAWN[name], abs=1e-3)


@pytest.mark.parametrize("p", benchmark().values(), ids=lambda p: p.name)
def test_draws_have_their_shape_and_repeat(p: JointProblem) -> None:
    x, y = p.draw(50, np.random.default_rng(3))
    again = p.draw(50, np.random.default_rng(3))
    assert (x.shape, y.shape) == ((50, p.dims[0]), (50, p.dims[1]))
    assert np.array_equal(x, again[0])
    assert np.array_equal(y, again[1])
