"""`kullback distill`: settings that cannot be meant are one line, a run goes on where it stopped, the card says all."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

import kullback as kb
from kullback.errors import InvalidInputError
from kullback.losses.signals import SignalWriter
from kullback.losses.sparse import TopK
from kullback.losses.trainers import run, settings, texts
from kullback.losses.trainers.card import direction, formula
from kullback.losses.trainers.curves import Line, Panel, svg
from kullback.tables.cli import main
from losses.small_models import CLASSES, Rows, model, one_thread

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "distill_stdlib.yaml"


def content(folder: Path) -> dict[str, Any]:
    return {
        "output": str(folder / "run"),
        "seed": 1,
        "text": {
            "files": ["python-library:json/*.py"],
            "characters": 12000,
            "block": 32,
            "held_out": 0.05,
            "tokenizer": "characters",
        },
        "teacher": {"train": {"layers": 2, "width": 32, "heads": 2, "steps": 6, "batch": 8}},
        "student": {"new": {"layers": 1, "width": 16, "heads": 2}},
        "distill": {
            "loss": "js",
            "steps": 8,
            "batch": 8,
            "learning_rate": 0.01,
            "evaluate_every": 4,
            "save_every": 4,
        },
    }


def changed(content: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    *groups, name = place.split(".")
    inner = content
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[name] = value
    return content


def written(folder: Path, content: Any, name: str = "settings.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def silent(what: str, done: int, total: int) -> None:
    pass


class Stopped(Exception):
    pass


def stop_at(step: int, what: str) -> Any:
    def progress(found: str, done: int, _: int) -> None:
        if found == what and done == step:
            raise Stopped

    return progress


def test_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From settings to a student: the table fits, the card and the curves are whole, the student is loaded again."""
    path = written(tmp_path, content(tmp_path))
    with pytest.raises(SystemExit) as left:
        main(["distill", str(path), "--quiet"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.split("\n\n")[0].splitlines())) <= 80
    for words in (
        "before",
        "after",
        "KL(teacher‖student)",
        "KL(student‖teacher)",
        "acceptance rate",
        "tokens/s",
    ):
        assert words in printed
    student = tmp_path / "run" / "student"
    card = (student / "README.md").read_text(encoding="utf-8")
    assert "**D(teacher ‖ student)**, the teacher first, for D = `js`" in card
    assert direction(kb.js) in card
    assert formula(kb.js) in card
    assert printed.split("\n\n")[0].splitlines()[1] in card
    ET.parse(student / "curves.svg")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["after"]["kl_teacher_student"] < results["before"]["kl_teacher_student"]
    again = AutoTokenizer.from_pretrained(student)
    ids = again("def f(x):\n    return x", return_tensors="pt")["input_ids"]
    assert again.decode(ids[0]) == "def f(x):\n    return x"
    assert AutoModelForCausalLM.from_pretrained(student)(input_ids=ids).logits.shape[-1] == len(again)
    with pytest.raises(SystemExit):  # finished: it only prints
        main(["distill", str(path), "--quiet"])
    assert capsys.readouterr().out == printed
    written(tmp_path, changed(content(tmp_path), "distill.loss", "kl"))
    with pytest.raises(SystemExit) as left:
        main(["distill", str(path), "--quiet"])
    assert left.value.code == 2
    assert "distill.loss was 'js' and is 'kl'" in capsys.readouterr().err


