"""Nats are for logarithms: what a divergence is counted in, at the noun and in every answer about it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import kullback as kb
from kullback.bounds.concentration import exact_radius, radius
from kullback.divergences import catalogue
from kullback.errors import InvalidInputError

LOGARITHMS = ["kl", "reverse_kl", "jeffreys", "js", "gan", "skew_js"]
LOGARITHMS += ["renyi", "bhattacharyya", "chernoff", "cauchy_schwarz"]
PLACES = {"wasserstein": "units of x", "sliced_wasserstein": "units of x", "energy_distance": "units of x"}
PLACES |= {"fisher": "units of 1/x²", "squared_l2": "units of density"}
LISTED = tuple(catalogue())
QUICK = (kb.kl, kb.le_cam, kb.total_variation)  # the others are the same code
NOUNS = (*LISTED, *catalogue().relatives)


def user(unit: str = "") -> kb.FDivergence:
    return kb.FDivergence.from_generator(lambda t: t * np.log(t), name="mine", unit=unit)


@pytest.mark.parametrize("d", NOUNS, ids=repr)
def test_logarithms_are_in_nats_and_nothing_else_is(d: kb.Noun) -> None:
    family = d.name.partition("(")[0]
    assert d.unit == ("nats" if family in LOGARITHMS else PLACES.get(family, ""))


@pytest.mark.parametrize("d", LISTED, ids=repr)
def test_bits_are_of_nats(d: kb.FDivergence) -> None:
    p, q = [0.5, 0.5], [0.25, 0.75]
    if d.unit == "nats":
        assert d(p, q, base=2) == pytest.approx(d(p, q) / math.log(2))
        assert d.of_logits([0.0, 1.0], [1.0, 0.0], base=2) > 0
        return
    for call in (d, d.of_logits):
        with pytest.raises(InvalidInputError, match="is a pure number, not in nats: leave `base` out"):
            call(p, q, base=2)


def answers(d: kb.FDivergence) -> dict[str, kb.Answer]:
    """One answer of each way there is."""
    p: Any = stats.norm(0, 1)
    q: Any = stats.norm(0.5, 1)
    x = np.random.default_rng(0).normal(size=50)
    labels = ["a", "b", "b"] * 20, ["a", "a", "b"] * 20
    made = {
        "closed": kb.between(d, p, q),
        "draws": kb.between(d, p, stats.norm(0.5, 1.5), kind="monte-carlo", draws=200),
        "enumeration": kb.between(d, stats.poisson(3.0), stats.poisson(4.0)),
        "batch": kb.between(d, stats.norm([0.0, 1.0], 1), q),
        "log-densities": kb.sampled(d, np.log(p.pdf(x)), np.log(q.pdf(x)), drawn_from="p"),
        "labels": kb.estimate(d, *labels),
        "information": kb.mutual_information(*labels, divergence=d),
        "range": kb.bound(d, given=kb.kl, at=0.1),
        "radius": exact_radius(d, [0.5, 0.5], n=4),
    }
    if d.bounded:
        made["radius of all laws"] = radius(d, n=1000, categories=2)
    return made


@pytest.mark.parametrize(
    "d", [pytest.param(d, marks=() if d in QUICK else pytest.mark.slow) for d in LISTED], ids=repr
)
def test_every_answer_has_the_unit_of_its_divergence(d: kb.FDivergence) -> None:
    for name, answer in answers(d).items():
        assert answer.unit == d.unit, name
        if d.unit == "nats":
            assert np.all(answer.bits.value == answer.value / math.log(2)), name
            assert answer.bits.unit == "bits"
        else:
            assert "nats" not in str(answer), name
            with pytest.raises(
                InvalidInputError, match="only nats convert to bits, and this answer is a pure"
            ):
                _ = answer.bits


@pytest.mark.parametrize("d", [kb.renyi(0.5), kb.bhattacharyya, kb.chernoff], ids=repr)
def test_logarithms_that_pass_by_powers_are_in_nats_again(d: kb.Noun) -> None:
    assert kb.between(d, stats.norm(0, 1), stats.t(5)).unit == "nats"
    if d != kb.chernoff:
        p, q = stats.norm(0, 1), stats.norm(0.5, 1.5)
        assert kb.between(d, p, q, kind="monte-carlo", draws=200).unit == "nats"


def test_a_distance_says_what_it_is_in() -> None:
    with pytest.raises(InvalidInputError, match="this answer is in units of x"):
        _ = kb.estimate(kb.wasserstein(1), [0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 6.0]).bits
    with pytest.raises(InvalidInputError, match="in units of density, not in nats"):
        kb.squared_l2([0.5, 0.5], [0.25, 0.75], base=2)


def test_sums_keep_the_unit_that_all_parts_have() -> None:
    assert (2.0 * kb.kl + kb.js).unit == "nats"
    assert kb.js.normalised().unit == "nats"
    assert (kb.kl + kb.le_cam).unit == ""
    assert (0.5 * kb.total_variation).unit == ""
    assert kb.tsallis(2).unit == ""
    assert kb.tsallis(1).unit == "nats"


def test_a_function_of_your_own_has_no_unit_unless_told() -> None:
    assert user().unit == user().dual.unit == ""
    told = user("nats")
    assert told.unit == told.dual.unit == (3.0 * told).dual.unit == (told + kb.kl).unit == "nats"
    assert told([0.5, 0.5], [0.25, 0.75], base=2) == pytest.approx(kb.kl([0.5, 0.5], [0.25, 0.75], base=2))
    assert kb.estimate(told, ["a", "b"] * 20, ["a", "b", "b"] * 20).bits.unit == "bits"
    with pytest.raises(InvalidInputError, match="unit="):
        user()([0.5, 0.5], [0.25, 0.75], base=2)
    assert kb.bregman(lambda x: x * x).unit == ""
    assert kb.bregman(lambda x: x * np.log(x), unit="nats").unit == "nats"


def test_reports_show_nats_only_of_what_has_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = pl.DataFrame({"a": rng.normal(size=300), "c": ["x", "y", "y"] * 100})
    after = pl.DataFrame({"a": rng.normal(2.0, size=300), "c": ["x", "z", "y"] * 100})
    for measure in (kb.squared_hellinger, kb.pearson_chi2, kb.js, kb.kl):
        report = kb.compare(before, after, measure=measure)
        shown = [
            str(report),
            report.to_html(tmp_path / "r.html").read_text(),
            report.to_markdown(),
            *report["c"].notes,
        ]
        assert report["a"].divergence.unit == report.settings.unit == measure.unit
        assert any("nats" in text for text in shown) == (measure.unit == "nats")
        assert not any("  [" in text.partition("\n")[0] for text in shown)
