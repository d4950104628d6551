"""The parts of the nearest-neighbour estimators against slow twins: deletions, cubes' measures, ties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma

from kullback.estimators import neighbour_jackknife as jackknife
from kullback.estimators.neighbour_balls import balls, rotated
from kullback.estimators.neighbour_reference import Reference, fit, flat
from kullback.estimators.neighbour_ties import log_distances
from kullback.estimators.trees import Tree

KS = (1, 2, 3, 5, 8)


def reference(d: int) -> Reference:
    return Reference(
        np.outer([0.1, 0.2, -0.4], np.ones(d)),
        np.diag(np.linspace(0.5, 2.0, d)),
        np.array([0.5, 1.0, 4.0]),
        np.array([0.2, 0.5, 0.3]),
    )


def entropies(x: np.ndarray, base: Reference | None) -> tuple[np.ndarray, np.ndarray]:
    found = balls(Tree(x), KS, reference=base)
    return jackknife.entropies(found.reach, found.rows, KS)


def divergences(
    x: np.ndarray, y: np.ndarray, base: Reference | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    near = balls(Tree(x), KS, reference=base)
    far = balls(Tree(y), KS, reference=base, queries=x)
    return jackknife.divergences(near.reach, near.rows, far.reach, far.rows, KS, len(y))


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("referred", [False, True])
def test_leaving_rows_out_of_the_formula_is_leaving_them_out_of_the_data(d: int, referred: bool) -> None:
    rng = np.random.default_rng(d)
    x, y = rng.standard_normal((30, d)), rng.standard_normal((23, d)) + 0.5
    base = reference(d) if referred else None
    entropy, without = entropies(x, base)
    value, without_x, without_y = divergences(x, y, base)
    for j in range(len(x)):
        np.testing.assert_allclose(without[:, j], entropies(np.delete(x, j, 0), base)[0], atol=1e-13)
        np.testing.assert_allclose(without_x[:, j], divergences(np.delete(x, j, 0), y, base)[0], atol=1e-13)
    for j in range(len(y)):
        np.testing.assert_allclose(without_y[:, j], divergences(x, np.delete(y, j, 0), base)[0], atol=1e-13)
    assert np.ptp(entropy) > 0
    assert np.ptp(value) > 0


def test_estimates_are_the_published_sums() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((40, 2)), rng.standard_normal((50, 2))
    within = np.sort(np.abs(x[:, None] - x).max(-1), axis=1)[:, 1:]
    across = np.sort(np.abs(x[:, None] - y).max(-1), axis=1)
    value, found = entropies(x, None)[0], divergences(x, y, None)[0]
    for k, h, t in zip(KS, value, found, strict=True):
        assert h == pytest.approx(
            digamma(40) - digamma(k) + 2 * np.log(2 * within[:, k - 1]).mean(), abs=1e-13
        )
        ratio = 2 * np.log(across[:, k - 1] / within[:, k - 1]).mean()
        assert t == pytest.approx(ratio + digamma(51) - digamma(40), abs=1e-13)


@pytest.mark.parametrize("half", [1e-9, 1e-4, 0.9e-3, 1.1e-3, 0.3, 5.0, 40.0])
def test_measures_of_cubes_are_differences_of_distribution_functions(half: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    base = reference(2)
    for point in ([0.1, 0.1], [1.3, -2.0], [30.0, 0.4], [-400.0, 90.0]):
        got = base.log_boxes(np.array([point]), np.array([[half]]))[0, 0]
        with mpmath.workdps(400):
            box, density = mpmath.mpf(0), mpmath.mpf(0)
            for scale, share, centre in zip(base.scales, base.shares, base.centres, strict=True):
                mass, peak = mpmath.mpf(share), mpmath.mpf(share)
                for z, m, v in zip(point, centre, np.diag(base.shape), strict=True):
                    deviation = mpmath.sqrt(mpmath.mpf(v)) * mpmath.mpf(scale)
                    low = (mpmath.mpf(z) - half - mpmath.mpf(m)) / deviation
                    high = (mpmath.mpf(z) + half - mpmath.mpf(m)) / deviation
                    mass *= mpmath.ncdf(high) - mpmath.ncdf(low)
                    peak *= mpmath.npdf((mpmath.mpf(z) - mpmath.mpf(m)) / deviation) / deviation
                box, density = box + mass, density + peak
            truth = mpmath.log(box / density)
        assert got == pytest.approx(float(truth), rel=1e-10, abs=1e-10), point


def test_a_fitted_reference_finds_scale_and_tails() -> None:
    rng = np.random.default_rng(2)
    normal = rng.standard_normal((4000, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]]) + 3
    found = fit(normal)
    np.testing.assert_allclose(found.shares @ found.centres, [3, 3], atol=0.1)
    variance = (found.shares * found.scales**2).sum() * found.shape
    np.testing.assert_allclose(variance, np.cov(normal, rowvar=False), rtol=0.1)
    cauchy = fit(rng.standard_cauchy((4000, 1)))
    half = 0.5 + np.arctan(30) / math.pi  # the share of the law within 30 of its centre
    deviations = np.sqrt(cauchy.shape[0, 0]) * cauchy.scales
    inside = cauchy.shares @ (2 * stats.norm.cdf(30 / deviations) - 1)
    assert inside == pytest.approx(2 * half - 1, abs=0.02)


def test_a_reference_of_a_normal_law_is_normal() -> None:
    scales = [len(fit(np.random.default_rng(s).standard_normal((500, 1 + s % 3))).scales) for s in range(12)]
    assert scales == [1] * 12  # no wide scale, which would make the tails too heavy
    assert len(fit(np.random.default_rng(0).laplace(size=(500, 1))).scales) > 1


@pytest.mark.parametrize("n", [500, 9000])  # of the larger, a part takes part in most rounds
def test_a_reference_of_a_skewed_law_has_its_wide_part_on_the_side_of_the_tail(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.gumbel(size=(n, 2))
    found = fit(x)
    used = found.shares > 0.05
    along = found.centres[used].sum(axis=1)
    assert (np.diff(along) > 0).all()
    assert along[-1] - along[0] > 1.0
    mirrored = fit(-x)
    np.testing.assert_allclose(mirrored.centres, -found.centres, atol=1e-9)


@pytest.mark.parametrize("n", [500, 9000])
def test_a_reference_goes_along_with_affine_maps_and_knows_no_order(n: int) -> None:
    rng = np.random.default_rng(n)
    x, axes = rng.gumbel(size=(n, 2)), np.array([[2.0, 1.0], [-1.0, 3.0]])
    found, mapped = fit(x).moved(axes), fit(rng.permutation(x @ axes + 50.0))
    assert len(found.shares) > 1
    np.testing.assert_allclose(mapped.centres, found.centres + 50.0, rtol=1e-8)
    np.testing.assert_allclose(mapped.shape, found.shape, rtol=1e-8)
    np.testing.assert_allclose(mapped.shares, found.shares, rtol=1e-7, atol=1e-12)


def test_a_reference_like_the_law_leaves_no_bias() -> None:
    rng = np.random.default_rng(3)
    base = Reference(np.zeros((1, 8)), np.eye(8), np.ones(1), np.ones(1))
    truth = 4 * math.log(2 * math.pi * math.e)
    found = np.array([entropies(rng.standard_normal((100, 8)), base)[0] for _ in range(60)])
    error = found.mean(axis=0) - truth
    assert (np.abs(error) < 3.5 * found.std(axis=0) / math.sqrt(60)).all()
    plain = np.array([entropies(rng.standard_normal((100, 8)), None)[0] for _ in range(20)])
    assert (plain.mean(axis=0) - truth > 0.2).all()  # volumes are far off in 8 columns


def test_planes_have_no_density() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 2))
    assert not flat(x)
    assert not flat(x * np.array([1.0, 1e-6]))
    assert flat(np.column_stack([x, x @ [1.0, 2.0]]))
    assert flat(np.column_stack([x, np.ones(50)]))


def test_a_distance_that_rounding_ate_is_given_its_expectation() -> None:
    rng = np.random.default_rng(4)
    # the masses up to the first four of many uniform points: the first two are censored
    points = np.sort(rng.random((40_000, 50)), axis=1)[:, :4]
    censored = points.copy()
    censored[:, :2] = 0.0
    got, truth = log_distances(censored, 1), np.log(points)
    np.testing.assert_array_equal(got[:, 2:], truth[:, 2:])
    np.testing.assert_allclose(got.mean(axis=0), truth.mean(axis=0), atol=0.02)
    untied = rng.random((5, 3)) + 0.1
    np.testing.assert_array_equal(log_distances(untied, 2), np.log(untied))


def test_equal_rows_stay_equal_in_other_axes() -> None:
    rng = np.random.default_rng(6)
    row = rng.standard_normal(7)
    rows = rng.standard_normal((101, 7))
    rows[::3] = row
    moved = rotated(rows, rng.standard_normal((7, 7)))
    assert (moved[::3] == moved[0]).all()