def test_a_run_of_the_students_own_text_in_bfloat16(tmp_path: Path) -> None:
    given = content(tmp_path)
    settled = {
        "loss": "kl.dual",
        "on_policy": 0.7,
        "prompt_tokens": 8,
        "precision": "bfloat16",
        "accumulate": 2,
    }
    given["distill"] |= {**settled, "temperature": 2.0, "squared_temperature": True}
    outcome = run.distill(settings.read(written(tmp_path, given)), silent)
    assert outcome.after["kl_student_teacher"] < outcome.before["kl_student_teacher"]
    card = (outcome.folder / "student" / "README.md").read_text(encoding="utf-8")
    assert "D = `reverse_kl`: KL(student‖teacher), often called reverse KL" in card
    assert r"\sum_v q_v \log \frac{q_v}{p_v}" in card
    assert "mode-seeking" in card
    assert "next token at the temperature T = 2, times T²" in card
    assert "with probability 0.7 a batch is written by the student itself" in card


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(AutoModelForCausalLM.from_pretrained(folder / "student").state_dict())


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """Stopped while the teacher is trained and while the student is: the same student in the end."""
    through = settings.read(written(tmp_path, content(tmp_path / "a")))
    run.distill(through, silent)
    stopped = settings.read(written(tmp_path, changed(content(tmp_path / "b"), "distill.save_every", 4)))
    for what, step in (("training the teacher", 5), ("training the student", 6)):
        with pytest.raises(Stopped):
            run.distill(stopped, stop_at(step, what))
    seen: list[tuple[str, int]] = []
    run.distill(stopped, lambda what, done, _: seen.append((what, done)))
    assert [done for what, done in seen if what == "training the student"] == [5, 6, 7, 8]
    assert all(what != "training the teacher" for what, _ in seen)
    a, b = weights(tmp_path / "a" / "run"), weights(tmp_path / "b" / "run")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_models_by_name_and_signals(tmp_path: Path) -> None:
    """A teacher from a folder, as from the hub; and what it said, from the disk."""
    texts_seen = Rows(40)
    tokenizer = texts.of_characters("".join(map(chr, range(32, 32 + CLASSES - 1))))
    for name, made in (("teacher", model(2)), ("student", model(1))):
        made.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    given = changed(content(tmp_path), "teacher", {"model": str(tmp_path / "teacher")})
    given = changed(changed(given, "student", {"model": str(tmp_path / "student")}), "text.tokenizer", None)
    live = run.distill(settings.read(written(tmp_path, changed(given, "distill.on_policy", 0) | {})), silent)
    assert live.after["kl_teacher_student"] < live.before["kl_teacher_student"]
    with SignalWriter(tmp_path / "signals", vocabulary=CLASSES, k=6) as writer:
        for ids in texts_seen.ids:
            with torch.no_grad():
                logits = model(2)(input_ids=ids[None]).logits[0]
            writer.append(TopK.of_logits(logits, 6), tokens=ids)
    given = changed(content(tmp_path / "other"), "teacher", {"signals": str(tmp_path / "signals")})
    given.pop("text")
    found = run.distill(settings.read(written(tmp_path, given)), silent)
    assert found.after["kl_teacher_student"] < found.before["kl_teacher_student"]
    assert 0 < found.after["captured"] < 1
    assert "mass that the record knows" in str(found)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("distill.temperature", -1, "distill.temperature is -1; expected a number above 0"),
        ("distill.temprature", 1, "distill.temprature is no setting; did you mean temperature?"),
        ("distill.loss", "klx", "distill.loss is 'klx'; expected a divergence by name, such as kl"),
        ("distill.loss", "wasserstein:1", "distill.loss is 'wasserstein:1'; expected a divergence"),
        ("distill.steps", "many", "distill.steps is 'many'; expected a whole number above 0"),
        ("distill.steps", True, "distill.steps is True; expected a whole number above 0"),
        ("distill.per", "word", "distill.per is 'word'; expected one of token, sequence, batch"),
        ("distill.on_policy", 2, "distill.on_policy is 2; expected a number from 0 to 1"),
        (
            "distill.on_policy",
            0.5,
            "distill.prompt_tokens is nothing; expected a whole number below text.block",
        ),
        ("distill.precision", "int8", "distill.precision is 'int8'; expected one of float32, bfloat16"),
        ("distill", 3, "distill is 3; expected settings: loss, steps"),
        ("teacher.model", "x", "teacher has model and train; expected exactly one of model, signals, train"),
        ("student", {}, "student has nothing; expected exactly one of model, new"),
        ("student.new.width", 18, "student.new.width is 18; expected a multiple of 2 × heads = 4"),
        ("student.new", {"layers": 1, "width": 16}, "student.new.heads is missing; expected a whole number"),
        ("text", None, "text is missing; expected settings: files"),
        ("text.files", "a.txt", "text.files is 'a.txt'; expected a list of files or patterns"),
        ("text.files", ["nowhere/*.txt"], "which no file matches"),
        ("text.tokenizer", None, "text.tokenizer is nothing"),
        ("text.block", 100000, "expected 4 blocks or more"),
        ("text.held_out", 1.0, "text.held_out is 1.0; expected a number between 0 and 1"),
        ("colour", "red", "colour is no setting; expected one of output, teacher"),
        ("teacher", {"signals": "nowhere"}, "nowhere has no manifest.json"),
        (
            "teacher",
            {"model": "./nowhere"},
            "text.tokenizer is './nowhere', whose tokenizer could not be loaded",
        ),
    ],
)
def test_bad_settings_are_one_line(
    place: str, value: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = changed(content(tmp_path), place, value)
    if place == "teacher" and isinstance(value, dict) and "model" in value:
        given["text"].pop("tokenizer")
    with pytest.raises(SystemExit) as left:
        main(["distill", str(written(tmp_path, given)), "--quiet"])
    lines = capsys.readouterr().err.strip().splitlines()
    assert left.value.code == 2
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "distill: [", "a.yaml"),
        ("a.yaml", "just words", "the file is 'just words'; expected settings: output"),
        ("a.toml", "output = ", "a.toml"),
        ("a.json", "{}", "a.json ends in .json; expected .yaml, .yml or .toml"),
    ],
)
def test_files_that_are_no_settings(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message.replace("[", r"\[")):
        settings.read(tmp_path / name)
    with pytest.raises(InvalidInputError, match="No such file"):
        settings.read(tmp_path / "nothing.yaml")


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'output = "x"\n[text]\nfiles = ["a.txt"]\n[teacher]\nmodel = "t"\n[student]\nmodel = "s"\n'
        '[distill]\nloss = "kl.dual"\nsteps = 3\nlearning_rate = 1\n',
        encoding="utf-8",
    )
    plain = {
        "output": "x",
        "text": {"files": ["a.txt"]},
        "teacher": {"model": "t"},
        "student": {"model": "s"},
        "distill": {"loss": "kl.dual", "steps": 3, "learning_rate": 1.0},
    }
    found = settings.read(tmp_path / "a.toml")
    assert found == settings.read(written(tmp_path, plain))
    assert isinstance(found.distill.learning_rate, float)


