"""Each rule of `source_rules` finds what it is for, and leaves its neighbour in peace."""

from __future__ import annotations

from pathlib import Path

import pytest

import source_rules as rules

# rule, file, offending text, innocent text
CASES = [
    (rules.long_files, "a.py", "x = 1\n" * 401, "x = 1\n" * 400),
    (rules.long_functions, "a.py", "def f():\n" + "    x = 1\n" * 40, "def f():\n" + "    x = 1\n" * 39),
    (
        rules.long_functions,
        "a.py",
        "class A:\n    def f(self):\n" + "        x = 1\n" * 40,
        'def f():\n    """One.\n' + "\n" * 60 + '    """\n' + "    x = 1\n" * 30,
    ),
    (rules.open_keywords, "a.py", "def f(x, **options): ...\n", "def _f(x, **options): ...\n"),
    (rules.open_keywords, "a.py", "class A:\n    def f(self, **options): ...\n", "def f(x, *, a): ...\n"),
    (rules.positional_options, "a.py", "def f(x, axis=-1): ...\n", "def f(x, *, axis=-1): ...\n"),
    (rules.positional_options, "a.py", "def f(x, axis=-1, /, *, k): ...\n", "def f(x, /, *, k=2): ...\n"),
    (
        rules.changing_returns,
        "a.py",
        "def f(x) -> float | tuple[float, float]: ...\n",
        "def f(x) -> tuple[float, float] : ...\ndef g(x) -> float | None: ...\n",
    ),
    (rules.private_imports, "a.py", "from kullback.answer import _BITS\n", "from kullback import _ops\n"),
    (rules.second_formulas, "a.py", "d = (p * np.log(p / q)).sum()\n", "d = p * log(2)\n"),
    (
        rules.second_formulas,
        "a.py",
        "d = sum(math.log2(p / q) * p for p, q in z)\n",
        "d = p * np.log(q / p)\n",
    ),
    (rules.second_formulas, "a.py", "d = p * (p.log() - q.log())\n", "d = p * (p - log(q))\n"),
    (rules.second_formulas, "a.py", "from s import rel_entr\nd = rel_entr(p, q)\n", "d = kl(p, q)\n"),
]


@pytest.mark.parametrize(("rule", "name", "bad", "good"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_rule_finds_the_offence_and_only_that(rule, name: str, bad: str, good: str, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text('__all__ = ["A", "f", "g"]', encoding="utf-8")
    (tmp_path / name).write_text(good, encoding="utf-8")
    assert rule(tmp_path) == []
    (tmp_path / name).write_text(bad, encoding="utf-8")
    assert len(rule(tmp_path)) == 1


@pytest.mark.parametrize("name", ["utils.py", "array_helpers.py", "_common.py", "misc/x.py"])
def test_names_that_say_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    assert len(rules.forbidden_names(tmp_path)) == 1


def test_names_that_say_something(tmp_path: Path) -> None:
    (tmp_path / "commonality.py").write_text("", encoding="utf-8")
    assert rules.forbidden_names(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n",
        "def f():\n    import torch.nn.functional as F\n",
        "def f():\n    from torch import nn\n",
        "from importlib import import_module\nimport_module('torch')\n",
    ],
)
def test_engine_imports_at_any_depth(text: str, tmp_path: Path) -> None:
    places = {"torch": ("losses/", "_ops/torch.py")}
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "token.py").write_text(text, encoding="utf-8")
    assert rules.misplaced_imports(tmp_path, places) == []
    (tmp_path / "answer.py").write_text(text, encoding="utf-8")
    found = rules.misplaced_imports(tmp_path, places)
    assert len(found) == 1
    assert found[0].startswith("answer.py:")


def test_formulas_may_live_at_home(tmp_path: Path) -> None:
    (tmp_path / "divergences").mkdir()
    (tmp_path / "divergences" / "kl.py").write_text("d = p * log(p / q)\n", encoding="utf-8")
    assert rules.second_formulas(tmp_path, ("divergences/",)) == []
    assert len(rules.second_formulas(tmp_path)) == 1


def test_exemptions_are_by_full_name(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("__all__ = ['f']\ndef f(x, y=1): ...\n", encoding="utf-8")
    assert rules.positional_options(tmp_path, frozenset({"a.py:f"})) == []
    assert len(rules.positional_options(tmp_path, frozenset({"b.py:f"}))) == 1


def test_what_is_not_exported_is_not_public(tmp_path: Path) -> None:
    text = "def f(x, y=1): ...\nclass A:\n    def g(self, y=1): ...\n"
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    assert rules.positional_options(tmp_path) == []
    (tmp_path / "__init__.py").write_text("__all__ = ['A']", encoding="utf-8")
    assert [line.split(": `")[0] for line in rules.positional_options(tmp_path)] == ["a.py:A.g"]


def test_text_findings(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("fine\nsee /nowhere/x\n", encoding="utf-8")
    assert rules.text_findings([path], "/nowhere/") == [f"{path}:2 see /nowhere/x"]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (None, "a docstring"),
        ("One.\n\n>>> 1\n1", "a formula"),
        ("One.\n\n$$x$$", "an example"),
        ("One: `x = 1`.\n\n>>> 1\n1", ""),
        ("One.\n\n$$x$$\n\n>>> 1\n1", ""),
    ],
)
def test_docstrings(text: str | None, missing: str) -> None:
    assert rules.docstring_gap(text) == missing
