"""Entropy of rounded columns and of columns of both kinds: against closed forms, histograms and the chain rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import kullback as kb
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.estimators import ChainedEntropy, KDEEntropy, KozachenkoLeonenko, MillerMadow, RoundedEntropy
from kullback.estimators.rounding import _step

NORMAL = 0.5 * math.log(2 * math.pi * math.e)


def sample(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def on_lattice(values: Any, step: float) -> Any:
    return step * np.round(values / step)


@pytest.mark.parametrize("step", [0.001, 0.25, 1.0])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_entropy_before_rounding(step: float, columns: int) -> None:
    found = kb.entropy(on_lattice(sample(1, 2000, columns), step))
    assert found.low < columns * NORMAL < found.high
    assert found.high - found.low < columns * (0.15 + 0.5 * step)


def test_counts_have_the_entropy_of_their_histogram() -> None:
    """A law on whole numbers, put into cells of width 1, has the entropy of its masses."""
    counts = np.random.default_rng(2).poisson(20.0, 4000)
    found = kb.entropy(counts, kind="continuous", method=RoundedEntropy())
    assert found.value == pytest.approx(stats.poisson(20).entropy(), abs=0.03)
    scaled = kb.entropy(counts * 0.5, method=RoundedEntropy())
    assert scaled.value == pytest.approx(found.value - math.log(2), abs=1e-9)
    assert "step 0.5" in scaled.notes[0]


def test_order_seed_shift_and_units_change_nothing() -> None:
    x = on_lattice(sample(3, 400, 2), 0.25)
    found = kb.entropy(x)
    for same in (x[::-1], x + 64.0, x[np.random.default_rng(0).permutation(400)]):
        assert kb.entropy(same, seed=5).value == pytest.approx(found.value, abs=1e-12)
    assert kb.entropy(2**100 * x).value == pytest.approx(found.value + 200 * math.log(2), abs=1e-9)


def test_a_step_is_found_in_decimals() -> None:
    assert _step(np.round(sample(4, 500), 2)) == pytest.approx(0.01, rel=1e-9)
    assert _step(np.array([float(f"{v:.2g}") for v in np.exp(2 * sample(4, 500))])) == 0.0
    assert _step(sample(4, 500)) == 0.0
    assert _step(np.ones(50)) == 0.0


def test_an_atom_stays_infinite_and_classes_are_refused() -> None:
    assert kb.entropy(np.maximum(0.0, sample(5, 500))).value == -math.inf
    with pytest.raises(UnsupportedPairError, match="wider than its standard deviation"):
        kb.entropy(np.sign(sample(5, 500)), method=RoundedEntropy())
    with pytest.raises(UnsupportedPairError, match="rounded to a lattice; take Kozachenko"):
        kb.entropy(sample(5, 500), method=RoundedEntropy())
    x = on_lattice(sample(5, 500), 0.5)
    with pytest.raises(UnsupportedPairError, match="depend on each other"):
        kb.entropy(np.column_stack([x, 2 * x]), method=RoundedEntropy())
    assert kb.entropy(np.column_stack([x, 2 * x])).value == -math.inf


def test_weights_and_significant_digits_take_densities() -> None:
    x = sample(6, 1000)
    assert kb.entropy(x, weights=np.random.default_rng(0).uniform(1, 2, 1000)).method == "KDEEntropy"
    found = kb.entropy(np.array([float(f"{v:.2g}") for v in np.exp(x)]))
    assert found.method == "KDEEntropy"
    assert found.low < NORMAL < found.high  # of a log-normal law about 1


def mixed(seed: int, n: int, step: float = 0.0) -> tuple[pl.DataFrame, float]:
    """Normal values of three widths in three classes, and the entropy of the pair."""
    p, widths = np.array([0.5, 0.3, 0.2]), np.array([1.0, 3.0, 0.5])
    rng = np.random.default_rng(seed)
    c = rng.choice(3, n, p=p)
    v = widths[c] * rng.standard_normal(n)
    truth = float(-p @ np.log(p) + p @ (NORMAL + np.log(widths)))
    return pl.DataFrame({"c": np.array(["a", "b", "c"])[c], "v": on_lattice(v, step) if step else v}), truth


def covered(n: int, times: int, step: float = 0.0) -> float:
    held = 0
    for seed in range(times):
        rows, truth = mixed(seed, n, step)
        found = kb.entropy(rows)
        held += found.low <= truth <= found.high
    return held / times


@pytest.mark.parametrize("step", [0.0, 0.2])
def test_classes_and_values(step: float) -> None:
    rows, truth = mixed(100, 2000, step)
    found = kb.entropy(rows)
    assert found.value == pytest.approx(truth, abs=0.08)
    assert covered(400, 20, step) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("step", [0.0, 0.2])
@pytest.mark.parametrize("n", [200, 2000])
def test_intervals_of_classes_and_values_cover(n: int, step: float) -> None:
    assert covered(n, 200, step) >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("law", [stats.logistic(), stats.gamma(3), stats.expon(), stats.uniform(0, 4)])
@pytest.mark.parametrize("step", [0.02, 0.3])
def test_intervals_of_rounded_values_cover(law: Any, step: float) -> None:
    held = 0
    for seed in range(100):
        found = kb.entropy(on_lattice(law.rvs(size=500, random_state=seed), step))
        held += found.low <= law.entropy() <= found.high
    assert held >= 91


def test_the_chain_is_the_sum_of_its_parts() -> None:
    rows, _ = mixed(7, 900)
    found = kb.entropy(rows, method=ChainedEntropy(MillerMadow(), KozachenkoLeonenko(k=4)))
    c, v = rows["c"].to_numpy(), rows["v"].to_numpy()
    parts = [np.mean(c == k) * kb.entropy(v[c == k], method=KozachenkoLeonenko(k=4)).value for k in "abc"]
    whole = kb.entropy(c, method=MillerMadow()).value
    assert found.value == pytest.approx(whole + sum(parts), abs=1e-9)


def test_shares_that_vary_with_the_width_of_values_count() -> None:
    """Values known exactly but for their class: the error is that of the shares, (1 − p) p (h₁ − h₀ − logit p)² / n."""
    c = np.repeat(["a", "b"], [800, 200])
    v = np.concatenate([np.linspace(0, 1, 800), np.linspace(0, 1000, 200)])
    found = kb.entropy(pl.DataFrame({"c": c, "v": v}), method=ChainedEntropy(MillerMadow(), KDEEntropy()))
    slope = math.log(1000) - math.log(0.2 / 0.8)
    assert found.standard_error == pytest.approx(0.4 * slope / math.sqrt(1000), rel=0.15)


def test_what_the_chain_refuses() -> None:
    rows, _ = mixed(8, 300)
    with pytest.raises(UnsupportedPairError, match="columns of both kinds"):
        kb.entropy(rows["v"], method=ChainedEntropy())
    with pytest.raises(UnsupportedPairError, match="weight"):
        kb.entropy(rows, weights=np.arange(1.0, 301.0), method=ChainedEntropy(MillerMadow()))
    rare = pl.concat([rows, pl.DataFrame({"c": ["rare"], "v": [0.0]})])
    with pytest.raises(InvalidInputError, match=r"class 3 .* has 1 rows"):
        kb.entropy(rare)
    atom = rows.with_columns(v=pl.when(pl.col("c") == "a").then(0.0).otherwise(pl.col("v")))
    assert kb.entropy(atom).value == -math.inf
