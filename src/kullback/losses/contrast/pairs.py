"""Scores of every example's partner against the others', and the mean over the pairs that count."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.contrast.checks import real


def directions(x: Tensor) -> Tensor:
    """Vectors along the last axis over their length; a vector of length 0 has no direction and stays 0."""
    largest = x.detach().abs().amax(-1, keepdim=True)
    x = x / torch.where(largest == 0, 1.0, largest)  # squares of what is left neither overflow nor vanish
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length == 0, 1.0, length)


def cosines(first: Tensor, second: Tensor) -> Tensor:
    r"""The cosine of every state of one side with every state of the other, $\langle x_i, y_j \rangle / (|x_i| |y_j|)$.

    States (n, width) and (m, width) give (n, m) scores, own pairs on the diagonal. A state of length 0 has cosine 0
    with all. Half precision is computed in single. Raises `ShapeError` or `DTypeError`.

    >>> import torch
    >>> cosines(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    x = real("first", first, 2, "(n, width), one row an example")
    y = real("second", second, 2, "(m, width), one row an example")
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"states are {x.shape[1]} and {y.shape[1]} wide; expected one width")
    return directions(x) @ directions(y).T


def split(scores: Tensor) -> tuple[Tensor, Tensor]:
    r"""Scores of own pairs and of the others: $s_{ii}$ of shape (n,), and $s_{ij}$ with j ≠ i of shape (n, K − 1).

    `scores` (n, K), K ≥ n and at least 2: row i's own partner is in column i. Raises `ShapeError` or `DTypeError`.

    >>> import torch
    >>> own, other = split(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    >>> own.tolist(), other.tolist()
    ([1.0, 5.0], [[2.0, 3.0], [4.0, 6.0]])
    """
    scores = matched(scores)
    n, k = scores.shape
    # own scores are at the multiples of k + 1, from 0 to `last`
    flat, last = scores.flatten(), (n - 1) * (k + 1)
    between = flat[1 : last + 1].reshape(n - 1, k + 1)[:, :-1].reshape(-1)
    return scores.diagonal(), torch.cat([between, flat[last + 1 :]]).reshape(n, k - 1)


def hollow(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of own pairs, and all scores with −inf in their place: for sums of exponentials, in one copy."""
    n, k = scores.shape
    return scores.diagonal(), scores.masked_fill(
        torch.eye(n, k, dtype=torch.bool, device=scores.device), -math.inf
    )


def matched(scores: Tensor, *, square: bool = False) -> Tensor:
    """The scores in at least single precision, where every row has a partner and someone else."""
    scores = real("scores", scores, 2, "(n, K), row i's own partner in column i")
    n, k = scores.shape
    if k < max(n, 2) or (square and n != k):
        told = "(n, n)" if square else "(n, K) with K >= n"
        raise ShapeError(
            f"`scores` has shape {(n, k)}; expected {told}, at least two columns, row i's own partner in column i"
        )
    return scores


def over_pairs(
    terms: Callable[..., Tensor],
    scores: Tensor,
    *along: Tensor,
    mask: Tensor | None,
    weight: Tensor | None,
    nonfinite: NonFinite,
    sides: Callable[[Tensor], tuple[Tensor, ...]] = split,
) -> Tensor:
    """The mean of `terms(*sides(scores), *along)` over the pairs that count; the others are nobody's negatives."""
    kept = counting(scores, mask, weight, nonfinite)
    if len(kept) == 0:
        return scores[:0].sum()
    parts = *sides(among(scores, kept)), *(x[kept] for x in along)
    return averaged(terms, *parts, weight=weight if weight is None else weight[kept], nonfinite=nonfinite)


def counting(scores: Tensor, mask: Tensor | None, weight: Tensor | None, nonfinite: NonFinite) -> Tensor:
    """The numbers of the pairs that count: one whose own score is no number would spoil every other row too."""
    n = len(scores)
    for name, x in (("mask", mask), ("weight", weight)):
        if x is not None and tuple(x.shape) != (n,):
            raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected {(n,)}, an entry for every pair")
    counts = torch.ones(n, dtype=torch.bool, device=scores.device) if mask is None else mask.to(torch.bool)
    if nonfinite == "skip":
        lost = counts & ~scores.detach().diagonal().isfinite()
        if bool(lost.any()):
            text = f"{int(lost.sum())} of {int(counts.sum())} pairs have an own score that is not finite, the first "
            text += f"is number {int(lost.nonzero()[0, 0])}; they were skipped, as negatives too"
            warnings.warn(text, RuntimeWarning, stacklevel=4)
            counts = counts & ~lost
    return counts.nonzero()[:, 0]


def among(scores: Tensor, kept: Tensor) -> Tensor:
    """The rows and columns of some pairs, and the columns that belong to no pair."""
    n, k = scores.shape
    if len(kept) == n:
        return scores
    columns = torch.cat([kept, torch.arange(n, k, device=kept.device)])
    if len(columns) < 2:
        raise InvalidInputError("one pair counts, and has none to be told from; a batch needs two")
    return scores[kept][:, columns]
