"""Kinds of shard: how columns of tokens are laid down in a file and found again without reading all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from kullback.errors import InvalidInputError, UntrustedFileError


@dataclass(frozen=True, eq=False)
class Columns:
    """Sequences one after the other: each column's first axis counts tokens, `offsets` says where a sequence starts."""

    tensors: Mapping[str, Tensor]
    offsets: Sequence[int]
    names: Sequence[str]


class OpenShard(Protocol):
    """A shard to read from."""

    def sequence(self, index: int) -> tuple[str, dict[str, Tensor]]:
        """The name and the columns of one sequence."""
        ...


class Container(Protocol):
    """A kind of shard."""

    suffix: str

    def write(self, path: Path, columns: Columns) -> None:
        """One shard."""
        ...

    def open(self, path: Path) -> OpenShard:
        """What reads it."""
        ...


def container(name: str) -> Container:
    """The kind of that name."""
    if name == "safetensors":
        from kullback.losses.signals.tensor_shards import TensorShards

        return TensorShards()
    if name == "parquet":
        from kullback.losses.signals.table_shards import TableShards

        return TableShards()
    raise InvalidInputError(f"`container` is {name!r}; expected 'safetensors' or 'parquet'")


def check_start(path: Path, start: bytes, at: int) -> None:
    """Refuses a file that is something else inside, before any reader touches it."""
    with path.open("rb") as file:
        found = file.read(at + len(start))[at:]
    if found != start:
        raise UntrustedFileError(
            f"{path} is no {path.suffix[1:]} file inside; it was not opened: write the signals again, from a source "
            "that you trust"
        )
