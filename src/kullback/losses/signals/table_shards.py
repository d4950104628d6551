"""Shards in Parquet: one row a sequence, for whoever wants to look at them as a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kullback.errors import MissingDependencyError, UntrustedFileError
from kullback.losses.signals.containers import Columns, check_start

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingDependencyError(
        'signals in Parquet need pyarrow: pip install "kullback[distill]"'
    ) from error

_GROUP = 64  # sequences that are read together
_BITS = {torch.bfloat16: torch.int16}  # Arrow has no such float: its bits stand in the table


class TableShards:
    """A list a column, flat, whose width and type the schema's metadata tell; `sequence` is the name."""

    suffix = ".parquet"

    def write(self, path: Path, columns: Columns) -> None:
        """One shard."""
        offsets = np.asarray(columns.offsets, dtype=np.int64)
        arrays: dict[str, Any] = {"sequence": pa.array(list(columns.names), pa.string())}
        layout = {}
        for name, x in columns.tensors.items():
            width = math.prod(x.shape[1:])
            layout[name] = [list(x.shape[1:]), str(x.dtype).removeprefix("torch.")]
            flat = x.contiguous().view(_BITS.get(x.dtype, x.dtype)).reshape(-1).numpy()
            arrays[name] = pa.LargeListArray.from_arrays(pa.array(offsets * width), pa.array(flat))
        table = pa.table(arrays).replace_schema_metadata({"kullback": json.dumps(layout)})
        pq.write_table(table, path, row_group_size=_GROUP, compression="zstd")

    def open(self, path: Path) -> _Table:
        """What reads it."""
        check_start(path, b"PAR1", 0)
        try:
            return _Table(path)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise UntrustedFileError(f"{path} is no Parquet file of signals: {error}") from error


class _Table:
    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path, memory_map=True)
        self.layout = json.loads(self.file.schema_arrow.metadata[b"kullback"])
        self.group, self.table = -1, None

    def sequence(self, index: int) -> tuple[str, dict[str, Tensor]]:
        group, row = divmod(index, _GROUP)
        if group != self.group:
            self.group, self.table = group, self.file.read_row_group(group)
        assert self.table is not None
        found = {
            name: _tensor(self.table[name][row].values, shape, getattr(torch, kind))
            for name, (shape, kind) in self.layout.items()
        }
        return self.table["sequence"][row].as_py(), found


def _tensor(values: Any, shape: list[int], kind: torch.dtype) -> Tensor:
    # a copy of its own: what Arrow holds must not be written to
    flat = torch.from_numpy(values.to_numpy(zero_copy_only=False).copy())
    return flat.view(kind).reshape(-1, *shape)
