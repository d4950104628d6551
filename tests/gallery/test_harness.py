"""The harness of the gallery: what it finds, keeps, resumes, reports, and that a failing entry stops nobody."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gallery import __main__ as command
from gallery import entry as entry_module
from gallery import record as record_module
from gallery.entry import Budget, Entry, at_least, at_most, close, entries, status
from gallery.pages import write
from gallery.record import Order, Record, kept, place
from gallery.running import records

CARD = '''"""A coin. Slots: none."""
from dataclasses import dataclass
from gallery.entry import Budget, at_least
TITLE = "Coins"
REFERENCE = "lin1991"
RELATION = "far"
DIVERGENCES = ("kl",)
CLAIM = "A coin is a coin."
STATUS = "reproduced"
SEEDS = 2
def run(seed, budget):
    {before}
    return seed + budget.of(small=1, full=10)
def control(seed, budget):
    return -1
def check(runs):
    return [at_least("heads", runs, 0.5)]
def figure(run, ax):
    ax.plot([0, run])
'''


def tree(folder: Path, **entries_of: str) -> dict[str, Entry]:
    for key, before in entries_of.items():
        path = folder / "coins" / f"{key}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(CARD.format(before=before))
    return entries(folder)


def test_verdicts_fail_on_the_worst_seed_and_on_nan() -> None:
    assert close("", [0.9, 1.1], 1.0, within=0.2).margin == pytest.approx(0.1)
    assert not close("", [0.9, 1.3], 1.0, within=0.2).passed
    assert at_least("", [1.0, 2.0], 1.0).passed
    assert not at_least("", [0.5, 2.0], 1.0).passed
    assert not at_most("", [0.5, math.nan], 1.0).passed
    assert not at_most("", [], 1.0).passed


def test_status_is_that_of_the_verdicts() -> None:
    good, bad = at_least("", 1.0, 0.0), at_least("", -1.0, 0.0)
    assert [status(v) for v in ([good], [good, bad], [bad], [])] == [
        "reproduced",
        "mixed",
        "not reproduced",
        "not reproduced",
    ]


def test_a_card_is_read_without_running_the_file(tmp_path: Path) -> None:
    found = tree(tmp_path, two_sides="raise RuntimeError")
    assert list(found) == ["two-sides"]
    assert (found["two-sides"].area, found["two-sides"].seeds) == ("coins", 2)


def test_a_card_that_lacks_something_says_what(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        CARD.format(before="pass").replace("def control", "def uncontrolled").replace("CLAIM", "SAYS")
    )
    with pytest.raises(ValueError, match=r"lacks CLAIM, control\(\)"):
        Entry.read(path)


def test_a_file_that_is_no_entry_stops_no_other(tmp_path: Path) -> None:
    tree(tmp_path, fair="pass")
    (tmp_path / "coins" / "half.py").write_text('"""Half an entry."""\n')
    (tmp_path / "coins" / "typo.py").write_text("def run(:\n")
    assert list(entries(tmp_path)) == ["fair"]
    lacking, typo = entry_module.unreadable(tmp_path)
    assert "half.py lacks TITLE" in lacking
    assert "invalid syntax" in typo


def test_runs_are_kept_and_a_failure_stops_nobody(tmp_path: Path) -> None:
    found = tree(tmp_path, fair="pass", broken="raise RuntimeError('the coin stood on its edge')")
    folder = tmp_path / "kept"
    first = {e.key: r for e, r in records(found.values(), Order(), folder=folder)}
    assert first["broken"].status == "failed"
    assert first["broken"].error == "RuntimeError: the coin stood on its edge (broken.py, line 12)"
    assert first["fair"].verdicts[0].found == (1.0, 2.0)
    assert first["fair"].figure.startswith("<svg")
    again = {e.key: r for e, r in records(found.values(), Order(), folder=folder)}
    assert (again["fair"].kept, again["broken"].kept) == (True, False)  # what failed is tried again


def test_a_changed_file_another_seed_and_a_control_are_other_runs(tmp_path: Path) -> None:
    entry = tree(tmp_path, fair="pass")["fair"]
    names = {
        place(entry, order).name
        for order in (Order(), Order(Budget.FULL), Order(seed=1), Order(control=True))
    }
    changed = tree(tmp_path, fair="seed = seed")["fair"]
    assert len(names | {place(changed, Order()).name}) == 5


def test_an_interrupted_call_goes_on_where_it_stopped(tmp_path: Path) -> None:
    found = tree(tmp_path, a="pass", b="pass")
    folder = tmp_path / "kept"
    some = records(found.values(), Order(), jobs=1, folder=folder)
    entry, _ = next(some)
    some.close()
    rest = {e.key: r.kept for e, r in records(found.values(), Order(), folder=folder)}
    assert rest[entry.key]
    assert set(rest) == {"a", "b"}


def test_a_control_has_to_turn_red(tmp_path: Path) -> None:
    entry = tree(tmp_path, fair="pass")["fair"]
    order = Order(control=True)
    ((_, record),) = records([entry], order, folder=tmp_path / "kept")
    assert not record.verdicts[0].passed
    assert record.as_expected(entry, order)
    assert not Record("fair", 1.0, (at_least("", 1.0, 0.0),)).as_expected(entry, order)


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    entry = tree(tmp_path, fair="pass")["fair"]
    record = Record("fair", 1.5, (at_least("heads", [1.0, math.inf], 0.5),), "<svg/>")
    record.write(place(entry, Order(), folder=tmp_path))
    assert json.loads(place(entry, Order(), folder=tmp_path).read_text())["seconds"] == 1.5
    read = kept(entry, Order(), folder=tmp_path)
    assert read is not None
    assert (read.verdicts, read.kept) == (record.verdicts, True)


def test_pages_escape_what_entries_say(tmp_path: Path) -> None:
    entry = tree(tmp_path, fair="pass")["fair"]
    record = Record("fair", 1.0, (at_least("<b>heads</b>", 1.0, 0.5),), "<svg></svg>")
    write(tmp_path / "site", [(entry, record)])
    page = (tmp_path / "site" / "fair.html").read_text()
    assert "&lt;b&gt;heads" in page
    assert "<math" in page
    assert "fair.html" in (tmp_path / "site" / "index.html").read_text()
    write(tmp_path / "site", [(entry, None)])
    assert "Not run yet" in (tmp_path / "site" / "fair.html").read_text()


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tree(tmp_path, fair="pass", unfair="seed = -5")
    monkeypatch.setattr(command, "entries", lambda: found)
    monkeypatch.setattr(record_module, "KEPT", tmp_path / "kept")
    call = CliRunner().invoke
    listed = call(command.app, ["list"])
    assert "unfair" in listed.output
    good = call(command.app, ["run", "fair"])
    assert (good.exit_code, "reproduced" in good.output, "heads: 1, 2" in good.output) == (0, True, True)
    bad = call(command.app, ["run", "--all"])
    assert (bad.exit_code, "declared reproduced" in " ".join(bad.output.split())) == (1, True)
    assert call(command.app, ["run", "--control", "fair"]).exit_code == 0
    assert call(command.app, ["run", "tails"]).exit_code == 2
    assert "A coin is a coin." in call(command.app, ["show", "fair"]).output
    assert call(command.app, ["site", str(tmp_path / "site")]).exit_code == 0
