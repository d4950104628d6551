"""KL of classes and values together: the chain rule, its error, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators.chain import ChainedDivergence, _shares


def _rows(rng, n, shares, means):
    c = rng.choice(len(shares), p=shares, size=n)
    return pl.DataFrame({"c": c.astype(str), "v": rng.normal(size=n) + np.array(means)[c]})


P, Q = [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]
TRUTH = sum(p * math.log(p / q) for p, q in zip(P, Q, strict=True)) + 0.5 * 0.18 + 0.2 * 0.125


def _answer(rng, n, m, noun=kb.kl):
    x, y = _rows(rng, n, P, [0.6, 0.0, 0.0]), _rows(rng, m, Q, [0.0, 0.0, 0.5])
    return kb.estimate(noun, x, y, method=ChainedDivergence())


def test_the_interval_holds_the_truth():
    rng = np.random.default_rng(1)
    found = [_answer(rng, 600, 500) for _ in range(12)]
    assert sum(a.low <= TRUTH <= a.high for a in found) >= 10
    assert all(a.high - a.low < 0.6 for a in found)


@pytest.mark.slow
def test_the_interval_holds_the_truth_over_many_draws():
    rng = np.random.default_rng(2)
    found = [_answer(rng, 600, 500) for _ in range(100)]
    assert np.mean([a.low <= TRUTH <= a.high for a in found]) >= 0.91
    spread = np.std([a.value for a in found])
    assert 0.8 * spread < np.mean([a.standard_error for a in found]) < 1.5 * spread


def test_the_reverse_is_that_of_the_samples_exchanged():
    rng = np.random.default_rng(3)
    x, y = _rows(rng, 300, P, [0.6, 0.0, 0.0]), _rows(rng, 200, Q, [0.0, 0.0, 0.5])
    one = kb.estimate(kb.reverse_kl, x, y, method=ChainedDivergence())
    other = kb.estimate(kb.kl, y, x, method=ChainedDivergence())
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_one_law_gives_zero():
    rng = np.random.default_rng(4)
    x, y = (_rows(rng, 500, P, [0.0, 1.0, 2.0]) for _ in range(2))
    found = kb.estimate(kb.kl, x, y, method=ChainedDivergence())
    assert found.low < 0 < found.high < 0.3


def test_the_noise_of_the_shares_is_that_of_many_draws():
    rng = np.random.default_rng(5)
    p, q, within = np.array(P), np.array(Q), np.array([0.5, 0.0, 0.125])
    a, b = rng.multinomial(2000, p, 20_000) / 2000, rng.multinomial(3000, q, 20_000) / 3000
    drawn = (a * (np.log(a / b) + within)).sum(axis=1)
    assert _shares(p, q, within, 2000, 3000) == pytest.approx(drawn.var(), rel=0.05)


def test_missing_and_small_classes_and_refusals():
    rng = np.random.default_rng(6)
    x = _rows(rng, 100, P, [0.0] * 3)
    gone = kb.estimate(kb.kl, x, x.filter(pl.col("c") != "2"), method=ChainedDivergence())
    assert gone.value == math.inf
    y = _rows(rng, 100, P, [0.0] * 3)
    few = pl.concat([y.filter(pl.col("c") != "2"), y.filter(pl.col("c") == "2").head(1)])
    with pytest.raises(InvalidInputError, match=r"class 2 .* 1 of y"):
        kb.estimate(kb.kl, x, few, method=ChainedDivergence())
    with pytest.raises(UnsupportedPairError, match="splits kl and reverse_kl, not js"):
        kb.estimate(kb.js, x, x, method=ChainedDivergence())
    with pytest.raises(UnsupportedPairError, match="columns of both kinds"):
        kb.estimate(kb.kl, x["v"], x["v"], method=ChainedDivergence())
