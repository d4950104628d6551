"""Information of classes by divergences with a kink at 1: parts by enumeration, intervals by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

import kullback as kb
from estimators.test_counts_information import covered, problem, rows_of, truth
from kullback.divergences import FDivergence
from kullback.estimators import Contingency
from kullback.estimators.counts import kinked
from kullback.estimators.counts.crossed import crossed

BOTH = FDivergence.from_generator(
    lambda t: np.abs(t - 1) + (t - 1) ** 2, lambda t: np.sign(t - 1) + 2 * (t - 1), name="both"
)
ABOVE = FDivergence.from_generator(
    lambda t: np.maximum(t - 1, 0) + 0.1 * (t - 1) ** 2,
    lambda t: (t > 1) * 1.0 + 0.2 * (t - 1),
    name="above",
)
KINKED = [kb.total_variation, 2.0 * kb.total_variation + kb.js, BOTH, ABOVE]
TABLE = np.array([[11, 3, 6], [4, 9, 7]])


def excess(gap: float, sd: float) -> float:
    """½ (|d| − [|d| (2Φ − 1) − 2 σ φ])."""
    return float(0.5 * (gap - gap * (2 * norm.cdf(gap / sd) - 1) + 2 * sd * norm.pdf(gap / sd)))


def test_the_parts_are_their_definitions() -> None:
    n = TABLE.sum()
    shares = TABLE / n
    p, q = shares.sum(1), shares.sum(0)
    total = smallest = squares = 0.0
    for a in range(2):
        for b in range(3):
            # what one row in cell (i, j) does to p_ab − p_a q_b
            effect = np.array(
                [
                    [(i == a) * (j == b) - p[a] * (j == b) - q[b] * (i == a) for j in range(3)]
                    for i in range(2)
                ]
            )
            mean = (shares * effect).sum()
            sd = math.sqrt((shares * (effect - mean) ** 2).sum() / n)
            total += excess(abs(shares[a, b] - p[a] * q[b]), sd)
            smallest += sd / math.sqrt(2 * math.pi)
            squares += sd**2 / 4
    found = kinked.Folds.of(crossed(problem(*rows_of(TABLE))))
    assert found.excess == pytest.approx(total, rel=1e-12)
    assert found.short == pytest.approx(
        max(smallest - truth(kb.total_variation, shares), 0.0), rel=1e-12, abs=1e-15
    )
    assert found.variance == pytest.approx(squares, rel=1e-12)


def test_cells_without_rows_count_as_their_masses() -> None:
    table = np.array([[40, 0], [30, 30]])
    one = kinked.Folds.of(crossed(problem(*rows_of(table))))
    expected = 40 * 30 / 100  # rows in the empty cell at independence
    rest = kinked.excess_of(
        *map(
            np.asarray,
            (
                abs(table.ravel() / 100 - np.outer([0.4, 0.6], [0.7, 0.3]).ravel())[[0, 2, 3]],
                kinked._spread(crossed(problem(*rows_of(table)))),
            ),
        )
    ).sum()
    assert one.excess == pytest.approx(rest + excess(expected, math.sqrt(expected)) / 100, rel=1e-9)


@pytest.mark.parametrize("d", [*KINKED, kb.kl, kb.js], ids=lambda d: d.name)
def test_the_jump_of_the_slope(d: FDivergence) -> None:
    jumps = {"total_variation": 1.0, "both": 2.0, "above": 1.0, "kl": 0.0, "js": 0.0}
    assert d.jump_at_one == pytest.approx(jumps.get(d.name, 2.0), abs=1e-5)


def test_value_and_ends_by_hand() -> None:
    """Where the columns are independent to the bit there is no variance but that of the cells by themselves."""
    table = np.outer([2, 3], [4, 6])
    sd = math.sqrt(0.4 * 0.6 * 0.4 * 0.6 / 50)  # of every p_ab − p_a q_b
    found = Contingency().estimate(problem(*rows_of(table), divergence=kb.total_variation))
    assert found.interval is not None
    assert found.distrust == ""
    width = 1.959964 * math.sqrt(4 * sd**2 / 4)
    smallest = 4 * sd / math.sqrt(2 * math.pi)
    assert found.value == pytest.approx(-2 / 3 * smallest, rel=1e-6)
    assert found.interval(0.95) == pytest.approx((-smallest - width, smallest + width), rel=1e-6)


def test_equal_columns_and_conditions() -> None:
    x = np.repeat(["a", "b", "c"], [200, 300, 500])
    same = kb.mutual_information(x, x, divergence=kb.total_variation, method=Contingency())
    gini = 1 - (0.04 + 0.09 + 0.25)
    assert same.low < gini < same.high
    assert same.high - same.low < 0.06
    assert same.value == pytest.approx(gini, abs=2e-3)
    rng = np.random.default_rng(4)
    z = rng.integers(0, 2, 600)
    a, b = (z + rng.integers(0, 2, 600) for _ in range(2))
    ends = []
    for given in (None, z):
        found = Contingency().estimate(problem(a, b, given, divergence=kb.total_variation))
        assert found.interval is not None
        ends.append(found.interval(0.95))
    assert ends[0][0] > 0.05
    assert ends[1][0] < 0 < ends[1][1] < 0.1


def test_a_cell_at_the_kink_leaves_the_value_alone() -> None:
    """Differences over the kink would tell a curvature of 1e5 where p = q to the bit."""
    table = np.array([[12, 8, 10], [8, 12, 10]])
    for d in (BOTH, ABOVE):
        found = Contingency().estimate(problem(*rows_of(table), divergence=d))
        assert abs(found.value) < 0.5


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_intervals_cover(weight: float) -> None:
    p = np.array([[0.3, 0.1], [0.2, 0.4]])
    p = weight * p + (1 - weight) * np.outer(p.sum(1), p.sum(0))
    assert covered(kb.total_variation, p, 200, 100, 1) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("measure", KINKED, ids=lambda d: d.name)
@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("weight", [0.0, 0.15, 0.5, 1.0])
def test_intervals_cover_on_other_tables(measure: FDivergence, n: int, weight: float) -> None:
    table = np.random.default_rng(21).dirichlet(np.full(12, 2.0)).reshape(3, 4)
    p = weight * table + (1 - weight) * np.outer(table.sum(1), table.sum(0))
    assert covered(measure, p, n, 200, 1) >= 0.91  # 0.95 less 2.6 standard errors of 200 draws
