"""Text as a language model is trained on it: files, a tokenizer, blocks of equal length."""

from __future__ import annotations

import glob
import sysconfig
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kullback.errors import InvalidInputError
from kullback.losses.signals import SignalReader
from kullback.losses.trainers.settings import Text

LIBRARY = "python-library:"  # patterns that start so are sought in Python's own library
_ALPHABET = 127  # characters that a tokenizer of characters knows, the commonest, beside the unknown one


def gathered(text: Text) -> str:
    """The text of all files, each pattern's in the order of their names, up to the length that was asked for."""
    paths = [path for pattern in text.files for path in _matching(pattern)]
    parts: list[str] = []
    room = text.characters
    for path in paths:
        try:
            parts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"text.files: {path}: {error}; expected files of text in UTF-8") from None
        if room is not None:
            parts[-1] = parts[-1][:room]
            room -= len(parts[-1])
            if room == 0:
                break
    return "".join(parts)


def _matching(pattern: str) -> list[Path]:
    inside = pattern.startswith(LIBRARY)
    full = str(Path(sysconfig.get_path("stdlib"), pattern.removeprefix(LIBRARY))) if inside else pattern
    found = sorted(path for path in map(Path, glob.glob(full, recursive=True)) if path.is_file())
    if not found:
        raise InvalidInputError(
            f"text.files has {pattern!r}, which no file matches; expected files or patterns"
        )
    return found


def of_characters(text: str) -> Any:
    """A tokenizer of transformers whose tokens are characters."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    common = sorted(c for c, _ in Counter(text).most_common(_ALPHABET))
    known = {token: i for i, token in enumerate(["<unk>", *common])}
    made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", clean_up_tokenization_spaces=False
    )


def blocks(tokenizer: Any, text: str, length: int) -> Tensor:
    """Tokens in rows of that length; what is left at the end is dropped."""
    pieces = text.splitlines(keepends=True)  # a tokenizer is quicker on many short texts, and uses all cores
    encoded = tokenizer(pieces, add_special_tokens=False)["input_ids"]
    ids = np.fromiter((i for piece in encoded for i in piece), dtype=np.int64)
    count = len(ids) // length
    if count < 4:
        raise InvalidInputError(
            f"text.files give {len(ids)} tokens, {count} blocks of text.block = {length}; expected 4 blocks or more"
        )
    return torch.from_numpy(ids[: count * length].reshape(count, length))


def divided(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of sequences to train on and to evaluate on, at least one each, drawn at random."""
    order = np.random.default_rng(seed).permutation(count)
    held = min(count - 1, max(1, round(share * count)))
    return sorted(order[held:].tolist()), sorted(order[:held].tolist())


class Sequences(Dataset[dict[str, Any]]):
    """Some rows of blocks, or some sequences of signals, as examples for a trainer."""

    def __init__(self, source: Tensor | SignalReader, numbers: Sequence[int]) -> None:
        self.source, self.numbers = source, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> dict[str, Any]:
        i = self.numbers[place]
        if isinstance(self.source, Tensor):
            return {"input_ids": self.source[i], "labels": self.source[i]}
        tokens = self.source[i].tokens
        if tokens is None:
            raise InvalidInputError(
                f"teacher.signals is {str(self.source.folder)!r}, without the tokens of its sequences; expected "
                "signals written with `tokens=`"
            )
        return {"input_ids": tokens.long(), "labels": tokens.long(), "signal": i}


def filled(examples: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Examples side by side; where one is shorter, nothing counts."""
    longest = max(len(x["input_ids"]) for x in examples)

    def side_by_side(name: str, fill: int) -> Tensor:
        made = torch.full((len(examples), longest), fill)
        for row, x in zip(made, examples, strict=True):
            row[: len(x[name])] = x[name]
        return made

    batch = {"input_ids": side_by_side("input_ids", 0), "labels": side_by_side("labels", -100)}
    lengths = torch.tensor([len(x["input_ids"]) for x in examples])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    if "signal" in examples[0]:
        batch["signal"] = torch.tensor([x["signal"] for x in examples])
    return batch
