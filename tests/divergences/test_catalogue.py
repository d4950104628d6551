"""The list of divergences: found by scanning, by name, by alias and by parameter; truths and properties complete."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kullback as kb
from problems import truth
from problems.listed import NUMPY_USERS, UNSCALED
from problems.refusals import raises

EVERYTHING = kb.catalogue()
NOT_NAMES = ("", "nonsense", "kl:2", "alpha", "alpha:", "alpha(", "js(0.1)", "bregman:1", "k" * 500)


def test_every_divergence_brings_its_truth() -> None:
    """A new file in divergences/ fails here until its textbook formula stands in problems/truth.py."""
    for d in (*UNSCALED, *NUMPY_USERS):
        truth.truth_of(d)
    stranger = kb.FDivergence.from_generator(lambda t: (t - 1) ** 2, name="stranger")
    for unknown in (stranger, stranger + kb.kl):
        with pytest.raises(LookupError, match="stranger"):
            truth.truth_of(unknown)


def test_what_the_front_door_offers_is_listed() -> None:
    at_the_door = {name for name in kb.__all__ if isinstance(getattr(kb, name), kb.Noun)}
    assert {"kl", "js", "total_variation", "cauchy_schwarz"} <= at_the_door
    assert at_the_door <= {d.name for d in (*EVERYTHING.named, *EVERYTHING.relatives)}
    assert {"alpha", "skew_js", "renyi", "tsallis"} <= {name for name, _ in EVERYTHING.families}


@pytest.mark.parametrize("d", [*EVERYTHING, *EVERYTHING.relatives], ids=repr)
def test_found_by_its_own_name(d: kb.Noun) -> None:
    assert EVERYTHING.find(d.name) == d
    assert EVERYTHING.find(d.name.upper()) == d
    assert repr(d) == d.name
    assert d.formula


@pytest.mark.parametrize("d", EVERYTHING.named, ids=repr)
def test_found_by_its_aliases(d: kb.FDivergence) -> None:
    for alias in d.aliases:
        assert EVERYTHING.find(alias) is d
        assert EVERYTHING.find(f" {alias.replace('_', '-').title()} ") is d


def test_no_name_is_taken_twice() -> None:
    names = [d.name for d in (*EVERYTHING, *EVERYTHING.relatives)]
    names += [alias for d in EVERYTHING.named for alias in d.aliases]
    names += [name for name, _ in EVERYTHING.families]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("alpha:0.5", kb.alpha(0.5)),
        ("alpha(0.5)", kb.alpha(0.5)),
        ("alpha: 0.5", kb.alpha(0.5)),
        ("alpha(-1.5)", kb.alpha(-1.5)),
        ("alpha:1e-3", kb.alpha(1e-3)),
        ("alpha:1", kb.kl),
        ("skew-js:0.1", kb.skew_js(0.1)),
        ("skew_js(0.1)", kb.skew_js(0.1)),
        ("Skew JS:0.5", kb.js),
        ("renyi:inf", kb.renyi(math.inf)),
        ("tsallis:2", kb.tsallis(2)),
        ("tv", kb.total_variation),
        ("psi", kb.jeffreys),
    ],
)
def test_found_by_what_people_type(typed: str, expected: kb.Divergence) -> None:
    assert EVERYTHING.find(typed) == expected


@pytest.mark.parametrize("typed", NOT_NAMES)
def test_unknown_names_list_the_known(typed: str) -> None:
    known = ("alpha:NUMBER", "js", "kl", "skew_js:NUMBER")
    with raises(kb.InvalidInputError, "no divergence is called", *known) as caught:
        EVERYTHING.find(typed)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "typed", ["alpha:x", "alpha:inf", "skew_js:2", "renyi:-1", "tsallis:0", "alpha(1,2)"]
)
def test_parameters_that_are_none(typed: str) -> None:
    with pytest.raises(kb.InvalidInputError, match=typed.split(":", maxsplit=1)[0].split("(", maxsplit=1)[0]):
        EVERYTHING.find(typed)


def test_printed_it_is_a_table_of_eighty_columns() -> None:
    text = str(EVERYTHING)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert repr(EVERYTHING) == text
    for d in EVERYTHING:
        assert sum(line.startswith(d.name) for line in lines) >= 1
    assert "D^0.5" in text
    assert "renyi(inf)" in text


def test_it_counts_and_iterates() -> None:
    assert len(EVERYTHING) == len(list(EVERYTHING)) == len(set(EVERYTHING))
    assert all(isinstance(d, kb.FDivergence) for d in EVERYTHING)
    assert not any(isinstance(d, kb.FDivergence) for d in EVERYTHING.relatives)
    assert kb.catalogue() is EVERYTHING


NEW_FILE = '''
"""A divergence that somebody adds."""
from kullback.divergences.generator import FDivergence
from kullback.divergences.chi_square import PearsonChiSquare, pearson_chi2

class Added(PearsonChiSquare):
    aliases = ("brand_new",)
    name = "added"

added = Added()
someone_elses = pearson_chi2
FAMILIES = {"weighed": (lambda weight: weight * pearson_chi2, (3.0,))}
'''


@pytest.fixture
def a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "added_by_a_test.py").write_text(NEW_FILE)
    package = importlib.import_module("kullback.divergences")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    kb.catalogue.cache_clear()
    yield
    kb.catalogue.cache_clear()
    sys.modules.pop("kullback.divergences.added_by_a_test", None)
    if hasattr(package, "added_by_a_test"):
        delattr(package, "added_by_a_test")


@pytest.mark.usefixtures("a_new_file")
def test_a_new_file_is_found_without_any_other_edit() -> None:
    found = kb.catalogue()
    assert {d.name for d in found} - {d.name for d in EVERYTHING} == {"added", "3 pearson_chi2"}
    assert found.find("brand-new")([0.5, 0.5], [0.25, 0.75]) == pytest.approx(1 / 3)
    assert found.find("weighed:2") == 2 * kb.pearson_chi2
    assert "added" in str(found)
    with pytest.raises(LookupError, match="added"):
        truth.truth_of(found.find("added"))
