"""One sequence of a corpus as the teacher saw it, and several of them side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.errors import InvalidInputError
from kullback.losses.sparse import TopK


@dataclass(frozen=True, eq=False)
class Signal:
    """What was recorded of one sequence of T tokens.

    `teacher` has rows for T tokens, `tokens` shape (T,), `hidden` (T, width) and `logits` (T, vocabulary); the last
    three are `None` where they were not recorded. `name` is what the writer was told, or "".

    >>> teacher = TopK(torch.tensor([[0]]), torch.tensor([[0.5]]).log(), vocabulary=3)
    >>> len(Signal(teacher, name="first"))
    1
    """

    teacher: TopK
    name: str = ""
    tokens: Tensor | None = None
    hidden: Tensor | None = None
    logits: Tensor | None = None

    def __len__(self) -> int:
        return len(self.teacher.ids)


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences side by side, the shorter ones filled up; `mask`, shape (sequences, T), is true where there is a token.

    >>> teacher = TopK(torch.tensor([[0]]), torch.tensor([[0.5]]).log(), vocabulary=3)
    >>> padded([Signal(teacher), Signal(teacher)]).mask.tolist()
    [[True], [True]]
    """

    teacher: TopK
    mask: Tensor
    names: tuple[str, ...]
    tokens: Tensor | None = None
    hidden: Tensor | None = None
    logits: Tensor | None = None


def padded(signals: Sequence[Signal]) -> Batch:
    """Sequences of different lengths as one batch: what a `DataLoader` takes as its `collate_fn`.

    Places that are filled up name no class, and are 0 in `tokens`, `hidden` and `logits`. Raises `InvalidInputError`.

    >>> one = Signal(TopK(torch.tensor([[0]]), torch.tensor([[0.5]]).log(), vocabulary=3))
    >>> two = Signal(TopK(torch.tensor([[0], [1]]), torch.tensor([[0.5], [0.5]]).log(), vocabulary=3))
    >>> padded([one, two]).mask.tolist()
    [[True, False], [True, True]]
    """
    if not signals:
        raise InvalidInputError("there is no signal to make a batch of")
    first = signals[0].teacher
    longest = max(map(len, signals))

    def stacked(tensors: Sequence[Tensor | None], fill: float) -> Tensor | None:
        here = [x for x in tensors if x is not None]
        if not here:
            return None
        if len(here) < len(tensors):
            raise InvalidInputError(
                "some of the signals have hidden states, logits or tokens and some have none"
            )
        made = here[0].new_full((len(here), longest, *here[0].shape[1:]), fill)
        for row, x in zip(made, here, strict=True):
            row[: len(x)] = x
        return made

    ids, log_probs, tail = (
        stacked([getattr(s.teacher, name) for s in signals], fill)
        for name, fill in (("ids", -1), ("log_probs", -math.inf), ("log_tail", 0.0))
    )
    assert ids is not None
    assert log_probs is not None
    mask = torch.tensor([[i < len(s) for i in range(longest)] for s in signals])
    return Batch(
        TopK(ids, log_probs, first.vocabulary, tail, first.rest, first.temperature),
        mask,
        tuple(s.name for s in signals),
        *(stacked([getattr(s, name) for s in signals], 0) for name in ("tokens", "hidden", "logits")),
    )
