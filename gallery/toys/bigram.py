"""A language model that is a table: every character of a line depends on the one before."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gallery.toys.text import ALPHABET, contexts


def learned() -> Tensor:
    """Log-probabilities of Python sources, a row for each character before, with a tenth of a pseudo-count."""
    letters = len(ALPHABET)
    before, after = contexts(1)
    counts = np.bincount(before[:, 0] * letters + after, minlength=letters**2) + 0.1
    return torch.log_softmax(torch.tensor(counts, dtype=torch.float32).log().reshape(letters, letters), -1)


def lines(table: Tensor, n: int, *, length: int, rng: torch.Generator) -> Tensor:
    """Codes of `n` lines of `length` characters, each after the line feed that comes first."""
    law, x = table.softmax(-1), [torch.full((n,), ALPHABET.index("\n"))]
    for _ in range(length):
        x.append(torch.multinomial(law[x[-1]], 1, generator=rng)[:, 0])
    return torch.stack(x, -1)


def log_law(table: Tensor, x: Tensor) -> Tensor:
    """The log-probability of every line."""
    return torch.log_softmax(table, -1)[x[:, :-1], x[:, 1:]].sum(-1)
