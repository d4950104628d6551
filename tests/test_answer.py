"""What an answer shows: 80 columns, the digits that its interval leaves, and the way it was made."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import kullback as kb
from kullback.answer import Answer
from kullback.errors import InvalidInputError
from kullback.wording import cells, fit, wrapped

LONG = "counts, bias-corrected, noncentral chi-square, of 12 classes and the values within each of them"


def sampled(value: float, low: float, high: float, **more: float) -> Answer:
    return Answer(value, low, high, level=0.95, kind="estimate", method="m", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (sampled(0.359912, 0.293512, 0.426212), "0.36 [0.29, 0.43]"),
        (sampled(0.0241311, 0.0212537, 0.0272423), "0.0241 [0.0213, 0.0272]"),
        (sampled(33970.4, 1200.0, 44000.0), "34000 [1000, 44000]"),
        (sampled(3.21e-9, 1.04e-9, 5.4e-9), "3.2e-09 [1e-09, 5.4e-09]"),
        (sampled(0.5, 0.5 - 3e-9, 0.5 + 3e-9), "0.5 ± 3e-09"),
        (sampled(0.0211, -0.0004, 0.06), "0.021 [-0.0004, 0.060]"),  # the side of 0 is never rounded away
        (sampled(0.0211, 0.0004, 0.06), "0.021 [0.0004, 0.060]"),
        (sampled(math.inf, 0.1, math.inf), "inf [0.1, inf]"),
        (sampled(0.5, 0.21, math.inf), "0.50 [0.21, inf]"),
        (
            Answer(0.31234567, 0.0, 0.31234567, kind="bounds"),
            "0.312346 [0, 0.312346]",
        ),  # sure to the last digit
        (Answer(1.02, 1.02, math.inf, kind="bounds"), "1.02 [1.02, inf]"),
        (Answer(1 / 3, 1 / 3 - 2e-13, 1 / 3 + 1e-13, kind="quadrature"), "0.333333 ± 2e-13"),
        (Answer.exact(1 / 3), "0.333333"),
        (Answer.exact(math.inf), "inf"),
    ],
)
def test_digits_are_those_that_the_interval_leaves(answer: Answer, shown: str) -> None:
    assert str(answer).partition(" nats")[0] == shown
    assert repr(answer) == str(answer)


def test_without_an_interval_it_says_so() -> None:
    answer = sampled(0.123456, -math.inf, math.inf, n=30)
    assert str(answer) == "0.123 nats (no interval, estimate: m, n=30)"
    assert str(Answer(math.nan, -math.inf, math.inf, method="none")) == "nan nats (no interval, exact: none)"


def test_a_certified_interval_has_no_level_and_a_p_value_stands_last() -> None:
    assert "%" not in str(Answer(0.2, 0.1, 0.3, kind="bounds"))
    assert str(sampled(0.2, 0.1, 0.3, p_value=0.0213)).endswith("estimate: m, p=0.0213)")


@pytest.mark.parametrize("method", ["", "m", LONG, LONG * 3, "x" * 200, "年" * 100])
@pytest.mark.parametrize("value", [1.2345678e-300, 0.1234567, 1.2345678e300])
def test_eighty_columns_hold_it(value: float, method: str) -> None:
    for width, level in product([0.0, 1e-9, 0.1, 5.0, math.inf], [0.95, 1.0]):
        ends = value - width * value, value + width * value
        answer = Answer(value, *ends, level, "monte-carlo", method, 10**9, "units of density", p_value=1e-300)
        shown = str(answer)
        assert max(map(cells, shown.splitlines())) <= 80
        assert "".join(method.split()) in "".join(shown.split())  # nothing is left out


@pytest.mark.parametrize("shape", [(3,), (40,), (7, 9)])
def test_a_batch_fits_too(shape: tuple[int, ...]) -> None:
    value = np.random.default_rng(0).normal(size=shape)
    shown = str(Answer(value, value, value, method=LONG, unit="units of density"))  # type: ignore[arg-type]
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.startswith(str(value))


def test_what_every_verb_gives_fits() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=200), rng.integers(0, 3, 200).astype(str)
    p: Any = stats.norm(0, 1)
    q: Any = stats.t(3)
    answers = [
        kb.between(kb.kl, p, stats.norm(1, 2)),
        kb.between(kb.js, p, q),
        kb.between(kb.kl, p, q, kind="monte-carlo", draws=1000),
        kb.sampled(kb.kl, p.logpdf(x), q.logpdf(x), drawn_from="p"),
        kb.estimate(kb.js, labels[:90], labels[90:], permutations=19),
        kb.estimate(kb.wasserstein(2), x[:90], x[90:]),
        kb.entropy(labels),
        kb.entropy(x),
        kb.mutual_information(x, labels),
        kb.mutual_information(labels, labels[::-1], permutations=19),
        kb.bound(kb.kl, given=kb.js, at=0.3),
        kb.upper_expectation(kb.kl, [1.0, 2.0, 3.0], radius=0.1).answer,
        kb.compare(pl.DataFrame({"a": x[:90]}), pl.DataFrame({"a": x[90:]}))["a"].divergence,
        kb.screen({"a": x, "b": labels}, target="b")[0].answer,
    ]
    for answer in answers:
        shown = str(answer)
        assert max(map(cells, shown.splitlines())) <= 80
        assert f" {answer.kind}" in shown.replace("(", " ")
        assert answer.method.split()[0] in shown


def test_a_number_inside_a_trace_can_be_looked_at() -> None:
    jax = pytest.importorskip("jax")
    seen: list[str] = []

    def traced(x: float) -> float:
        seen.append(repr(Answer.exact(x, "closed form")))
        return x

    jax.jit(traced)(1.0)
    jax.grad(traced)(1.0)
    assert all("Tracer" in text and "closed form" in text for text in seen)
    assert len(seen) == 2


def test_an_interval_upside_down_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="low <= high"):
        Answer(0.5, 1.0, 0.0)


@pytest.mark.parametrize(
    "text", ["", "one two three", "  in one", "a  b", "年齢 years 年齢年齢年齢", "x" * 100]
)
def test_wrapped_lines_lose_nothing(text: str) -> None:
    for width, hanging in product([4, 5, 9, 40], [0, 2]):
        lines = wrapped(text, width, hanging)
        assert all(cells(line) <= width for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())
        assert all(fit(line, width).rstrip() == line.rstrip() for line in lines)


def test_fit_counts_cells() -> None:
    assert [cells(text) for text in ("age", "年齢", "e\u0301")] == [3, 4, 1]
    assert [cells(fit(text, 5)) for text in ("年齢年齢", "age", "ééééééé", "")] == [5, 5, 5, 5]
