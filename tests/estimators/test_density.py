"""Densities on grids against sums over all rows, and bandwidth rules over twenty-four powers of ten."""

from __future__ import annotations

import numpy as np
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.estimators import (
    Epanechnikov,
    Gaussian,
    ImprovedSheatherJones,
    KDEEntropy,
    Scott,
    Silverman,
    critical_bandwidths,
    grid_density,
)

RULES = [Scott(), Silverman(), ImprovedSheatherJones()]


def exact(rows, points, h, kernel, weights=None):
    """The sum over all rows."""
    z = (points[:, None, :] - rows) / h
    return np.average(np.prod(kernel.density(z) / h, axis=2), axis=1, weights=weights)


@pytest.mark.parametrize(("kernel", "close"), [(Gaussian(), 1e-4), (Epanechnikov(), 3e-3)])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_grid_equals_the_sum_over_rows(kernel, close, d, weighted):
    rng = np.random.default_rng(d)
    rows = rng.standard_normal((400, d))
    weights = rng.uniform(0.5, 2.0, 400) if weighted else None
    p = grid_density(rows, bandwidth=0.4, kernel=kernel, weights=weights)
    peak = p.density.max()
    nodes = np.column_stack([a.ravel() for a in np.meshgrid(*p.axes, indexing="ij")])
    some = rng.choice(len(nodes), 500)
    truth = exact(rows, nodes[some], 0.4, kernel, weights)
    assert np.abs(p.density.ravel()[some] - truth).max() < close * peak
    assert np.abs(p.pdf(rows) - exact(rows, rows, 0.4, kernel, weights)).max() < close * peak
    cell = np.prod([a[1] - a[0] for a in p.axes])
    assert p.density.sum() * cell == pytest.approx(1.0, abs=1e-10)


def test_coarse_cells_do_not_widen_the_kernel():
    x = np.random.default_rng(6).standard_normal(2000)
    p = grid_density(x, bandwidth=0.4, cells=32)  # under two cells a bandwidth
    truth = exact(x[:, None], p.axes[0][:, None], 0.4, Gaussian())
    assert np.abs(p.density - truth).max() < 1e-3


def test_long_kernels_go_through_transforms():
    x = np.random.default_rng(0).standard_normal(300)
    fine = grid_density(x, bandwidth=0.5, cells=20_000)  # over 256 taps
    truth = exact(x[:, None], fine.axes[0][::500, None], 0.5, Gaussian())
    assert np.abs(fine.density[::500] - truth).max() < 1e-6


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("scale", [1e-12, 1e-2, 1e4, 1e5, 1e12])
def test_bandwidths_are_free_of_scale(rule, scale):
    x = np.random.default_rng(1).gamma(3.0, size=1000)
    one, other = grid_density(x, bandwidth=rule), grid_density(scale * x, bandwidth=rule)
    assert other.bandwidth[0] / scale == pytest.approx(one.bandwidth[0], rel=1e-9)
    assert np.allclose(other.pdf(scale * x) * scale, one.pdf(x), rtol=1e-8)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
def test_place_and_reflection_change_nothing(rule):
    x = np.random.default_rng(2).gamma(3.0, size=500)
    p = grid_density(x, bandwidth=rule).pdf(x)
    assert np.allclose(grid_density(-x, bandwidth=rule).pdf(-x), p, rtol=1e-7)
    assert np.allclose(grid_density(x + 1024.0, bandwidth=rule).pdf(x + 1024.0), p, rtol=1e-7)


def test_silverman_by_hand():
    x = np.random.default_rng(3).standard_normal(5000)
    quartiles = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.3489795
    by_hand = 0.9 * min(x.std(ddof=1), quartiles) * 5000**-0.2
    assert grid_density(x, bandwidth=Silverman()).bandwidth[0] == pytest.approx(by_hand, rel=5e-3)
    assert grid_density(x, bandwidth=Scott()).bandwidth[0] == pytest.approx(
        x.std(ddof=1) * 5000**-0.2, rel=1e-3
    )


def test_improved_sheather_jones_sees_modes():
    rng = np.random.default_rng(4)
    x = np.r_[rng.normal(-50, 1, 5000), rng.normal(50, 1, 5000)]
    h = grid_density(x, bandwidth=ImprovedSheatherJones()).bandwidth[0]
    assert 0.12 < h < 0.3  # 1.06 * 5000 ** -.2 = .193 is best for each mode; Silverman's rule says 7
    assert grid_density(x, bandwidth=Silverman()).bandwidth[0] > 5


def test_outliers_ask_for_cells_and_get_them_or_an_error():
    x = np.r_[np.random.default_rng(5).standard_normal(1000), 1e4]
    p = grid_density(x)
    assert len(p.axes[0]) > 50_000
    assert p.pdf([0.0])[0] == pytest.approx(0.4, abs=0.05)
    with pytest.raises(InvalidInputError, match="more cells"):
        grid_density(np.r_[x, 1e12])


def test_critical_bandwidths_and_neighbours():
    assert critical_bandwidths(20_000, 20) == pytest.approx((0.656, 0.928), abs=5e-4)
    assert critical_bandwidths(4000, 16) == pytest.approx((0.637, 0.901), abs=5e-4)
    p = grid_density([0.0, 0.0, 0.0, 10.0], bandwidth=1.0)
    assert p.effective_neighbours([0.0, 10.0]) == pytest.approx([3.0, 1.0], abs=1e-3)
    assert p.logpdf([1e6])[0] == -np.inf


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [1.0, 1.0], []])
def test_bad_data_are_refused(bad):
    with pytest.raises(InvalidInputError):
        grid_density(np.array(bad))


def test_weights_of_one_row_are_refused():
    x, w = np.arange(40.0), np.ones(40)
    w[7] = 1e300
    with pytest.raises(InvalidInputError, match="one row has 100% of the weight"):
        grid_density(x, weights=w)
    with pytest.raises(InvalidInputError, match="worth 1"):
        kb.entropy(x, weights=w, method=KDEEntropy())
    with pytest.raises(InvalidInputError, match="worth 1"):
        kb.estimate(kb.js, x, x + 0.5, weights_x=w)


def test_bad_arguments_are_refused():
    x = np.arange(10.0)
    with pytest.raises(InvalidInputError, match="positive"):
        grid_density(x, bandwidth=0.0)
    with pytest.raises(InvalidInputError, match="cells"):
        grid_density(x, cells=1)
    with pytest.raises(ShapeError, match="one or two columns"):
        grid_density(np.ones((5, 3)))
    with pytest.raises(ShapeError, match="columns"):
        grid_density(x).pdf(np.ones((2, 2)))
