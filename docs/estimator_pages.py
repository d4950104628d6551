"""The pages of the methods of estimation, from the catalogue: what each serves, asked of it, and its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import kullback as kb
from kullback import estimators
from kullback.estimators.catalogue import methods
from kullback.estimators.method import DivergenceMethod, EntropyMethod, InformationMethod, Method
from kullback.estimators.problem import read_joint, read_one, read_two

KINDS: dict[str, type[Method]] = {
    "entropy": EntropyMethod,
    "information": InformationMethod,
    "divergence": DivergenceMethod,
}
TITLES = {
    "entropy": "Entropy of one sample",
    "information": "Mutual information of a joint sample",
    "divergence": "Divergence of two samples",
    "critics": "Trained critics",
    "beside": "Beside the methods",
}
ROWS = 300
CRITICS = "kullback.estimators.critics."

INTRODUCTION = """---
hide: [toc]
---

# Methods of estimation

`kb.entropy(x)`, `kb.mutual_information(x, y)` and `kb.estimate(d, x, y)` take a method as an object of
`kullback.estimators`, such as `method=KSG(k=5)`, or choose one: `method="auto"`. What each method serves in its default
form is not written here by hand but asked of it, with 300 rows of every sort; divergences are asked of one or two
continuous columns unless the head says otherwise. A method that does not serve refuses, and says what does.
`WassersteinDependency` serves `divergence=kb.wasserstein(1)` alone.
[Which one, and how much to believe it](../which-estimator.md)."""

BESIDE = """Critics' settings, compressors, kernels, forms and results: what the methods and verbs take and return."""


def pages() -> dict[str, str]:
    """Page name -> Markdown."""
    made = {"index": index()}
    for name, classes in sections().items():
        entries = [entry(c) for c in classes]
        made[name] = "\n\n".join([f"# {TITLES[name]}", *lead(name), *entries]) + "\n"
    return made


@cache
def sections() -> dict[str, tuple[Any, ...]]:
    """Page name -> what it documents: every public name once."""
    public = {name: getattr(estimators, name) for name in estimators.__all__}
    critics = tuple(c for c in public.values() if _trained(c))
    found = {
        name: tuple(c for c in methods(kind) if c not in critics and c.__name__ in public)
        for name, kind in KINDS.items()
    }
    told = {c for classes in found.values() for c in classes} | set(critics)
    verbs = (kb.estimate, kb.entropy, kb.mutual_information, kb.screen)
    rest = tuple(c for c in public.values() if c not in told)
    return {**found, "critics": critics, "beside": (*verbs, *(c for c in rest if c not in verbs))}


def _trained(c: Any) -> bool:
    return inspect.isclass(c) and issubclass(c, Method) and c.__module__.startswith(CRITICS)


def lead(name: str) -> list[str]:
    """What stands before the entries of a page."""
    if name == "beside":
        return [BESIDE]
    return [*([CRITICS_LEAD] if name == "critics" else []), "[What each serves](index.md)."]


CRITICS_LEAD = """Networks that learn to tell pairs from shuffled pairs, or one sample from the other; they need torch.
All are judged on rows that they were not trained on. Most are *bounds*: on average at most the truth, and far below it
where the network has not learned enough."""


def index() -> str:
    """The tables of all questions."""
    parts = [INTRODUCTION]
    for name in KINDS:
        parts += [f"## [{TITLES[name]}]({name}.md)", table(name)]
    parts += [f"[{TITLES['beside']}](beside.md): {BESIDE[0].lower()}{BESIDE[1:]}"]
    return "\n\n".join(parts) + "\n"


