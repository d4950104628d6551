"""What an entry is: a paper's claim, the smallest honest form of its system, and what would prove it wrong.

A file `gallery/<area>/<key>.py` of at most 150 lines, with these names at its top level:

| name | is |
|---|---|
| docstring | the paper in plain words, in which slot its divergence sits, where the full-size version lives |
| `TITLE`, `REFERENCE` | the paper's title and its key in docs/references.bib |
| `RELATION` | "core", "component" or "far": how much of the paper the divergence is |
| `DIVERGENCES` | names in the library's catalogue, for the formulas on the page |
| `CLAIM` | one sentence with its number |
| `STATUS` | "reproduced", "mixed" or "not reproduced": what `check` was seen to find |
| `SEEDS` | how many seeds, at least 3 where anything is random, 1 where nothing is |
| `run(seed, budget)` | one run, returned as a small record of numbers |
| `check(runs)` | the verdicts on the runs of all seeds |
| `control(seed, budget)` | the same run with the method broken or switched off, which has to turn a verdict red |
| `figure(run, ax)` | the picture that the paper would show, of the first run |
"""

from __future__ import annotations

import ast
import importlib.util
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

HERE = Path(__file__).parent
RELATIONS = ("core", "component", "far")
STATUSES = ("reproduced", "mixed", "not reproduced")
_FUNCTIONS = ("run", "check", "control", "figure")
_NOT_AREAS = {"toys", "pages"}


class Budget(Enum):
    """How much a run may cost: a minute on two cores, or what it takes."""

    SMALL = "small"
    FULL = "full"

    def of(self, small: T, full: T) -> T:
        """The one of two sizes that this budget allows."""
        return small if self is Budget.SMALL else full


@dataclass(frozen=True)
class Verdict:
    """What the paper predicts, the number that every seed found, and how far the worst of them is from failing."""

    says: str
    found: tuple[float, ...]
    expected: str
    margin: float

    @property
    def passed(self) -> bool:
        """Whether every seed bears the prediction out; a NaN does not."""
        return self.margin >= 0.0


def close(says: str, found: float | Iterable[float], expected: float, *, within: float) -> Verdict:
    """Every seed finds `expected`, give or take `within`.

    >>> close("half of it", [0.49, 0.52], 0.5, within=0.03).passed
    True
    """
    numbers = _numbers(found)
    return _verdict(
        says, numbers, f"{expected:g} ± {within:g}", [within - abs(x - expected) for x in numbers]
    )


def at_least(says: str, found: float | Iterable[float], bound: float) -> Verdict:
    """Every seed finds `bound` or more; a claim of an order is one about a difference."""
    numbers = _numbers(found)
    return _verdict(says, numbers, f"≥ {bound:g}", [x - bound for x in numbers])


def at_most(says: str, found: float | Iterable[float], bound: float) -> Verdict:
    """Every seed finds `bound` or less."""
    numbers = _numbers(found)
    return _verdict(says, numbers, f"≤ {bound:g}", [bound - x for x in numbers])


def _verdict(says: str, found: tuple[float, ...], expected: str, margins: list[float]) -> Verdict:
    worst = -math.inf if not margins or any(math.isnan(m) for m in margins) else min(margins)
    return Verdict(says, found, expected, worst)


def _numbers(found: float | Iterable[float]) -> tuple[float, ...]:
    return tuple(map(float, found)) if isinstance(found, Iterable) else (float(found),)


def status(verdicts: Iterable[Verdict]) -> str:
    """All verdicts hold, some do, or none does."""
    passed = [v.passed for v in verdicts]
    return STATUSES[0] if passed and all(passed) else STATUSES[1] if any(passed) else STATUSES[2]


@dataclass(frozen=True)
class Entry:
    """The card of an entry, read from its file without running it."""

    key: str
    area: str
    path: Path
    about: str
    title: str
    reference: str
    relation: str
    divergences: tuple[str, ...]
    claim: str
    declared: str
    seeds: int

    @classmethod
    def read(cls, path: Path) -> Entry:
        """The card in a file; raises `ValueError` that names what is missing or not a constant."""
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants, functions = (
            dict(_constants(tree)),
            {node.name for node in tree.body if isinstance(node, ast.FunctionDef)},
        )
        wanted = ("TITLE", "REFERENCE", "RELATION", "DIVERGENCES", "CLAIM", "STATUS", "SEEDS")
        missing = [name for name in wanted if name not in constants]
        missing += [f"{name}()" for name in _FUNCTIONS if name not in functions]
        about = ast.get_docstring(tree)
        if missing or not about:
            raise ValueError(f"{path} lacks {', '.join(missing) or 'a docstring'}; see gallery/entry.py")
        if constants["RELATION"] not in RELATIONS or constants["STATUS"] not in STATUSES:
            raise ValueError(f"{path}: RELATION is one of {RELATIONS} and STATUS one of {STATUSES}")
        card = [constants[name] for name in wanted]
        return cls(path.stem.replace("_", "-"), path.parent.name, path, about, *card)

    def module(self) -> ModuleType:
        """The file, run."""
        name = f"gallery.{self.area}.{self.path.stem}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{self.path} is no Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                yield node.targets[0].id, ast.literal_eval(node.value)
            except ValueError:
                continue  # not a constant, so no part of the card


def entries(root: Path = HERE) -> dict[str, Entry]:
    """Every entry below `root` by its key, in the order of areas and keys; files that are no entries are left out."""
    return {card.key: card for card in _cards(root) if isinstance(card, Entry)}


def unreadable(root: Path = HERE) -> list[str]:
    """What is wrong with the files that should be entries and are not."""
    return [str(card) for card in _cards(root) if isinstance(card, Exception)]


def _cards(root: Path) -> Iterator[Entry | Exception]:
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and folder.name not in _NOT_AREAS and not folder.name.startswith(("_", ".")):
            for path in sorted(folder.glob("[!_]*.py")):
                try:
                    yield Entry.read(path)
                except (ValueError, SyntaxError) as error:
                    yield error
