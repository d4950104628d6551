"""The settings of `kullback distill`, read from a YAML or TOML file: what a mistake is said in one line."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from kullback.errors import InvalidInputError, KullbackError, MissingDependencyError
from kullback.losses.token import Per
from kullback.losses.trainers.objective import divergence_named

_PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class _Rule:
    """What a value has to be: in words, and as a function that is true for such values."""

    expected: str
    accepts: Callable[[Any], bool]


def _whole(x: Any, least: int) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and x >= least


def _number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


def _is_loss(x: Any) -> bool:
    try:
        return isinstance(x, str) and divergence_named(x) is not None
    except KullbackError:
        return False


def _listed(names: tuple[str, ...]) -> _Rule:
    return _Rule(f"one of {', '.join(names)}", lambda x: x in names)


_COUNT = _Rule("a whole number above 0", lambda x: _whole(x, 1))
_NATURAL = _Rule("a whole number, 0 or more", lambda x: _whole(x, 0))
_MAYBE_COUNT = _Rule("a whole number above 0, or nothing", lambda x: x is None or _whole(x, 1))
_POSITIVE = _Rule("a number above 0", lambda x: _number(x) and x > 0)
_CHANCE = _Rule("a number from 0 to 1", lambda x: _number(x) and 0 <= x <= 1)
_SHARE = _Rule("a number between 0 and 1", lambda x: _number(x) and 0 < x < 1)
_FLAG = _Rule("true or false", lambda x: isinstance(x, bool))
_TEXT = _Rule("a text", lambda x: isinstance(x, str) and x != "")
_FILES = _Rule(
    "a list of files or patterns",
    lambda x: isinstance(x, (list, tuple)) and len(x) > 0 and all(isinstance(y, str) and y for y in x),
)
_LOSS = _Rule("a divergence by name, such as kl, kl.dual, js, skew_js:0.1 or alpha:0.5", _is_loss)


def _set(rule: _Rule, default: Any = dataclasses.MISSING) -> Any:
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class Text:
    """Which text, cut how; `characters` bounds its length, `held_out` is the share of blocks for evaluation."""

    files: tuple[str, ...] = _set(_FILES)
    characters: int | None = _set(_MAYBE_COUNT, None)
    block: int = _set(_COUNT, 256)
    held_out: float = _set(_SHARE, 0.05)
    tokenizer: str | None = _set(_TEXT, None)


@dataclass(frozen=True)
class New:
    """The sizes of a model that is made on the spot."""

    layers: int = _set(_COUNT)
    width: int = _set(_COUNT)
    heads: int = _set(_COUNT)


@dataclass(frozen=True)
class Train(New):
    """A teacher that is made on the spot and trained on the text."""

    steps: int = _set(_COUNT)
    batch: int = _set(_COUNT, 16)
    learning_rate: float = _set(_POSITIVE, 1e-3)


@dataclass(frozen=True)
class Teacher:
    """One of: a model by folder or hub name, a folder of signals, a model to train first."""

    model: str | None = _set(_TEXT, None)
    signals: str | None = _set(_TEXT, None)
    train: Train | None = None


@dataclass(frozen=True)
class Student:
    """One of: a model by folder or hub name, a new one."""

    model: str | None = _set(_TEXT, None)
    new: New | None = None


@dataclass(frozen=True)
class Distill:
    """How the student is trained."""

    loss: str = _set(_LOSS)
    steps: int = _set(_COUNT)
    temperature: float = _set(_POSITIVE, 1.0)
    squared_temperature: bool = _set(_FLAG, False)
    per: str = _set(_listed(get_args(Per)), "token")
    on_policy: float = _set(_CHANCE, 0.0)
    prompt_tokens: int | None = _set(_MAYBE_COUNT, None)
    batch: int = _set(_COUNT, 16)
    accumulate: int = _set(_COUNT, 1)
    learning_rate: float = _set(_POSITIVE, 1e-3)
    precision: str = _set(_listed(_PRECISIONS), "float32")
    evaluate_every: int = _set(_COUNT, 100)
    save_every: int = _set(_COUNT, 100)
    memory: int | None = _set(_MAYBE_COUNT, None)
    padded_vocabulary: bool = _set(_FLAG, False)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All of it; `output` is the folder that the run writes into."""

    output: str = _set(_TEXT)
    teacher: Teacher
    student: Student
    distill: Distill
    text: Text | None = None
    seed: int = _set(_NATURAL, 0)


