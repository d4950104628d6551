"""Records what a teacher says about a corpus, shard by shard, so that whatever stops it costs one shard."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

import torch
from torch import Tensor
from torch.nn.functional import pad

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.signals.containers import Columns
from kullback.losses.signals.containers import container as kind
from kullback.losses.signals.manifest import (
    HasVocabulary,
    Manifest,
    Shard,
    checksum,
    fingerprint,
    load,
    replaced,
)
from kullback.losses.sparse import TopK

_STORED = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


class SignalWriter:
    """Writes a teacher's signals into a folder: classes and log-probabilities of every token, and what goes with them.

    Every sequence is a `TopK` of at most `k` classes of `vocabulary`, recorded at `temperature`; `tokens`, `hidden`
    states and full `logits` go with it if they go with all. Log-probabilities are rounded to `storage`: by at most 2⁻¹¹
    of themselves in float16, 2⁻⁸ in bfloat16 and 2⁻²⁴ in float32, so that a probability near e⁻⁸ is off by up to 0.4 %,
    3 % or 5e-7; the tail is float32. `tokenizer` (a mapping, or something with `get_vocab()`) leaves its fingerprint,
    which a reader compares. `container` is "safetensors", for quick reading of single sequences, or "parquet".

    Shards of about `shard_bytes` and then the manifest appear in one step each, with SHA-256 checksums. A writer on a
    folder that another one left goes on where the manifest ends: skip the first `saved` sequences of the corpus. The
    folder is complete when the `with` block ends without an error. `progress`, such as `sys.stderr`, gets a line for a
    shard, with the time left if `total` sequences are known. One writer at a time.

    Raises `InvalidInputError`, `ShapeError`, `MissingDependencyError`.

    >>> import tempfile, torch
    >>> teacher = TopK.of_logits(torch.tensor([[2.0, 1.0, 0.0]]), 2)
    >>> with tempfile.TemporaryDirectory() as folder, SignalWriter(folder, vocabulary=3, k=2) as writer:
    ...     writer.append(teacher, name="first")
    ...     writer.sequences
    1
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        vocabulary: int,
        k: int,
        temperature: float = 1.0,
        tokenizer: Mapping[str, int] | HasVocabulary | None = None,
        storage: Literal["float16", "bfloat16", "float32"] = "float16",
        container: Literal["safetensors", "parquet"] = "safetensors",
        shard_bytes: int = 1 << 28,
        progress: TextIO | None = None,
        total: int | None = None,
    ) -> None:
        if not 1 <= k <= vocabulary:
            raise InvalidInputError(f"`k` is {k}; expected 1 to {vocabulary}, the size of the vocabulary")
        if storage not in _STORED:
            raise InvalidInputError(
                f"`storage` is {storage!r}; expected one of {', '.join(map(repr, _STORED))}"
            )
        if not shard_bytes > 0:
            raise InvalidInputError(f"`shard_bytes` is {shard_bytes}; expected a number above 0")
        self.folder, self._shard_bytes, self._progress, self._total = (
            Path(folder),
            shard_bytes,
            progress,
            total,
        )
        mark = None if tokenizer is None else fingerprint(tokenizer)
        self._manifest = self._continued(Manifest(vocabulary, k, storage, container, temperature, mark))
        self._container = kind(container)
        self._pending: list[tuple[str, dict[str, Tensor]]] = []
        self._bytes, self._start, self._tokens = 0, time.monotonic(), 0

    def _continued(self, wanted: Manifest) -> Manifest:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = load(self.folder)
        if found is None:
            return wanted
        differences = found.differences(wanted)
        if differences:
            raise InvalidInputError(
                f"{self.folder} holds signals of {'; '.join(differences)}; go on with the same settings, or use "
                "another folder"
            )
        return found

    @property
    def saved(self) -> int:
        """How many sequences are on disk and will survive whatever happens."""
        return sum(x.sequences for x in self._manifest.shards)

    @property
    def sequences(self) -> int:
        """How many sequences were appended, those before this writer included."""
        return self.saved + len(self._pending)

    def append(
        self,
        teacher: TopK,
        *,
        tokens: Tensor | None = None,
        hidden: Tensor | None = None,
        logits: Tensor | None = None,
        name: str = "",
    ) -> None:
        """One sequence of T tokens: `teacher`, `tokens` (T,), `hidden` (T, width), `logits` (T, vocabulary)."""
        columns = self._columns(teacher, tokens, hidden, logits)
        if self._pending and columns.keys() != self._pending[0][1].keys():
            raise InvalidInputError(
                f"this sequence has {', '.join(columns)}, the one before {', '.join(self._pending[0][1])}; all must "
                "have the same"
            )
        self._pending.append((name, columns))
        self._bytes += sum(x.numel() * x.element_size() for x in columns.values())
        if self._bytes >= self._shard_bytes:
            self._flush()

    def append_batch(
        self,
        teacher: TopK,
        mask: Tensor,
        *,
        tokens: Tensor | None = None,
        hidden: Tensor | None = None,
        logits: Tensor | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Several sequences with a leading axis each; of every one the tokens where `mask` (sequences, T) is true."""
        if mask.shape != teacher.ids.shape[:-1] or mask.ndim != 2:
            raise ShapeError(
                f"`mask` has shape {tuple(mask.shape)} and the teacher's tokens {teacher.shape[:-1]}; expected "
                "(sequences, tokens) of both"
            )
        for i, keep in enumerate(mask.bool()):
            rows = [None if x is None else x[i][keep] for x in (tokens, hidden, logits)]
            self.append(
                teacher[i, keep],
                tokens=rows[0],
                hidden=rows[1],
                logits=rows[2],
                name=names[i] if names else "",
            )

    def _columns(
        self, teacher: TopK, tokens: Tensor | None, hidden: Tensor | None, logits: Tensor | None
    ) -> dict[str, Tensor]:
        settings = self._manifest
        count, k = teacher.ids.shape if teacher.ids.ndim == 2 else (-1, -1)
        if k > settings.k or count < 0 or teacher.vocabulary != settings.vocabulary:
            raise ShapeError(
                f"the teacher has ids of shape {tuple(teacher.ids.shape)} of {teacher.vocabulary} classes; expected "
                f"(tokens, at most {settings.k}) of {settings.vocabulary}"
            )
        if teacher.temperature != settings.temperature:
            raise InvalidInputError(
                f"the teacher was recorded at temperature {teacher.temperature:g}, this folder is at "
                f"{settings.temperature:g}"
            )
        missing = settings.k - k
        ids = torch.where(teacher.holes, -1, teacher.ids)
        log_probs = teacher.log_probs.masked_fill(teacher.holes, -math.inf)
        columns = {
            "ids": pad(ids.to(torch.int32), (0, missing), value=-1),
            "log_probs": pad(log_probs, (0, missing), value=-math.inf).to(_STORED[settings.storage]),
            "log_tail": teacher.tail().to(torch.float32),
        }
        for name, x in (("tokens", tokens), ("hidden", hidden), ("logits", logits)):
            if x is None:
                continue
            if len(x) != count:
                raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected {count} tokens first")
            columns[name] = x.to(torch.int64) if name == "tokens" else self._rounded(name, x)
        return {name: x.detach().cpu() for name, x in columns.items()}

    def _rounded(self, name: str, x: Tensor) -> Tensor:
        made = x.to(_STORED[self._manifest.storage])
        if bool((made.isinf() & ~x.isinf()).any()):
            raise InvalidInputError(
                f"`{name}` reaches {float(x.abs().max()):.3g}, beyond {self._manifest.storage}; use storage='bfloat16'"
            )
        return made

    def _flush(self) -> None:
        names = [name for name, _ in self._pending]
        pieces = [columns for _, columns in self._pending]
        offsets = [0]
        for piece in pieces:
            offsets.append(offsets[-1] + len(piece["ids"]))
        tensors = {column: torch.cat([piece[column] for piece in pieces]) for column in pieces[0]}
        path = self.folder / f"shard-{len(self._manifest.shards):06d}{self._container.suffix}"
        replaced(path, lambda to: self._container.write(to, Columns(tensors, offsets, names)))
        shard = Shard(path.name, checksum(path), path.stat().st_size, len(names), offsets[-1])
        manifest = self._manifest.with_shard(shard)
        manifest.save(self.folder)
        self._manifest, self._pending, self._bytes = manifest, [], 0
        self._tokens += offsets[-1]
        if self._progress is not None:
            self._progress.write(self._line() + "\n")
            self._progress.flush()

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        done, shards = self.saved, self._manifest.shards
        size = sum(x.size for x in shards) / 1e6
        of, left = "", ""
        if self._total is not None:
            share = sum(x.tokens for x in shards) / max(done, 1) * (self._total - done)
            of, left = f" of {self._total:,}", f", {share / max(self._tokens / seconds, 1e-9):,.0f} s left"
        return f"{done:,}{of} sequences, {size:,.1f} MB, {self._tokens / seconds:,.0f} tokens/s{left}"

    def close(self) -> None:
        """Writes what is pending and marks the folder as complete."""
        if self._pending:
            self._flush()
        self._manifest = replace(self._manifest, complete=True)
        self._manifest.save(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # after an error the folder stays incomplete: what is saved can be gone on from
        if error is None:
            self.close()