def test_the_example_is_read() -> None:
    assert settings.read(EXAMPLE).text is not None


def test_directions_in_words() -> None:
    assert "mass-covering" in direction(kb.kl)
    assert "mode-seeking" in direction(kb.reverse_kl)
    assert "mode-seeking" in direction(kb.skew_js(0.1)) or "bounded" in direction(kb.skew_js(0.1))
    assert "nothing else" in direction(kb.jeffreys)
    assert "bounded" in direction(kb.js)
    assert formula(kb.kl.dual) == r"\sum_v q_v \log \frac{q_v}{p_v}"


def test_curves_leave_out_what_is_not_finite() -> None:
    drawing = svg([Panel("a < b", [Line("kl", [0, 1, 2], [1.0, float("inf"), 0.5])])], below="steps")
    root = ET.fromstring(drawing)
    lines = [x for x in root.iter() if x.tag.endswith("polyline")]
    assert len(lines[0].attrib["points"].split()) == 2


def test_help_is_quick_without_the_trainers() -> None:
    program = (
        "import sys; from kullback.tables.command import app; "
        "print([m for m in ('torch', 'transformers', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run.distill(settings.read(EXAMPLE), silent)
    assert outcome.after["acceptance"] > 0.75
    assert outcome.after["kl_teacher_student"] < 0.4 * outcome.before["kl_teacher_student"]
