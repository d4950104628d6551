"""Reads what a teacher said about a corpus: sequence by sequence, checked against its checksums."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from pathlib import Path

from torch.utils.data import Dataset

from kullback.errors import InvalidInputError, UntrustedFileError
from kullback.losses.signals.containers import OpenShard, container
from kullback.losses.signals.manifest import HasVocabulary, checksum, fingerprint, load
from kullback.losses.signals.record import Signal
from kullback.losses.sparse import Rest, TopK

_PICKLED = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".npy", ".npz", ".ckpt", ".joblib"}


class SignalReader(Dataset[Signal]):
    """The signals of a folder, `reader[i]` those of sequence i: a torch data set, whose batches `padded` makes.

    The first look at a shard compares its SHA-256 with the manifest's (`verify=False` leaves that out) and its kind
    with its name. Of safetensors, only the bytes of the sequence are read after that; of Parquet, 64 sequences at once.
    `tokenizer` is the student's: another vocabulary than the one that the signals were written with is refused, since
    equal numbers would mean other tokens. `rest` is what the `TopK` teachers make of the classes not named. A folder
    whose writer did not end is refused unless `partial=True` reads what is there.

    Raises `InvalidInputError` for a folder that is damaged, incomplete or of another vocabulary, `UntrustedFileError`
    for what is no file of signals, `MissingDependencyError`.

    >>> import tempfile, torch
    >>> from kullback.losses.signals import SignalWriter
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SignalWriter(folder, vocabulary=3, k=2) as writer:
    ...         writer.append(TopK.of_logits(torch.tensor([[2.0, 1.0, 0.0]]), 2), name="first")
    ...     reader = SignalReader(folder)
    ...     len(reader), reader[0].name, reader[0].teacher.ids.tolist()
    (1, 'first', [[0, 1]])
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        tokenizer: Mapping[str, int] | HasVocabulary | None = None,
        rest: Rest = Rest.BUCKET,
        verify: bool = True,
        partial: bool = False,
    ) -> None:
        self.folder, self.rest, self._verify = Path(folder), rest, verify
        if self.folder.suffix in _PICKLED and self.folder.is_file():
            raise UntrustedFileError(
                f"{folder} is of a kind that can run code when read; expected a folder of signals"
            )
        manifest = load(self.folder)
        if manifest is None:
            raise InvalidInputError(
                f"{folder} has no manifest.json: it is no folder of signals, or its writing only began"
            )
        self._manifest = manifest
        self._ends = list(itertools.accumulate(x.sequences for x in manifest.shards))
        self._open: dict[int, OpenShard] = {}
        if tokenizer is not None and manifest.tokenizer is None:
            raise InvalidInputError(
                f"{folder} was written without `tokenizer=`, so that nobody can tell whether its numbers are the "
                "student's tokens; write it with the teacher's tokenizer, or read it without one"
            )
        if tokenizer is not None and fingerprint(tokenizer) != manifest.tokenizer:
            raise InvalidInputError(
                f"{folder} was written with another vocabulary than the student's tokenizer has: the same number means "
                "another token. Write the signals with this tokenizer, or map them by kullback.losses.VocabularyMap"
            )
        if not manifest.complete and not partial:
            raise InvalidInputError(
                f"{folder} ends after {len(self)} sequences, where its writer stopped; go on with SignalWriter, or "
                "pass partial=True"
            )

    @property
    def vocabulary(self) -> int:
        """The teacher's number of classes."""
        return self._manifest.vocabulary

    @property
    def k(self) -> int:
        """The most classes that are known of a token."""
        return self._manifest.k

    @property
    def tokens(self) -> int:
        """The number of tokens of all sequences."""
        return sum(x.tokens for x in self._manifest.shards)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Signal:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there is no sequence {index} among {len(self)}")
        number = bisect.bisect_right(self._ends, place)
        before = self._ends[number - 1] if number else 0
        name, found = self._shard(number).sequence(place - before)
        teacher = TopK(
            found["ids"],
            found["log_probs"],
            self.vocabulary,
            found["log_tail"],
            self.rest,
            self._manifest.temperature,
        )
        return Signal(teacher, name, found.get("tokens"), found.get("hidden"), found.get("logits"))

    def check(self) -> None:
        """Compares every shard with its checksum now, rather than when it is first read."""
        for number in range(len(self._manifest.shards)):
            self._checked(number)

    def _shard(self, number: int) -> OpenShard:
        if number not in self._open:
            path = self._checked(number) if self._verify else self.folder / self._manifest.shards[number].file
            self._open[number] = container(self._manifest.container).open(path)
        return self._open[number]

    def _checked(self, number: int) -> Path:
        shard = self._manifest.shards[number]
        path = self.folder / shard.file
        if not path.is_file():
            raise InvalidInputError(f"{path} is missing; the manifest of {self.folder} names it")
        if path.stat().st_size != shard.size or checksum(path) != shard.sha256:
            raise InvalidInputError(
                f"{path} is damaged: its bytes are not those that were written (SHA-256 differs); copy it again, or "
                "write the signals again"
            )
        return path

    def __getstate__(self) -> dict[str, object]:
        # a worker opens its own files
        return {**self.__dict__, "_open": {}}
