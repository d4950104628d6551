"""What CONTRIBUTING asks of every file, asked by machine. The rules themselves are tested in test_source_rules.py."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

import kullback
import page_runner
import source_rules as rules

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "kullback"
CODE = [REPOSITORY / name for name in ("src", "gallery", "tests", "benchmarks", "examples", "docs")]
CODE = [folder for folder in CODE if folder.is_dir()]

# Which files may import what; everything else in src/kullback may not.
ENGINES = {
    "torch": ("_ops/torch.py", "losses/", "estimators/neural/"),
    "jax": ("_ops/jax.py",),
    "jaxlib": ("_ops/jax.py",),
    "numba": ("estimators/trees/",),
    "narwhals": ("tables/", "estimators/frames.py"),
    "polars": ("tables/",),
    "pandas": ("tables/",),
    "pyarrow": ("tables/", "losses/signals/table_shards.py"),
    "safetensors": ("losses/signals/tensor_shards.py",),
    "rich": ("tables/",),
    "typer": ("tables/",),
    "transformers": ("losses/trainers/",),
    "tokenizers": ("losses/trainers/",),
    "accelerate": ("losses/trainers/",),
    "lightning": (),
    "trl": ("losses/trainers/",),
    "jinja2": ("tables/",),
}
HEAVY = ["torch", "jax", "numba", "polars", "pandas", "pyarrow", "narwhals", "rich", "typer", "jinja2"]
HEAVY += ["transformers", "accelerate"]

# Functions whose defaulted parameters may be given by position, each with its reason.
POSITIONAL = frozenset(
    {
        "answer.py:Answer.exact",  # reads like the constructor of the dataclass that it stands for
        "divergences/generator.py:FDivergence.from_generator",  # f and its derivative are one argument in two parts
        "losses/trainers/trainer.py:DistillTrainer.log",  # transformers calls it so
    }
)

# Records whose numbers are explained where they are made; a sentence says what they hold.
RECORDS = {"Interval", "Report"}


def nothing(found: list[str]) -> None:
    """Fails with all that was found, one line each."""
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("folder", CODE, ids=lambda path: path.name)
def test_files_are_short(folder: Path) -> None:
    nothing(rules.long_files(folder))


@pytest.mark.parametrize("folder", [f for f in CODE if f.name != "tests"], ids=lambda path: path.name)
def test_functions_are_short(folder: Path) -> None:
    nothing(rules.long_functions(folder))


@pytest.mark.parametrize("folder", CODE, ids=lambda path: path.name)
def test_names_say_something(folder: Path) -> None:
    nothing(rules.forbidden_names(folder))


@pytest.mark.parametrize("rule", [rules.open_keywords, rules.changing_returns, rules.private_imports])
def test_signatures(rule: Callable[[Path], list[str]]) -> None:
    nothing(rule(SOURCE))


def test_options_are_keyword_only() -> None:
    nothing(rules.positional_options(SOURCE, POSITIONAL))


def test_every_exemption_is_still_needed() -> None:
    needed = {line.split(": `")[0] for line in rules.positional_options(SOURCE)}
    assert needed >= POSITIONAL


def test_engines_are_imported_only_at_home() -> None:
    nothing(rules.misplaced_imports(SOURCE, ENGINES))


def test_formulas_are_written_once() -> None:
    nothing(rules.second_formulas(SOURCE, ("_ops/", "divergences/", "exact/")))


def test_rooms_import_downwards() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-logo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_is_light_and_quick() -> None:
    """Under 0.3 s for `import kullback`, NumPy included and the interpreter's start not.

    Processor time, in the quickest of several fresh interpreters: the rest is what else the machine was doing.
    """
    program = f"""
