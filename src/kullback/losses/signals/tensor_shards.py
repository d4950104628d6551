"""Shards in safetensors: mapped into memory, so that one sequence costs the reading of its own bytes."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from kullback.errors import MissingDependencyError, UntrustedFileError
from kullback.losses.signals.containers import Columns, check_start

try:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file
except ImportError as error:
    raise MissingDependencyError(
        'signals in safetensors need the safetensors package: pip install "kullback[distill]"'
    ) from error


class TensorShards:
    """One tensor a column, and the offsets as one more."""

    suffix = ".safetensors"

    def write(self, path: Path, columns: Columns) -> None:
        """One shard."""
        tensors = {name: x.contiguous() for name, x in columns.tensors.items()}
        tensors["offsets"] = torch.tensor(list(columns.offsets))
        save_file(tensors, path, metadata={"names": json.dumps(list(columns.names))})

    def open(self, path: Path) -> _Mapped:
        """What reads it."""
        check_start(path, b"{", 8)
        try:
            return _Mapped(path)
        except (SafetensorError, KeyError, ValueError) as error:
            raise UntrustedFileError(f"{path} is no safetensors file of signals: {error}") from error


class _Mapped:
    def __init__(self, path: Path) -> None:
        self.file = safe_open(path, framework="pt")
        self.columns = [name for name in self.file.keys() if name != "offsets"]  # noqa: SIM118  (not a mapping)
        self.offsets = self.file.get_tensor("offsets").tolist()
        self.names = json.loads((self.file.metadata() or {})["names"])

    def sequence(self, index: int) -> tuple[str, dict[str, Tensor]]:
        place = slice(self.offsets[index], self.offsets[index + 1])
        return self.names[index], {name: self.file.get_slice(name)[place] for name in self.columns}
