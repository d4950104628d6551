"""How many rows of logits are alive at a time: from a budget in bytes, never from a count of tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from kullback.errors import InvalidInputError

_SHARE = 8  # of the free memory that the buffers may take, if nobody sets a budget
_CACHED = 1 << 17  # elements of one temporary: a dozen of them stay in the nearer caches of a core
_LAUNCHED = 1 << 24  # on an accelerator: enough to hide what launching a kernel costs


@dataclass(frozen=True)
class Engine:
    """How a loss is computed; the numbers are the same to rounding.

    `memory` is the budget in bytes of the buffers that hold logits of heads, student's and teacher's together; without
    one they are as large as the two weights, which is where longer chunks stop to pay, but at most an eighth of the
    memory that is free. `compiled` fuses the arithmetic with `torch.compile`: quicker from the second call on, while
    the first takes tens of seconds and a C++ compiler.

    Raises `InvalidInputError` for a budget that is not positive.

    >>> Engine(memory=1 << 28).memory
    268435456
    """

    memory: int | None = None
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.memory is not None and not self.memory > 0:
            raise InvalidInputError(
                f"`memory` is {self.memory!r}; expected a number of bytes above 0, or None"
            )

    def rows(self, count: int, per_row: int, weights: int, device: torch.device) -> int:
        """Rows of one chunk: `per_row` bytes each, as even as they can be."""
        if not per_row:
            return count
        budget = min(weights, free_memory(device) // _SHARE) if self.memory is None else self.memory
        most = max(1, budget // per_row)
        chunks = -(-count // most)
        return -(-count // max(1, chunks))


def block_rows(classes: int, device: torch.device) -> int:
    """Rows that are worked on at once."""
    size = _CACHED * torch.get_num_threads() if device.type == "cpu" else _LAUNCHED
    return max(1, size // classes)


def free_memory(device: torch.device) -> int:
    """Bytes that are free on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
