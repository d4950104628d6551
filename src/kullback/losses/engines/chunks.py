"""How many rows of logits are alive at a time: from a budget in bytes, never from a count of tokens."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import torch

from kullback.errors import InvalidInputError

_SHARE = 8  # of the free memory that the buffers may take, if nobody sets a budget
_ENOUGH = 1 << 29  # bytes of buffers in which reading the weights once a chunk is small next to the products
_CACHED = 1 << 17  # elements of one temporary: a dozen of them stay in the nearer caches of a core
_LAUNCHED = 1 << 24  # on an accelerator: enough to hide what launching a kernel costs
_KEPT = 2  # student's and teacher's

_shelves: dict[int, list[torch.Tensor]] = {}  # by thread


@dataclass(frozen=True)
class Engine:
    r"""How a loss is computed; the numbers are the same to rounding.

    A chunk has $\lfloor \text{memory} / \sum e V \rfloor$ rows, for the V classes of every head in elements of e bytes.
    `memory` is the budget in bytes of the buffers that hold logits of heads, student's and teacher's together; without
    one it is half a gigabyte, or the size of the two weights where that is more, which is where longer chunks stop to
    pay, but at most an eighth of the memory that is free. `compiled` fuses the arithmetic with `torch.compile`: quicker
    from the second call on, while the first takes tens of seconds and a C++ compiler.

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
        budget = self.memory
        if budget is None:
            budget = min(max(weights, _ENOUGH), free_memory(device) // _SHARE)
        most = max(1, budget // per_row)
        chunks = -(-count // most)
        return -(-count // max(1, chunks))


def block_rows(classes: int, device: torch.device, *, compiled: bool = False) -> int:
    """Rows that are worked on at once; fused arithmetic has fewer temporaries, and every call of it costs more."""
    cached = _CACHED << compiled
    size = cached * torch.get_num_threads() if device.type == "cpu" else _LAUNCHED
    return max(1, size // classes)


def lend(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A buffer of at least so many elements, from the shelf: a processor's kernel clears fresh memory page by page."""
    shelf = _shelves.get(threading.get_ident(), [])
    fits = (i for i, x in enumerate(shelf) if x.dtype == dtype and x.numel() >= size)
    found = next(fits, None) if device.type == "cpu" else None
    return torch.empty(size, dtype=dtype, device=device) if found is None else shelf.pop(found)


def take_back(buffer: torch.Tensor) -> None:
    """Puts a buffer on the shelf for the next call; an accelerator's allocator keeps its memory itself."""
    if buffer.device.type == "cpu":
        shelf = _shelves.setdefault(threading.get_ident(), [])
        shelf.insert(0, buffer)
        del shelf[_KEPT:]


def release() -> None:
    """Gives the buffers of heads back that losses on a processor keep from call to call, at most two a thread.

    >>> release()
    """
    _shelves.clear()


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on the device; a quarter of a gigabyte times `_SHARE` where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    told = Path("/proc/meminfo")
    if told.exists():
        available = re.search(r"^MemAvailable:\s+(\d+) kB", told.read_text(), re.MULTILINE)
        if available:
            return int(available[1]) * 1024
    return _SHARE << 28