def table(name: str) -> str:
    """A row for each method of a question, a column for each probe."""
    probes = PROBES[name]
    lines = ["| method | " + " | ".join(probes) + " |", "|---|" + ":-:|" * len(probes)]
    for c in methods(KINDS[name]):
        if c.__name__ not in estimators.__all__:
            continue
        page = "critics" if _trained(c) else name
        cells = ["✓" if serves(c(), *probe()) else "·" for probe in probes.values()]
        lines.append(f"| [`{c.__name__}`]({page}.md#{c.__name__.lower()}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def serves(method: Any, *problems: Any) -> bool:
    """Whether a method takes one of the problems."""
    return any(not method.refusal(problem) for problem in problems)


def entry(documented: Any) -> str:
    """Heading, signature, docstring, example."""
    prose, prompt, example = (inspect.getdoc(documented) or "").partition(">>> ")
    name = documented.__name__
    parts = [f"## {name}", f"`{name}{_signature(documented)}`", prose.strip()]
    if prompt:
        parts.append("\n".join(["```python", *_imports(example), prompt + example.strip(), "```"]))
    return "\n\n".join(parts)


def _imports(example: str) -> list[str]:
    """In its own file an example needs no import of what the file defines; on a page it does."""
    bare = [name for name in estimators.__all__ if re.search(rf"(?<![.\w]){name}\(", example)]
    missing = [name for name in bare if not re.search(rf"import .*\b{name}\b", example)]
    return [f">>> from kullback.estimators import {', '.join(missing)}"] if missing else []


def _signature(documented: Any) -> str:
    found = inspect.signature(documented)
    if not inspect.isclass(documented):
        names = [name if p.default is p.empty else f"{name}=…" for name, p in found.parameters.items()]
        return f"({', '.join(names)})"
    shown = [
        name
        if p.default is p.empty
        else f"{name}={'…' if '<factory>' in repr(p.default) else repr(p.default)}"
        for name, p in found.parameters.items()
    ]
    return f"({', '.join(shown)})"


# Problems to ask, each a small sample of its sort

Probe = Callable[[], tuple[Any, ...]]
MIXED = ("continuous", "discrete")
WEIGHTS = np.linspace(0.5, 1.5, ROWS)


def numbers(columns: int = 1, *, seed: int = 0) -> np.ndarray:
    """Rows of continuous columns."""
    return np.random.default_rng([seed, columns]).standard_normal((ROWS, columns))


def names(seed: int = 0) -> np.ndarray:
    """Rows of one of three classes."""
    return np.random.default_rng([seed, 9]).choice(list("abc"), ROWS)


def both(seed: int = 0) -> np.ndarray:
    """Rows of a number and a class."""
    return np.column_stack([numbers(seed=seed), np.arange(ROWS) % 3])


def one(x: Any, *, kind: Any = None, weights: Any = None) -> tuple[Any, ...]:
    """A question about an entropy."""
    return (read_one(x, kind=kind, weights=weights, missing="raise", seed=0),)


def joint(
    x: Any, y: Any, given: Any = None, *, kind: Any = None, d: Any = None, weights: Any = None
) -> tuple[Any, ...]:
    """A question about an information."""
    kinds = (kind, None, None)
    return (read_joint(x, y, given, kinds=kinds, divergence=d, weights=weights, missing="raise", seed=0),)


def two(x: Any, y: Any, *nouns: Any, kind: Any = None, weights: Any = None) -> tuple[Any, ...]:
    """Questions about divergences of the same two samples."""
    settings: dict[str, Any] = {"weights_x": weights, "weights_y": None, "missing": "raise", "seed": 0}
    return tuple(read_two(d, x, y, kind=kind, **settings) for d in nouns)


def of_columns(*nouns: Any) -> Probe:
    """Divergences of one column, or of two."""
    return lambda: (*two(numbers(), numbers(seed=1), *nouns), *two(numbers(2), numbers(2, seed=1), *nouns))


def some_nouns() -> tuple[Any, ...]:
    """A divergence of each sort."""
    kernels = kb.mmd(kb.GaussianKernel(1.0)), kb.energy_distance
    transport = kb.wasserstein(1), kb.sliced_wasserstein(1)
    return (kb.kl, kb.js, kb.renyi(0.5), *transport, *kernels, kb.cauchy_schwarz, kb.squared_l2)


PROBES: dict[str, dict[str, Probe]] = {
    "entropy": {
        "1 column": lambda: one(numbers()),
        "2": lambda: one(numbers(2)),
        "5": lambda: one(numbers(5)),
        "classes": lambda: one(names()),
        "both kinds": lambda: one(both(), kind=MIXED),
        "weights": lambda: (*one(numbers(), weights=WEIGHTS), *one(names(), weights=WEIGHTS)),
        "rounded": lambda: one(np.round(numbers(), 1)),
    },
    "information": {
        "1 + 1 columns": lambda: joint(numbers(), numbers(seed=1)),
        "3 + 3": lambda: joint(numbers(3), numbers(3, seed=1)),
        "1 + class": lambda: joint(numbers(), names()),
        "classes": lambda: joint(names(), names(1)),
        "both kinds + 1": lambda: joint(both(), numbers(seed=1), kind=MIXED),
        "`given` numbers": lambda: joint(numbers(), numbers(seed=1), numbers(seed=2)),
        "`given` class": lambda: (
            *joint(numbers(), numbers(seed=1), names()),
            *joint(numbers(), names(), names(2)),
            *joint(names(), names(1), names(2)),
        ),
        "js": lambda: (*joint(numbers(), numbers(seed=1), d=kb.js), *joint(names(), names(1), d=kb.js)),
        "weights": lambda: (
            *joint(numbers(), numbers(seed=1), weights=WEIGHTS),
            *joint(names(), names(1), weights=WEIGHTS),
        ),
    },
    "divergence": {
        "kl": of_columns(kb.kl),
        "js": of_columns(kb.js),
        "renyi": of_columns(kb.renyi(0.5)),
        "wasserstein": of_columns(kb.wasserstein(1), kb.sliced_wasserstein(1)),
        "mmd, energy": of_columns(kb.mmd(kb.GaussianKernel(1.0)), kb.energy_distance),
        "cauchy_schwarz": of_columns(kb.cauchy_schwarz),
        "5 columns": lambda: two(numbers(5), numbers(5, seed=1), *some_nouns()),
        "classes": lambda: two(names(), names(1), *some_nouns()),
        "both kinds": lambda: two(both(), both(1), *some_nouns(), kind=MIXED),
        "weights": lambda: two(numbers(), numbers(seed=1), *some_nouns(), weights=WEIGHTS),
    },
}
