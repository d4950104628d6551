"""Reports as JSON and back: every number, a schema with a version, and no literal that strict parsers refuse."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

from kullback.errors import InvalidInputError
from kullback.tables.report import Report
from kullback.wording import file_name, visible

SCHEMA = "kullback.report/1"


def dumps(report: Report) -> str:
    """The report as JSON in plain ASCII.

    A number that is infinite is written `{"value": null, "infinite": true}`, with `"negative": true` below zero, and
    one that is undefined `{"value": null, "undefined": true}`: JSON itself has no word for them.
    """
    body = {"schema": SCHEMA, "verdict": report.verdict.value, **_encoded(report)}
    return json.dumps(body, indent=1, allow_nan=False) + "\n"


def load(path: str | os.PathLike[str]) -> Report:
    """The report that `Report.to_json` wrote.

    Raises `InvalidInputError` where the file is missing, is no JSON, or has another schema.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{file_name(path)} cannot be read: {visible(str(error))}") from error
    return loads(text, name=file_name(path))


def loads(text: str, *, name: str = "the text") -> Report:
    """The report in a JSON text; `name` is what an error calls it."""
    try:
        body = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{name} is not JSON: {visible(str(error))}") from error
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        found = body.get("schema") if isinstance(body, dict) else None
        raise InvalidInputError(f"{name} has schema {visible(repr(found), 40)}, expected {SCHEMA!r}")
    try:
        return _decoded(Report, body, "report")
    except ValueError as error:
        raise InvalidInputError(f"{name} does not follow {SCHEMA}: {visible(str(error), 200)}") from error


def _refused(literal: str) -> float:
    raise ValueError(f"the literal {literal} is no JSON")


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _encoded(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"value": None, "undefined": True} if math.isnan(value) else _boundless(value)
    return value


def _boundless(value: float) -> dict[str, Any]:
    return {"value": None, "infinite": True} | ({"negative": True} if value < 0 else {})


def _decoded(kind: Any, value: Any, where: str) -> Any:
    """The value as the annotation says; whatever differs from it is an error that names the place."""
    if dataclasses.is_dataclass(kind):
        return _object(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        _expect(isinstance(value, list), value, "a list", where)
        return tuple(_decoded(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is types.UnionType:
        rest = [argument for argument in arguments if argument is not types.NoneType]
        return None if value is None else _decoded(rest[0], value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        _expect(value in [member.value for member in kind], value, f"one of {[m.value for m in kind]}", where)
        return kind(value)
    if kind is float:
        return _number(value, where)
    _expect(type(value) is kind, value, f"a value of type {kind.__name__}", where)
    return value


def _object(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, "an object", where)
    annotations = typing.get_type_hints(kind)
    found = {}
    for field in dataclasses.fields(kind):
        _expect(field.name in value, list(value), f"a field {field.name!r}", where)
        found[field.name] = _decoded(annotations[field.name], value[field.name], f"{where}.{field.name}")
    return kind(**found)


def _number(value: Any, where: str) -> float:
    if isinstance(value, dict):
        if value.get("undefined") is True:
            return math.nan
        _expect(value.get("infinite") is True, value, "a number", where)
        return -math.inf if value.get("negative") is True else math.inf
    _expect(isinstance(value, int | float) and not isinstance(value, bool), value, "a number", where)
    return float(value)


def _expect(met: bool, value: Any, expected: str, where: str) -> None:
    if not met:
        raise ValueError(f"{where} is {visible(repr(value), 60)}, expected {expected}")
