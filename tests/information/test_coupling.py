"""Couplings and codes against brute force over all corners and all partitions, and the bounds that they promise."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest

import kullback as kb
from kullback.information import (
    entropy_bounded_compression,
    greedy_compression,
    greedy_coupling,
    minimum_entropy_coupling,
    through_bottleneck,
)

GREEDY_EXCESS = 1 / math.e  # log2(e)/e bits


def entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p @ np.log(p)))


def least_entropy(p: np.ndarray, q: np.ndarray) -> float:
    """Over every basic feasible solution of the transport problem."""
    n, m = len(p), len(q)
    cells = list(product(range(n), range(m)))
    margins = np.array([[float(i == row) for i, _ in cells] for row in range(n)])
    margins = np.vstack([margins, [[float(j == column) for _, j in cells] for column in range(m)]])[:-1]
    target, best = np.r_[p, q][:-1], math.inf
    for chosen in combinations(range(n * m), n + m - 1):
        columns = margins[:, chosen]
        if abs(np.linalg.det(columns)) > 0.5:
            masses = np.linalg.solve(columns, target)
            if masses.min() > -1e-12:
                best = min(best, entropy(masses))
    return best


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (2, 5), (3, 4)])
def test_exact_coupling_is_the_least_of_all_corners(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = (rng.dirichlet(np.ones(k)) for k in shape)
    found = minimum_entropy_coupling(p, q)
    assert found.entropy == pytest.approx(least_entropy(p, q), abs=1e-12)
    assert found.joint.min() >= 0
    assert found.joint.sum(axis=1) == pytest.approx(p, abs=1e-13)
    assert found.joint.sum(axis=0) == pytest.approx(q, abs=1e-13)
    assert found.lower_bound <= found.entropy + 1e-12
    assert found.information == pytest.approx(entropy(p) + entropy(q) - found.entropy, abs=1e-12)


def test_five_by_five_is_feasible_and_never_worse_than_greedy() -> None:
    rng = np.random.default_rng(0)
    better = 0.0
    for _ in range(2):
        p, q = rng.dirichlet(np.ones(5), size=2)
        gain = greedy_coupling(p, q).entropy - minimum_entropy_coupling(p, q).entropy
        assert gain >= -1e-12
        better = max(better, gain)
    assert better > 0.01


def test_zeros_take_no_cells_and_equal_laws_are_identical() -> None:
    p = np.array([0.0, 0.5, 0.0, 0.3, 0.2, 0.0, 0.0])
    for couple in (greedy_coupling, minimum_entropy_coupling):
        found = couple(p, p)
        assert found.joint == pytest.approx(np.diag(p))
        assert found.entropy == pytest.approx(found.lower_bound)


@pytest.mark.parametrize("seed", range(4))
def test_greedy_excess_over_the_lower_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for k in (2, 5, 20, 60):
        p, q = rng.dirichlet(np.full(k, rng.choice([0.3, 1.0, 5.0])), size=2)
        found = greedy_coupling(p, q)
        assert found.joint.sum(axis=1) == pytest.approx(p, abs=1e-12)
        assert found.joint.sum(axis=0) == pytest.approx(q, abs=1e-12)
        assert max(entropy(p), entropy(q)) <= found.lower_bound + 1e-12
        assert found.entropy <= found.lower_bound + GREEDY_EXCESS


def test_lower_bound_by_hand() -> None:
    """The curves (1/2, 1) and (3/4, 1) have the least (1/2, 1): the meet is (1/2, 1/2)."""
    assert greedy_coupling([0.5, 0.5], [0.75, 0.25]).lower_bound == pytest.approx(math.log(2))


def partitions(n: int) -> list[tuple[int, ...]]:
    """Growth strings: an item's group is at most one beyond those before it."""
    return [
        c for c in product(range(n), repeat=n) if all(c[i] <= max(c[:i], default=-1) + 1 for i in range(n))
    ]


@pytest.mark.parametrize("seed", range(6))
def test_exact_compression_is_the_best_partition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(6))
    rate = rng.uniform(0.1, 1.1) * entropy(p)
    all_of_them = [entropy(np.bincount(c, weights=p)) for c in partitions(6)]
    found = entropy_bounded_compression(p, rate=rate)
    assert found.entropy == pytest.approx(max(h for h in all_of_them if h <= rate + 1e-12), abs=1e-12)
    assert found.masses == pytest.approx(np.bincount(found.codes, weights=p))


@pytest.mark.parametrize("seed", range(4))
def test_greedy_compression_leaves_no_more_unused_than_promised(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        p = rng.dirichlet(np.full(int(rng.integers(2, 25)), rng.choice([0.3, 1.0])))
        rate = rng.uniform(0, 1) * entropy(p)
        found = greedy_compression(p, rate=rate)
        second = np.sort(p)[-2]
        assert found.entropy <= rate + 1e-9
        assert rate - found.entropy <= entropy(np.array([second, 1 - second])) + 1e-9


def test_a_rate_above_the_entropy_keeps_everything() -> None:
    p = [0.5, 0.25, 0.25]
    for compress in (greedy_compression, entropy_bounded_compression):
        assert compress(p, rate=2.0).codes.tolist() == [0, 1, 2]
        assert compress(p, rate=0.0).codes.tolist() == [0, 0, 0]


def test_the_output_has_its_law_and_sees_no_more_than_the_code() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(5))
    told = []
    for rate in (0.0, 0.5, 1.0, 1.5, 3.0):
        code = entropy_bounded_compression(p, rate=rate)
        found = through_bottleneck(code, p, q)
        assert found.joint.sum(axis=1) == pytest.approx(p)
        assert found.joint.sum(axis=0) == pytest.approx(q)
        assert found.information <= min(rate, entropy(q)) + 1e-12
        told.append(found.information)
    assert told == sorted(told)
    assert told[0] == pytest.approx(0.0, abs=1e-15)


def test_refusals() -> None:
    with pytest.raises(kb.InvalidInputError, match="greedy_coupling"):
        minimum_entropy_coupling(np.full(6, 1 / 6), np.full(6, 1 / 6))
    with pytest.raises(kb.InvalidInputError, match="greedy_compression"):
        entropy_bounded_compression(np.full(11, 1 / 11), rate=1.0)
    with pytest.raises(kb.InvalidInputError, match="sum"):
        greedy_coupling([0.5, 0.6], [1.0])
    with pytest.raises(kb.ShapeError, match="one law"):
        greedy_coupling([[1.0]], [1.0])
    with pytest.raises(kb.InvalidInputError, match="rate"):
        greedy_compression([1.0], rate=-1.0)
    with pytest.raises(kb.ShapeError, match="compressed"):
        through_bottleneck(greedy_compression([0.5, 0.5], rate=1.0), [1.0], [1.0])
