"""p-values of conditional independence: rows change places with those alike in a continuous condition."""

from __future__ import annotations

import numpy as np
import pytest

import kullback as kb
from estimators.mixed_samples import joint
from kullback.estimators import ConditionalKSG, GaussianCopula
from kullback.estimators.permutation import _alike, _nearby, independence
from kullback.estimators.samples import Sample


def common_cause(rng, n, weight=0.0):
    """x and y follow z, and y also x by `weight`."""
    z, e, f = rng.normal(size=(3, n))
    return z + e, z + f + weight * e, z


def sample(values, codes=None):
    return Sample("z", values[:, None], codes)


def share_rejected(method, n, draws, *, weight=0.0, sets=60):
    p = []
    for seed in range(sets):
        x, y, z = common_cause(np.random.default_rng(seed), n, weight)
        p.append(independence(method, joint(x, y, z), draws))
    return np.mean(np.array(p) <= 0.05)


def test_a_common_cause_alone_is_seldom_rejected_and_a_link_nearly_always():
    assert share_rejected(GaussianCopula(), 200, 39) <= 0.15  # 0.05 but for draws and what 5 rows reach
    assert share_rejected(GaussianCopula(), 200, 39, weight=0.8, sets=20) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("method", [GaussianCopula(), ConditionalKSG(k=5)], ids=lambda m: m.name)
def test_the_level_holds(method):
    assert share_rejected(method, 300, 99, sets=200) <= 0.09


def test_rows_move_to_rows_alike_and_mostly_once():
    rng = np.random.default_rng(0)
    z = np.arange(400.0)
    near = _alike(sample(z))
    rows = _nearby(near, rng)
    assert np.abs(z[rows] - z).max() <= 4
    assert len(np.unique(rows)) > 320
    assert (rows != np.arange(400)).mean() > 0.6


def test_rows_stay_in_their_class_however_small():
    codes = np.array([0] * 50 + [1] * 2 + [2])
    z = np.random.default_rng(1).normal(size=53)
    rows = _nearby(_alike(sample(z, codes)), np.random.default_rng(2))
    assert np.array_equal(codes[rows], codes)


def test_one_seed_gives_one_p_value_and_weights_none():
    x, y, z = common_cause(np.random.default_rng(3), 100, 0.5)
    found = [kb.mutual_information(x, y, given=z, permutations=19, seed=4).p_value for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] is not None
    assert found[0] <= 0.1
    with pytest.raises(kb.errors.UnsupportedPairError, match="different weight"):
        kb.mutual_information(x, y, given=z, weights=1 + (x > 0), permutations=19, method=GaussianCopula())
