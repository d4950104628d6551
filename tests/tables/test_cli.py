"""The command line: exit statuses that a script can trust, one line for a mistake, reports whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sample_reports import HOSTILE, column, mixed, report

from kullback.errors import InvalidInputError
from kullback.tables import cli, gates, running, serial
from kullback.tables.report import Skipped, Verdict
from kullback.wording import cells

ROWS = 2_000


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose differences are known: plan drifts and gains a category, age does not, extra is new."""
    folder = tmp_path_factory.mktemp("tables")
    age = [20 + i % 50 for i in range(ROWS)]
    before = pl.DataFrame({"plan": ["free", "paid"] * (ROWS // 2), "age": age, "kind": [1, 2] * (ROWS // 2)})
    after = pl.DataFrame(
        {
            "plan": ["free", "free", "free", "team"] * (ROWS // 4),
            "age": age,
            "extra": age,
            "kind": ["a", "b"] * (ROWS // 2),
        }
    )
    before.write_csv(folder / "before.csv")
    after.write_parquet(folder / "after.parquet")
    before.write_ipc(folder / "same.arrow")
    gaps = before.with_columns(pl.when(pl.int_range(ROWS) % 3 > 0).then("age").alias("age"))
    gaps.write_ndjson(folder / "gaps.jsonl")
    before.head(20).write_csv(folder / "few.csv")
    return folder


def run(
    *arguments: object, folder: Path | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "kullback", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )


def call(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: object) -> int:
    """The same in this process, which is quicker."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


class TestStatus:
    def test_zero_where_nothing_drifts(self, tables: Path) -> None:
        ended = run("compare", "before.csv", "same.arrow", folder=tables)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.startswith("SAME: no drift in 3 columns\n")

    def test_one_where_a_gate_is_hit(self, tables: Path) -> None:
        ended = run("compare", "before.csv", "after.parquet", folder=tables)
        assert (ended.returncode, ended.stderr) == (1, "")
        assert ended.stdout.startswith("DRIFT in 1 of 2 columns\n")
        assert "gate hit, exit status 1: drift: plan" in ended.stdout
        assert max(cells(line) for line in ended.stdout.split("\n")) <= 80
        assert "\x1b" not in ended.stdout, "no colours where nobody sees them"

    @pytest.mark.parametrize(
        ("gate", "after", "status"),
        [
            ("drift", "same.arrow", 0),
            ("new-category", "same.arrow", 0),
            ("new-category", "after.parquet", 1),
            ("missing", "after.parquet", 0),
            ("missing", "gaps.jsonl", 1),
            ("schema", "same.arrow", 0),
            ("schema", "after.parquet", 1),
            ("inconclusive", "same.arrow", 0),
            ("inconclusive", "few.csv", 1),
        ],
    )
    def test_gates(
        self, gate: str, after: str, status: int, tables: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert call(monkeypatch, tables, "compare", "before.csv", after, "--fail-on", gate, "-q") == status

    def test_gates_add_up(
        self, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        both = ("--fail-on", "schema", "--fail-on", "missing")
        assert call(monkeypatch, tables, "compare", "before.csv", "after.parquet", *both) == 1
        said = capsys.readouterr().out
        assert "schema: " in said
        assert "gate hit, exit status 1: drift" not in said

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (("before.csv", "nope.csv"), "no such file"),
            (("before.csv", "http://x/y.csv"), "address"),
            (("before.csv", "same.arrow", "--measure", "nope"), "jeffreys"),
            (("before.csv", "same.arrow", "--measure", "renyi:2"), "f-divergence"),
            (("before.csv", "same.arrow", "--adjust", "nope"), "bh, by, holm, none"),
            (("before.csv", "same.arrow", "--fail-on", "nope"), "new-category"),
            (("before.csv", "same.arrow", "--max-bytes", "many"), "500MB"),
            (("before.csv", "same.arrow", "--max-bytes", "1kB"), "--max-bytes"),
            (("before.csv", "same.arrow", "--columns", "nope"), "nope"),
            (("before.csv", "same.arrow", "--alpha", "2"), "alpha"),
            (("before.csv", "same.arrow", "--bins", "0"), "bins"),
            (("before.csv", "same.arrow", "--html", "no/where.html"), "create it first"),
            (("before.csv", "same.arrow", "--html", "before.csv"), "named twice"),
            (("before.csv", "same.arrow", "--html", "r", "--json", "r"), "named twice"),
        ],
    )
    def test_two_and_one_line_for_bad_input(
        self,
        arguments: tuple[str, ...],
        word: str,
        tables: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture,
    ) -> None:
        here = set(tables.iterdir())
        assert call(monkeypatch, tables, "compare", *arguments) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("kullback: error: ")
        assert said.err.count("\n") == 1
        assert word in said.err
        assert set(tables.iterdir()) == here

    @pytest.mark.parametrize(
        "arguments", [("before.csv",), ("a", "b", "c"), ("a", "b", "--nope"), ("a", "b", "--bins", "x")]
    )
    def test_two_for_bad_usage(
        self,
        arguments: tuple[str, ...],
        tables: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture,
    ) -> None:
        assert call(monkeypatch, tables, "compare", *arguments) == 2
        said = capsys.readouterr().err
        assert "Error: " in said
        assert "Traceback" not in said

    def test_two_where_nothing_can_be_compared(
        self, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        only = ("--columns", "extra,kind")
        assert call(monkeypatch, tables, "compare", "before.csv", "after.parquet", *only) == 2
        said = capsys.readouterr()
        assert "only in the table after" in said.out
        assert "no column could be compared" in said.err

    def test_a_mistake_of_the_library_is_not_a_gate(
        self, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(running, "compare", broken)
        assert call(monkeypatch, tables, "compare", "before.csv", "same.arrow") == 4
        assert "planted" in capsys.readouterr().err

    def test_an_interrupt_is_not_a_gate(self, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(running, "compare", interrupted)
        assert call(monkeypatch, tables, "compare", "before.csv", "same.arrow") == 130

    def test_help_says_what_the_statuses_mean(self) -> None:
        ended = run("compare", "--help")
        assert ended.returncode == 0
        said = " ".join(ended.stdout.split())
        assert "0 nothing above the gate, 1 a gate is hit, 2 bad input" in said
        assert "in nats" in said
        assert all(gate in said for gate in gates.GATES)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "kullback.tables.command", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", "a.csv", "b.csv"])
    assert ended.value.code == 2
    assert "pip install 'kullback[tables]'" in capsys.readouterr().err


class TestOptions:
    def test_reports_are_written_and_agree(
        self, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = {kind: tmp_path / f"report.{kind}" for kind in ("html", "json", "markdown")}
        options = [part for kind, path in paths.items() for part in (f"--{kind}", path)]
        assert call(monkeypatch, tables, "compare", "before.csv", "after.parquet", *options) == 1
        made = serial.load(paths["json"])
        assert paths["html"].read_text(encoding="utf-8").count("<!doctype html>") == 1
        assert paths["markdown"].read_text(encoding="utf-8") == made.to_markdown()
        assert (made.before.name, made.after.name) == ("before.csv", "after.parquet")
        assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}

    def test_settings_reach_the_comparison(
        self, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = "--measure psi --bins 7 --alpha 0.01 --level 0.9 --min-effect 0.02"
        options += " --adjust holm --permutations 99 --seed 5"
        target = tmp_path / "r.json"
        call(monkeypatch, tables, "compare", "before.csv", "same.arrow", *options.split(), "--json", target)
        chosen = serial.load(target).settings
        assert (chosen.measure, chosen.bins, chosen.alpha, chosen.level) == ("jeffreys", 7, 0.01, 0.9)
        assert (chosen.min_effect, chosen.adjust, chosen.permutations, chosen.seed) == (0.02, "holm", 99, 5)

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (("--columns", "plan"), {"plan"}),
            (("--columns", "plan,age"), {"plan", "age"}),
            (("--columns", "plan", "--columns", "age"), {"plan", "age"}),
            (("--exclude", "plan"), {"age", "kind"}),
        ],
    )
    def test_columns(
        self,
        options: tuple[str, ...],
        names: set[str],
        tables: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        target = tmp_path / "r.json"
        call(monkeypatch, tables, "compare", "before.csv", "same.arrow", *options, "--json", target)
        assert {found.name for found in serial.load(target)} == names

    def test_quiet_is_one_line(
        self, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        call(monkeypatch, tables, "compare", "before.csv", "after.parquet", "--quiet")
        assert capsys.readouterr().out == "DRIFT in 1 of 2 columns\n"

    @pytest.mark.parametrize("text", ["", "x", "-1", "0", "1 XB", "1e3", "9" * 50 + "?"])
    def test_sizes_that_are_none(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="8GiB"):
            running.size_in_bytes(text)

    def test_a_reader_who_leaves_early(self, tables: Path) -> None:
        command = f"{sys.executable} -m kullback compare before.csv after.parquet | head -n 1; echo ${{PIPESTATUS[0]}}"
        ended = subprocess.run(
            ["bash", "-c", command], cwd=tables, capture_output=True, text=True, check=True, timeout=60
        )
        assert ended.stdout.splitlines() == ["DRIFT in 1 of 2 columns", "1"]
        assert ended.stderr == ""


def test_hostile_names_come_through_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Column names, categories and a file name that try to leave their place, from file to report."""
    names = [name for name in HOSTILE if name != "\ud800"]
    values = dict.fromkeys(names, names * 20)
    before, after = tmp_path / "<img onerror=alert(1)>.parquet", tmp_path / "\u202etxt.parquet"
    pl.DataFrame(values).write_parquet(before)
    pl.DataFrame({**values, names[0]: ["new <b>"] * len(names) * 20}).write_parquet(after)
    target = tmp_path / "r.html"
    assert (
        call(monkeypatch, tmp_path, "compare", before, after, "--html", target, "--json", tmp_path / "r.json")
        == 1
    )
    text = target.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert [c.name for c in serial.load(tmp_path / "r.json").drifted] == [names[0]]


class TestGates:
    def test_missing_needs_evidence_and_size(self) -> None:
        def with_missing(before: int, after: int, rows: int = 1_000) -> list[str]:
            one = replace(column(), before=rows, after=rows, missing_before=before, missing_after=after)
            return gates.missing(report(one))

        assert with_missing(0, 300) == ["age"]
        assert with_missing(300, 0) == [], "fewer missing values are no alarm"
        assert with_missing(300, 320) == [], "chance"
        assert with_missing(50_000, 53_000, rows=1_000_000) == [], "proven, and too small to count"
        assert with_missing(0, 0) == []

    def test_schema(self) -> None:
        made = report(skipped=(Skipped("a", "only in the table before", schema=True), Skipped("b", "nested")))
        assert gates.schema(made) == ["a"]

    def test_inconclusive(self) -> None:
        assert gates.inconclusive(mixed()) == ["region"]
        assert gates.inconclusive(report(column(verdict=Verdict.SAME))) == []

    def test_long_lists_are_cut(self) -> None:
        many = report(*(column(f"c{i}") for i in range(50)))
        assert gates.hits(many, ["drift", "drift"]) == ["drift: c0, c1, c2, c3, c4 and 45 more"]


def test_json_is_strict(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An infinite divergence reaches the file as null with a word beside it."""
    target = tmp_path / "r.json"
    call(monkeypatch, tables, "compare", "before.csv", "after.parquet", "--measure", "kl", "--json", target)
    text = target.read_text()
    assert "Infinity" not in text
    assert "NaN" not in text
    assert json.loads(text)["columns"][0]["plugin"] == {"value": None, "infinite": True}