def read(path: Path) -> Recipe:
    """The settings of a file; `InvalidInputError` names file, key, value and what was expected."""
    content = _parsed(path)
    try:
        recipe = _filled(Recipe, content, "")
        _check(recipe)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None
    return recipe


def differences(recipe: Recipe, earlier: Mapping[str, Any]) -> list[str]:
    """Which settings are others than those of an earlier run, in words."""
    now, then = _flat(dataclasses.asdict(recipe)), _flat(earlier)
    return [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]


def _flat(content: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, x in content.items():
        if isinstance(x, Mapping):
            found |= _flat(x, f"{place}{name}.")
        elif x is not None:
            found[place + name] = list(x) if isinstance(x, tuple) else x
    return found


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: {error}; expected a YAML or TOML file of settings") from None
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInputError(f"{path}: {error}") from None
    if path.suffix not in {".yaml", ".yml"}:
        raise InvalidInputError(f"{path} ends in {path.suffix or 'nothing'}; expected .yaml, .yml or .toml")
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("YAML needs pyyaml: pip install 'kullback[trainers]'") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def _filled(kind: Any, given: Any, place: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"{place.rstrip('.') or 'the file'} is {_shown(given)}; expected settings: {', '.join(fields)}"
        )
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(fields)}"
            raise InvalidInputError(f"{place}{name} is no setting; {hint}")
    hints = get_type_hints(kind)
    return kind(**{name: _value(f, hints[name], given, place) for name, f in fields.items()})


def _value(f: dataclasses.Field[Any], hint: Any, given: Mapping[str, Any], place: str) -> Any:
    inner = next((x for x in get_args(hint) or (hint,) if dataclasses.is_dataclass(x)), None)
    rule: _Rule | None = f.metadata.get("rule")
    needed = f.default is dataclasses.MISSING
    if given.get(f.name) is None and not needed:
        return f.default
    if inner is not None and (f.name in given or needed):
        if f.name not in given:
            names = ", ".join(x.name for x in dataclasses.fields(inner))
            raise InvalidInputError(f"{place}{f.name} is missing; expected settings: {names}")
        return _filled(inner, given[f.name], f"{place}{f.name}.")
    assert rule is not None
    if f.name not in given:
        raise InvalidInputError(f"{place}{f.name} is missing; expected {rule.expected}")
    x = given[f.name]
    if not rule.accepts(x):
        raise InvalidInputError(f"{place}{f.name} is {_shown(x)}; expected {rule.expected}")
    return _typed(x, hint)


def _typed(x: Any, hint: Any) -> Any:
    if isinstance(x, list):
        return tuple(x)
    kinds = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return float(x) if float in kinds and isinstance(x, int) and not isinstance(x, bool) else x


def _check(recipe: Recipe) -> None:
    """What no setting can tell alone."""
    for place, group in (("teacher", recipe.teacher), ("student", recipe.student)):
        names = [f.name for f in dataclasses.fields(group)]
        chosen = [name for name in names if getattr(group, name) is not None]
        if len(chosen) != 1:
            raise InvalidInputError(
                f"{place} has {' and '.join(chosen) or 'nothing'}; expected exactly one of {', '.join(names)}"
            )
    on_disk = recipe.teacher.signals is not None
    if recipe.text is None and not on_disk:
        raise InvalidInputError("text is missing; expected settings: files, block, held_out, tokenizer, ...")
    if on_disk and recipe.distill.on_policy:
        raise InvalidInputError(
            f"distill.on_policy is {recipe.distill.on_policy}; expected 0 with teacher.signals, which say nothing "
            "about what the student will write"
        )
    for place, sizes in (("teacher.train", recipe.teacher.train), ("student.new", recipe.student.new)):
        if sizes is not None and sizes.width % (2 * sizes.heads):
            raise InvalidInputError(
                f"{place}.width is {sizes.width}; expected a multiple of 2 × heads = {2 * sizes.heads}"
            )
    if recipe.text is not None and recipe.distill.on_policy:
        _check_prompt(recipe.distill.prompt_tokens, recipe.text.block)


def _check_prompt(prompt: int | None, block: int) -> None:
    if prompt is None or prompt >= block:
        raise InvalidInputError(
            f"distill.prompt_tokens is {_shown(prompt)}; expected a whole number below text.block = {block}, for the "
            "student to continue"
        )


def _shown(x: Any) -> str:
    return "nothing" if x is None else repr(x)[:60]
