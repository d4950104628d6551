"""The problems with known answers: what they draw, and that their truths are true."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy.special import digamma, ndtri_exp
from scipy.stats import multivariate_normal, multivariate_t, norm, t

from problems import samples_copulas as copulas
from problems import samples_truths as truths
from problems.samples_benchmark import benchmark_1, benchmark_2
from problems.samples_failures import failures
from problems.samples_joint_laws import dense, sparse
from problems.samples_lowdim import LEVELS, benchmark_3
from problems.samples_own import own
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


ALL = (*benchmark_1(), *benchmark_2(), *benchmark_3(), *own(), *failures())


def test_what_judges_is_not_tuned_on() -> None:
    assert {p.family for p in own()} == {"own"}
    judging = {p.name for p in ALL if p.family != "own"}
    assert not judging & {p.name for p in own()}
    assert len({p.name for p in ALL}) == len(ALL)


@pytest.mark.parametrize("p", ALL, ids=lambda p: p.name)
def test_draws_have_their_shape_and_repeat(p: JointProblem) -> None:
    x, y, *_ = first = p.draw(50, np.random.default_rng(3))
    assert (x.shape, y.shape) == ((50, p.dims[0]), (50, p.dims[1]))
    for once, twice in zip(first, p.draw(50, np.random.default_rng(3)), strict=True):
        assert np.isfinite(once).all()
        assert np.array_equal(once, twice)


def near_mean(values: np.ndarray, truth: float) -> None:
    """Within four standard errors of the mean of the draws."""
    assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(len(values))


@pytest.mark.parametrize("theta", [0.3, 2.0, 5.0])
def test_clayton_has_a_closed_form(theta: float) -> None:
    closed = math.log1p(theta) + 2 * theta + 2 - (2 * theta + 1) * (theta + 2) / (theta + 1)
    assert truths.of_copula(copulas.clayton(theta).log_density) == pytest.approx(closed, abs=1e-7)


@pytest.mark.parametrize(
    "copula", [copulas.clayton(2), copulas.gumbel(1.5), copulas.gumbel(3), copulas.frank(6)]
)
def test_copulas_draw_from_their_density(copula: copulas.Copula) -> None:
    u, v = np.log(copula.draw(200_000, np.random.default_rng(5))).T
    logs = copula.log_density(u, v)
    near_mean(logs, truths.of_copula(copula.log_density))
    near_mean(np.exp(u), 0.5)
    near_mean(np.exp(v), 0.5)


def test_copula_quadrature_on_the_normal_copula() -> None:
    def log_density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        x, y = ndtri_exp(a), ndtri_exp(b)
        return -0.5 * math.log(0.64) - (0.36 * (x * x + y * y) - 1.2 * x * y) / 1.28

    assert truths.of_copula(log_density) == pytest.approx(-0.5 * math.log(0.64), abs=1e-7)


def test_a_line_with_noise_is_normal() -> None:
    z, w = truths.panels(np.linspace(-9, 9, 73), 6)
    mass = w * norm.pdf(z)
    found = truths.of_regression(lambda x: 0.6 * x, lambda x: np.full_like(x, 0.8), z, mass)
    assert found == pytest.approx(truths.of_normal(dense(1, 1, 0.6), 1), abs=1e-9)


def test_mixture_quadrature_against_one_component_and_against_draws() -> None:
    one = truths.of_normal_mixture([0.3, 0.7], np.zeros((2, 2)), [dense(1, 1, 0.9)] * 2)
    assert one == pytest.approx(truths.of_normal(dense(1, 1, 0.9), 1), abs=1e-9)
    crossed = [multivariate_normal([0, 0], [[1, r], [r, 1]]) for r in (0.9, -0.9)]
    p = benchmark()["1v1-X-0.9"]
    rows = np.column_stack(p.draw(300_000, np.random.default_rng(6)))
    joint = np.log(0.5 * crossed[0].pdf(rows) + 0.5 * crossed[1].pdf(rows))
    near_mean(joint - norm.logpdf(rows).sum(axis=1), p.truth)


def test_student_against_draws() -> None:
    c = dense(2, 1, 0.5)
    law, left = multivariate_t(shape=c, df=3), multivariate_t(shape=c[:2, :2], df=3)
    rows = law.rvs(300_000, random_state=7)
    logs = law.logpdf(rows) - left.logpdf(rows[:, :2]) - t.logpdf(rows[:, 2], 3)
    near_mean(logs, truths.of_student(c, 2, 3))


def test_inliers_between_all_and_none() -> None:
    assert truths.of_inliers(0.8, 1e-12) == pytest.approx(-math.log(0.36), abs=1e-8)
    assert truths.of_inliers(0.8, 1 - 1e-9) == pytest.approx(0, abs=1e-8)
    p = next(p for p in own() if p.name == "inliers-3")
    x, y = p.draw(300_000, np.random.default_rng(8))
    both = multivariate_normal(np.zeros(6), sparse(3, 3, (0.95, 0.95)))
    alone = norm.logpdf(np.column_stack([x, y])).sum(axis=1)
    ratio = both.logpdf(np.column_stack([x, y])) - alone
    near_mean(np.logaddexp(math.log(0.7) + ratio, math.log(0.3)), p.truth)


def test_rounding_loses_information_and_less_with_finer_steps() -> None:
    full = -0.5 * math.log(0.64)
    steps = [truths.of_table(truths.rounded_normal_table(0.6, h)) for h in (1.0, 0.5, 0.1)]
    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(0.1832, abs=5e-5)
    assert full - steps[2] == pytest.approx((full - steps[1]) / 25, rel=0.2)
    assert truths.rounded_normal_table(0.6, 0.5).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("p", [p for p in own() if "discrete" in p.tags], ids=lambda p: p.name)
def test_tables_against_counts(p: JointProblem) -> None:
    x, y = (column[:, 0] for column in p.draw(400_000, np.random.default_rng(9)))
    counts = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(counts, (x, y), 1)
    plugged = truths.of_table(counts / counts.sum())
    assert plugged == pytest.approx(p.truth, abs=4e-3)


@pytest.mark.parametrize("level", LEVELS)
def test_gamma_exponential_against_draws(level: float) -> None:
    p = next(p for p in benchmark_3() if p.name == f"gamma-exponential-{level:g}")
    log_x, log_y = (column[:, 0] for column in p.draw(200_000, np.random.default_rng(10)))
    # the shape from E log x, then the mean log ratio of the conditional law of y to its own, a Lomax law
    shape = shape_of(level)
    near_mean(log_x, float(digamma(shape)))
    total = np.logaddexp(0, log_y)
    logs = log_x - np.exp(log_x + log_y) - math.log(shape) + (shape + 1) * total
    near_mean(logs, level)


def shape_of(level: float) -> float:
    """By halving: information falls in the shape."""
    low, high = 1e-6, 1e3
    for _ in range(200):
        middle = math.sqrt(low * high)
        above = digamma(middle) + 1 / middle - math.log(middle) > level
        low, high = (middle, high) if above else (low, middle)
    return low
