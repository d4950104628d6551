"""The list of a folder's shards with their checksums, written last: what it does not name does not exist."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kullback.errors import InvalidInputError, UntrustedFileError

NAME = "manifest.json"
_FORMAT = "kullback signals 1"
_MOST_BYTES = 1 << 26  # a manifest of a million shards is smaller
_SHARD = re.compile(r"shard-\d{6}\.(safetensors|parquet)")


@runtime_checkable
class HasVocabulary(Protocol):
    """A tokenizer, as far as its vocabulary is asked for."""

    def get_vocab(self) -> Mapping[str, int]:
        """The number of every token."""
        ...


@dataclass(frozen=True)
class Shard:
    """One file: its bytes' SHA-256 and what it holds."""

    file: str
    sha256: str
    size: int
    sequences: int
    tokens: int


@dataclass(frozen=True)
class Manifest:
    """What all shards have in common, and the shards."""

    vocabulary: int
    k: int
    storage: str
    container: str
    temperature: float
    tokenizer: str | None
    shards: tuple[Shard, ...] = ()
    complete: bool = False

    def with_shard(self, shard: Shard) -> Manifest:
        """One more shard, which makes it incomplete again."""
        return replace(self, shards=(*self.shards, shard), complete=False)

    def differences(self, other: Manifest) -> list[str]:
        """Which settings differ, in words."""
        names = ("vocabulary", "k", "storage", "container", "temperature", "tokenizer")
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return [f"{name} {mine!r} and not {theirs!r}" for name, mine, theirs in pairs if mine != theirs]

    def save(self, folder: Path) -> None:
        """Replaces the one in the folder, in one step."""
        content = asdict(self)
        text = json.dumps({"format": _FORMAT, **content, "sha256": _digest(content)}, indent=1)
        replaced(folder / NAME, lambda path: path.write_text(text, encoding="utf-8"))


def load(folder: Path) -> Manifest | None:
    """The manifest of a folder, `None` where there is none yet."""
    path = folder / NAME
    if not path.exists():
        return None
    if path.stat().st_size > _MOST_BYTES:
        raise UntrustedFileError(f"{path} has {path.stat().st_size} bytes, more than any manifest needs")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise InvalidInputError(f"{path} is of another format than {_FORMAT!r}; write the signals again")
        found = content.pop("sha256")
        intact = found == _digest(content)
        shards = tuple(Shard(**x) for x in content.pop("shards"))
        manifest = Manifest(**content, shards=shards)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{path} is damaged ({error}); write the signals again") from error
    if not intact:
        raise InvalidInputError(
            f"{path} is damaged: its checksum does not fit its content; write the signals again"
        )
    for shard in manifest.shards:
        if not _SHARD.fullmatch(shard.file):
            raise UntrustedFileError(
                f"{path} names the shard {shard.file!r}; shards are files of the same folder such as "
                "'shard-000000.safetensors', and no other kind is opened"
            )
    return manifest


def replaced(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside the place and moves there in one step, so that nobody ever sees half a file."""
    partial = path.with_name(path.name + ".partial")
    write(partial)
    _synced(partial)
    os.replace(partial, path)
    if os.name == "posix":
        _synced(path.parent)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(tokenizer: Mapping[str, int] | HasVocabulary) -> str:
    """A checksum of which token has which number: equal for two tokenizers with the same vocabulary.

    `tokenizer` is a mapping from tokens to numbers, or has it as `get_vocab()`. Raises `InvalidInputError`.

    >>> fingerprint({"a": 0, "b": 1}) == fingerprint({"b": 1, "a": 0})
    True
    """
    tokens = tokenizer.get_vocab() if isinstance(tokenizer, HasVocabulary) else tokenizer
    if not isinstance(tokens, Mapping):
        raise InvalidInputError(
            f"`tokenizer` is a {type(tokenizer).__name__}; expected a mapping from tokens to numbers, or `get_vocab()`"
        )
    return _digest(sorted((int(i), str(token)) for token, i in tokens.items()))


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
