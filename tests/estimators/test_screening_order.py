"""The order and the table of a screening, and p-values small enough for the width of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback.answer import Answer
from kullback.estimators.ksg_null import null_values, p_from_null
from kullback.estimators.screening import Finding, Screening, shared_null

N, K = 60, 3


def line(name: str, value: float, **told: Any) -> Finding:
    """A finding with an interval, unless `told` otherwise."""
    asked = {"low": value - 0.1, "high": value + 0.1, "level": 0.95, "kind": "estimate", "n": 100}
    rest = {"kinds": ("discrete", "discrete"), "trusted": told.get("low") != -np.inf, "least_p": None}
    rest |= {field: told.pop(field) for field in list(told) if field in rest}
    return Finding(name, "y", answer=Answer(value, **{**asked, **told}), **rest)


BARE = {"low": -np.inf, "high": np.inf}


def order(*lines: Finding) -> str:
    return "".join(f.column for f in Screening.ranked(lines))


def test_what_nothing_stands_behind_comes_after_what_something_does() -> None:
    best, noise = line("b", 0.3), line("n", -0.01)
    assert order(noise, line("i", 0.7, **BARE, p_value=1.0, least_p=0.005), best) == "bni"
    assert order(noise, line("s", 4.0, **BARE, p_value=0.005, least_p=0.005), best) == "sbn"
    assert order(noise, line("f", 4.0, **BARE, p_value=0.1, least_p=0.1), best) == "fbn"  # of nine draws
    assert order(noise, line("p", 0.1, **BARE, p_value=0.04, least_p=0.005), best) == "bpn"
    assert order(noise, line("u", 0.7, **BARE), best) == "bnu"
    small = line("p", 0.1, **BARE, p_value=0.04, least_p=0.005)
    assert order(small, line("b", 0.3, p_value=0.5, least_p=0.005)) == "bp"
    assert (
        order(line("x", np.nan, **BARE), line("c", 0.0, low=0.0, high=0.0, level=1.0, p_value=1.0), noise)
        == "ncx"
    )


def test_the_order_without_intervals_or_without_p_values() -> None:
    unasked = {**BARE, "trusted": True}
    low, high = line("l", 0.1, **unasked), line("m", 0.2, **unasked)
    assert order(low, line("i", 0.7, **BARE), high) == "mli"
    numbers = line("s", 4.0, **BARE, kinds=("continuous", "continuous"))
    assert order(line("n", -0.01), numbers, line("b", 0.3)) == "sbn"  # a copy of the target, for instance
    chance = {"p_value": 0.5, "least_p": 0.005}
    noise, found = (
        line("n", 0.1, **unasked, **chance),
        line("f", 0.2, **unasked, p_value=0.005, least_p=0.005),
    )
    assert order(noise, line("i", 0.7, **BARE, **chance), found) == "fni"


def test_names_of_single_rows_are_not_measured() -> None:
    rows = 80
    label = np.array(["a", "b"])[np.random.default_rng(0).integers(2, size=rows)]
    table = {
        "label": label,
        "id": [f"row {i}" for i in range(rows)],
        "nearly": [f"row {max(i, 5)}" for i in range(rows)],
        "same": label,
        "number": np.arange(rows, dtype=float),
    }
    found = kb.screen(table, target="label", permutations=0, progress=False)
    assert [f.column for f in found] == ["same", "number", "nearly", "id"]
    bare = kb.screen(table, target="label", permutations=0, level=None, progress=False)
    assert [f.column for f in bare] == ["same", "number", "nearly", "id"]
    assert "no value of id occurs twice" in found[-1].answer.notes[0]
    assert not any(f.measured for f in kb.screen(table, target="id", progress=False))


def test_the_header_states_the_level_of_the_intervals() -> None:
    constant = line("c", 0.0, low=0.0, high=0.0, level=1.0)
    missing = line("x", np.nan, **BARE, level=1.0)
    assert "nats [90 % interval]" in str(Screening((constant, line("n", -0.01, level=0.9))))
    assert "nats [90 % interval]" in str(Screening((missing, line("n", 0.1, level=0.9))))
    for bare in (constant, missing, line("l", 0.1, **BARE)):
        header = str(Screening((bare,))).splitlines()[0]
        assert header.split() == ["column", "rows", "nats", "p", "q"]


def test_wide_characters_keep_the_columns_straight() -> None:
    names = ["年齢", "age", "体重" * 20]
    text = str(Screening(tuple(line(name, 0.1) for name in names))).splitlines()
    assert text[1].index("100") == text[2].index("100") - 2  # two characters of two cells each
    assert text[3].startswith("体重" * 5)
    assert "体" * 13 not in text[3]


def test_many_columns_get_draws_enough_for_one_of_them() -> None:
    rng = np.random.default_rng(1)
    columns, rows = 300, 60
    x = rng.normal(size=(rows, columns))
    table = {f"x{i}": x[:, i] for i in range(columns)}
    table["y"] = x[:, 7] + 0.3 * rng.normal(size=rows)
    found = kb.screen(table, target="y", permutations=19, level=None, neighbours=K, progress=False)
    assert [f.column for f in found.rejected()] == ["x7"]
    assert found[0].column == "x7"
    assert found[0].answer.p_value == pytest.approx(1 / (1 + 20 * columns))


def test_too_few_draws_are_told() -> None:
    wide = [line(f"c{i}", 0.0, p_value=0.5, least_p=0.005) for i in range(99)]
    far = line("far", 1.0, p_value=0.005, least_p=0.005)
    text = str(Screening.ranked([*wide, far])).splitlines()[-1]
    assert text == "1 pair beyond every draw, yet q > 0.05: permutations=2000 would do"
    assert "beyond" not in str(Screening.ranked([*wide[:5], far]))
    assert "beyond" not in str(Screening.ranked(wide))


def test_draws_grow_only_where_few_are_as_large() -> None:
    null = null_values(N, K, draws=19, seed=5)

    def p(statistic: float, **asked: int) -> float:
        return shared_null.p_value(statistic, N, K, **{"least": 19, "most": 1000, "seed": 5, **asked})

    middle, beyond = float(np.median(null)), float(null[-1]) + 5.0
    assert p(middle) == p_from_null(middle, N, K, draws=19, seed=5)
    assert p(beyond) == 1 / 1001
    assert p(beyond, most=19) == 1 / 20
    exact = np.mean(null_values(N, K, draws=4000, seed=99) >= null[-2])
    assert p(float(null[-2])) == pytest.approx(exact, abs=4 * np.sqrt(exact / 190))


def test_later_draws_repeat_no_earlier_ones() -> None:
    parts = [shared_null._part(N, K, 100, 5, part) for part in range(3)]
    assert len(np.unique(np.concatenate(parts))) > 290  # equal by chance are a few


def test_p_values_that_stop_early_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the null at most α of them are at most α, at every α that the draws can show."""
    rng = np.random.default_rng(2)
    monkeypatch.setattr(shared_null, "_part", lambda *asked: np.sort(rng.random(asked[2])))
    trials = 10_000
    p = [shared_null.p_value(rng.random(), N, K, least=19, most=1000, seed=0) for _ in range(trials)]
    for alpha in (0.002, 0.01, 0.05, 0.058, 0.2, 0.5):
        assert np.mean(np.array(p) <= alpha) <= alpha + 3 * np.sqrt(alpha / trials)
    assert np.mean(np.array(p) <= 0.05) >= 0.04  # and they are no larger than they must be
