"""Every entry of the gallery: its form, what it may use, that it runs, and that its control turns red."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from pathlib import Path

import pytest

import kullback as kb
import source_rules as rules
from gallery.entry import HERE, Entry, entries, unreadable
from gallery.pages import formula
from gallery.record import Order
from gallery.worker import measured

ENTRIES = entries()
FAST = (
    "gaussian-kl",
    "cross-entropy-method",
    "universality-lens",
    "meta-rl-bregman",
    "multitasking",
    "fractional-sde",
    "lion",
    "vendi",
    "mec-bottleneck",
    "diffusion-entropy",
)  # seconds each; `make test-all` runs all of them
BIBLIOGRAPHY = (HERE.parent / "docs" / "references.bib").read_text(encoding="utf-8")
by_key = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def test_every_file_is_an_entry() -> None:
    assert unreadable() == []


@by_key
def test_card(entry: Entry) -> None:
    assert re.search(rf"^@\w+{{{entry.reference},", BIBLIOGRAPHY, re.MULTILINE), (
        "REFERENCE is no key of references.bib"
    )
    for name in entry.divergences:
        assert formula(name).startswith("<math"), "every divergence has its formula on the page"
    assert len(entry.path.read_text(encoding="utf-8").splitlines()) <= 150
    assert re.search(r"[Ss]lot", entry.about), "the docstring says in which slot the divergence sits"


@by_key
def test_public_names_only(entry: Entry) -> None:
    rooms = {path.stem for path in Path(kb.__file__).parent.iterdir() if not path.name.startswith("_")}
    for _, module, names in rules.imports(rules.parse(entry.path)):
        package, *rest = module.split(".")
        if package == "kullback":
            assert not any(part.startswith("_") for part in (*rest, *names)), module
            assert not rest or rest[0] in rooms
        if package == "gallery":
            assert module == "gallery.entry" or rest[0] == "toys", "entries share nothing but the toys"


def test_no_entry_writes_a_divergence_by_hand() -> None:
    assert rules.second_formulas(HERE) == []


def test_no_entry_copies_another() -> None:
    bodies = {
        (path.stem, name): ast.dump(ast.Module(node.body[1:] if ast.get_docstring(node) else node.body, []))
        for path in rules.python_files(HERE)
        for name, node in rules.functions(rules.parse(path))
        if (node.end_lineno or 0) - node.lineno >= 5
    }
    twins = [(a, b) for a, b in combinations(bodies, 2) if bodies[a] == bodies[b]]
    assert twins == [], "what two entries need belongs to gallery/toys"


@pytest.mark.parametrize("key", FAST)
def test_fast_entries_find_what_they_declare(key: str) -> None:
    record = measured(ENTRIES[key], Order())
    assert (record.error, record.status) == ("", ENTRIES[key].declared)
    assert record.seconds < 60.0


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in ENTRIES if key not in FAST])
def test_entries_find_what_they_declare(key: str) -> None:
    record = measured(ENTRIES[key], Order())
    assert (record.error, record.status) == ("", ENTRIES[key].declared)


@pytest.mark.slow
@by_key
def test_controls_turn_red(entry: Entry) -> None:
    paper, control = (measured(entry, Order(control=broken)) for broken in (False, True))
    assert (paper.error, control.error) == ("", "")
    # a verdict that held: an entry that is mixed has a red one anyway
    pairs = zip(paper.verdicts, control.verdicts, strict=True)
    assert any(v.passed and not broken.passed for v, broken in pairs)