import json, sys, time
start = time.process_time()
import kullback
seconds = time.process_time() - start
print(json.dumps([seconds, [name for name in {HEAVY!r} if name in sys.modules]]))
"""
    quickest = float("inf")
    for _ in range(7):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        seconds, loaded = json.loads(done.stdout)
        assert loaded == []
        quickest = min(quickest, seconds)
        if quickest < 0.3:
            break
    assert quickest < 0.3


def rooms() -> list[ModuleType]:
    """The importable rooms that a user names, below the front door."""
    names = sorted(path.parent.name for path in SOURCE.glob("[!_]*/__init__.py"))
    return [importlib.import_module(f"kullback.{name}") for name in names]


def public_objects() -> Iterator[tuple[str, object]]:
    """What `__all__` of the front door and of each room promises, modules aside."""
    for module in (kullback, *rooms()):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not inspect.ismodule(value):
                yield f"{module.__name__}.{name}", value


def is_plain(value: object) -> bool:
    """Exceptions, warnings and enumerations state a fact, not a formula; a sentence is enough for them."""
    return inspect.isclass(value) and issubclass(value, (Exception, Enum))


def test_front_door_is_declared() -> None:
    assert sorted(kullback.__all__) == sorted(set(kullback.__all__))
    assert [name for name, value in public_objects() if not inspect.getdoc(value)] == []


def test_public_names_carry_formula_and_example() -> None:
    explained = {name: value for name, value in public_objects() if not is_plain(value)}
    gaps = {name: rules.docstring_gap(inspect.getdoc(value)) for name, value in explained.items()}
    nothing([f"{name}: {gap}" for name, gap in gaps.items() if gap and name.split(".")[-1] not in RECORDS])
    assert {name.split(".")[-1] for name, gap in gaps.items() if gap} == RECORDS


def test_a_divergence_is_one_file(tmp_path: Path) -> None:
    """The file that CONTRIBUTING shows, dropped into the folder, is in the catalogue, found by its alias, and right."""
    shutil.copytree(SOURCE, tmp_path / "kullback", ignore=shutil.ignore_patterns("__pycache__"))
    shown = page_runner.blocks((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    recipe = next(block.text for block in shown if block.language == "python")
    (tmp_path / "kullback" / "divergences" / "balanced_chi2.py").write_text(recipe, encoding="utf-8")
    program = (
        "import kullback as kb; d = kb.catalogue().find('balanced'); assert d in tuple(kb.catalogue());"
        "print(round(d([.5, .5], [.25, .75]), 6), round(float(d.conjugate(1.0)), 4))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    by_hand = 0.0625 / 0.125**0.5 + 0.0625 / 0.375**0.5
    conjugate = max(t - (t - 1) ** 2 / t**0.5 for t in (1 + i / 10_000 for i in range(10_000)))
    assert done.stdout.split() == [f"{by_hand:.6f}", f"{conjugate:.4f}"], done.stderr


def readable_files() -> list[Path]:
    suffixes = {".py", ".md", ".toml", ".yml", ".bib", ".html", ".csv", ".j2"}
    named = [
        REPOSITORY / name
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "mkdocs.yml")
    ]
    found = [
        p
        for folder in CODE
        for p in folder.rglob("*")
        if p.suffix in suffixes and "__pycache__" not in p.parts
    ]
    return [p for p in (*named, *found) if p.stat().st_size < 1_000_000]


def test_no_path_of_one_machine() -> None:
    pattern = "|".join(("/" + "root/", "/" + "work/", r"/home/\w+", r"/Users/\w+", r"C:\\+Users"))
    files = [path for path in readable_files() if path != Path(__file__)]
    nothing(rules.text_findings(files, pattern))


def test_every_source_is_in_the_references() -> None:
    keys = set(
        re.findall(r"^@\w+\{([^,\s]+),", (REPOSITORY / "docs/references.bib").read_text(), re.MULTILINE)
    )
    cited = {
        key
        for path in rules.python_files(SOURCE)
        for key in re.findall(r"\[([a-z]+(?:18|19|20)\d\d[a-z]?)\]", path.read_text(encoding="utf-8"))
    }
    nothing(sorted(cited - keys))
